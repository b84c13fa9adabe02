import path from 'node:path'
import { lockFolder } from '../base'
import { studyLimits } from '../data'
import { readOverview } from '../report'
import {
  announceTrials,
  checkStudy,
  isPrepared,
  namedTrials,
  needsOf,
  notebookTrials,
  preparationTrials,
  type StartingPoint,
  type Study,
  type StudyRunOptions,
  shortTrials,
} from '../study'
import { type DataReading, findFailure, forgetFailures, type TrialConfig, trialHash } from '../trial'
import { allNotebooks } from './chapters'
import type { Failed } from './failures'
import type { NotebookError } from './notebook-file'
import { executeNotebooks } from './notebooks'
import { trialNames } from './run-trials'
import { createShownStudy } from './study'
import { ENVIRONMENT, parseSeeds } from './study-settings'
import { EventFiles } from './tensorboard'
import { notebookReporter } from './terminal'
import { rowsTable } from './text-table'

/** Options of the commands that run the notebooks, as given on the command line. */
export interface WorkbookOptions {
  readonly profile: string
  /** Changed keys of the profile, as `key=value`. */
  readonly set?: readonly string[]
  readonly data?: string
  /** How to read that folder. */
  readonly reading?: DataReading
  readonly out: string
  readonly seeds?: string
  readonly from?: StartingPoint
  readonly full?: boolean
  /** Files of the user's own models. */
  readonly teacher?: readonly string[]
  readonly student?: readonly string[]
  readonly newHeads?: boolean
  /** Whether TensorBoard's event files are written too. */
  readonly tensorboard?: boolean
  /** Trainings that diverged before are repeated. */
  readonly retry?: boolean
}

/** Folder of TensorBoard's event files in a study's output folder: its `--logdir`. */
export const eventsFolder = (out: string): string => path.join(path.resolve(out), 'tensorboard')

/**
 * The study of a command's options.
 * @throws Error naming what a user's data set lacks for the whole study, before anything is trained
 */
export async function openWorkbook({
  seeds,
  out,
  retry,
  tensorboard: _,
  ...options
}: WorkbookOptions): Promise<Study> {
  const study = await createShownStudy({
    ...options,
    out: path.resolve(out),
    seeds: seeds === undefined ? undefined : parseSeeds(seeds),
  })
  if (retry) forgetFailures(study.runs)
  checkStudy(study)
  const { profile, plan } = study
  const needs = needsOf(profile, plan.networks.teacher.input)
  const limits = options.data === undefined ? [] : studyLimits(study.dataset, needs)
  if (limits.length > 0)
    throw new Error(`${options.data} and profile ${profile.name}:\n  ${limits.join('\n  ')}`)
  return study
}

/** Tells the kernels of notebooks which study a command's options mean. */
export function environmentOf(options: WorkbookOptions): Record<string, string> {
  const { profile, set = [], data, reading, out, seeds, from, full, teacher, student, newHeads } = options
  const files = (paths: readonly string[] | undefined) =>
    paths === undefined ? '' : JSON.stringify(paths.map((file) => path.resolve(file)))
  return {
    [ENVIRONMENT.profile]: profile.endsWith('.yaml') ? path.resolve(profile) : profile,
    [ENVIRONMENT.set]: set.length === 0 ? '' : JSON.stringify(set),
    [ENVIRONMENT.out]: path.resolve(out),
    [ENVIRONMENT.data]: data === undefined ? '' : path.resolve(data),
    [ENVIRONMENT.reading]: data === undefined || reading === undefined ? '' : JSON.stringify(reading),
    [ENVIRONMENT.seeds]: seeds ?? '',
    [ENVIRONMENT.from]: from ?? '',
    [ENVIRONMENT.full]: full ? '1' : '',
    [ENVIRONMENT.teacher]: files(teacher),
    [ENVIRONMENT.student]: files(student),
    [ENVIRONMENT.newHeads]: newHeads ? '1' : '',
  }
}

/**
 * Executes all notebooks on one study; executed notebooks and their pages go to <out>/notebooks. Trials run ahead of the
 * notebooks, which wait for the ones they need, so that no core idles while a notebook draws. A notebook that has none of its
 * trials left ends where it needs them, and the others run on; without a teacher or a student nothing can.
 *
 * @param started when the command began: notebooks show bars of trials finished since
 * @returns the failed trials of the study, and the name of each
 */
export async function runWorkbook(
  options: WorkbookOptions,
  signal: AbortSignal,
  started = new Date(),
): Promise<StudyFailures> {
  const env = { ...environmentOf(options), [ENVIRONMENT.started]: started.toISOString() }
  const study = await openWorkbook(options)
  const release = await lockFolder(study.runs, { signal })
  const stop = new AbortController()
  const ahead = runAhead(study, {
    signal: AbortSignal.any([signal, stop.signal]),
    since: started.toISOString(),
    ...(options.tensorboard && {
      onProgress: new EventFiles(eventsFolder(options.out), study.runs, trialNames(study)).follow,
    }),
  }).finally(release)
  const { report, end } = notebookReporter()
  try {
    const outDir = path.join(path.resolve(options.out), 'notebooks')
    const goesOn = ({ reason }: NotebookError) => reason === 'TrialsFailed' && isPrepared(study)
    await executeNotebooks({ notebooks: allNotebooks(), outDir, env, onProgress: report, goesOn, signal })
  } finally {
    stop.abort()
    await ahead
    end()
  }
  return studyFailures(study)
}

/** Trials of a study that failed. */
export interface StudyFailures {
  readonly failures: readonly Failed[]
  readonly nameOf: (trial: TrialConfig) => string
}

function studyFailures(study: Study): StudyFailures {
  const named = [...namedTrials(study), ...shortTrials(study)]
  const names = new Map(named.map(([name, trial]) => [trialHash(trial), name]))
  const failures = named.flatMap(([, trial]): Failed[] => {
    const failure = findFailure(trialHash(trial), study.runs)
    return failure ? [{ trial, failure }] : []
  })
  return { failures, nameOf: (trial) => names.get(trialHash(trial)) ?? trial.kind }
}

/** Runs the trials of all notebooks except those on the test split, which come after the choice. */
async function runAhead(study: Study, options: StudyRunOptions): Promise<void> {
  const { plan, runs } = study
  const isEarly = (trial: TrialConfig) => trial.kind !== 'evaluate' || trial.split === 'validation'
  try {
    announceTrials(runs, [...preparationTrials(study).values()])
    await study.run(plan.preparation, options)
    const trials = notebookTrials(study).filter(isEarly)
    announceTrials(runs, trials)
    await study.attempt(trials, options)
  } catch {
    // Not lost: what failed has left its record, and the cell that needs it shows why.
  }
}

/** The results for a terminal: every model's accuracy and cost. */
export function resultTable(out: string): string {
  return rowsTable(readOverview(path.join(out, 'report')), { lines: true })
}
