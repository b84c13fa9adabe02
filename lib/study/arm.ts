/** An arm as written in a sweep: which model to train further, and how. */
import { z } from 'zod'
import {
  labelsSchema,
  pseudoSchema,
  recipeSchema,
  seedSchema,
  teacherViewsSchema,
  termSchema,
  unlabelledSchema,
} from '../trial'
import type { Role } from './arm-numbers'

const count = z.number().int().positive()

/** Seeds of trainings: no repetitions, and numbers that JSON can store. */
export const seedsSchema = z
  .array(seedSchema)
  .min(1)
  .refine((seeds) => new Set(seeds).size === seeds.length, 'expected every seed once')

/** The models that a study has before any arm is trained. */
export const MODEL_ROLES = ['teacher', 'pruned', 'student'] as const
/** What a model is in a comparison. */
export type ModelRole = (typeof MODEL_ROLES)[number]
export const isModelRole = (name: string): name is ModelRole => MODEL_ROLES.some((role) => role === name)

/** Parts of a recipe that replace the profile's. */
export const recipeChangeSchema = recipeSchema.omit({ precision: true }).partial().strict()
export type RecipeChange = z.infer<typeof recipeChangeSchema>

export const armSchema = z
  .object({
    name: z.string().min(1),
    /** Arms of one series are joined by a line in the figure of accuracy against compute. */
    series: z.string().min(1).optional(),
    /** The model to train further. */
    start: z.enum(MODEL_ROLES).default('student'),
    /** Takes only its architecture, with new weights. */
    fresh: z.boolean().default(false),
    /** A number, or as many as cost the MACs of another arm, whose steps must be a number. */
    steps: z.union([count, z.object({ asCostlyAs: z.string() }).strict()]),
    /** Peak learning rate. */
    rate: z.number().positive().finite(),
    /** Distillation losses, weighted and added; none: ground truth only. */
    terms: z.array(termSchema).default([]),
    /** Unlabelled frames added to the steps, through `terms` or `pseudo`. */
    unlabelled: unlabelledSchema.optional(),
    /** Trains on the unlabelled frames with the teacher's detections as labels. */
    pseudo: pseudoSchema.optional(),
    /** Who teaches: a model of the study, or another arm of the sweep, whose result is awaited. Default: the teacher. */
    teacher: z.string().min(1).optional(),
    /** Views over which the teacher's outputs are averaged. */
    teacherViews: teacherViewsSchema.optional(),
    /** Replaces the sweep's. */
    labels: labelsSchema.optional(),
    /** Applied after the sweep's own changes. */
    recipe: recipeChangeSchema.optional(),
    /** Number of augmented views of an image; replaces the recipe's. */
    views: recipeSchema.shape.views,
    /** Replaces the sweep's seeds. */
    seeds: seedsSchema.optional(),
    /** The setting of a method that the arm varies, for the curves of ablations. */
    variation: z
      .object({
        method: z.string(),
        varied: z.enum(['lambda', 'threshold']),
        /** lambda as a multiple of the method's own, or the threshold. */
        value: z.number().finite(),
      })
      .strict()
      .optional(),
  })
  .strict()
  .refine(({ terms, pseudo, unlabelled }) => unlabelled === undefined || terms.length > 0 || pseudo, {
    path: ['unlabelled'],
    message: 'expected terms or pseudo beside it: unlabelled frames teach through the teacher alone',
  })
  .refine(({ pseudo, unlabelled }) => pseudo === undefined || unlabelled, {
    path: ['pseudo'],
    message: 'expected unlabelled beside it: the frames that get the labels',
  })
  .refine(({ teacher, terms, pseudo }) => teacher === undefined || terms.length > 0 || pseudo, {
    path: ['teacher'],
    message: 'expected terms or pseudo beside it, through which it teaches',
  })
/** An arm of a sweep, as its file says it. */
export type SweepArm = z.infer<typeof armSchema>

/**
 * The model of the study whose architecture an arm's teacher has: of an arm, that of the model which it trains on.
 * @throws Error if there is no such arm
 */
export function teacherRole({ teacher = 'teacher' }: SweepArm, arms: readonly SweepArm[]): ModelRole {
  if (isModelRole(teacher)) return teacher
  return armNamed(teacher, arms).start
}

/** @throws Error if there is no such arm */
export function armNamed(name: string, arms: readonly SweepArm[]): SweepArm {
  const found = arms.find((arm) => arm.name === name)
  if (found) return found
  throw new Error(
    `arm ${name}: expected one of ${arms.map((arm) => arm.name).join(', ')}, found none of that name`,
  )
}

/** The arms that teach one another, from an arm back to it: `a`, `b`, `a`; undefined if there is no such circle. */
export function circleOf(arm: SweepArm, arms: readonly SweepArm[]): string[] | undefined {
  const path = [arm.name]
  let at: SweepArm | undefined = arm
  while (at?.teacher !== undefined) {
    const { teacher }: SweepArm = at
    if (teacher === arm.name) return [...path, teacher]
    if (path.includes(teacher)) return undefined // a circle of others
    path.push(teacher)
    at = arms.find(({ name }) => name === teacher)
  }
  return undefined
}

/** The role of an arm in a comparison. */
export function roleOf({ terms, pseudo, start, fresh }: SweepArm): Role {
  if (terms.length > 0 || pseudo) return 'method'
  return start === 'teacher' && !fresh ? 'teacher' : 'control'
}
