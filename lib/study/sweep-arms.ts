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
} from '../trial'
import { armNamed, isModelRole, type ModelRole, roleOf, type SweepArm, teacherRole } from './arm'
import type { Role, Split } from './arm-numbers'
import { planChain } from './chain'
import type { Plan, Planned } from './plan'
import type { Sweep } from './sweep'

/** An arm with the trials that train it, one per seed. */
export interface PlannedArm {
  readonly arm: SweepArm
  readonly role: Role
  readonly trials: readonly TrialConfig[]
  /** Seeds of which no trial can be planned: its steps follow from the cost of a model whose trial failed. */
  readonly failed: readonly { readonly seed: number; readonly failure: TrialFailure }[]
}

/** The models that a sweep's arms start from, by seed: the study's own, or those of the seed's chain. */
function modelsBySeed({ chain, labels, recipe, seeds, arms }: Sweep, study: Planned): Map<number, Plan> {
  const all = [...seeds, ...arms.flatMap((arm) => arm.seeds ?? [])]
  return new Map(
    all.map((seed) => [seed, chain ? planChain({ chain, labels, recipe }, study, seed) : study.plan]),
  )
}

/** The trials that make the models a sweep's arms start from. */
export function sweepPreparation(sweep: Sweep, study: Planned): readonly TrialConfig[] {
  if (!sweep.chain) return study.plan.preparation
  return [...modelsBySeed(sweep, study).values()].flatMap(({ preparation }) => preparation)
}

/**
 * The arms of a sweep with their trials; the models they start from must exist. An arm that another one teaches waits for its
 * trial of the same seed, or of its first.
 */
export function planArms(sweep: Sweep, study: Planned): PlannedArm[] {
  const models = modelsBySeed(sweep, study)
  const seedsOf = (arm: SweepArm) => arm.seeds ?? sweep.seeds
  const planned = new Map<string, TrialConfig | TrialFailure>()
  const plannedOf = (arm: SweepArm, seed: number): TrialConfig | TrialFailure => {
    const key = JSON.stringify([arm.name, seed])
    const found = planned.get(key) ?? plan(arm, seed)
    planned.set(key, found)
    return found
  }
  const plan = (arm: SweepArm, seed: number): TrialConfig | TrialFailure => {
    const own = { ...study, plan: models.get(seed)! }
    const failure = typeof arm.steps === 'number' ? undefined : missingModel(arm, sweep, own)
    const teacher = failure ?? teacherOf(arm.teacher ?? 'teacher', seed, own.plan)
    if (isFailure(teacher)) return teacher
    return armTrial(arm, sweep, { seed, steps: stepsOf(arm, sweep, own), teacher }, own)
  }
  const teacherOf = (name: string, seed: number, own: Plan): ModelRef | TrialFailure => {
    if (isModelRole(name)) return own[name]
    const other = armNamed(name, sweep.arms)
    const trial = plannedOf(other, seedsOf(other).includes(seed) ? seed : seedsOf(other)[0]!)
    return isFailure(trial) ? trial : refTo(trial)
  }
  return sweep.arms.map((arm) => {
    const trials: TrialConfig[] = []
    const failed: { seed: number; failure: TrialFailure }[] = []
    for (const seed of seedsOf(arm)) {
      const found = plannedOf(arm, seed)
      if (isFailure(found)) failed.push({ seed, failure: found })
      else trials.push(found)
    }
    return { arm, role: roleOf(arm), trials, failed }
  })
}

const isFailure = (found: TrialConfig | ModelRef | TrialFailure): found is TrialFailure => 'message' in found

/** Why a model is not there by whose cost an arm's steps are counted; undefined where all are there. */
function missingModel(
  arm: SweepArm,
  { arms }: Pick<Sweep, 'arms'>,
  { plan, runs }: Planned,
): TrialFailure | undefined {
  for (const model of [plan[arm.start], plan[teacherRole(arm, arms)]]) {
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
function stepsOf(arm: SweepArm, sweep: Sweep, study: Planned): number {
  if (typeof arm.steps === 'number') return arm.steps
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
function costOf(arm: SweepArm, sweep: Pick<Sweep, 'recipe' | 'arms'>, { plan, profile, runs }: Planned) {
  const { start, terms, unlabelled, recipe, teacherViews } = arm
  const [student, teacher] = [plan[start], plan[teacherRole(arm, sweep.arms)]].map(
    (ref) => loadModel(ref, runs).network,
  )
  const { input } = student!
  // The teacher sees the student's images.
  const own = { student: complexity(student!).macs, teacher: complexity({ ...teacher!, input }).macs }
  const { batch } = { ...profile.recipe, ...sweep.recipe, ...recipe }
  const both = batch + (unlabelled?.batch ?? 0)
  const plain = trainingMacs({ images: batch, distilled: 0 }, own)
  const views = teacherViews?.flip ? 2 : 1
  const distilled = trainingMacs({ images: both, distilled: views * both }, own)
  return (step: number) => (isDistilled(terms, step) ? distilled : plain)
}

/** The trial of an arm and a seed. */
function armTrial(
  { start, fresh, rate, terms, unlabelled, pseudo, teacherViews, views, ...arm }: SweepArm,
  sweep: Pick<Sweep, 'labels' | 'recipe'>,
  { seed, steps, teacher }: { readonly seed: number; readonly steps: number; readonly teacher: ModelRef },
  { plan, profile, precision }: Planned,
): TrialConfig {
  const labels = arm.labels ?? sweep.labels
  const recipe = { ...profile.recipe, ...sweep.recipe, ...arm.recipe, precision }
  const common = {
    data: plan.data,
    start: plan[start],
    ...(fresh && { fresh: true as const }),
    training: {
      ...{ steps, rate, seed },
      recipe: { ...recipe, ...(views && { views }) },
      ...(labels && { labels }),
    },
  }
  if (terms.length === 0 && !pseudo) return { kind: 'control', ...common }
  return {
    kind: 'distill',
    ...common,
    teacher,
    terms,
    ...(unlabelled && { unlabelled }),
    ...(pseudo && { pseudo }),
    ...(teacherViews && { views: teacherViews }),
  }
}

/** The trial that measures a model on a split. */
export function measuringTrial(
  start: ModelRef,
  split: Split,
  { plan, precision }: Pick<Planned, 'plan' | 'precision'>,
): TrialConfig {
  return { kind: 'evaluate', data: plan.data, start, split, batch: 8, precision }
}

/** Models beside the arms: the teacher, the arms' starting points, and the references. */
export function fixedModels({ arms, references }: Sweep): ModelRole[] {
  const starts = arms.filter(({ fresh }) => !fresh).map(({ start }) => start)
  return [...new Set<ModelRole>(['teacher', ...starts, ...references.filter(isModelRole)])]
}

/** A model beside the arms, of the study or of a seed's chain; making it in a chain measured it on validation. */
export interface BaseRun {
  readonly seed?: number
  readonly model: ModelRef
  readonly trial?: TrialConfig
}

const MAKERS = { teacher: 'teacher', pruned: 'prune', student: 'finetune' } as const

export function baseRuns(role: ModelRole, sweep: Sweep, study: Planned): BaseRun[] {
  if (!sweep.chain) return [{ model: study.plan[role] }]
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
  return split === 'validation' && trial ? trial : measuringTrial(model, split, study)
}
