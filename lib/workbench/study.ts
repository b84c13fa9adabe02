import { basename, join, resolve } from 'node:path'
import { z } from 'zod'
import {
  interruptSignal,
  joinMarkdown,
  jsonOf,
  type Markdown,
  markdown,
  markdownCode,
  parseDocument,
  type Schema,
  sha256,
} from '../base'
import {
  checkStudy,
  createStudy,
  failuresAmong,
  isPrepared,
  namedTrials,
  notebookTrials,
  type RunOptions,
  resultsOf,
  type StartingPoint,
  type Study,
  type StudySettings,
  seedsSchema,
  type TrialOutcome,
  TrialsFailed,
} from '../study'
import type { TrainProgress } from '../train'
import {
  describeFailure,
  findTrial,
  readingSchema,
  type TrialConfig,
  type TrialProgress,
  type TrialResult,
  trialHash,
} from '../trial'
import { inNotebook, showMarkdown } from './display'
import { LiveCurves } from './live-curves'
import { type ProgressBar, showFinished, showProgress } from './progress'
import { root } from './project'
import { EventFiles } from './tensorboard'

/** Environment variables that tell the notebooks which study to run; all are optional. */
export const ENVIRONMENT = {
  profile: 'WORKBOOK_PROFILE',
  /** Changed keys of the profile, as a JSON list of `key=value`. */
  set: 'WORKBOOK_SET',
  data: 'WORKBOOK_DATA',
  /** How to read that folder, as JSON. */
  reading: 'WORKBOOK_READING',
  out: 'WORKBOOK_OUT',
  seeds: 'WORKBOOK_SEEDS',
  from: 'WORKBOOK_FROM',
  full: 'WORKBOOK_FULL',
  /** Files of the user's own teacher, as a JSON list. */
  teacher: 'WORKBOOK_TEACHER',
  student: 'WORKBOOK_STUDENT',
  newHeads: 'WORKBOOK_NEW_HEADS',
  /** Folder for TensorBoard's event files; none by default. */
  tensorboard: 'WORKBOOK_TENSORBOARD',
  /** Start time of the command; bars of trials run since are shown when the trials are found. */
  started: 'WORKBOOK_STARTED',
} as const

/**
 * Default output folder of a study: runs/<profile>, followed by the names of the data folder and of the user's own models, and by a
 * few letters that identify the changes of `--set`.
 */
export function defaultOut(
  profile: string,
  data?: string,
  set: readonly string[] = [],
  models: Pick<StudySettings, 'teacher' | 'student' | 'newHeads'> = {},
): string {
  const name = profile.replace(/^.*\/|\.yaml$/g, '')
  const on = data === undefined ? '' : `-${basename(resolve(data))}`
  const marks = (['teacher', 'student'] as const).map((role) => {
    const [file] = models[role] ?? []
    return file === undefined ? '' : `-${role}-${basename(file).replace(/\.\w+$/, '')}`
  })
  const heads = models.newHeads ? '-new-heads' : ''
  return join(root, 'runs', `${name}${on}${marks.join('')}${heads}${changeMark(set)}`)
}

/** Suffix that distinguishes results with `--set` from others: a few letters of a hash. */
export function changeMark(set: readonly string[]): string {
  return set.length === 0 ? '' : `-${sha256(JSON.stringify([...set].sort())).slice(0, 6)}`
}

/**
 * Seeds as the command line and the environment give them: whole numbers with commas between, each once.
 * @throws Error naming what is wrong
 */
export function parseSeeds(text: string): number[] {
  const parts = text.split(',')
  if (!parts.every((part) => /^\s*-?\d+\s*$/.test(part)))
    throw new Error(`seeds: expected whole numbers separated by commas, found "${text}"`)
  return parseDocument(parts.map(Number), seedsSchema, 'seeds')
}

const STARTS: readonly StartingPoint[] = ['student', 'teacher', 'scratch']

/** Starting point of a study, as named on the command line and in the environment; undefined if not given. */
export function parseStart(text: string | undefined): StartingPoint | undefined {
  const found = STARTS.find((start) => start === text)
  if (text !== undefined && !found) {
    throw new Error(`from: expected ${STARTS.join(', ')}, found "${text}"`)
  }
  return found
}

/**
 * Opens the study that the notebooks share: the one `npx workbook run` requested, or the default profile in a notebook
 * opened by hand. Settings given here take precedence.
 */
export async function openStudy(settings: Partial<StudySettings> = {}): Promise<Study> {
  const study = await createShownStudy(askedSettings(settings))
  checkStudy(study)
  if (inNotebook()) showMarkdown(describeStudy(study))
  return study
}

/** The output folder of the study that the environment names. */
export function askedOut(): string {
  return askedSettings({}).out
}

/** The settings in the environment; settings given here take precedence. */
function askedSettings(settings: Partial<StudySettings>): Parameters<typeof createShownStudy>[0] {
  const read = (name: keyof typeof ENVIRONMENT) => process.env[ENVIRONMENT[name]] || undefined
  const parsed = <T>(name: keyof typeof ENVIRONMENT, schema: Schema<T>): T | undefined => {
    const text = read(name)
    const variable = ENVIRONMENT[name]
    return text === undefined ? undefined : parseDocument(jsonOf(text, variable), schema, variable)
  }
  const profile = settings.profile ?? read('profile') ?? 'default'
  const set = settings.set ?? parsed('set', z.array(z.string()))
  const data = settings.data ?? read('data')
  const seeds = read('seeds')
  const files = z.array(z.string())
  const models = {
    teacher: parsed('teacher', files),
    student: parsed('student', files),
    newHeads: read('newHeads') === '1',
  }
  return {
    profile,
    set,
    data,
    reading: parsed('reading', readingSchema),
    ...models,
    out: resolve(read('out') ?? defaultOut(profile, data, set, models)),
    seeds: seeds === undefined ? undefined : parseSeeds(seeds),
    from: parseStart(read('from')),
    full: read('full') === '1',
    ...settings,
  }
}

/** The first output of a notebook: what it works on, and what is still to be computed. */
export function describeStudy(study: Study): Markdown {
  const { profile, changes, dataset, settings, runs } = study
  const trials = [...new Map(plannedTrials(study).map((trial) => [trialHash(trial), trial])).values()]
  const left = trials.filter((trial) => !findTrial(runs, trial))
  const steps = left.reduce((sum, trial) => sum + ('training' in trial ? trial.training.steps : 0), 0)
  const changed = changes.map(({ key, to }) => `${key} = ${JSON.stringify(to) ?? 'none'}`)
  const images = Object.entries(dataset.splits).map(([split, samples]) => `${samples.length} ${split}`)
  const { cost } = profile
  const lines = [
    markdown`Profile **${profile.name}**${changed.length > 0 ? ` with ${changed.join(', ')}` : ''}, data **${dataset.name}** (${images.join(', ')}).`,
    left.length === 0
      ? 'All its trials are finished: nothing is left to compute.'
      : `${left.length} of ${trials.length} trials${isPrepared(study) ? '' : ' known so far'} are still to be computed (${steps} training steps), ${study.workers} at a time; each cell runs those it needs.`,
    ...(left.length > 0 && cost !== undefined && changes.length === 0 && settings.data === undefined
      ? [`All chapters together take ${cost}.`]
      : []),
    ...study.notes,
    markdown`Everything is kept in ${markdownCode(settings.out)}.`,
  ]
  return joinMarkdown(lines, '\n')
}

function plannedTrials(study: Study): TrialConfig[] {
  const named = [...study.plan.preparation, ...namedTrials(study).values()]
  return isPrepared(study) ? [...named, ...notebookTrials(study)] : named
}

/** Opens a study with the project's cache; if its scenes are not rendered yet, a bar shows the rendering. */
export async function createShownStudy(
  settings: Omit<StudySettings, 'cache' | 'signal' | 'onData'>,
): Promise<Study> {
  let bar: ProgressBar | undefined
  try {
    const study = await createStudy({
      ...settings,
      cache: join(root, '.cache'),
      signal: interruptSignal(),
      onData: (done, total) => {
        bar ??= showProgress('rendering the scenes', total)
        void bar.update(done)
      },
    })
    if (!inNotebook()) for (const note of study.notes) console.error(note)
    return study
  } finally {
    bar?.done()
  }
}

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

/** The final state of a trial's bar. */
function endOf({ metrics: { training, evaluation } }: TrialResult): {
  phase: TrialProgress['phase']
  total: number
  seconds: number
  note: string
} {
  if (!training) {
    const { images, secondsPerImage } = evaluation
    return { phase: 'evaluating', total: images, seconds: images * secondsPerImage, note: '' }
  }
  const { steps, seconds, images, last } = training
  return { phase: 'training', total: steps, seconds, note: describeTraining(images / seconds, last, true) }
}

function describeProgress(progress: TrainProgress): string {
  const { step, steps, measurements, imagesPerSecond, evaluated, evaluating, labelling } = progress
  if (evaluating) return `evaluating, ${evaluating.done} of ${evaluating.total} images`
  if (labelling) return `labelling, ${labelling.done} of ${labelling.total} images`
  const curve = evaluated ? `, mAP@0.5 ${evaluated.mAP50.toFixed(3)} at ${evaluated.step}` : ''
  return describeTraining(imagesPerSecond, measurements, step === steps) + curve
}

function describeTraining(
  imagesPerSecond: number,
  measurements: Readonly<Record<string, number>>,
  ended: boolean,
): string {
  const speed = imagesPerSecond < 10 ? imagesPerSecond.toPrecision(2) : imagesPerSecond.toFixed(0)
  return `${speed} images/s, ${describeLosses(measurements, ended)}`
}

/** The parts of the loss, with distillation's added up; at the end only the total. */
function describeLosses(measurements: Readonly<Record<string, number>>, ended: boolean): string {
  const { gradientNorm: _, total, ...terms } = measurements
  const parts = Object.entries(terms).filter(([name]) => !name.includes('/'))
  const distillation = Object.entries(terms).filter(([name]) => name.includes('/'))
  if (distillation.length > 0) {
    parts.push(['distillation', distillation.reduce((sum, [, value]) => sum + value, 0)])
  }
  const shown: [string, number][] = total === undefined ? parts : [['loss', total], ...(ended ? [] : parts)]
  return shown.map(([name, value]) => `${name} ${value.toPrecision(3)}`).join(', ')
}

/**
 * The teacher and the student that everything starts from, measured on validation. If they are not shipped, the trials
 * that make them run first, each after the one it starts from.
 */
export async function prepareModels(study: Study): Promise<{ teacher: TrialResult; student: TrialResult }> {
  const { preparation, baselines } = study.plan
  await runTrials(study, preparation)
  const [teacher, student] = await runTrials(study, [baselines.teacher, baselines.student])
  return { teacher: teacher!, student: student! }
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
