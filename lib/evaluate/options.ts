/** Parts of the schemas that check the evaluator's options. */
import { z } from 'zod'

/** A threshold on the intersection over union. */
export const iouSchema = z.number().min(0).max(1)

/** Number of detections to keep. */
export const limitSchema = z.number().int().min(1)

/** Limits of an area in square pixels. */
export const areaRangeSchema = z
  .tuple([z.number().min(0), z.number().min(0)])
  .refine(([low, high]) => low <= high, 'expected a lower limit and an upper one not below it')
