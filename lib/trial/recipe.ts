/** How a training is made: the parts of a trial's config that people write into a profile or a sweep. */
import { z } from 'zod'
import type { Schema } from '../base'
import { augmentSchema, strongSchema } from '../data'
import {
  assignSchema,
  type Connecting,
  connectingShape,
  type DistillationOptions,
  lossSchema,
  METHOD_NAMES,
  methodNamed,
  type Schedule,
  SEED_ASSIGN,
  SEED_LOSS,
  termScheduleSchema,
} from '../losses'
import { prunableSchema } from '../slimming'
import { averageSchema, sgdSchema, validationSchema, warmUpSchema } from '../train'

const steps = z.number().int().positive()

/** lambda as a number, or determined at the start so that distillation's gradient is `ratio` times the ground truth's. */
export const weightSchema = z.union([
  z.number().min(0).finite(),
  z.object({ ratio: z.number().positive().finite() }).strict(),
])

/** A seed of a training: a whole number that JSON keeps. */
export const seedSchema = z.number().int().min(0).safe()

/** One method of a distillation loss with its options. */
export type Term = DistillationOptions &
  Connecting & {
    weight: z.infer<typeof weightSchema>
    /** At steps where no term counts, neither the teacher nor the unlabelled frames take part. */
    schedule?: Schedule
  }

/** A term as in a profile or sweep: omitted options take published values; another method's options are refused. */
export const termSchema: Schema<Term> = z
  .object({
    method: z.enum(METHOD_NAMES),
    weight: weightSchema,
    schedule: termScheduleSchema.optional(),
  })
  .passthrough()
  .transform(({ method, weight, schedule, ...options }, context): Term => {
    const { options: own, needs } = methodNamed(method)
    const found = own.extend(connectingShape(needs)).safeParse(options)
    if (!found.success) {
      for (const issue of found.error.issues) context.addIssue(issue)
      return z.NEVER
    }
    return { ...found.data, method, weight, ...(schedule !== undefined && { schedule }) }
  })

/** Images added to every distillation step's labelled batch, which only the teacher labels. */
export const unlabelledSchema = z
  .object({
    /** Images per step. */
    batch: steps,
    /** The data set's split of that name, or the training images whose labels `labels` withholds. */
    source: z.enum(['unlabelled', 'train']).default('unlabelled'),
  })
  .strict()

/** How far a network is pruned, to exactly one of three budgets, and where. */
export const pruneSchema = z
  .object({
    /** Fraction of the given network's MACs to keep. */
    macs: z.number().positive().max(1).optional(),
    /** Fraction of its parameters to keep. */
    parameters: z.number().positive().max(1).optional(),
    /** Milliseconds a call, measured on the machine that prunes: batch 1, within 10 %. */
    milliseconds: z.number().positive().optional(),
    /** Bounds of the fraction of channels that a layer keeps. */
    floor: z.number().min(0).max(1).default(0.05),
    cap: z.number().positive().max(1).default(0.8),
    /** Widths are rounded up to multiples of this. */
    multiple: z.number().int().positive().default(2),
    /** How layers joined by an addition agree on their channels. */
    shared: z.enum(['union', 'mean']).default('union'),
    /** Which layers are pruned; the backbone's by default, as published. Sparsity training shrinks the scales of the same. */
    prunable: prunableSchema.optional(),
    /** Residual blocks to take out first: those whose scales are smallest. */
    blocks: z.number().int().positive().optional(),
  })
  .strict()
  .superRefine(({ macs, parameters, milliseconds }, { addIssue }) => {
    const given = Object.entries({ macs, parameters, milliseconds }).filter(
      ([, value]) => value !== undefined,
    )
    if (given.length === 1) return
    const found = given.map(([key]) => key).join(' and ') || 'none'
    addIssue({ code: 'custom', message: `expected one of macs, parameters and milliseconds, found ${found}` })
  })

/** Shape of the learning-rate schedule; the rate itself is the training's. A name alone takes the published shape. */
const scheduleSchema = z.union([
  z.enum(['cosine', 'poly']),
  z
    .object({
      kind: z.literal('cosine'),
      /** Steps of the half cosine: fewer than the training's, after which the rate stays, or more, so that it is cut off. */
      over: steps.optional(),
      /** Fraction of the rate at its end. */
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
      /** The full rate until `validation` says stop or `decay` steps are left, then down to 1 % over these. */
      kind: z.literal('plateau'),
      decay: steps,
    })
    .strict(),
])

/** Settings shared by all trainings of a profile. */
export const recipeSchema = z
  .object({
    batch: z.number().int().positive(),
    augment: augmentSchema,
    /** A stronger view of every image, of the same geometry, for the trained model; the teacher sees the plain one. */
    strong: strongSchema.optional(),
    /** Number of augmented views of an image that the epochs cycle through; by default every epoch has its own. */
    views: z.number().int().positive().optional(),
    /** Assignment for the ground-truth loss: 'seed' is the published run's. */
    assign: z.preprocess((value) => (value === 'seed' ? SEED_ASSIGN : value), assignSchema),
    loss: z.preprocess((value) => (value === 'seed' ? SEED_LOSS : value), lossSchema),
    sgd: sgdSchema,
    schedule: scheduleSchema,
    warmUp: warmUpSchema,
    /** A moving average of the weights, which is evaluated and becomes the model. */
    average: averageSchema.optional(),
    /** Evaluations on the validation split during training; by default there is one, at the end. */
    validation: validationSchema.optional(),
    /** 'auto' is bfloat16 if the hardware computes it, else float32. */
    precision: z.enum(['auto', 'float32', 'bfloat16', 'float16']),
  })
  .strict()

/** How a training is made. */
export type Recipe = z.infer<typeof recipeSchema>
