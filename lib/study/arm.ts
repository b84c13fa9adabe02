/** An arm as a person writes it into a sweep: a model that is trained on, and how. */
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

/** Seeds of trainings: each once, and as numbers that JSON keeps. */
export const seedsSchema = z
  .array(seedSchema)
  .min(1)
  .refine((seeds) => new Set(seeds).size === seeds.length, 'expected every seed once')

/** The models that a study has before any arm is trained. */
export const MODEL_ROLES = ['teacher', 'pruned', 'student'] as const
export type ModelRole = (typeof MODEL_ROLES)[number]
export const isModelRole = (name: string): name is ModelRole => MODEL_ROLES.some((role) => role === name)

/** Parts of a recipe instead of the profile's. */
export const recipeChangeSchema = recipeSchema.omit({ precision: true }).partial().strict()
export type RecipeChange = z.infer<typeof recipeChangeSchema>

export const armSchema = z
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
    rate: z.number().positive().finite(),
    /** Distillation losses, weighted and added; none: ground truth alone. */
    terms: z.array(termSchema).default([]),
    /** Frames without labels that steps see too, through `terms` or `pseudo`. */
    unlabelled: unlabelledSchema.optional(),
    /** The unlabelled frames are learnt as if the teacher's detections were their labels. */
    pseudo: pseudoSchema.optional(),
    /** Views over which the teacher's answers are averaged. */
    teacherViews: teacherViewsSchema.optional(),
    /** Instead of the sweep's. */
    labels: labelsSchema.optional(),
    /** On top of the sweep's own changes. */
    recipe: recipeChangeSchema.optional(),
    /** Augmented views of an image instead of the recipe's. */
    views: recipeSchema.shape.views,
    /** Instead of the sweep's seeds. */
    seeds: seedsSchema.optional(),
    /** What the arm varies of a method, for the curves of ablations. */
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
export type SweepArm = z.infer<typeof armSchema>

/** What an arm is in a comparison. */
export function roleOf({ terms, pseudo, start, fresh }: SweepArm): Role {
  if (terms.length > 0 || pseudo) return 'method'
  return start === 'teacher' && !fresh ? 'teacher' : 'control'
}
