/** Parts of the schemas against which the evaluator's options are held. */
import { z } from 'zod'

/** A threshold on the intersection over union. */
export const iouSchema = z.number().min(0).max(1)

/** Detections that are kept. */
export const limitSchema = z.number().int().min(1)

/** Limits of an area in square pixels. */
export const areaRangeSchema = z
  .tuple([z.number().min(0), z.number().min(0)])
  .refine(([low, high]) => low <= high, 'expected a lower limit and one that is not below it')
