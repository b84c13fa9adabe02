import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { loadCheckpoint } from '../../lib/train'
import { readTrial, type TrialConfig, type TrialResult, writeTask } from '../../lib/trial'
import { TINY_SOURCE } from '../study/tiny'

const LOADER = resolve(__dirname, '../../lib/engine/loader.cjs')
const TRIAL = resolve(__dirname, '../../lib/trial')

export interface KilledTrial {
  readonly result: TrialResult
  /** Step of the checkpoint that it went on from. */
  readonly step: number
}

/** Where a process kills itself: after a step, or between it and the next. */
export interface Death {
  readonly step: number
  readonly in?: 'evaluating' | 'labelling'
}

/** A process of its own that runs a trial to its end or, by SIGKILL, to its death. */
function trialProcess(file: string, folder: string, death?: Death): ChildProcess {
  const isDead = death
    ? `progress?.step === ${death.step} && ${death.in ? `progress.${death.in}` : 'true'}`
    : 'false'
  const program = `
    const onProgress = ({ progress }) => ${isDead} && process.kill(process.pid, 'SIGKILL')
    require(${JSON.stringify(TRIAL)}).runTask(${JSON.stringify(file)}, ${JSON.stringify(folder)}, { onProgress })
  `
  const command = ['--require', LOADER, '--eval', program]
  return spawn(process.execPath, command, { stdio: ['ignore', 'ignore', 'inherit'] })
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
 * Runs a trial in a process that dies by SIGKILL on the way, then to its end in another. A task with a checkpoint every 3 steps
 * and a log line for each.
 */
export async function runKilled(
  runs: string,
  trial: TrialConfig,
  cache: string,
  death: Death,
): Promise<KilledTrial> {
  const { file, folder } = place(runs, trial, cache)
  const [, signal] = await once(trialProcess(file, folder, death), 'exit')
  if (signal !== 'SIGKILL') throw new Error(`${folder}: expected a process that was killed, found ${signal}`)
  const { step } = loadCheckpoint(join(folder, 'checkpoint.json'))
  return { result: await toItsEnd(file, folder), step }
}

/** The training part of a trial's metrics, without what differs from run to run. */
export function trainingNumbers({ metrics }: TrialResult): object {
  const { seconds: _, waitedShare: __, peakBytes: ___, ...numbers } = metrics.training ?? {}
  return numbers
}
