/** An arm as written in a sweep: which model to train further, and how. */
import { z } from 'zod'
import { quantiseSchema } from '../quantise'
import { prunableSchema } from '../slimming'
import {
  labelsSchema,
  pruneSchema,
  pseudoSchema,
  recipeSchema,
  seedSchema,
  teacherViewsSchema,
  termSchema,
  unlabelledSchema,
} from '../trial'
import { type Role, VARIED } from './arm-numbers'

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

/** A model of a sweep: a role in its study, the result of another arm by the arm's name, or files of one's own. */
const modelSchema = z.union([z.string().min(1), z.array(z.string().min(1)).min(1)])
export type ArmModel = z.infer<typeof modelSchema>

/** Who teaches: a model, or several that teach by their mean. */
const teacherSchema = z.union([modelSchema, z.object({ mean: z.array(modelSchema).min(2) }).strict()])

export const armSchema = z
  .object({
    name: z.string().min(1),
    /** Arms of one series are joined by a line in the figure of accuracy against compute. */
    series: z.string().min(1).optional(),
    /** The model to train further; another arm's result is awaited, seed by seed. */
    start: modelSchema.default('student'),
    /** Prunes it first. Without `steps` that is all, and the arm is the network right after pruning. */
    prune: pruneSchema.optional(),
    /** Takes only its architecture, with new weights. */
    fresh: z.boolean().default(false),
    /**
     * A number, or as many as cost the MACs of another arm, whose steps must be a number; 0 with `quantise` alone: the model is
     * quantised as it is.
     */
    steps: z.union([z.number().int().min(0), z.object({ asCostlyAs: z.string() }).strict()]).optional(),
    /** Peak learning rate; needed with steps. */
    rate: z.number().positive().finite().optional(),
    /** `int8`, or options: trains with the rounding of an int8 file, in float32. */
    quantise: quantiseSchema.optional(),
    /** Makes it a sparsity training, whose L1 term of this strength shrinks the prunable layers' scales. */
    sparse: z
      .object({ strength: z.number().positive().finite(), prunable: prunableSchema.optional() })
      .strict()
      .optional(),
    /** Distillation losses, weighted and added; none: ground truth only. */
    terms: z.array(termSchema).default([]),
    /** Unlabelled frames added to the steps, through `terms` or `pseudo`. */
    unlabelled: unlabelledSchema.optional(),
    /** Trains on the unlabelled frames with the teacher's detections as labels. */
    pseudo: pseudoSchema.optional(),
    /** Default: the study's teacher. */
    teacher: teacherSchema.optional(),
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
        varied: z.enum(VARIED),
        /** lambda as a multiple of the method's own, or the threshold, or the temperature. */
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
  .refine(({ steps, prune }) => steps !== undefined || prune, {
    path: ['steps'],
    message: 'expected a number, or prune without a training; found neither',
  })
  .refine(({ steps, rate }) => steps === 0 || (steps === undefined) === (rate === undefined), {
    path: ['rate'],
    message: 'expected a rate for steps, and none without them',
  })
  .refine(({ steps, ...training }) => steps !== undefined || !trains(training), {
    path: ['steps'],
    message: 'expected steps for what the arm says of a training, found none',
  })
  .refine(
    ({ steps, quantise, terms, pseudo, sparse }) =>
      steps !== 0 || (quantise && terms.length === 0 && !pseudo && !sparse),
    { path: ['steps'], message: 'expected at least one; 0 is of an arm with quantise and no teacher' },
  )
  .refine(({ sparse, terms, pseudo, fresh }) => !sparse || !(terms.length > 0 || pseudo || fresh), {
    path: ['sparse'],
    message:
      'expected neither terms, pseudo nor fresh beside it: sparsity training goes on from a trained model alone',
  })
  .refine(({ quantise, fresh, sparse }) => !quantise || !(fresh || sparse), {
    path: ['quantise'],
    message:
      'expected neither fresh nor sparse beside it: a trained network is quantised, and slimmed before',
  })
/** An arm of a sweep, as its file says it. */
export type SweepArm = z.infer<typeof armSchema>

/** Whether an arm's keys speak of a training. */
function trains({
  terms,
  fresh,
  ...keys
}: {
  terms: readonly unknown[]
  fresh: boolean
  [key: string]: unknown
}) {
  const others = [
    'quantise',
    'sparse',
    'unlabelled',
    'pseudo',
    'teacher',
    'teacherViews',
    'labels',
    'recipe',
    'views',
  ]
  return terms.length > 0 || fresh || others.some((key) => keys[key] !== undefined)
}

/** Names a model of one's own by its files. */
export const filesKey = (files: readonly string[]): string => JSON.stringify(files)

/**
 * The model that an arm's own network was made from: of one that starts from another arm, that arm's. Pruning along the way has
 * changed its widths.
 *
 * @throws Error if there is no arm of a name
 */
export function originOf({ start }: Pick<SweepArm, 'start'>, arms: readonly SweepArm[]): Origin {
  return originOfModel(start, arms)
}

/** A role in the study, or files. */
export type Origin = ModelRole | readonly string[]

/** The models that teach an arm. */
export function teachersOfArm({ teacher = 'teacher' }: Pick<SweepArm, 'teacher'>): readonly ArmModel[] {
  return typeof teacher === 'object' && 'mean' in teacher ? teacher.mean : [teacher]
}

/** What they were made from. */
export function teacherOrigins(arm: Pick<SweepArm, 'teacher'>, arms: readonly SweepArm[]): Origin[] {
  return teachersOfArm(arm).map((teacher) => originOfModel(teacher, arms))
}

function originOfModel(model: ArmModel, arms: readonly SweepArm[]): Origin {
  if (typeof model !== 'string' || isModelRole(model)) return model
  return originOf(armNamed(model, arms), arms)
}

/** Whether an arm's network, or one that it starts from, is pruned within the sweep, so that its widths are not known before. */
export function isPruned({ prune, start }: SweepArm, arms: readonly SweepArm[]): boolean {
  if (prune) return true
  return typeof start === 'string' && !isModelRole(start) && isPruned(armNamed(start, arms), arms)
}

/** @throws Error if there is no such arm */
export function armNamed(name: string, arms: readonly SweepArm[]): SweepArm {
  const found = arms.find((arm) => arm.name === name)
  if (found) return found
  throw new Error(
    `arm ${name}: expected one of ${arms.map((arm) => arm.name).join(', ')}, found none of that name`,
  )
}

/** The arms whose results an arm needs. */
function needsOf(arm: SweepArm, arms: readonly SweepArm[]): SweepArm[] {
  const models = [arm.start, ...teachersOfArm(arm)]
  return arms.filter(({ name }) => models.includes(name))
}

/** The arms that wait for one another, from an arm back to it: `a`, `b`, `a`; undefined if there is no such circle. */
export function circleOf(arm: SweepArm, arms: readonly SweepArm[]): string[] | undefined {
  const search = (at: SweepArm, path: readonly string[]): string[] | undefined => {
    for (const next of needsOf(at, arms)) {
      if (next.name === arm.name) return [...path, next.name]
      const found = path.includes(next.name) ? undefined : search(next, [...path, next.name])
      if (found) return found
    }
    return undefined
  }
  return search(arm, [arm.name])
}

/** The role of an arm in a comparison. */
export function roleOf(arm: SweepArm, arms: readonly SweepArm[]): Role {
  const { terms, pseudo, steps, fresh } = arm
  if (terms.length > 0 || pseudo) return 'method'
  if (steps === undefined) return 'pruned'
  return originOf(arm, arms) === 'teacher' && !fresh && !isPruned(arm, arms) ? 'teacher' : 'control'
}
