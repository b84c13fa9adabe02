/** A comparison in numbers: everything in a report follows from this, and this from the trials alone. */
import type { Change } from '../base'
import { countBoxes, describeAccount, describeLost, lostBoxes, type SplitCounts } from '../data'
import { benchmarkOf, type StudyBenchmark } from '../deploy'
import type { NetworkSpec } from '../detector'
import {
  type Arm,
  type ArmNumbers,
  type BootstrapOptions,
  compareArms,
  evaluationOn,
  type FailedArm,
  failedArms,
  findArms,
  type Interval,
  imagesNeeded,
  interval,
  type MetricName,
  needsOf,
  type Profile,
  pairSeeds,
  type Resolution,
  type Role,
  readPreparation,
  readTables,
  SELECTION_RULE,
  type SelectionRow,
  type Split,
  type Stage,
  type Study,
  type StudyLatency,
  type Sweep,
  type SweepFile,
  type SweepResult,
  selectStudent,
  shippedSweeps,
  shortSweeps,
  type Variation,
} from '../study'
import { findTrial, type TrialResult } from '../trial'
import type { SideBySide } from './side-by-side'
import { byMethodAndValue, settingOf, withOwnSettings } from './variations'

/** Input of a report. */
export interface ReportInput {
  readonly name: string
  readonly question: string
  readonly profile: Profile
  /** Changes of that profile to the one it extends. */
  readonly changes?: readonly Change[]
  readonly data: {
    readonly name: string
    readonly hash: string
    readonly ownData: boolean
    readonly classes: readonly string[]
    readonly splits: readonly SplitCounts[]
    /** What became of every file in a user's folder. */
    readonly files?: readonly string[]
    /** Boxes that crop or size hide from the network. */
    readonly unseen?: readonly string[]
  }
  /** Names of the arms to compare the others with, the most important one first. */
  readonly references: readonly string[]
  /** Splits to report on. */
  readonly splits: readonly Split[]
  /** In the order of the tables. */
  readonly arms: readonly Arm[]
  /** Number of trials that ran side by side. */
  readonly workers: number
  /** Short sweeps of this study, and the longer ones shipped with the workbook; only for a study. */
  readonly sweeps?: readonly SweepResult[]
  readonly shipped?: readonly SweepFile[]
  /** The networks that the arms start from, and whose they are. */
  readonly models?: StudiedModels
  /** Trials that made the teacher and the student; none if they are shipped or given. */
  readonly preparation?: readonly TrialResult[]
  /** The trainings that made the teacher and the student, shipped or not. */
  readonly stages?: readonly Stage[]
  /** Milliseconds a frame, measured when nothing else of the study ran; only for a study. */
  readonly latency?: StudyLatency
  /** Truth, teacher and student beside each other; left out where absent. */
  readonly sideBySide?: SideBySide
  /** Teacher and student as files, or how that is measured; only for a study. */
  readonly benchmark?: StudyBenchmark
  /** Default: the profile's. */
  readonly bootstrap?: BootstrapOptions
  /** Default: all. */
  readonly metrics?: readonly MetricName[]
}

/** Teacher and student of a study. */
export interface StudiedModels {
  /** Whether both are the profile's checkpoints. */
  readonly shipped: boolean
  /** Models of the user's own, in place of the profile's. */
  readonly given: { readonly [role in 'teacher' | 'student']?: OwnModel }
}

/** A model of the user's own, before any training. */
export interface OwnModel {
  /** That of its file. */
  readonly name: string
  /** Whether all its weights were given; else it was trained first. */
  readonly trained: boolean
  readonly network: NetworkSpec
}

/** Whether the comparison is a profile's own, not a sweep. */
export const isStudy = ({ name, profile }: ReportInput): boolean => name === profile.name

/** A trial with the interval of its own mAP@0.5 and its place in the comparison. */
export interface TrialSummary {
  readonly arm: string
  readonly role: Role | 'preparation' | 'ablation'
  readonly seed: number | undefined
  readonly mAP50: Interval | undefined
  readonly trial: TrialResult
}

/** Which student the rule chose, and why. */
export interface SelectionSummary {
  readonly rule: string
  readonly reason: string
  readonly table: readonly SelectionRow[]
  readonly chosen:
    | { readonly name: string; readonly seed: number | undefined; readonly weights: string }
    | undefined
}

/** Everything that a report says, in numbers. */
export interface Summary {
  readonly profile: Profile
  readonly data: ReportInput['data']
  readonly models: StudiedModels | undefined
  readonly bootstrap: Required<BootstrapOptions>
  readonly references: readonly string[]
  readonly workers: number
  /** Without the ablations. */
  readonly arms: readonly ArmNumbers[]
  /** Arms and ablations none of whose models was measured, for their trials failed. */
  readonly failed: readonly FailedArm[]
  /** Ablations, including the methods' own settings, by method and value; on validation. */
  readonly ablations: readonly ArmNumbers[]
  readonly selection: SelectionSummary | undefined
  /** For method minus reference: the smallest difference that could show, and what showing one point would take. */
  readonly resolution:
    | (Resolution & { readonly method: string; readonly reference: string; readonly split: Split })
    | undefined
  readonly trials: readonly TrialSummary[]
  readonly latency: StudyLatency | undefined
}

/** Which part of a study is collected. */
export interface CollectOptions {
  /** Only these methods, with teacher, student and the control at equal steps. Default: all, and all controls. */
  readonly methods?: readonly string[]
  /** Whether to include the test split. Default true. */
  readonly test?: boolean
  /** Whether to include the short sweeps, this study's own and the shipped ones. Default false. */
  readonly sweeps?: boolean
  /** Default: all. */
  readonly metrics?: readonly MetricName[]
}

/** A study as far as it has run: every trial that finished or failed, in its place. Arms without one are left out. */
export function collectStudy(study: Study, options: CollectOptions = {}): ReportInput {
  const { methods, test = true, sweeps = false, metrics } = options
  const { plan, runs, sweep } = study
  const [control] = sweep.references
  const isWanted = ({ role, name, variation }: Arm) =>
    methods === undefined ||
    (role === 'method'
      ? methods.includes(variation?.method ?? name)
      : name === control || name === 'teacher' || name === 'student')
  const input = collectSweep(sweep, study, test ? ['validation', 'test'] : ['validation'])
  return {
    ...input,
    arms: input.arms.filter(isWanted),
    metrics,
    benchmark: benchmarkOf(study),
    ...(sweeps && {
      sweeps: shortSweeps(study).flatMap((sweep) => findShort(sweep, study)),
      shipped: [...shippedSweeps().values()],
    }),
    preparation: plan.preparation.flatMap((trial) => findTrial(runs, trial) ?? []),
    stages: readPreparation(study),
  }
}

/** A sweep as far as it has run. */
export function collectSweep(
  sweep: Sweep,
  study: Study,
  splits: readonly Split[] = [sweep.split],
): ReportInput {
  const { profile, changes, dataset, settings, workers, plan } = study
  return {
    name: sweep.name,
    question: sweep.question,
    profile,
    changes,
    data: {
      name: dataset.name,
      hash: dataset.hash,
      ownData: settings.data !== undefined,
      classes: dataset.classes,
      splits: countBoxes(dataset),
      ...(dataset.account && {
        files: describeAccount(dataset.account),
        unseen: lostBoxes(dataset, needsOf(profile, plan.networks.teacher.input)).map(describeLost),
      }),
    },
    models: {
      shipped: plan.shipped,
      given: { ...givenModel('teacher', study), ...givenModel('student', study) },
    },
    references: sweep.references,
    splits,
    arms: findArms(sweep, study, splits).filter(hasRun),
    workers,
  }
}

function givenModel(role: 'teacher' | 'student', { given = {} }: Study): StudiedModels['given'] {
  const { ref, network, trained } = given[role] ?? {}
  if (!ref || !network || !('given' in ref)) return {}
  return { [role]: { name: ref.given, trained: trained === true, network } }
}

/** Whether something is known of an arm: that it was measured, or that it failed. */
const hasRun = ({ runs, failed = [] }: Arm): boolean => runs.length + failed.length > 0

/** A short sweep in numbers; nothing if one of its arms has not run. */
function findShort(sweep: Sweep, study: Study): SweepResult[] {
  const { references, split } = sweep
  const arms = findArms(sweep, study)
  if (!arms.every(hasRun)) return []
  const { bootstrap } = study.profile
  const failed = failedArms(arms)
  return [
    {
      sweep,
      arms: compareArms(arms, { references, splits: [split], bootstrap }),
      ...(failed.length > 0 && { failed }),
    },
  ]
}

/** Computes a comparison's numbers. The bootstrap takes some seconds per trial and split with 1500 images. */
export function summarise(input: ReportInput): Summary {
  const { profile, data, references, splits, workers, metrics, preparation = [] } = input
  const bootstrap = { ...profile.bootstrap, seed: 0, ...input.bootstrap }
  const arms = input.arms.filter(({ variation }) => !variation)
  const varied = withOwnSettings(arms, input.arms)
  const options = { references, bootstrap, metrics }
  const numbers = compareArms(arms, { ...options, splits })
  const [reference] = references
  const control = arms.filter(({ name }) => name === reference)
  const ablations = compareArms([...control, ...varied], { ...options, splits: ['validation'] })
  return {
    profile,
    data,
    models: input.models,
    bootstrap,
    references,
    workers,
    arms: numbers,
    failed: failedArms(input.arms),
    ablations: ablations.filter(({ variation }) => variation).sort(byMethodAndValue),
    selection: selectionOf(input, numbers),
    latency: input.latency,
    resolution: resolutionOf(input, bootstrap),
    trials: [
      ...preparation.map(
        (trial): TrialSummary => ({
          arm: trial.config.kind,
          role: 'preparation',
          seed: 'training' in trial.config ? trial.config.training.seed : undefined,
          mAP50: undefined,
          trial,
        }),
      ),
      ...input.arms.flatMap((arm) => trialSummaries(arm, splits, bootstrap)),
    ],
  }
}

/**
 * A reader's own trials as points of an ablation, with the method's own setting, each against the control of the same
 * seed.
 *
 * @param method the arm whose term they change
 * @throws Error if a trial does not distil
 */
export function summariseTried(
  study: Study,
  method: string,
  tried: readonly TrialResult[],
  varied: Variation['varied'] = 'lambda',
): readonly ArmNumbers[] {
  const input = collectStudy(study, { methods: [method], test: false })
  const own = input.arms.find(({ name, variation }) => name === method && !variation)?.runs[0]?.training
  const lambda = own?.metrics.gradients?.[0]?.lambda
  if (lambda === undefined)
    throw new Error(`summariseTried: expected a finished trial of ${method}, found none`)
  const points = tried.map((training, i): Arm => {
    const { config, metrics } = training
    const [gradient] = metrics.gradients ?? []
    if (config.kind !== 'distill' || !gradient) {
      throw new Error(`${training.folder}: expected a distillation trial, found ${config.kind}`)
    }
    const value = varied === 'lambda' ? gradient.lambda / lambda : (settingOf(config.terms[0]!, varied) ?? 0)
    return {
      role: 'method',
      name: `${method}, tried ${i + 1}`,
      variation: { method, varied, value, own: false },
      runs: [{ seed: config.training.seed, training, evaluations: { validation: training } }],
    }
  })
  const arms = [...input.arms.filter(({ variation }) => !variation), ...points]
  return summarise({ ...input, arms, metrics: ['mAP50', 'AP'] }).ablations
}

function selectionOf({ arms }: ReportInput, numbers: readonly ArmNumbers[]): SelectionSummary | undefined {
  const result = selectStudent(numbers)
  if (!result) return undefined
  const { chosen, reason, table } = result
  const arm = arms.find(({ name }) => name === chosen?.candidate.name)
  const run = arm?.runs.find(({ seed }) => seed === chosen?.seed)
  const weights = run && evaluationOn(run, 'validation')?.metrics.weights
  return {
    rule: SELECTION_RULE,
    reason,
    table,
    chosen: chosen && weights ? { name: chosen.candidate.name, seed: chosen.seed, weights } : undefined,
  }
}

/** For the first method and the first reference, on the leading split. */
function resolutionOf(
  { arms, references: [reference], splits }: ReportInput,
  bootstrap: BootstrapOptions,
): Summary['resolution'] {
  const method = arms.find(({ role, variation, runs }) => role === 'method' && !variation && runs.length > 0)
  const control = arms.find(({ name }) => name === reference)
  if (!method || !control || reference === undefined) return undefined
  for (const split of [...splits].reverse()) {
    const tables = readTables([method, control], split)
    const [own, others] = [tables.get(method), tables.get(control)]
    const pairs = own && others && pairSeeds(own, others)
    if (pairs) return { ...imagesNeeded(...pairs, bootstrap), method: method.name, reference, split }
  }
  return undefined
}

function trialSummaries(arm: Arm, splits: readonly Split[], bootstrap: BootstrapOptions): TrialSummary[] {
  return arm.runs.flatMap((run) =>
    splits.flatMap((split): TrialSummary[] => {
      const trial = evaluationOn(run, split)
      const table = readTables([{ ...arm, runs: [run] }], split)
        .values()
        .next().value?.[0]?.table
      if (!trial || !table) return []
      const role = arm.variation ? 'ablation' : arm.role
      return [{ arm: arm.name, role, seed: run.seed, mAP50: interval([table], bootstrap), trial }]
    }),
  )
}
