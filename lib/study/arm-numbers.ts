/** Arms in numbers, as results store them. */
import { z } from 'zod'
import { recordOf } from '../base'
import type { Metrics } from '../trial'
import { VERDICTS } from './statistics'

export const ROLES = ['teacher', 'student', 'pruned', 'control', 'method'] as const
/**
 * `teacher`: also the teacher trained further; `pruned`: right after pruning; `student`: fine-tuned after pruning, before
 * distillation; `control`: a student trained on without a teacher; `method`: with distillation.
 */
export type Role = (typeof ROLES)[number]

/** A part of the data on which models are measured. */
export type Split = Metrics['evaluation']['split']

/** The settings of a method that ablations vary. */
export const VARIED = ['lambda', 'threshold', 'temperature'] as const

const ablationSchema = z
  .object({
    method: z.string(),
    varied: z.enum(VARIED),
    /** lambda as a multiple of the method's own, or the threshold, or the temperature. */
    value: z.number(),
    /** Whether it is the method's own setting. */
    own: z.boolean().default(false),
  })
  .strict()
/** The setting of a method that an arm varies. */
export type Variation = z.infer<typeof ablationSchema>

const number = z.number()
export const intervalSchema = z.object({ value: number, lower: number, upper: number }).strict()
export const differenceSchema = z
  .object({
    difference: number,
    lower: number,
    upper: number,
    verdict: z.enum(VERDICTS),
    pValue: number,
    resamples: number,
    confidence: number,
    images: number,
    seeds: number,
  })
  .strict()

const splitSchema = z
  .object({
    images: number,
    /** Seeds of the runs measured here; none for a fixed model. */
    seeds: z.array(number),
    /** By metric: the mean over the seeds with its interval over images and seeds. */
    values: recordOf(intervalSchema),
    /** By reference and metric: this arm minus the reference, paired. */
    differences: recordOf(recordOf(differenceSchema)),
    /** VOC's AP at IoU 0.5, mean over the seeds; null without truths. */
    perClass: z
      .array(z.object({ name: z.string(), truths: number, ap: number.nullable() }).strict())
      .default([]),
    secondsPerImage: number.optional(),
  })
  .strict()
/** An arm on a split. */
export type SplitNumbers = z.infer<typeof splitSchema>

const termSchema = z
  .object({
    method: z.string(),
    lambda: number,
    /** Norm of the weighted distillation gradient over that of the ground truth's, at the start. */
    ratio: number,
    cosine: number.nullable(),
    threshold: number.optional(),
    temperature: number.optional(),
  })
  .strict()
/** Weight of a distillation term. */
export type TermNumbers = z.infer<typeof termSchema>

const failedTrialSchema = z
  .object({
    seed: number.optional(),
    /** Where it was to measure a model that was trained. */
    split: z.enum(['validation', 'test', 'shifted']).optional(),
    kind: z.enum(['diverged', 'error']),
    /** In a few words. */
    reason: z.string(),
    /** What grew before, of a training that diverged. */
    grown: z.string().optional(),
    /** Step of the last checkpoint, of a training that diverged after one. */
    checkpoint: number.optional(),
    advice: z.string().optional(),
  })
  .strict()
/** A trial of an arm that failed, and why. */
export type FailedTrial = z.infer<typeof failedTrialSchema>

const described = {
  role: z.enum(ROLES),
  name: z.string(),
  series: z.string().optional(),
  variation: ablationSchema.optional(),
}

/** An arm none of whose models was measured, as results store it. */
export const failedArmSchema = z.object({ ...described, failed: z.array(failedTrialSchema).min(1) }).strict()
/** An arm none of whose trials was measured. */
export type FailedArm = z.infer<typeof failedArmSchema>

/** An arm in numbers, as stored in results. */
export const armNumbersSchema = z
  .object({
    ...described,
    /** Its trials that failed; what is said of the arm stands on the others. */
    failed: z.array(failedTrialSchema).optional(),
    /** Training steps, the mean where a rule ended some seeds earlier; 0 for a model not trained in the comparison. */
    steps: number,
    /** Cost of one training: MACs, a backward pass counted as two forward ones, the teacher's passes included. */
    trainingMacs: number,
    /** What the trainings were given, where a rule ended some of them earlier. */
    budget: z.object({ steps: number, trainingMacs: number }).strict().optional(),
    /** Wall time of the trainings, all seeds together. */
    seconds: number,
    /** MACs per image. */
    macs: number,
    mmdet: number.optional(),
    parameters: number.optional(),
    /** MACs over the teacher's. */
    macsShare: number.optional(),
    /** Terms of the first seed. */
    terms: z.array(termSchema),
    trials: z.array(
      z
        .object({ seed: number.optional(), hash: z.string(), weights: z.string(), mAP50: number, AP: number })
        .strict(),
    ),
    splits: z.object({
      validation: splitSchema.optional(),
      test: splitSchema.optional(),
      shifted: splitSchema.optional(),
    }),
  })
  .strict()
/** An arm in numbers: cost, accuracy by split, differences to the references. */
export type ArmNumbers = z.infer<typeof armNumbersSchema>
