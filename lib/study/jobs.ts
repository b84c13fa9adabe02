/** Trials as jobs of a workflow engine, for studies that outgrow one machine. */

import { z } from 'zod'
import { THREADS } from '../engine'
import {
  findModel,
  findTrial,
  forgetFailure,
  modelsOf,
  TASK,
  type TaskOptions,
  type TrialConfig,
  trialFolder,
  trialHash,
  writeTask,
} from '../trial'
import { knownOutcome, type RunOptions } from './runner'

/**
 * Input of an engine's workflow. A job's command is `trial --config <runs>/<job>/<task> --out <runs>/<job>`; it is
 * done when <runs>/<job>/metrics.json exists. A restarted job continues from its checkpoint.
 */
export const jobPlanSchema = z
  .object({
    format: z.literal('trial-jobs/2'),
    /** The Node program that runs the command line. */
    node: z.string(),
    /** Folder of the trials. */
    runs: z.string(),
    /** Name of a job's task file. */
    task: z.string(),
    /** Environment variable for a job's number of threads. */
    threads: z.string(),
    /** By the name of the trial's folder: the jobs that must be done first. */
    jobs: z.record(z.array(z.string())),
  })
  .strict()
  .superRefine(({ jobs }, context) => {
    for (const [name, before] of Object.entries(jobs)) {
      const unknown = before.find((other) => !Object.hasOwn(jobs, other))
      if (unknown === undefined) continue
      context.addIssue({
        code: 'custom',
        path: ['jobs', name],
        message: `expected names of jobs, found ${unknown}`,
      })
    }
  })
/** Trials as an engine's jobs. */
export type JobPlan = z.infer<typeof jobPlanSchema>

/**
 * Plans the unfinished trials, each after the trials whose models it loads, and writes their tasks. Trials
 * that failed and would fail again, or whose models did, are left out (see `knownOutcome`).
 *
 * @throws Error if a trial needs a model that neither exists nor comes from one of the trials
 */
export function planJobs(
  trials: readonly TrialConfig[],
  options: TaskOptions & Pick<RunOptions, 'since'>,
): JobPlan {
  const { runs, since = new Date().toISOString() } = options
  const isPending = (trial: TrialConfig) => !findTrial(runs, trial) && !knownOutcome(trial, { runs, since })
  const pending = new Map(trials.filter(isPending).map((trial) => [trialHash(trial), trial]))
  const jobs = [...pending.values()].map((trial): [string, string[]] => {
    forgetFailure(writeTask(trial, options).folder)
    const before = modelsOf(trial).flatMap((ref) => {
      if (!('trial' in ref)) return []
      const source = pending.get(ref.trial)
      if (source) return [trialFolder(source)]
      if (findModel(ref.trial, runs)) return []
      throw new Error(
        `${trialFolder(trial)}: expected trial ${ref.trial.slice(0, 12)} to be finished in ${runs} or to be among those ` +
          'that run, found neither',
      )
    })
    return [trialFolder(trial), [...new Set(before)]]
  })
  return jobPlanSchema.parse({
    format: 'trial-jobs/2',
    node: process.execPath,
    runs,
    task: TASK,
    threads: THREADS,
    jobs: Object.fromEntries(jobs),
  })
}
