import { existsSync, mkdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { z } from 'zod'
import { readJson, watchFolder, writeAtomically } from '../base'
import { THREADS } from '../engine'
import {
  findTrial,
  lastLogRow,
  modelsOf,
  readTrial,
  type TaskOptions,
  type TrialConfig,
  type TrialProgress,
  type TrialResult,
  TrialWorker,
  trialFolder,
  trialHash,
  writeTask,
} from '../trial'

export interface RunOptions extends TaskOptions {
  /** Processes side by side; with more than one, each computes with one thread. */
  readonly workers: number
  readonly signal?: AbortSignal
  /** Called for every trial that is found, or when it begins or is left to another process, while it runs, and at its end. */
  readonly onProgress?: (trial: TrialConfig, state: TrialState) => void
}

export type TrialState =
  | { readonly state: 'found' | 'finished'; readonly result: TrialResult }
  /** Begun here, or left to the process that has announced it. */
  | { readonly state: 'started' | 'waiting' }
  | { readonly state: 'running'; readonly progress: TrialProgress }

/** A trial that another process runs is looked at this often. */
const LOOK_MS = 200

/**
 * Runs trials in other processes, some side by side, in the given order, but each after those of them that it starts from.
 * Finished ones are found and read, unfinished ones go on from their last checkpoint, and those that another process has
 * announced (`announceTrials`) are waited for; what that one has not run when it ends, is run here.
 *
 * @returns results in the order of `trials`
 * @throws Error with the end of the trial's own error output when one fails; the others are stopped
 * @throws the signal's reason when it aborts, after the running trials have written their checkpoints
 */
export async function runSideBySide(
  trials: readonly TrialConfig[],
  options: RunOptions,
): Promise<TrialResult[]> {
  const { runs, workers, signal, onProgress } = options
  mkdirSync(runs, { recursive: true })
  const results = new Map<string, TrialResult>()
  const queue: TrialConfig[] = []
  for (const trial of trials) {
    const folder = trialFolder(trial)
    if (results.has(folder) || queue.some((other) => trialFolder(other) === folder)) continue
    const found = findTrial(runs, trial)
    if (found) {
      results.set(folder, found)
      onProgress?.(trial, { state: 'found', result: found })
    } else queue.push(trial)
  }
  const abort = new AbortController()
  const stop = () => abort.abort(signal?.reason)
  signal?.addEventListener('abort', stop, { once: true })
  if (signal?.aborted) stop()
  const unfinished = new Set(queue.map(trialHash))
  const isReady = (trial: TrialConfig) =>
    modelsOf(trial).every((model) => 'shipped' in model || !unfinished.has(model.trial))
  const waiting: (() => void)[] = []
  const wake = () => {
    for (const go of waiting.splice(0)) go()
  }
  abort.signal.addEventListener('abort', wake, { once: true })
  const next = async (): Promise<TrialConfig | undefined> => {
    for (;;) {
      abort.signal.throwIfAborted()
      const ready = queue.findIndex(isReady)
      if (ready >= 0) return queue.splice(ready, 1)[0]
      if (queue.length === 0) return undefined
      await new Promise<void>((resolve) => waiting.push(resolve))
    }
  }
  const work = async (): Promise<void> => {
    let worker: TrialWorker | undefined
    try {
      for (let trial = await next(); trial; trial = await next()) {
        let result = await follow(trial, options, abort.signal)
        if (!result) {
          if (!worker?.isFresh) {
            await worker?.end()
            worker = startWorker(workers)
          }
          result = await runIn(worker, trial, options, abort.signal)
        }
        results.set(trialFolder(trial), result)
        onProgress?.(trial, { state: 'finished', result })
        unfinished.delete(trialHash(trial))
        wake()
      }
    } catch (error) {
      abort.abort(error)
      throw error
    } finally {
      await worker?.end()
    }
  }
  try {
    const settled = await Promise.allSettled(Array.from({ length: Math.min(workers, queue.length) }, work))
    const failed = settled.find((outcome) => outcome.status === 'rejected')
    if (failed?.status === 'rejected') throw abort.signal.reason ?? failed.reason
  } finally {
    signal?.removeEventListener('abort', stop)
  }
  return trials.map((trial) => results.get(trialFolder(trial))!)
}

function startWorker(workers: number): TrialWorker {
  // Two single-thread trials side by side are faster than one after the other with two threads.
  const alone = process.env[THREADS] ?? String(availableParallelism())
  return new TrialWorker({ [THREADS]: workers > 1 ? '1' : alone })
}

async function runIn(
  worker: TrialWorker,
  trial: TrialConfig,
  options: RunOptions,
  signal: AbortSignal,
): Promise<TrialResult> {
  const { onProgress } = options
  const task = writeTask(trial, options)
  onProgress?.(trial, { state: 'started' })
  const stop = () => worker.stop()
  signal.addEventListener('abort', stop, { once: true })
  if (signal.aborted) stop()
  try {
    const ended = await worker.run(task, (progress) => onProgress?.(trial, { state: 'running', progress }))
    const result = readTrial(task.folder)
    if (result) return result
    signal.throwIfAborted()
    throw new Error(`trial ${trialFolder(trial)} failed (${ended?.end}):\n${ended?.errors}`)
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

const ANNOUNCED = 'announced.json'

/**
 * Says which trials the process runs that has the folder of all trials (`lockFolder`), so that others wait for those instead of
 * running them.
 */
export function announceTrials(runs: string, trials: readonly TrialConfig[]): void {
  writeAtomically(join(runs, ANNOUNCED), `${JSON.stringify(trials.map(trialFolder), null, 2)}\n`)
}

function isAnnounced(runs: string, trial: TrialConfig): boolean {
  const file = join(runs, ANNOUNCED)
  return existsSync(file) && z.array(z.string()).parse(readJson(file)).includes(trialFolder(trial))
}

/** Waits while another process runs the trial that it has announced; the result, or undefined where there is none. */
async function follow(
  trial: TrialConfig,
  { runs, onProgress }: RunOptions,
  signal: AbortSignal,
): Promise<TrialResult | undefined> {
  const isAtWork = watchFolder(runs)
  let shown: number | undefined
  for (;;) {
    // In this order: what was finished before the folder was let go is found.
    const goesOn = isAtWork() && isAnnounced(runs, trial)
    const result = findTrial(runs, trial)
    if (result || !goesOn) return result
    if (shown === undefined) {
      onProgress?.(trial, { state: 'waiting' })
      shown = 0
    }
    const row = 'training' in trial ? lastLogRow(join(runs, trialFolder(trial))) : undefined
    if (row && 'training' in trial && row.step !== shown) {
      const { step, imagesPerSecond = 0, rate: _, ...measurements } = row
      const progress = { step, steps: trial.training.steps, imagesPerSecond, measurements }
      onProgress?.(trial, { state: 'running', progress: { phase: 'training', progress } })
      shown = step
    }
    await setTimeout(LOOK_MS, undefined, { signal }).catch(() => signal.throwIfAborted())
  }
}
