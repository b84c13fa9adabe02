import { existsSync, mkdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { z } from 'zod'
import { readJson, watchFolder, writeAtomically } from '../base'
import { THREADS } from '../engine'
import {
  describeFailure,
  failureOf,
  findFailure,
  findModel,
  findTrial,
  forgetFailure,
  isSettled,
  lastLogRow,
  modelsOf,
  readFailure,
  readTrial,
  readValidation,
  type TaskOptions,
  type TrialConfig,
  type TrialFailure,
  type TrialProgress,
  type TrialResult,
  TrialWorker,
  trialFolder,
  trialHash,
  writeFailure,
  writeTask,
} from '../trial'

/** How trials are run; nothing here changes their results. */
export interface RunOptions extends TaskOptions {
  /** Number of processes side by side; if more than one, each computes with one thread. */
  readonly workers: number
  readonly signal?: AbortSignal
  /** When the command began, as ISO 8601: what has failed since is not tried again. Default: now. */
  readonly since?: string
  /** Called for every trial: when it is found, begins or is left to another process, while it runs, and at its end. */
  readonly onProgress?: (trial: TrialConfig, state: TrialState) => void
}

/** Where a trial stands. */
export type TrialState =
  | { readonly state: 'found' | 'finished'; readonly result: TrialResult }
  | { readonly state: 'failed'; readonly failure: TrialFailure }
  /** Begun here, or left to the process that announced it. */
  | { readonly state: 'started' | 'waiting' }
  | { readonly state: 'running'; readonly progress: TrialProgress }

/** What became of a trial: its result, or why it has none. */
export type TrialOutcome =
  | { readonly trial: TrialConfig; readonly result: TrialResult; readonly failure?: undefined }
  | { readonly trial: TrialConfig; readonly failure: TrialFailure; readonly result?: undefined }

/** Trials have failed; all others of the same call have run to their end. */
export class TrialsFailed extends Error {
  override name = 'TrialsFailed'
  constructor(
    readonly failures: readonly { readonly trial: TrialConfig; readonly failure: TrialFailure }[],
    nameOf: (trial: TrialConfig) => string = (trial) => `trial ${trialFolder(trial)}`,
  ) {
    super(failures.map(({ trial, failure }) => `${nameOf(trial)} failed: ${failure.message}`).join('\n'))
  }
}

/**
 * The results of trials, all of which must have one.
 * @throws TrialsFailed naming those that have none
 */
export function resultsOf(
  outcomes: readonly TrialOutcome[],
  nameOf?: (trial: TrialConfig) => string,
): TrialResult[] {
  const failures = failuresAmong(outcomes)
  if (failures.length > 0) throw new TrialsFailed(failures, nameOf)
  return outcomes.flatMap(({ result }) => result ?? [])
}

/** The trials that failed, each once. */
export function failuresAmong(outcomes: readonly TrialOutcome[]) {
  const failed = outcomes.flatMap(({ trial, failure }) => (failure ? [{ trial, failure }] : []))
  return [...new Map(failed.map((one) => [trialHash(one.trial), one])).values()]
}

/** Interval for checking on a trial that another process runs. */
const LOOK_MS = 200

/**
 * Runs trials in other processes, some side by side, in the given order, but each after those it starts from.
 * Finished trials are found and read, unfinished ones continue from their last checkpoint, and those announced by another
 * process (`announceTrials`) are waited for; whatever that process has not run when it ends is run here.
 *
 * One that fails leaves a record in its folder and stops no other; those that start from it fail with its reason. A training
 * that has diverged before is not repeated (see `isSettled`).
 *
 * @returns what became of each, in the order of `trials`
 * @throws the signal's reason when it aborts, after the running trials have written their checkpoints
 */
export async function runSideBySide(
  trials: readonly TrialConfig[],
  options: RunOptions,
): Promise<TrialOutcome[]> {
  const { runs, workers, signal, onProgress } = options
  mkdirSync(runs, { recursive: true })
  const settings = { since: new Date().toISOString(), ...options }
  const outcomes = new Map<string, TrialOutcome>()
  const queue: TrialConfig[] = []
  for (const trial of trials) {
    const hash = trialHash(trial)
    if (outcomes.has(hash) || queue.some((other) => trialHash(other) === hash)) continue
    const found = findTrial(runs, trial)
    if (found) {
      outcomes.set(hash, { trial, result: found })
      onProgress?.(trial, { state: 'found', result: found })
    } else queue.push(trial)
  }
  const abort = new AbortController()
  const stop = () => abort.abort(signal?.reason)
  signal?.addEventListener('abort', stop, { once: true })
  if (signal?.aborted) stop()
  const next = turns(queue, abort.signal)
  const work = async (): Promise<void> => {
    let worker: TrialWorker | undefined
    const run = async (trial: TrialConfig): Promise<TrialOutcome> => {
      const known = knownOutcome(trial, settings) ?? (await follow(trial, settings, abort.signal))
      if (known) return known
      if (!worker?.isFresh) {
        await worker?.end()
        worker = startWorker(workers)
      }
      const outcome = await runIn(worker, trial, options, abort.signal)
      // Its process ends with a trial that fails.
      if (outcome.failure) worker = undefined
      return outcome
    }
    try {
      for (let turn = await next(); turn; turn = await next()) {
        const outcome = await run(turn.trial)
        outcomes.set(trialHash(turn.trial), outcome)
        const { result, failure } = outcome
        onProgress?.(turn.trial, result ? { state: 'finished', result } : { state: 'failed', failure })
        turn.end()
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
  return trials.map((trial) => outcomes.get(trialHash(trial))!)
}

/** A trial whose turn has come; `end` is called when it is finished or has failed. */
interface Turn {
  readonly trial: TrialConfig
  end(): void
}

/** Gives out a queue's trials in their order, but each after those of the queue whose models it loads; undefined at its end. */
function turns(queue: TrialConfig[], signal: AbortSignal): () => Promise<Turn | undefined> {
  const unfinished = new Set(queue.map(trialHash))
  const isReady = (trial: TrialConfig) =>
    modelsOf(trial).every((model) => !('trial' in model) || !unfinished.has(model.trial))
  const waiting: (() => void)[] = []
  const wake = () => {
    for (const go of waiting.splice(0)) go()
  }
  signal.addEventListener('abort', wake, { once: true })
  return async () => {
    for (;;) {
      signal.throwIfAborted()
      const ready = queue.findIndex(isReady)
      const [trial] = ready < 0 ? [] : queue.splice(ready, 1)
      if (trial) {
        const end = () => {
          unfinished.delete(trialHash(trial))
          wake()
        }
        return { trial, end }
      }
      if (queue.length === 0) return undefined
      await new Promise<void>((resolve) => waiting.push(resolve))
    }
  }
}

/**
 * What is known of a trial before it is run: that it has failed and would fail again, or that a trial has failed whose model it
 * loads, which is then written down in its own folder too. Undefined where it is to be run.
 */
export function knownOutcome(
  trial: TrialConfig,
  { runs, since }: Pick<RunOptions, 'runs' | 'since'>,
): TrialOutcome | undefined {
  const hash = trialHash(trial)
  const own = findFailure(hash, runs)
  if (own && isSettled(own, since)) return { trial, failure: own }
  for (const model of modelsOf(trial)) {
    if (!('trial' in model) || findModel(model.trial, runs)) continue
    const before = findFailure(model.trial, runs)
    if (!before || !isSettled(before, since)) continue
    const message = `what it starts from failed, trial ${model.trial.slice(0, 12)}: ${describeFailure(before)}`
    const failure = { ...failureOf(trial, new Error(message)), of: model.trial }
    return { trial, failure: writeFailure(join(runs, trialFolder(trial)), failure) }
  }
  return undefined
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
): Promise<TrialOutcome> {
  const { onProgress } = options
  const task = writeTask(trial, options)
  forgetFailure(task.folder)
  onProgress?.(trial, { state: 'started' })
  const stop = () => worker.stop()
  signal.addEventListener('abort', stop, { once: true })
  if (signal.aborted) stop()
  try {
    const ended = await worker.run(task, (progress) => onProgress?.(trial, { state: 'running', progress }))
    const result = readTrial(task.folder)
    if (result) return { trial, result }
    signal.throwIfAborted()
    // One that was killed has written nothing.
    const killed = () =>
      failureOf(trial, new Error(`${ended?.errors || 'its process ended'} (${ended?.end})`))
    return { trial, failure: readFailure(task.folder) ?? writeFailure(task.folder, killed()) }
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

const ANNOUNCED = 'announced.json'

/**
 * Announces the trials that the process holding the folder of all trials (`lockFolder`) runs, so that others wait for
 * them instead of running them.
 */
export function announceTrials(runs: string, trials: readonly TrialConfig[]): void {
  writeAtomically(join(runs, ANNOUNCED), `${JSON.stringify(trials.map(trialFolder), null, 2)}\n`)
}

function isAnnounced(runs: string, trial: TrialConfig): boolean {
  const file = join(runs, ANNOUNCED)
  return existsSync(file) && z.array(z.string()).parse(readJson(file)).includes(trialFolder(trial))
}

/** Waits while another process runs the trial that it has announced; undefined where nothing has become of it. */
async function follow(
  trial: TrialConfig,
  { runs, since, onProgress }: RunOptions,
  signal: AbortSignal,
): Promise<TrialOutcome | undefined> {
  const isAtWork = watchFolder(runs)
  let shown: number | undefined
  for (;;) {
    // In this order: a trial finished before the folder was released is found.
    const goesOn = isAtWork() && isAnnounced(runs, trial)
    const result = findTrial(runs, trial)
    if (result) return { trial, result }
    const failure = findFailure(trialHash(trial), runs)
    if (failure && isSettled(failure, since)) return { trial, failure }
    if (!goesOn) return undefined
    if (shown === undefined) {
      onProgress?.(trial, { state: 'waiting' })
      shown = 0
    }
    const row = 'training' in trial ? lastLogRow(join(runs, trialFolder(trial))) : undefined
    if (row && 'training' in trial && row.step !== shown) {
      const { step, imagesPerSecond = 0, rate: _, ...measurements } = row
      const evaluated = readValidation(join(runs, trialFolder(trial))).at(-1)
      const progress = { step, steps: trial.training.steps, imagesPerSecond, measurements, evaluated }
      onProgress?.(trial, { state: 'running', progress: { phase: 'training', progress } })
      shown = step
    }
    await setTimeout(LOOK_MS, undefined, { signal }).catch(() => signal.throwIfAborted())
  }
}
