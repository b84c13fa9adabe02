import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { loadCheckpoint } from '../../lib/train'
import { readTrial, type TrialConfig, type TrialResult, trialFolder, writeTask } from '../../lib/trial'
import { TINY_SOURCE } from '../study/tiny'

const LOADER = resolve(__dirname, '../../lib/engine/loader.cjs')
const TRIAL = resolve(__dirname, '../../lib/trial')

export interface KilledTrial {
  readonly result: TrialResult
  /** Step of the checkpoint that it went on from. */
  readonly step: number
}

/** A process of its own that runs a trial to its end. */
function trialProcess(file: string, folder: string): ChildProcess {
  const program = `require(${JSON.stringify(TRIAL)}).runTask(${JSON.stringify(file)}, ${JSON.stringify(folder)})`
  return spawn(process.execPath, ['--require', LOADER, '--eval', program], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
}

function place(runs: string, trial: TrialConfig, cache: string) {
  mkdirSync(runs, { recursive: true })
  return writeTask(trial, { runs, source: TINY_SOURCE, cache, checkpointEvery: 3, logEvery: 1 })
}

async function toItsEnd(file: string, folder: string): Promise<TrialResult> {
  const [status] = await once(trialProcess(file, folder), 'exit')
  const result = readTrial(folder)
  if (status !== 0 || !result)
    throw new Error(`${folder}: expected a finished trial, found exit code ${status}`)
  return result
}

/** Runs a trial in a process of its own, to its end. */
export function runUndisturbed(runs: string, trial: TrialConfig, cache: string): Promise<TrialResult> {
  const { file, folder } = place(runs, trial, cache)
  return toItsEnd(file, folder)
}

/**
 * Runs a trial in a process that is killed, by SIGKILL, once its checkpoint has come to a step; then to its end in another.
 * A task with a checkpoint every 3 steps and a log line for each.
 */
export async function runKilled(
  runs: string,
  trial: TrialConfig,
  cache: string,
  atStep: number,
): Promise<KilledTrial> {
  const { file, folder } = place(runs, trial, cache)
  const checkpoint = join(runs, trialFolder(trial), 'checkpoint.json')
  const child = trialProcess(file, folder)
  const end = once(child, 'exit')
  const reached = () => existsSync(checkpoint) && loadCheckpoint(checkpoint).step >= atStep
  while (child.exitCode === null && !reached()) await setTimeout(5)
  child.kill('SIGKILL')
  await end
  const { step } = loadCheckpoint(checkpoint)
  return { result: await toItsEnd(file, folder), step }
}

/** What a trial's metrics say about its training, but for what differs from run to run. */
export function trainingNumbers({ metrics }: TrialResult): object {
  const { seconds: _, waitedShare: __, peakBytes: ___, ...numbers } = metrics.training ?? {}
  return numbers
}
