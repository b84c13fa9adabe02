/** Sweeps: arms beside each other, on a profile's data, networks and recipe. A study's own comparison is one too. */
import { existsSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { z } from 'zod'
import { readDocument } from '../base'
import { complexity } from '../detector'
import {
  findTrial,
  isDistilled,
  labelsSchema,
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
  recipeChangeSchema,
  roleOf,
  type SweepArm,
  seedsSchema,
} from './arm'
import { chainSchema, planChain } from './chain'
import { type Arm, type ArmNumbers, type ArmRun, compareArms, type Role, type Split } from './comparison'
import type { MetricName } from './metric'
import type { Plan, Planned } from './plan'
import { ownDataStepsSchema } from './profile'

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
    /** Which labels every training sees. Default: all. */
    labels: labelsSchema.optional(),
    /** Parts of the recipe instead of the profile's, in every training. */
    recipe: recipeChangeSchema.optional(),
    /** Every seed has a teacher of its own, and what the arms start from is made from it. */
    chain: chainSchema.optional(),
    /** Instead of the profile's, where the data are the user's own: of the models that the arms start from. */
    ownDataSteps: ownDataStepsSchema.omit({ distill: true }).partial().optional(),
    arms: z.array(armSchema).min(1),
  })
  .strict()
  .superRefine(({ arms, references, chain }, context) => {
    const names = arms.map(({ name }) => name)
    const complain = (path: (string | number)[], message: string) =>
      context.addIssue({ code: 'custom', path, message })
    references.forEach((reference, i) => {
      const known = [...names, ...MODEL_ROLES]
      if (known.includes(reference)) return
      complain(['references', i], `expected one of ${known.join(', ')}, found ${reference}`)
    })
    arms.forEach(({ name, steps, start }, i) => {
      if (chain && !chain.finetune && start === 'student') {
        complain(
          ['arms', i, 'start'],
          'expected pruned or teacher, for the chain has no finetune; found student',
        )
      }
      if (names.indexOf(name) !== i || isModelRole(name)) {
        complain(['arms', i, 'name'], `expected a name of its own, found ${name} twice`)
      }
      if (typeof steps === 'number') return
      const like = arms.find((arm) => arm.name === steps.asCostlyAs)
      if (typeof like?.steps === 'number' && !like.pseudo) return
      if (like?.pseudo) {
        const why = `${like.name}, whose pseudo-labels cost what is known when it has run`
        return complain(
          ['arms', i, 'steps', 'asCostlyAs'],
          `expected an arm without pseudo-labels, found ${why}`,
        )
      }
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

/** The models that a sweep's arms start from, by seed: the study's own, or those of the seed's chain. */
function modelsBySeed({ chain, labels, recipe, seeds, arms }: Sweep, study: Planned): Map<number, Plan> {
  const all = [...seeds, ...arms.flatMap((arm) => arm.seeds ?? [])]
  return new Map(
    all.map((seed) => [seed, chain ? planChain({ chain, labels, recipe }, study, seed) : study.plan]),
  )
}

/** The trials that make what the arms of a sweep start from. */
export function sweepPreparation(sweep: Sweep, study: Planned): readonly TrialConfig[] {
  if (!sweep.chain) return study.plan.preparation
  return [...modelsBySeed(sweep, study).values()].flatMap(({ preparation }) => preparation)
}

/** The arms of a sweep with their trials; the models that they start from must be there. */
export function planArms(sweep: Sweep, study: Planned): PlannedArm[] {
  const models = modelsBySeed(sweep, study)
  return sweep.arms.map((arm) => {
    const seeds = arm.seeds ?? sweep.seeds
    const trials = seeds.map((seed) => {
      const own = { ...study, plan: models.get(seed)! }
      return armTrial(arm, sweep, { seed, steps: stepsOf(arm, sweep, own) }, own)
    })
    return { arm, role: roleOf(arm), trials }
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
  const [cost, others] = [costOf(arm, sweep, study), costOf(like, sweep, study)]
  let left = 0
  for (let step = 0; step < like.steps; step++) left += others(step)
  let steps = 0
  // A last step that would cost more than twice what is left is not taken.
  for (; left >= cost(steps) / 2; steps++) left -= cost(steps)
  return steps
}

/** MACs of an arm's step. */
function costOf(
  { start, terms, unlabelled, recipe }: SweepArm,
  sweep: Pick<Sweep, 'recipe'>,
  { plan, profile, runs }: Planned,
) {
  const macs = (ref: ModelRef) => complexity(loadModel(ref, runs).detector).macs
  const own = { student: macs(plan[start]), teacher: macs(plan.teacher) }
  const { batch } = { ...profile.recipe, ...sweep.recipe, ...recipe }
  const both = batch + (unlabelled?.batch ?? 0)
  const plain = trainingMacs({ images: batch, distilled: 0 }, own)
  const distilled = trainingMacs({ images: both, distilled: both }, own)
  return (step: number) => (isDistilled(terms, step) ? distilled : plain)
}

/** The trial of an arm and a seed. */
function armTrial(
  { start, fresh, rate, terms, unlabelled, pseudo, teacherViews, views, ...arm }: SweepArm,
  sweep: Pick<Sweep, 'labels' | 'recipe'>,
  { seed, steps }: { readonly seed: number; readonly steps: number },
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
    teacher: plan.teacher,
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

/** Models beside the arms: the teacher, what the arms start from, and what they are compared with. */
function fixedModels({ arms, references }: Sweep): ModelRole[] {
  const starts = arms.filter(({ fresh }) => !fresh).map(({ start }) => start)
  return [...new Set<ModelRole>(['teacher', ...starts, ...references.filter(isModelRole)])]
}

/** A model beside the arms, of the study or of a seed's chain; the latter was measured on validation when it was made. */
interface BaseRun {
  readonly seed?: number
  readonly model: ModelRef
  readonly trial?: TrialConfig
}

const MAKERS = { teacher: 'teacher', pruned: 'prune', student: 'finetune' } as const

function baseRuns(role: ModelRole, sweep: Sweep, study: Planned): BaseRun[] {
  if (!sweep.chain) return [{ model: study.plan[role] }]
  return [...modelsBySeed(sweep, study)].map(([seed, plan]) => ({
    seed,
    model: plan[role],
    trial: plan.preparation.find(({ kind }) => kind === MAKERS[role]),
  }))
}

/** The trial in which a model was measured: the one that made it, where that is on validation. */
function measurementOf(
  model: ModelRef,
  trial: TrialConfig | undefined,
  split: Split,
  study: Planned,
): TrialConfig {
  return split === 'validation' && trial ? trial : measuringTrial(model, split, study)
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
      ...fixedModels(sweep).flatMap((role) =>
        baseRuns(role, sweep, study).map(({ seed, trial, model }) => {
          const name = seed === undefined ? `${role} on ${split}` : `${role}, seed ${seed}, on ${split}`
          return named(measurementOf(model, trial, split, study), name)
        }),
      ),
      ...planned.map(({ trial, name }) =>
        named(measurementOf(refTo(trial), trial, split, study), `${name}, on ${split}`),
      ),
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
    const runs = baseRuns(role, sweep, study).flatMap(({ seed, trial, model }): ArmRun[] => {
      const measured = evaluations((split) => measurementOf(model, trial, split, study))
      if (!Object.values(measured).some((result) => result !== undefined)) return []
      const made = trial && 'training' in trial ? find(trial) : undefined
      return [{ ...(seed !== undefined && { seed }), ...(made && { training: made }), evaluations: measured }]
    })
    return { role, name: role, runs }
  })
  const trained = planArms(sweep, study).map(({ arm, role, trials }): Arm => {
    const runs = trials.flatMap((trial): ArmRun[] => {
      const training = find(trial)
      if (!training || !('training' in trial)) return []
      const measured = evaluations((split) => measurementOf(refTo(trial), trial, split, study))
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
