/** Sweeps: arms beside each other, on a profile's data, networks and recipe. A study's own comparison is one too. */
import { existsSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { z } from 'zod'
import { readDocument } from '../base'
import { complexity } from '../detector'
import {
  findTrial,
  isDistilled,
  loadModel,
  type ModelRef,
  refTo,
  type TrialConfig,
  trainingMacs,
  trialHash,
} from '../trial'
import {
  armSchema,
  isModelRole,
  MODEL_ROLES,
  type ModelRole,
  roleOf,
  type SweepArm,
  seedsSchema,
} from './arm'
import { type Arm, type ArmNumbers, type ArmRun, compareArms, type Role, type Split } from './comparison'
import type { MetricName } from './metric'
import type { Plan, ResolvedPrecision } from './plan'
import { ownDataStepsSchema, type Profile } from './profile'

/** A sweep's file. Every unknown key is an error. */
export const sweepSchema = z
  .object({
    name: z.string().regex(/^[a-z0-9-]+$/, 'expected small letters, digits and hyphens'),
    /** What it asks, for the reader of its report. */
    question: z.string(),
    /** Name or file of the profile whose data, teacher, student and recipe it uses. */
    profile: z.string(),
    seeds: seedsSchema,
    /** Where the models are measured. */
    split: z.enum(['validation', 'test', 'shifted']).default('validation'),
    /** What the arms are compared with, the most important one first: other arms, or the study's own models by role. */
    references: z.array(z.string()).min(1),
    /** Instead of the profile's, where the data are the user's own: of the models that the arms start from. */
    ownDataSteps: ownDataStepsSchema.omit({ distill: true }).partial().optional(),
    arms: z.array(armSchema).min(1),
  })
  .strict()
  .superRefine(({ arms, references }, context) => {
    const names = arms.map(({ name }) => name)
    const complain = (path: (string | number)[], message: string) =>
      context.addIssue({ code: 'custom', path, message })
    references.forEach((reference, i) => {
      const known = [...names, ...MODEL_ROLES]
      if (known.includes(reference)) return
      complain(['references', i], `expected one of ${known.join(', ')}, found ${reference}`)
    })
    arms.forEach(({ name, steps }, i) => {
      if (names.indexOf(name) !== i || isModelRole(name)) {
        complain(['arms', i, 'name'], `expected a name of its own, found ${name} twice`)
      }
      if (typeof steps === 'number') return
      const like = arms.find((arm) => arm.name === steps.asCostlyAs)
      if (typeof like?.steps === 'number') return
      const found = like ? `${like.name}, whose steps are none` : steps.asCostlyAs
      complain(['arms', i, 'steps', 'asCostlyAs'], `expected an arm with a number of steps, found ${found}`)
    })
  })
export type Sweep = z.infer<typeof sweepSchema>

const FOLDER = join(__dirname, 'sweeps')

/** Names of the sweeps that come with the workbook. */
export function sweepNames(): string[] {
  return readdirSync(FOLDER)
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => basename(file, '.yaml'))
}

/**
 * Reads a sweep by name, or a YAML file of the user's own.
 * @throws Error naming the file and every key that is wrong
 */
export function loadSweep(nameOrFile: string): Sweep {
  const file = nameOrFile.endsWith('.yaml') ? nameOrFile : join(FOLDER, `${nameOrFile}.yaml`)
  if (!existsSync(file)) {
    throw new Error(
      `sweep ${nameOrFile}: expected one of ${sweepNames().join(', ')} or a .yaml file, found neither`,
    )
  }
  return readDocument(file, sweepSchema, { what: 'a valid sweep' })
}

/** An arm with the trials that train it, one a seed. */
export interface PlannedArm {
  readonly arm: SweepArm
  readonly role: Role
  readonly trials: readonly TrialConfig[]
}

/** What planning needs of a study. */
export interface Planned {
  readonly plan: Plan
  readonly profile: Profile
  readonly precision: ResolvedPrecision
  /** Folder of the trials. */
  readonly runs: string
}

/** The arms of a sweep with their trials; the models that they start from must be there. */
export function planArms(sweep: Sweep, study: Planned): PlannedArm[] {
  return sweep.arms.map((arm) => {
    const steps = stepsOf(arm, sweep, study)
    const seeds = arm.seeds ?? sweep.seeds
    return { arm, role: roleOf(arm), trials: seeds.map((seed) => armTrial(arm, { seed, steps }, study)) }
  })
}

/**
 * Steps of an arm. Where it is to cost as much as another one, both are counted in MACs, step by step: a training step is
 * three forward passes of the student, a distillation step one of the teacher beside them (see `trainingMacs`).
 */
function stepsOf(arm: SweepArm, sweep: Sweep, study: Planned): number {
  if (typeof arm.steps === 'number') return arm.steps
  const { asCostlyAs } = arm.steps
  const like = sweep.arms.find(({ name }) => name === asCostlyAs)
  if (typeof like?.steps !== 'number') throw new Error(`sweep ${sweep.name}: no arm ${asCostlyAs}`)
  const [cost, others] = [costOf(arm, study), costOf(like, study)]
  let left = 0
  for (let step = 0; step < like.steps; step++) left += others(step)
  let steps = 0
  // A last step that would cost more than twice what is left is not taken.
  for (; left >= cost(steps) / 2; steps++) left -= cost(steps)
  return steps
}

/** MACs of an arm's step. */
function costOf({ start, terms, unlabelled }: SweepArm, { plan, profile, runs }: Planned) {
  const macs = (ref: ModelRef) => complexity(loadModel(ref, runs).detector).macs
  const own = { student: macs(plan[start]), teacher: macs(plan.teacher) }
  const { batch } = profile.recipe
  const both = batch + (unlabelled?.batch ?? 0)
  const plain = trainingMacs({ images: batch, distilled: 0 }, own)
  const distilled = trainingMacs({ images: both, distilled: both }, own)
  return (step: number) => (isDistilled(terms, step) ? distilled : plain)
}

/** The trial of an arm and a seed. */
function armTrial(
  { start, fresh, rate, terms, unlabelled, labels, views }: SweepArm,
  { seed, steps }: { readonly seed: number; readonly steps: number },
  { plan, profile, precision }: Planned,
): TrialConfig {
  const common = {
    data: plan.data,
    start: plan[start],
    ...(fresh && { fresh: true as const }),
    training: {
      ...{ steps, rate, seed },
      recipe: { ...profile.recipe, precision, ...(views && { views }) },
      ...(labels && { labels }),
    },
  }
  if (terms.length === 0) return { kind: 'control', ...common }
  return { kind: 'distill', ...common, teacher: plan.teacher, terms, ...(unlabelled && { unlabelled }) }
}

/** The trial that measures a model on a split. */
export function measuringTrial(
  start: ModelRef,
  split: Split,
  { plan, precision }: Pick<Planned, 'plan' | 'precision'>,
): TrialConfig {
  return { kind: 'evaluate', data: plan.data, start, split, batch: 8, precision }
}

/** The trial that measures what another one trained; itself where that is on validation. */
function measurement(trial: TrialConfig, split: Split, study: Planned): TrialConfig {
  return split === 'validation' ? trial : measuringTrial(refTo(trial), split, study)
}

/** Models beside the arms: the teacher, what the arms start from, and what they are compared with. */
function fixedModels({ arms, references }: Sweep): ModelRole[] {
  const starts = arms.filter(({ fresh }) => !fresh).map(({ start }) => start)
  return [...new Set<ModelRole>(['teacher', ...starts, ...references.filter(isModelRole)])]
}

/** What the trials of a sweep are, and what each is called, by its hash. */
export interface SweepTrials {
  /** Arm by arm and seed by seed. */
  readonly training: readonly TrialConfig[]
  /** Those that measure what came out; a trial that trains measures on validation itself. */
  readonly measuring: readonly TrialConfig[]
  readonly names: ReadonlyMap<string, string>
}

/** The trials of a sweep on some splits, by default its own. What its arms start from must be there. */
export function sweepTrials(
  sweep: Sweep,
  study: Planned,
  splits: readonly Split[] = [sweep.split],
): SweepTrials {
  const names = new Map<string, string>()
  const named = (trial: TrialConfig, name: string): TrialConfig => {
    if (!names.has(trialHash(trial))) names.set(trialHash(trial), name)
    return trial
  }
  const planned = planArms(sweep, study).flatMap(({ arm, trials }) =>
    trials.map((trial) => ({ trial, name: trainingName(arm, trial) })),
  )
  return {
    training: planned.map(({ trial, name }) => named(trial, name)),
    measuring: splits.flatMap((split) => [
      ...fixedModels(sweep).map((role) =>
        named(measuringTrial(study.plan[role], split, study), `${role} on ${split}`),
      ),
      ...planned.map(({ trial, name }) => named(measurement(trial, split, study), `${name}, on ${split}`)),
    ]),
    names,
  }
}

/** What an arm's training is called: of an ablation, which has one seed, the arm's name alone. */
export function trainingName({ name, variation }: SweepArm, trial: TrialConfig): string {
  return variation || !('training' in trial) ? name : `${name}, seed ${trial.training.seed}`
}

/** A sweep's models as far as they were run: those that it starts from, then its arms. */
export function findArms(sweep: Sweep, study: Planned, splits: readonly Split[] = [sweep.split]): Arm[] {
  const find = (trial: TrialConfig) => findTrial(study.runs, trial)
  const evaluations = (of: (split: Split) => TrialConfig): ArmRun['evaluations'] =>
    Object.fromEntries(splits.map((split) => [split, find(of(split))]))
  const fixed = fixedModels(sweep).map((role): Arm => {
    const measured = evaluations((split) => measuringTrial(study.plan[role], split, study))
    const isThere = Object.values(measured).some((trial) => trial !== undefined)
    return { role, name: role, runs: isThere ? [{ evaluations: measured }] : [] }
  })
  const trained = planArms(sweep, study).map(({ arm, role, trials }): Arm => {
    const runs = trials.flatMap((trial): ArmRun[] => {
      const training = find(trial)
      if (!training || !('training' in trial)) return []
      const measured = evaluations((split) => measurement(trial, split, study))
      return [{ seed: trial.training.seed, training, evaluations: measured }]
    })
    const { name, series, variation } = arm
    return { role, name, series, runs, ...(variation && { variation: { ...variation, own: false } }) }
  })
  return [...fixed, ...trained]
}

/** Compares a sweep's arms with its references, as far as they were run. */
export function compareSweep(
  sweep: Sweep,
  study: Planned,
  { metrics }: { readonly metrics?: readonly MetricName[] } = {},
): ArmNumbers[] {
  const { references, split } = sweep
  const { bootstrap } = study.profile
  return compareArms(findArms(sweep, study), { references, splits: [split], metrics, bootstrap })
}
