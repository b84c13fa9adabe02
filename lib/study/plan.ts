/** From a profile to its trials: pure functions, so that what will run can be listed and hashed before anything runs. */

import { type Dataset, fitAnchors } from '../data'
import { type DetectorConfig, scaledDetector } from '../detector'
import { distilledSteps, type ModelRef, refTo, shippedRef, type Term, type TrialConfig } from '../trial'
import type { Profile } from './profile'

type ResolvedPrecision = 'float32' | 'bfloat16' | 'float16'

/**
 * What a study of the profile's own data begins with: the shipped teacher and student, the shipped teacher alone, which is
 * slimmed again, or nothing.
 */
export type StartingPoint = 'student' | 'teacher' | 'scratch'

export interface PlanOptions {
  readonly profile: Profile
  readonly dataset: Dataset
  /** What 'auto' became on this machine. */
  readonly precision: ResolvedPrecision
  /** The data is not the profile's own scenes. */
  readonly ownData: boolean
  readonly from: StartingPoint
  readonly seeds: readonly number[]
}

/** A method's trial by what was varied. */
export interface AblationPoint {
  readonly method: string
  /** lambda as a multiple of the method's own, or the threshold. */
  readonly value: number
  readonly trial: TrialConfig
}

/** Every trial of a study, in the order in which they depend on each other. */
export interface Plan {
  /** Trials that make the teacher and the student; empty where they are shipped. */
  readonly preparation: readonly TrialConfig[]
  readonly teacher: ModelRef
  readonly student: ModelRef
  /** The student right after pruning, before it was trained in its new shape. */
  readonly pruned: ModelRef
  /** The sparse network and the one right after pruning, for the slimming notebook; undefined where shipped. */
  readonly slimming: { readonly sparse: TrialConfig; readonly pruned: TrialConfig } | undefined
  /** Validation of the teacher and of the student. */
  readonly baselines: { readonly teacher: TrialConfig; readonly student: TrialConfig }
  /** The student trained on without a teacher for as many steps as a method: [seed]. */
  readonly control: readonly TrialConfig[]
  /** What else the methods are compared with, each [seed]. */
  readonly otherControls: readonly { readonly name: string; readonly trials: readonly TrialConfig[] }[]
  /** The five methods, each [seed]. */
  readonly methods: readonly { readonly term: Term; readonly trials: readonly TrialConfig[] }[]
  readonly lambdaAblation: readonly AblationPoint[]
  readonly thresholdAblation: readonly AblationPoint[]
}

/** Names of the controls, for tables and figures. */
export const CONTROL_NAMES = {
  steps: 'control',
  compute: 'control, equal compute',
  teacher: 'teacher trained on',
  scratch: 'from scratch',
} as const

/** The trials of a profile on a data set. */
export function planStudy(options: PlanOptions): Plan {
  const { profile, dataset, precision, ownData, from, seeds } = options
  const { stages, recipe } = profile
  const crop = ownData ? profile.crop : undefined
  const data = { hash: dataset.hash, ...(crop && { crop }) }
  const steps = ownData
    ? profile.ownDataSteps
    : {
        teacher: stages.teacher.steps,
        sparse: stages.sparse.steps,
        finetune: stages.finetune.steps,
        distill: stages.distill.steps,
      }
  const training = (stage: keyof typeof steps, seed: number) => ({
    steps: steps[stage],
    rate: stages[stage].rate,
    seed,
    recipe: { ...recipe, precision },
  })
  const [first] = seeds
  if (first === undefined) throw new Error('the study: expected at least one seed, found none')

  const names = ownData || from === 'scratch' ? undefined : profile.checkpoints
  const teacherTrial: TrialConfig = {
    kind: 'teacher',
    data,
    detector: resolveDetector(profile, dataset, ownData),
    training: training('teacher', first),
  }
  const teacher = names ? shippedRef(names.teacher) : refTo(teacherTrial)
  const sparse: TrialConfig = {
    kind: 'sparse',
    data,
    start: teacher,
    training: training('sparse', first),
    // The L1 term moves a scale by strength x rate a step, so fewer steps need more of it to get as far.
    strength: (stages.sparse.strength * stages.sparse.steps) / steps.sparse,
  }
  const pruned: TrialConfig = { kind: 'prune', data, start: refTo(sparse), prune: stages.prune }
  const finetune: TrialConfig = {
    kind: 'finetune',
    data,
    start: refTo(pruned),
    training: training('finetune', first),
  }
  const slimmed = names && from === 'student' ? names : undefined
  const student = slimmed ? shippedRef(slimmed.student) : refTo(finetune)
  const preparation = slimmed ? [] : [...(names ? [] : [teacherTrial]), sparse, pruned, finetune]

  const evaluate = (start: ModelRef, split: 'validation' | 'test'): TrialConfig => ({
    kind: 'evaluate',
    data,
    start,
    split,
    batch: 8,
    precision,
  })
  const distill = (term: Term, seed: number): TrialConfig => ({
    kind: 'distill',
    data,
    start: student,
    teacher,
    training: training('distill', seed),
    terms: [term],
  })
  const trainedOn = (start: ModelRef, seed: number, change: { steps?: number; rate?: number } = {}) => ({
    kind: 'control' as const,
    data,
    start,
    training: { ...training('distill', seed), ...change },
  })
  // A step costs 3 forward passes of the student, and with distillation one of the teacher; the student's share of the
  // teacher's MACs is what pruning aims at, known before it has run. The control gets what the costliest method costs.
  const taught = Math.max(...profile.methods.map((term) => distilledSteps([term], steps.distill)))
  const sameCompute = Math.round(steps.distill + taught / (3 * stages.prune.macs))
  const scratch = { steps: steps.finetune + steps.distill, rate: stages.finetune.rate }
  const otherControls: { name: string; wanted: boolean; trial: (seed: number) => TrialConfig }[] = [
    {
      name: CONTROL_NAMES.compute,
      wanted: profile.controls.equalCompute,
      trial: (seed) => trainedOn(student, seed, { steps: sameCompute }),
    },
    {
      name: CONTROL_NAMES.teacher,
      wanted: profile.controls.teacher,
      trial: (seed) => trainedOn(teacher, seed),
    },
    {
      name: CONTROL_NAMES.scratch,
      wanted: profile.controls.scratch,
      trial: (seed) => ({ ...trainedOn(student, seed, scratch), fresh: true }),
    },
  ]
  const { lambda, threshold } = profile.ablations
  const termOf = (method: string): Term => {
    const term = profile.methods.find((candidate) => candidate.method === method)
    if (!term)
      throw new Error(
        `profile ${profile.name}: ablations need method "${method}" among its methods, found none`,
      )
    return term
  }
  return {
    preparation,
    teacher,
    student,
    pruned: slimmed ? shippedRef(slimmed.pruned) : refTo(pruned),
    slimming: slimmed ? undefined : { sparse, pruned },
    baselines: { teacher: evaluate(teacher, 'validation'), student: evaluate(student, 'validation') },
    control: seeds.map((seed) => trainedOn(student, seed)),
    otherControls: otherControls
      .filter(({ wanted }) => wanted)
      .map(({ name, trial }) => ({ name, trials: seeds.map(trial) })),
    methods: profile.methods.map((term) => ({ term, trials: seeds.map((seed) => distill(term, seed)) })),
    lambdaAblation: lambda.methods.flatMap((method) =>
      lambda.factors.map((value) => ({
        method,
        value,
        trial: distill(scaleWeight(termOf(method), value), first),
      })),
    ),
    thresholdAblation:
      threshold.length === 0
        ? []
        : threshold.map((value) => ({
            method: 'masked-class-kd',
            value,
            trial: distill({ ...termOf('masked-class-kd'), threshold: value }, first),
          })),
  }
}

/** The trial that measures a model on the test split. */
export function testTrial(model: ModelRef, like: TrialConfig, precision: ResolvedPrecision): TrialConfig {
  return { kind: 'evaluate', data: like.data, start: model, split: 'test', batch: 8, precision }
}

function scaleWeight(term: Term, factor: number): Term {
  const { weight } = term
  return { ...term, weight: typeof weight === 'number' ? weight * factor : { ratio: weight.ratio * factor } }
}

function resolveDetector(
  { detector, crop: published }: Profile,
  dataset: Dataset,
  ownData: boolean,
): DetectorConfig {
  const { input, width, upsample, spp, anchors } = detector
  const crop = ownData ? published : undefined
  // Anchors that were found on the profile's own scenes say nothing about other data.
  const train = dataset.splits.train ?? []
  const fitted = anchors === 'k-means' || ownData ? fitAnchors(train, { input, crop }).anchors : anchors
  const rounded = fitted.map((scale) =>
    scale.map(([w, h]): [number, number] => [Math.round(w), Math.round(h)]),
  )
  return scaledDetector(width, { input, upsample, spp, anchors: rounded, classes: dataset.classes.length })
}

/** Every trial of a plan with a name that stays the same over machines, tests on the test split last. */
export function namedTrials(plan: Plan, precision: ResolvedPrecision): ReadonlyMap<string, TrialConfig> {
  const named = new Map<string, TrialConfig>()
  for (const trial of plan.preparation) named.set(trial.kind, trial)
  named.set('teacher on validation', plan.baselines.teacher)
  named.set('student on validation', plan.baselines.student)
  const arms: [string, readonly TrialConfig[]][] = [
    [CONTROL_NAMES.steps, plan.control],
    ...plan.otherControls.map(({ name, trials }): [string, readonly TrialConfig[]] => [name, trials]),
    ...plan.methods.map(({ term, trials }): [string, readonly TrialConfig[]] => [term.method, trials]),
  ]
  for (const [name, trials] of arms) {
    for (const trial of trials)
      if ('training' in trial) named.set(`${name}, seed ${trial.training.seed}`, trial)
  }
  for (const { method, value, trial } of plan.lambdaAblation) named.set(`${method}, lambda x ${value}`, trial)
  for (const { method, value, trial } of plan.thresholdAblation)
    named.set(`${method}, threshold ${value}`, trial)
  const like = plan.baselines.teacher
  named.set('teacher on test', testTrial(plan.teacher, like, precision))
  named.set('student on test', testTrial(plan.student, like, precision))
  for (const [name, trials] of arms) {
    for (const trial of trials) {
      if ('training' in trial)
        named.set(`${name}, seed ${trial.training.seed}, on test`, testTrial(refTo(trial), trial, precision))
    }
  }
  return named
}
