/** The task of a trial's process, and how it runs it. */

import { mkdirSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { z } from 'zod'
import { lockFolder, readSealed, writeSealed } from '../base'
import { curveSchema } from '../train'
import { type TrialConfig, trialFolder, trialSchema } from './config'
import { failureOf, forgetFailure, isSettled, readFailure, writeFailure } from './failure'
import { FILES, type TrialResult } from './results'
import { openSource, sourceSchema } from './source'
import { runTrial, type TrialContext } from './trial'

/** A trial's config, and settings that do not change its result. */
export const taskSchema = z
  .object({
    trial: trialSchema,
    source: sourceSchema,
    /** Folder for rendered scenes and decoded frames. */
    cache: z.string(),
    checkpointEvery: z.number().int().positive(),
    logEvery: z.number().int().positive(),
    curve: curveSchema.optional(),
  })
  .strict()
export type TrialTask = z.infer<typeof taskSchema>

/** What a trial's process needs beside the trial. */
export type TaskOptions = Omit<TrialTask, 'trial'> & {
  /** Folder of all trials. */
  readonly runs: string
}

/** Task file in a trial's folder. */
export const TASK = 'task.json'

/** Makes a trial's folder with its task; `trial --config <file> --out <folder>` then runs the trial. */
export function writeTask(trial: TrialConfig, options: TaskOptions): { folder: string; file: string } {
  const { runs, cache, source, checkpointEvery, logEvery, curve } = options
  const folder = join(runs, trialFolder(trial))
  const task: TrialTask = { trial, source, cache, checkpointEvery, logEvery, ...(curve && { curve }) }
  const file = join(folder, TASK)
  mkdirSync(folder, { recursive: true })
  writeSealed(file, task)
  return { folder, file }
}

/**
 * Runs or continues the trial of a task file, in a folder locked against other processes; the folder's parent
 * contains the trials that it starts from.
 *
 * A failed trial leaves its record (see failure.ts); a training that has diverged here before is not repeated.
 *
 * @throws Error naming the file and its keys if it is not a task, and when another process has the folder
 */
export async function runTask(
  file: string,
  out: string,
  { signal, onProgress }: Pick<TrialContext, 'signal' | 'onProgress'> = {},
): Promise<TrialResult> {
  const task = readSealed(file, taskSchema, {
    what: 'a trial',
    advice: 'start the study again, which writes it',
  })
  const { trial, source, cache, checkpointEvery, logEvery, curve } = task
  const folder = resolve(out)
  const release = await lockFolder(folder, { signal })
  try {
    const before = readFailure(folder)
    if (before && isSettled(before)) {
      throw new Error(
        `${before.message}\n${join(folder, FILES.failed)} says so of an earlier try; remove it to try again`,
      )
    }
    forgetFailure(folder)
    return await runTrial(trial, {
      folder,
      runs: dirname(folder),
      dataset: await openSource(source, cache, { signal }),
      frames: join(cache, 'frames'),
      checkpointEvery,
      logEvery,
      curve,
      signal,
      onProgress,
    })
  } catch (error) {
    if (!signal?.aborted && !readFailure(folder)) record(folder, trial, error)
    throw error
  } finally {
    release()
  }
}

/** Writes a failure down. @throws Error with both reasons where that fails too, as on a full disk */
function record(folder: string, trial: TrialConfig, error: unknown): void {
  try {
    writeFailure(folder, failureOf(trial, error))
  } catch (why) {
    throw new Error(`${error}; and that could not be written down: ${why}`, { cause: error })
  }
}
