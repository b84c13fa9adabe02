/** Plans the models a study starts with from its profile: pure functions, so that trials can be listed and hashed. */
import { type Dataset, fitAnchors } from '../data'
import {
  type Darknet21Config,
  darknet21,
  type NetworkSpec,
  PUBLISHED_OPTIONS,
  scaledWidths,
} from '../detector'
import { type Labels, loadShipped, type ModelRef, refTo, shippedRef, type TrialConfig } from '../trial'
import type { Split } from './arm-numbers'
import { compareWithCheckpoints } from './checkpoints'
import type { Profile } from './profile'

export type ResolvedPrecision = 'float32' | 'bfloat16' | 'float16'

/**
 * What a study on the profile's own data starts with: the shipped teacher and student, only the shipped teacher, which is
 * slimmed again, or nothing.
 */
export type StartingPoint = 'student' | 'teacher' | 'scratch'

/** A model of the user's own in the folder of the trials. */
export interface GivenRef {
  readonly ref: ModelRef
  readonly network: NetworkSpec
  /** Whether it is used as it is; else it has new weights and is trained first. */
  readonly trained: boolean
}

/** Models in place of the profile's own: a teacher, which is slimmed, and a student in place of the slimmed teacher. */
export interface GivenModels {
  readonly teacher?: GivenRef
  readonly student?: GivenRef
}

export interface PlanOptions {
  readonly profile: Profile
  readonly dataset: Dataset
  /** The resolution of 'auto' on this machine. */
  readonly precision: ResolvedPrecision
  /** Whether the data are the user's, not the profile's own scenes. */
  readonly ownData: boolean
  readonly from: StartingPoint
  readonly given?: GivenModels
  /** Seed of the trials that make teacher and student. */
  readonly seed: number
  /** Changes to the labels that these trials see. Default: none. */
  readonly labels?: Labels
}

/** The models of a study, and the trials that make them, in order of their dependencies. */
export interface Plan {
  /** The data of every trial. */
  readonly data: TrialConfig['data']
  /** Trials that make the teacher and the student; empty if they are shipped. */
  readonly preparation: readonly TrialConfig[]
  readonly teacher: ModelRef
  readonly student: ModelRef
  /** The student right after pruning, before any training in its new shape; one of the user's own as it was given. */
  readonly pruned: ModelRef
  /** The sparse network and the one right after pruning, for the slimming notebook; undefined if shipped or given. */
  readonly slimming: { readonly sparse: TrialConfig; readonly pruned: TrialConfig } | undefined
  /** Teacher and student before pruning, which changes widths alone. */
  readonly networks: { readonly teacher: NetworkSpec; readonly student: NetworkSpec }
  /** Whether teacher and student are the profile's checkpoints. */
  readonly shipped: boolean
  /** Validation of the teacher and of the student. */
  readonly baselines: { readonly teacher: TrialConfig; readonly student: TrialConfig }
}

/** What is needed to plan a study's arms. */
export interface Planned {
  /** The models that the arms start from. */
  readonly plan: Plan
  readonly profile: Profile
  readonly dataset: Dataset
  readonly precision: ResolvedPrecision
  /** Folder of the trials. */
  readonly runs: string
  /** The user's own teacher and student. */
  readonly given?: GivenModels
  /** Models of the user's own that a sweep's arms name, by their files (`filesKey`). */
  readonly givenArms?: ReadonlyMap<string, GivenRef>
}

/** The trial that measures a model on a split. */
export function measuringTrial(
  start: ModelRef,
  split: Split,
  { plan: { data }, precision }: { readonly plan: Pick<Plan, 'data'> } & Pick<Planned, 'precision'>,
): TrialConfig {
  return { kind: 'evaluate', data, start, split, batch: 8, precision }
}

/** Steps of a profile's stages. */
export function stageSteps({ stages, ownDataSteps }: Profile, ownData: boolean): Profile['ownDataSteps'] {
  if (ownData) return ownDataSteps
  const { teacher, sparse, finetune, distill } = stages
  return { teacher: teacher.steps, sparse: sparse.steps, finetune: finetune.steps, distill: distill.steps }
}

/**
 * The models of a profile on a data set.
 * @throws Error if the profile's checkpoints are not what it asks for
 */
export function planModels(options: PlanOptions): Plan {
  const { profile, dataset, precision, ownData, from, given = {} } = options
  const crop = ownData ? profile.crop : undefined
  const data = { hash: dataset.hash, ...(crop && { crop }) }
  const stages = stageTrials(options, data)
  const names = checkpointsOf(options)
  const isMade = !names && !given.teacher?.trained
  const teacher = names ? shippedRef(names.teacher) : isMade ? refTo(stages.teacher) : given.teacher!.ref
  const { sparse, pruned, finetune } = stages.slimming(teacher)
  const slimmed = names && from === 'student' && !given.student ? names : undefined
  if (names) {
    const asked = { teacher: stages.teacher, sparse, pruned, finetune }
    compareWithCheckpoints(profile, names, asked, { slimmed: slimmed !== undefined })
  }
  const made = given.student
    ? givenStudent(given.student, stages.finetune)
    : {
        preparation: slimmed ? [] : [sparse, pruned, finetune],
        student: slimmed ? shippedRef(slimmed.student) : refTo(finetune),
        pruned: slimmed ? shippedRef(slimmed.pruned) : refTo(pruned),
        slimming: slimmed ? undefined : { sparse, pruned },
      }
  const { detector } = stages.teacher
  const network =
    given.teacher?.network ??
    (detector && !names ? darknet21(detector.backbone, detector) : teacherNetwork(options))
  const evaluate = (start: ModelRef) => measuringTrial(start, 'validation', { plan: { data }, precision })
  return {
    data,
    teacher,
    ...made,
    preparation: [...(isMade ? [stages.teacher] : []), ...made.preparation],
    networks: { teacher: network, student: given.student?.network ?? network },
    shipped: slimmed !== undefined,
    baselines: { teacher: evaluate(teacher), student: evaluate(made.student) },
  }
}

/** Names of the shipped checkpoints that a study takes its teacher from, if it takes any. */
function checkpointsOf({ profile, ownData, from, given }: PlanOptions): Profile['checkpoints'] {
  return ownData || from === 'scratch' || given?.teacher ? undefined : profile.checkpoints
}

/** The network of the teacher, before it is made. */
export function teacherNetwork(options: PlanOptions): NetworkSpec {
  const { profile, dataset, ownData, given } = options
  if (given?.teacher) return given.teacher.network
  const names = checkpointsOf(options)
  if (names) return loadShipped(names.teacher).network
  const config = resolveDetector(profile, dataset, ownData)
  return darknet21(config.backbone, config)
}

type Finetuning = Extract<TrialConfig, { kind: 'finetune' }>

/** The user's own student: as it is, or trained by the stage of fine-tuning. */
function givenStudent({ ref, trained }: GivenRef, finetune: (start: ModelRef) => Finetuning) {
  const training = finetune(ref)
  return {
    preparation: trained ? [] : [training],
    student: trained ? ref : refTo(training),
    pruned: ref,
    slimming: undefined,
  }
}

/** The trials that make teacher and student, as the profile describes them. */
function stageTrials(
  { profile, dataset, precision, ownData, seed, labels, given }: PlanOptions,
  data: TrialConfig['data'],
) {
  const { stages, recipe } = profile
  const steps = stageSteps(profile, ownData)
  const training = (stage: 'teacher' | 'sparse' | 'finetune') => ({
    steps: steps[stage],
    rate: stages[stage].rate,
    seed,
    recipe: { ...recipe, precision },
    ...(labels && { labels }),
  })
  const teacher: Extract<TrialConfig, { kind: 'teacher' }> = {
    kind: 'teacher',
    data,
    ...(given?.teacher
      ? { start: given.teacher.ref }
      : { detector: resolveDetector(profile, dataset, ownData) }),
    training: training('teacher'),
  }
  const finetune = (start: ModelRef): Finetuning => ({
    kind: 'finetune',
    data,
    start,
    training: training('finetune'),
  })
  const slimming = (start: ModelRef) => {
    const sparse = {
      kind: 'sparse' as const,
      data,
      start,
      training: sparseTraining(training('sparse')),
      // The L1 term moves a scale by strength x rate per step, so fewer steps need a larger strength to get as far.
      strength: (stages.sparse.strength * stages.sparse.steps) / steps.sparse,
      ...(stages.prune.prunable && { prunable: stages.prune.prunable }),
    }
    const pruned = { kind: 'prune' as const, data, start: refTo(sparse), prune: stages.prune }
    return { sparse, pruned, finetune: finetune(refTo(pruned)) }
  }
  return { teacher, slimming, finetune }
}

type SparseTraining = Extract<TrialConfig, { kind: 'sparse' }>['training']

/** A training that keeps its last weights: the best along the way would be early ones, whose scales are not sparse yet. */
export function sparseTraining(training: SparseTraining): SparseTraining {
  const { recipe } = training
  const { validation } = recipe
  if (!validation) return training
  return { ...training, recipe: { ...recipe, validation: { ...validation, keep: 'last' } } }
}

function resolveDetector(
  { detector, crop: published }: Profile,
  dataset: Dataset,
  ownData: boolean,
): Darknet21Config {
  const { input, width, upsample, spp, anchors, ownDataAnchors } = detector
  const crop = ownData ? published : undefined
  const train = dataset.splits.train ?? []
  const wanted = ownData ? (ownDataAnchors ?? anchors) : anchors
  const fitted = wanted === 'k-means' ? fitAnchors(train, { input, crop }).anchors : wanted
  const rounded = fitted.map((scale) =>
    scale.map(([w, h]): [number, number] => [Math.max(1, Math.round(w)), Math.max(1, Math.round(h))]),
  )
  return {
    ...PUBLISHED_OPTIONS,
    ...{ input, upsample, spp, anchors: rounded, classes: dataset.classes.length },
    ...scaledWidths(width),
  }
}
