import { interruptSignal } from '../base'
import {
  failuresAmong,
  namedTrials,
  type RunOptions,
  resultsOf,
  type Study,
  type TrialOutcome,
  TrialsFailed,
} from '../study'
import { describeFailure, type TrialConfig, type TrialProgress, type TrialResult, trialHash } from '../trial'
import { inNotebook, showMarkdown } from './display'
import { LiveCurves } from './live-curves'
import { type ProgressBar, showFinished, showProgress } from './progress'
import { ENVIRONMENT } from './study-settings'
import { EventFiles } from './tensorboard'
import { describeProgress, endOf } from './trial-progress'

/** Trials whose bars this process has shown. */
const shown = new Set<string>()

/** How trials are run and called. */
export interface RunTrialsOptions {
  /** What trials are called that are not the study's own, by their hash. */
  readonly called?: ReadonlyMap<string, string>
  /** When the command began, as ISO 8601; what has failed since is not tried again. Default: as the environment says. */
  readonly since?: string
  /** Folder for TensorBoard's event files. Default: as the environment says, none without it. */
  readonly tensorboard?: string
}

/**
 * Runs trials (or finds them) with a live bar for each running one: time left, loss terms, images a second. Trials that the
 * command ran ahead of its notebooks have a bar too, showing their end. An interrupt of the cell stops the
 * processes, which write a checkpoint first; run the cell again to continue.
 *
 * @throws TrialsFailed where one has no result, when the others have ended
 */
export async function runTrials(
  study: Study,
  trials: readonly TrialConfig[],
  options: RunTrialsOptions = {},
): Promise<TrialResult[]> {
  return resultsOf(await attemptTrials(study, trials, options), trialNames(study, options.called))
}

/**
 * The same where others can go on without a trial that fails, as the seeds of an arm can, and the arms of a study: each failure
 * is shown with its reason, and the results of the others come back in their order.
 *
 * @throws TrialsFailed where all have failed
 */
export async function tryTrials(
  study: Study,
  trials: readonly TrialConfig[],
  options: RunTrialsOptions = {},
): Promise<TrialResult[]> {
  const outcomes = await attemptTrials(study, trials, options)
  const nameOf = trialNames(study, options.called)
  const failures = failuresAmong(outcomes)
  if (failures.length > 0 && outcomes.every(({ failure }) => failure))
    throw new TrialsFailed(failures, nameOf)
  for (const { trial, failure } of failures) {
    const advice = failure.kind === 'diverged' ? `; ${failure.advice}` : ''
    const text = `${nameOf(trial)} failed: ${describeFailure(failure)}${advice}.`
    if (inNotebook()) showMarkdown(`**${text.replace(/[\\`*_<>|$[\]]/g, '\\$&')}**`)
    else console.error(text)
  }
  return outcomes.flatMap(({ result }) => result ?? [])
}

/** What a trial is called: a method by its lambda too, the others, of which several are alike, by what they are in the study. */
export function trialNames(
  study: Study,
  called: ReadonlyMap<string, string> = new Map(),
): (trial: TrialConfig) => string {
  const names = new Map([...namedTrials(study)].map(([name, trial]) => [trialHash(trial), name]))
  return (trial) =>
    called.get(trialHash(trial)) ??
    (trial.kind === 'distill' ? undefined : names.get(trialHash(trial))) ??
    describeTrial(trial)
}

/** Runs trials with their bars; what became of each, in their order. */
export async function attemptTrials(
  study: Study,
  trials: readonly TrialConfig[],
  {
    called,
    since = process.env[ENVIRONMENT.started] || undefined,
    tensorboard = process.env[ENVIRONMENT.tensorboard] || undefined,
  }: RunTrialsOptions = {},
): Promise<TrialOutcome[]> {
  const bars = new Map<TrialConfig, { bar: ProgressBar; phase: TrialProgress['phase'] }>()
  const nameOf = trialNames(study, called)
  const barOf = (
    trial: TrialConfig,
    phase: TrialProgress['phase'],
    total: number,
    note = '',
  ): ProgressBar => {
    const known = bars.get(trial)
    if (known?.phase === phase) return known.bar
    known?.bar.done()
    const bar = showProgress(`${nameOf(trial)}: ${phase}`, total, note)
    bars.set(trial, { bar, phase })
    return bar
  }
  const events = tensorboard === undefined ? undefined : new EventFiles(tensorboard, study.runs, nameOf)
  const curves = new LiveCurves(study.runs)
  const started = process.env[ENVIRONMENT.started]
  const isOfThisRun = ({ metrics }: TrialResult) =>
    started !== undefined && String(metrics.provenance.finished) >= started
  const waiting = new Set<TrialConfig>()
  const onProgress: RunOptions['onProgress'] = (trial, event) => {
    events?.follow(trial, event)
    if (event.state === 'found' || event.state === 'finished') {
      const { hash } = event.result.metrics
      const bar = bars.get(trial)?.bar
      const end = endOf(event.result)
      if (bar && waiting.has(trial)) bar.finish(end.total, end.seconds, end.note)
      else if (bar) bar.done()
      else if (!shown.has(hash) && isOfThisRun(event.result))
        showFinished(`${nameOf(trial)}: ${end.phase}`, end.total, end.seconds, end.note)
      shown.add(hash)
    }
    if (event.state === 'failed') {
      const bar = bars.get(trial)?.bar ?? showProgress(nameOf(trial), 1)
      bar.done(`failed: ${describeFailure(event.failure)}`)
      bars.delete(trial)
      waiting.delete(trial)
    }
    if (event.state === 'waiting') {
      waiting.add(trial)
      const [phase, total] =
        'training' in trial ? (['training', trial.training.steps] as const) : (['evaluating', 1] as const)
      barOf(trial, phase, total, 'left to another process')
    }
    if (event.state === 'started' && waiting.delete(trial)) {
      bars.get(trial)?.bar.done('the other process has ended')
      bars.delete(trial)
    }
    if (event.state !== 'running') return
    const { progress } = event
    if (progress.phase === 'evaluating') {
      void barOf(trial, progress.phase, progress.total).update(progress.done)
      return
    }
    const { step, steps, evaluated } = progress.progress
    // What another process trains has its figure there, or below.
    if (!waiting.has(trial)) curves.update(trial, nameOf(trial), evaluated?.step)
    void barOf(trial, progress.phase, steps).update(step, describeProgress(progress.progress))
  }
  try {
    return await study.attempt(trials, { signal: interruptSignal(), since, onProgress })
  } finally {
    for (const { bar } of bars.values()) bar.done()
  }
}

/** A trial in a few words. */
export function describeTrial(trial: TrialConfig): string {
  const seed = 'training' in trial ? `, seed ${trial.training.seed}` : ''
  if (trial.kind === 'evaluate') return `evaluation on ${trial.split}`
  if (trial.kind !== 'distill') return `${trial.kind}${seed}`
  const terms = trial.terms.map(({ method, weight, threshold }) => {
    const lambda = typeof weight === 'number' ? `lambda ${weight}` : `ratio ${weight.ratio.toPrecision(2)}`
    return `${method} (${lambda}${threshold === undefined ? '' : `, threshold ${threshold}`})`
  })
  return `${terms.join(' + ')}${seed}`
}
