/** Sweeps: trials of the user's own choice beside each other, on a profile's data, networks and recipe. */

import { existsSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { z } from 'zod'
import { readDocument } from '../base'
import { complexity } from '../detector'
import {
  isDistilled,
  labelsSchema,
  loadModel,
  type ModelRef,
  recipeSchema,
  refTo,
  type TrialConfig,
  termSchema,
  trainingMacs,
  unlabelledSchema,
} from '../trial'
import { ownDataStepsSchema } from './profile'
import type { Study } from './study'

const count = z.number().int().positive()

/** The models that a study has before any arm is trained. */
const MODEL_ROLES = ['teacher', 'pruned', 'student'] as const
export type ModelRole = (typeof MODEL_ROLES)[number]
export const isRole = (name: string): name is ModelRole => MODEL_ROLES.some((role) => role === name)

const armSchema = z
  .object({
    name: z.string().min(1),
    /** Arms of one series are joined by a line in the figure of accuracy against compute. */
    series: z.string().min(1).optional(),
    /** The model that is trained on. */
    start: z.enum(MODEL_ROLES).default('student'),
    /** Its architecture alone, with new weights. */
    fresh: z.boolean().default(false),
    /** A number, or as many as cost the MACs of another arm, whose steps are a number. */
    steps: z.union([count, z.object({ asCostlyAs: z.string() }).strict()]),
    /** Peak learning rate. */
    rate: z.number().positive(),
    /** Distillation losses, weighted and added; none: ground truth alone. */
    terms: z.array(termSchema).default([]),
    unlabelled: unlabelledSchema.optional(),
    labels: labelsSchema.optional(),
    /** Augmented views of an image instead of the recipe's. */
    views: recipeSchema.shape.views,
  })
  .strict()
  .refine(({ terms, unlabelled }) => unlabelled === undefined || terms.length > 0, {
    path: ['unlabelled'],
    message: 'expected terms beside it: unlabelled frames teach through distillation alone',
  })
export type SweepArm = z.infer<typeof armSchema>

/** A sweep's file. Every unknown key is an error. */
export const sweepSchema = z
  .object({
    name: z.string().regex(/^[a-z0-9-]+$/, 'expected small letters, digits and hyphens'),
    /** What it asks, for the reader of its report. */
    question: z.string(),
    /** Name or file of the profile whose data, teacher, student and recipe it uses. */
    profile: z.string(),
    seeds: z.array(z.number().int()).min(1),
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
      if (names.indexOf(name) !== i || isRole(name)) complain(['arms', i, 'name'], `${name} is taken`)
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

/** The trials of a sweep, arm by arm, each [seed]; what they start from must have been trained. */
export function planSweep(sweep: Sweep, study: Study): TrialConfig[][] {
  const macs = (ref: ModelRef) => complexity(loadModel(ref, study.runs).detector).macs
  const costOf = ({ start, terms, unlabelled }: SweepArm) => {
    const own = { student: macs(study.plan[start]), teacher: macs(study.plan.teacher) }
    const { batch } = study.profile.recipe
    const both = batch + (unlabelled?.batch ?? 0)
    const [plain, distilled] = [
      trainingMacs({ images: batch, distilled: 0 }, own),
      trainingMacs({ images: both, distilled: both }, own),
    ]
    return (step: number) => (isDistilled(terms, step) ? distilled : plain)
  }
  const stepsOf = (arm: SweepArm): number => {
    if (typeof arm.steps === 'number') return arm.steps
    const { asCostlyAs } = arm.steps
    const like = sweep.arms.find(({ name }) => name === asCostlyAs)
    if (typeof like?.steps !== 'number') throw new Error(`sweep ${sweep.name}: no arm ${asCostlyAs}`)
    const [cost, others] = [costOf(arm), costOf(like)]
    let left = 0
    for (let step = 0; step < like.steps; step++) left += others(step)
    let steps = 0
    // A last step that would cost more than twice what is left is not taken.
    for (; left >= cost(steps) / 2; steps++) left -= cost(steps)
    return steps
  }
  return sweep.arms.map((arm) => {
    const steps = stepsOf(arm)
    return sweep.seeds.map((seed) => armTrial(arm, { seed, steps }, study))
  })
}

/** The trial of an arm and a seed. */
function armTrial(
  { start, fresh, rate, terms, unlabelled, labels, views }: SweepArm,
  { seed, steps }: { readonly seed: number; readonly steps: number },
  { plan, profile, precision }: Study,
): TrialConfig {
  const common = {
    data: plan.baselines.teacher.data,
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

/** The trial that measures a model on the sweep's split. */
export function measuringTrial(start: ModelRef, { split }: Sweep, { plan }: Study): TrialConfig {
  const like = plan.baselines.teacher
  if (like.kind !== 'evaluate') throw new Error(`expected an evaluation of the teacher, found ${like.kind}`)
  return { ...like, start, split }
}

/** The trial that measures what another one trained; itself where that is on validation. */
export function measurement(trial: TrialConfig, sweep: Sweep, study: Study): TrialConfig {
  return sweep.split === 'validation' ? trial : measuringTrial(refTo(trial), sweep, study)
}
