import { z } from 'zod'
import { validationRowSchema } from '../train'

const number = z.number()
const classSummary = z
  .object({
    name: z.string(),
    truths: number,
    detections: number,
    ap: number.nullable(),
    AP: number,
    AP50: number,
  })
  .passthrough()

/** The stored part of an evaluation; see `evaluateDetections`. */
const evaluationSchema = z
  .object({
    split: z.enum(['validation', 'test', 'shifted']),
    images: number,
    truths: number,
    detections: number,
    voc: z.object({ mAP: number.nullable(), mAP11: number.nullable() }).passthrough(),
    coco: z.record(number),
    perClass: z.array(classSummary),
    /** Network, decoding and NMS; on one thread if trials run side by side. */
    secondsPerImage: number,
  })
  .strict()

const gradientSchema = z
  .object({
    method: z.string(),
    /** Norm of the distillation gradient with lambda 1 over that of the ground truth's, at the start. */
    unitRatio: number,
    /** The same with the lambda used. */
    ratio: number,
    lambda: number,
    /** Cosine between the two gradients; null if one of them is 0. */
    cosine: number.nullable(),
  })
  .strict()

/** A trial's `metrics.json`, written last: a folder that has one is complete. */
export const metricsSchema = z
  .object({
    format: z.literal('trial-metrics/1'),
    hash: z.string(),
    kind: z.string(),
    evaluation: evaluationSchema,
    complexity: z
      .object({
        macs: number,
        macsByPart: z.object({ backbone: number, neck: number, head: number }).strict(),
        parameters: number,
        mmdet: number,
      })
      .strict(),
    training: z
      .object({
        steps: number,
        images: number,
        seconds: number,
        waitedShare: number,
        last: z.record(number),
        /** Cost in forward and backward passes: MACs, a backward pass counted as two forward ones, teacher included. */
        macs: number,
        /** Largest resident memory of the process that trained, in bytes. */
        peakBytes: number.optional(),
        /** The evaluation of the final weights, if the training evaluated along the way. */
        kept: validationRowSchema.optional(),
        /** Where the evaluations ended the training: the step at which improvement had stopped, and the last gain. */
        plateau: z.object({ step: number, gained: validationRowSchema }).strict().optional(),
      })
      .strict()
      .optional(),
    /** Only for distillation: its gradient relative to the ground truth's. */
    gradients: z.array(gradientSchema).optional(),
    /** Only for pruning: validation mAP@0.5 before and right after, and the gammas' quantiles. */
    pruning: z
      .object({ threshold: number, keptMacs: number, gammaQuantiles: z.array(number) })
      .strict()
      .optional(),
    /** SHA-256 of the model's weights. */
    weights: z.string(),
    provenance: z.record(z.unknown()),
  })
  .strict()

/** What a trial measured. */
export type Metrics = z.infer<typeof metricsSchema>
/** A model's accuracy on a split. */
export type EvaluationMetrics = z.infer<typeof evaluationSchema>
