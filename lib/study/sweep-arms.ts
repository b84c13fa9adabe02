/** The arms of a sweep, and the trials that train and measure them. */
import { complexity } from '../detector'
import {
  findFailure,
  findModel,
  isDistilled,
  loadModel,
  type ModelRef,
  refTo,
  type TrialConfig,
  type TrialFailure,
  trainingMacs,
  trialHash,
} from '../trial'
import {
  type ArmModel,
  armNamed,
  filesKey,
  isModelRole,
  type ModelRole,
  type Origin,
  originOf,
  roleOf,
  type SweepArm,
  teacherOrigins,
  teachersOfArm,
} from './arm'
import type { Role, Split } from './arm-numbers'
import { planChain, planShipped } from './chain'
import { measuringTrial, type Plan, type Planned, sparseTraining } from './plan'
import type { Sweep } from './sweep'

/** An arm's model of one seed. */
export interface PlannedRun {
  /** Undefined where the arm only prunes a model that has no seed. */
  readonly seed?: number
  /** The trial that makes the model: a training, or a pruning alone. */
  readonly trial: TrialConfig
  /** The pruning before a training, if the arm has one. */
  readonly pruning?: TrialConfig
}

/** An arm with the trials that make its models, one per seed. */
export interface PlannedArm {
  readonly arm: SweepArm
  readonly role: Role
  readonly runs: readonly PlannedRun[]
  /** The trials of the runs. */
  readonly trials: readonly TrialConfig[]
  /** Seeds of which no trial can be planned: its steps follow from the cost of a model whose trial failed. */
  readonly failed: readonly { readonly seed: number; readonly failure: TrialFailure }[]
}

/** The models that a sweep's arms start from, by seed: the study's own, or those of the seed's chain. */
function modelsBySeed(sweep: Sweep, study: Planned): Map<number, Plan> {
  const { chain, checkpoints, labels, recipe, seeds, arms } = sweep
  const planOf = (seed: number): Plan => {
    if (chain) return planChain({ chain, labels, recipe }, study, seed)
    return checkpoints ? planShipped(checkpoints, study, seed) : study.plan
  }
  return new Map([...seeds, ...arms.flatMap((arm) => arm.seeds ?? [])].map((seed) => [seed, planOf(seed)]))
}

/** Whether every seed has a teacher of its own. */
export function hasOwnTeachers({ chain, checkpoints }: Sweep): boolean {
  return (chain ?? checkpoints) !== undefined
}

/** The trials that make the models a sweep's arms start from. */
export function sweepPreparation(sweep: Sweep, study: Planned): readonly TrialConfig[] {
  if (!hasOwnTeachers(sweep)) return study.plan.preparation
  return [...modelsBySeed(sweep, study).values()].flatMap(({ preparation }) => preparation)
}

/**
 * The arms of a sweep with their trials; the models they start from must exist. An arm that starts from another one, or is taught by
 * it, waits for its trial of the same seed, or of its first.
 */
export function planArms(sweep: Sweep, study: Planned): PlannedArm[] {
  const models = modelsBySeed(sweep, study)
  const seedsOf = (arm: SweepArm) => arm.seeds ?? sweep.seeds
  const planned = new Map<string, PlannedRun | TrialFailure>()
  const plannedOf = (arm: SweepArm, seed: number): PlannedRun | TrialFailure => {
    const key = JSON.stringify([arm.name, seed])
    const found = planned.get(key) ?? plan(arm, seed)
    planned.set(key, found)
    return found
  }
  const plan = (arm: SweepArm, seed: number): PlannedRun | TrialFailure => {
    const own = { ...study, plan: models.get(seed)! }
    const failure = typeof arm.steps === 'object' ? missingModel(arm, sweep, own) : undefined
    const start = failure ?? modelOf(arm.start, seed, own)
    if (isFailure(start)) return start
    const teachers: ModelRef[] = []
    for (const model of teachersOfArm(arm)) {
      const teacher = modelOf(model, seed, own)
      if (isFailure(teacher)) return teacher
      teachers.push(teacher)
    }
    return armRun(arm, sweep, { seed, start, teachers }, own)
  }
  const modelOf = (model: ArmModel, seed: number, own: Planned): ModelRef | TrialFailure => {
    if (typeof model !== 'string') return givenOf(model, own).ref
    if (isModelRole(model)) return own.plan[model]
    const other = armNamed(model, sweep.arms)
    const run = plannedOf(other, seedsOf(other).includes(seed) ? seed : seedsOf(other)[0]!)
    return isFailure(run) ? run : refTo(run.trial)
  }
  return sweep.arms.map((arm) => {
    const found = seedsOf(arm).map((seed) => ({ seed, run: plannedOf(arm, seed) }))
    const runs = withoutRepetition(found.flatMap(({ run }) => (isFailure(run) ? [] : run)))
    return {
      arm,
      role: roleOf(arm, sweep.arms),
      runs,
      trials: runs.map(({ trial }) => trial),
      failed: found.flatMap(({ seed, run }) => (isFailure(run) ? { seed, failure: run } : [])),
    }
  })
}

const isFailure = (found: PlannedRun | ModelRef | TrialFailure): found is TrialFailure => 'message' in found

/** One run without a seed where all seeds prune the same model. */
function withoutRepetition(runs: readonly PlannedRun[]): readonly PlannedRun[] {
  const [first, ...others] = runs
  if (!first || 'training' in first.trial) return runs
  const isSame = ({ trial }: PlannedRun) => trialHash(trial) === trialHash(first.trial)
  return others.every(isSame) ? [{ trial: first.trial }] : runs
}

/** A model of one's own, read from its files before the arms are planned. */
export function givenOf(files: readonly string[], { givenArms }: Pick<Planned, 'givenArms'>) {
  const found = givenArms?.get(filesKey(files))
  if (found) return found
  throw new Error(
    `${files.join(' ')}: expected a model that was read before the sweep is planned, found none`,
  )
}

const refOf = (origin: Origin, study: Planned): ModelRef =>
  typeof origin === 'string' ? study.plan[origin] : givenOf(origin, study).ref

/** Why a model is not there by whose cost an arm's steps are counted; undefined where all are there. */
function missingModel(
  arm: SweepArm,
  { arms }: Pick<Sweep, 'arms'>,
  study: Planned,
): TrialFailure | undefined {
  const { runs } = study
  for (const origin of [originOf(arm, arms), ...teacherOrigins(arm, arms)]) {
    const model = refOf(origin, study)
    const failure =
      !('trial' in model) || findModel(model.trial, runs) ? undefined : findFailure(model.trial, runs)
    if (failure) return failure
  }
  return undefined
}

/**
 * Steps of an arm. If it is to cost as much as another one, both are counted in MACs, step by step: a training step costs
 * three forward passes of the student, a distillation step another one of the teacher (see `trainingMacs`).
 */
function stepsOf(arm: SweepArm, sweep: Sweep, study: Planned): number | undefined {
  if (typeof arm.steps !== 'object') return arm.steps
  const { asCostlyAs } = arm.steps
  const like = sweep.arms.find(({ name }) => name === asCostlyAs)
  if (typeof like?.steps !== 'number') throw new Error(`sweep ${sweep.name}: no arm ${asCostlyAs}`)
  const [cost, others] = [costOf(arm, sweep, study), costOf(like, sweep, study)]
  let left = 0
  for (let step = 0; step < like.steps; step++) left += others(step)
  let steps = 0
  // Drop a last step that would cost more than twice what is left.
  for (; left >= cost(steps) / 2; steps++) left -= cost(steps)
  return steps
}

/** MACs of an arm's step. */
function costOf(arm: SweepArm, { recipe: common, arms }: Pick<Sweep, 'recipe' | 'arms'>, study: Planned) {
  const { terms, unlabelled, recipe, teacherViews } = arm
  const { profile, runs } = study
  const networkOf = (origin: Origin) => loadModel(refOf(origin, study), runs).network
  const student = networkOf(originOf(arm, arms))
  const { input } = student
  // The teachers see the student's images.
  const teachers = teacherOrigins(arm, arms).map((origin) => complexity({ ...networkOf(origin), input }).macs)
  const own = { student: complexity(student).macs, teacher: teachers.reduce((sum, macs) => sum + macs) }
  const { batch } = { ...profile.recipe, ...common, ...recipe }
  const both = batch + (unlabelled?.batch ?? 0)
  const plain = trainingMacs({ images: batch, distilled: 0 }, own)
  const views = teacherViews?.flip ? 2 : 1
  const distilled = trainingMacs({ images: both, distilled: views * both }, own)
  return (step: number) => (isDistilled(terms, step) ? distilled : plain)
}

interface ArmModels {
  readonly seed: number
  readonly start: ModelRef
  /** At least one. */
  readonly teachers: readonly ModelRef[]
}

/** Of an arm that takes no step. */
const UNUSED_RATE = 1

/** The trials of an arm and a seed. */
function armRun(arm: SweepArm, sweep: Sweep, models: ArmModels, study: Planned): PlannedRun {
  const { seed, start, teachers } = models
  const { data } = study.plan
  const pruning = arm.prune && { kind: 'prune' as const, data, start, prune: arm.prune }
  const steps = stepsOf(arm, sweep, study)
  const rate = steps === 0 ? (arm.rate ?? UNUSED_RATE) : arm.rate
  if (steps === undefined || rate === undefined) {
    if (pruning) return { seed, trial: pruning }
    throw new Error(`arm ${arm.name}: expected steps and a rate, or prune; found neither`) // the schema refuses it
  }
  const from = pruning ? refTo(pruning) : start
  const trial = armTrial(arm, sweep, { seed, steps, rate, start: from, teachers }, study)
  return { seed, trial, ...(pruning && { pruning }) }
}

/** The training of an arm and a seed. */
function armTrial(
  { fresh, quantise, sparse, terms, unlabelled, pseudo, teacherViews, views, ...arm }: SweepArm,
  sweep: Pick<Sweep, 'labels' | 'recipe'>,
  { seed, steps, rate, start, teachers }: ArmModels & { readonly steps: number; readonly rate: number },
  { plan, profile, precision }: Planned,
): TrialConfig {
  const labels = arm.labels ?? sweep.labels
  const wanted = { ...profile.recipe, ...sweep.recipe, ...arm.recipe }
  // Rounding is what is trained; another one beside it would hide it.
  const recipe = { ...wanted, precision: quantise ? ('float32' as const) : precision }
  const training = {
    ...{ steps, rate, seed },
    recipe: { ...recipe, ...(views && { views }) },
    ...(labels && { labels }),
  }
  const { data } = plan
  if (sparse) return { kind: 'sparse', data, start, training: sparseTraining(training), ...sparse }
  const common = {
    ...{ data, start, training },
    ...(fresh && { fresh: true as const }),
    ...(quantise && { quantise }),
  }
  if (terms.length === 0 && !pseudo) return { kind: 'control', ...common }
  return {
    kind: 'distill',
    ...common,
    teacher: teachers.length === 1 ? teachers[0]! : [...teachers],
    terms,
    ...(unlabelled && { unlabelled }),
    ...(pseudo && { pseudo }),
    ...(teacherViews && { views: teacherViews }),
  }
}

/** Models beside the arms: the teacher, the arms' starting points, and the references. */
export function fixedModels({ arms, references }: Sweep): ModelRole[] {
  const starts = arms.flatMap(({ fresh, start }) => (!fresh && typeof start === 'string' ? start : []))
  return [...new Set<ModelRole>(['teacher', ...[...starts, ...references].filter(isModelRole)])]
}

/** A model beside the arms, of the study or of a seed's chain; making it in a chain measured it on validation. */
export interface BaseRun {
  readonly seed?: number
  readonly model: ModelRef
  readonly trial?: TrialConfig
}

const MAKERS = { teacher: 'teacher', pruned: 'prune', student: 'finetune' } as const

export function baseRuns(role: ModelRole, sweep: Sweep, study: Planned): BaseRun[] {
  if (!hasOwnTeachers(sweep)) return [{ model: study.plan[role] }]
  return [...modelsBySeed(sweep, study)].map(([seed, plan]) => ({
    seed,
    model: plan[role],
    trial: plan.preparation.find(({ kind }) => kind === MAKERS[role]),
  }))
}

/** The trial in which a model was measured: the one that made it if that measured on validation. */
export function measurementOf(
  model: ModelRef,
  trial: TrialConfig | undefined,
  split: Split,
  study: Planned,
): TrialConfig {
  if (split === 'validation' && trial) return trial
  const isQuantised = trial !== undefined && 'quantise' in trial && trial.quantise !== undefined
  return measuringTrial(model, split, isQuantised ? { ...study, precision: 'float32' } : study)
}
