import { type ChildProcess, fork } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { writeAtomically } from '../train'
import { type TrialConfig, trialFolder, trialSchema } from './config'
import { type Profile, teacherCacheSchema } from './profile'
import { findTrial, readTrial, type TrialResult } from './results'
import { type DataSource, sourceSchema } from './source'
import type { TrialProgress } from './trial'

/** What a trial's process is told: its config, and what does not change its result. */
export const taskSchema = z
  .object({
    trial: trialSchema,
    source: sourceSchema,
    /** Folder for rendered scenes and the teacher's outputs. */
    cache: z.string(),
    checkpointEvery: z.number().int().positive(),
    logEvery: z.number().int().positive(),
    teacherCache: teacherCacheSchema.optional(),
  })
  .strict()
export type TrialTask = z.infer<typeof taskSchema>

export interface RunOptions {
  /** Folder of all trials. */
  readonly runs: string
  readonly cache: string
  readonly source: DataSource
  /** Processes side by side; with more than one, each computes with one thread. */
  readonly workers: number
  readonly checkpointEvery: number
  readonly logEvery: number
  readonly teacherCache?: Profile['teacherCache']
  readonly signal?: AbortSignal
  /** Called for every trial at its start (progress undefined), while it runs, and at its end. */
  readonly onProgress?: (trial: TrialConfig, state: TrialState) => void
}

export type TrialState =
  | { readonly state: 'found' | 'started' | 'finished' }
  | { readonly state: 'running'; readonly progress: TrialProgress }

/** Set to the number of threads of a trial's process: with the same number come the same bits. */
export const THREAD_VARIABLES = ['OMP_NUM_THREADS', 'TF_NUM_INTRAOP_THREADS', 'TF_NUM_INTEROP_THREADS']

const COMMAND_LINE = join(__dirname, '../workbench/cli.ts')

/**
 * Runs trials in processes of their own, some side by side, in the given order; finished ones are found and read, unfinished
 * ones go on from their last checkpoint.
 *
 * @returns results in the order of `trials`
 * @throws Error with the end of the trial's own error output when one fails; the others are stopped
 * @throws the signal's reason when it aborts, after the running trials have written their checkpoints
 */
export async function runTrials(trials: readonly TrialConfig[], options: RunOptions): Promise<TrialResult[]> {
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
      onProgress?.(trial, { state: 'found' })
    } else queue.push(trial)
  }
  const abort = new AbortController()
  const stop = () => abort.abort(signal?.reason)
  signal?.addEventListener('abort', stop, { once: true })
  if (signal?.aborted) stop()
  const work = async (): Promise<void> => {
    for (let trial = queue.shift(); trial; trial = queue.shift()) {
      abort.signal.throwIfAborted()
      try {
        results.set(trialFolder(trial), await runInProcess(trial, options, abort.signal))
      } catch (error) {
        abort.abort(error)
        throw error
      }
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

export type TaskOptions = Pick<
  RunOptions,
  'runs' | 'cache' | 'source' | 'checkpointEvery' | 'logEvery' | 'teacherCache'
>

/** File of a trial's folder with what its process is told. */
export const TASK = 'task.json'

/** Makes a trial's folder with its task; whoever then runs `trial --config <file> --out <folder>` runs the trial. */
export function writeTask(trial: TrialConfig, options: TaskOptions): { folder: string; file: string } {
  const { runs, cache, source, checkpointEvery, logEvery, teacherCache } = options
  const folder = join(runs, trialFolder(trial))
  const task: TrialTask = { trial, source, cache, checkpointEvery, logEvery, teacherCache }
  const file = join(folder, TASK)
  mkdirSync(folder, { recursive: true })
  writeAtomically(file, `${JSON.stringify(task, null, 2)}\n`)
  return { folder, file }
}

async function runInProcess(
  trial: TrialConfig,
  options: RunOptions,
  signal: AbortSignal,
): Promise<TrialResult> {
  const { workers, onProgress } = options
  const { folder, file } = writeTask(trial, options)
  onProgress?.(trial, { state: 'started' })
  // Two single-thread trials side by side are faster than one after the other with two threads.
  const threads = workers > 1 ? Object.fromEntries(THREAD_VARIABLES.map((name) => [name, '1'])) : {}
  const child = fork(COMMAND_LINE, ['trial', '--config', file, '--out', folder], {
    execArgv: ['--require', require.resolve('tsx/cjs')],
    env: { TF_CPP_MIN_LOG_LEVEL: '2', ...process.env, ...threads },
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
  const kill = () => child.kill('SIGTERM')
  signal.addEventListener('abort', kill, { once: true })
  if (signal.aborted) kill()
  try {
    const { end, errors } = await outcome(child, (progress) =>
      onProgress?.(trial, { state: 'running', progress }),
    )
    const result = readTrial(folder)
    if (!result) {
      signal.throwIfAborted()
      throw new Error(`trial ${trialFolder(trial)} failed (${end}):\n${errors}`)
    }
    onProgress?.(trial, { state: 'finished' })
    return result
  } finally {
    signal.removeEventListener('abort', kill)
  }
}

/** Waits for the process: how it ended, and the end of its error output. */
function outcome(
  child: ChildProcess,
  onProgress: (progress: TrialProgress) => void,
): Promise<{ end: string; errors: string }> {
  let errors = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-4000)
  })
  child.on('message', (message) => onProgress(message as TrialProgress))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => {
      const end =
        signal === 'SIGKILL' ? 'SIGKILL, perhaps for want of memory' : (signal ?? `exit code ${code}`)
      resolve({ end, errors })
    })
  })
}
