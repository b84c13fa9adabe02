/** What a training is made with: the parts of a trial's config that a person writes into a profile or a sweep. */
import { z } from 'zod'
import type { Schema } from '../base'
import { augmentSchema, strongSchema } from '../data'
import {
  assignSchema,
  type DistillationOptions,
  lossSchema,
  METHODS,
  type MethodName,
  type Schedule,
  SEED_ASSIGN,
  SEED_LOSS,
  termScheduleSchema,
} from '../losses'
import { averageSchema, sgdSchema, validationSchema, warmUpSchema } from '../train'

const steps = z.number().int().positive()

/** lambda as a number, or found at the start so that distillation's gradient is `ratio` times the ground truth's. */
export const weightSchema = z.union([z.number().min(0), z.object({ ratio: z.number().positive() }).strict()])

/** One method of a distillation loss with its options. */
export type Term = DistillationOptions & {
  method: MethodName
  weight: z.infer<typeof weightSchema>
  /** Where no term counts at a step, neither the teacher nor the unlabelled frames take part in it. */
  schedule?: Schedule
}

const [first, ...others] = METHODS.map(({ name, options }) =>
  options
    .extend({ method: z.literal(name), weight: weightSchema, schedule: termScheduleSchema.optional() })
    .strict(),
)
/** A term as it stands in a profile or sweep: what is left out takes the published value, another method's option is refused. */
export const termSchema = z.discriminatedUnion('method', [first!, ...others]) as unknown as Schema<Term>

/** Images that every distillation step sees through the teacher alone, beside its labelled batch. */
export const unlabelledSchema = z
  .object({
    /** Images a step. */
    batch: steps,
    /** The data set's split of that name, or the training images that `labels` leaves without theirs. */
    source: z.enum(['unlabelled', 'train']).default('unlabelled'),
  })
  .strict()

export const pruneSchema = z
  .object({
    /** Share of the teacher's MACs that stays. */
    macs: z.number().positive().max(1),
    /** Bounds of the share of channels that a layer keeps. */
    floor: z.number().min(0).max(1).default(0.05),
    cap: z.number().positive().max(1).default(0.8),
    /** Widths are rounded up to multiples of this. */
    multiple: z.number().int().positive().default(2),
    /** How layers joined by an addition agree on their channels. */
    shared: z.enum(['union', 'mean']).default('union'),
  })
  .strict()

/** How the learning rate goes; the rate itself is the training's. A name alone takes the published course. */
const scheduleSchema = z.union([
  z.enum(['cosine', 'poly']),
  z
    .object({
      kind: z.literal('cosine'),
      /** Steps of the half cosine: fewer than the training's, after which the rate stays, or more, so that it ends early. */
      over: steps.optional(),
      /** Share of the rate at its end. */
      final: z.number().min(0).max(1).default(0.01),
    })
    .strict(),
  z
    .object({
      /** Half cosines down to 1 %, the first of `period` steps, each `factor` times as long as the one before. */
      kind: z.literal('restarts'),
      period: steps,
      factor: z.number().int().positive().default(1),
    })
    .strict(),
  z
    .object({
      /** The whole rate until `validation` says stop or `decay` steps are left, then down to 1 % over these. */
      kind: z.literal('plateau'),
      decay: steps,
    })
    .strict(),
])

/** What all trainings of a profile have in common. */
export const recipeSchema = z
  .object({
    batch: z.number().int().positive(),
    augment: augmentSchema,
    /** A stronger look of every image, of the same geometry, for what is trained; the teacher sees the plain one. */
    strong: strongSchema.optional(),
    /** Augmented views of an image, over which the epochs go round; without it every epoch has its own. */
    views: z.number().int().positive().optional(),
    /** Of the ground-truth loss: 'seed' is the published run's. */
    assign: z.preprocess((value) => (value === 'seed' ? SEED_ASSIGN : value), assignSchema),
    loss: z.preprocess((value) => (value === 'seed' ? SEED_LOSS : value), lossSchema),
    sgd: sgdSchema,
    schedule: scheduleSchema,
    warmUp: warmUpSchema,
    /** A moving average of the weights, which is evaluated and left as the model. */
    average: averageSchema.optional(),
    /** Evaluations on the validation split while training; without it there is one, at the end. */
    validation: validationSchema.optional(),
    /** 'auto' is bfloat16 where the hardware computes it, else float32. */
    precision: z.enum(['auto', 'float32', 'bfloat16', 'float16']),
  })
  .strict()

export type Recipe = z.infer<typeof recipeSchema>
