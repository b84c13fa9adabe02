import { z } from 'zod'
import { parseDocument, type Schema } from '../base'
import { averagePrecision, TRUE_POSITIVE } from './average-precision'
import { COCO_IOU_THRESHOLDS } from './coco'
import { matchCoco } from './coco-matching'
import type { AreaRange, Detections, Truths } from './types'

/** COCO's numbers for objects of one size. */
export interface SizeResult {
  readonly name: string
  /** Square pixels, both ends included. */
  readonly range: AreaRange
  /** Truths of this size that are not crowds. */
  readonly truths: number
  /** COCO's AP over IoU 0.5 .. 0.95, at 0.5, and its recall (100 detections); -1 without truths. */
  readonly AP: number
  readonly AP50: number
  readonly AR: number
  /** Fraction of the truths found at IoU 0.5, all classes together; -1 without truths. */
  readonly recall50: number
}

/** Sizes by which objects are told apart; by default COCO's, small split in two. */
export interface SizeOptions {
  /** Names with the limits of their side in pixels: a box belongs where low^2 <= area <= high^2. */
  readonly sides?: readonly (readonly [name: string, low: number, high: number])[]
}

const optionsSchema: Schema<SizeOptions> = z
  .object({
    sides: z
      .array(
        z
          .tuple([z.string().min(1), z.number().min(0), z.number().min(0)])
          .refine(
            ([, low, high]) => low <= high,
            'expected a name, a lower limit and an upper one not below it',
          ),
      )
      .min(1)
      .optional(),
  })
  .strict()

/** Sides in pixels of COCO's three sizes, with small split in two. */
export const SIDES = [
  ['tiny', 0, 16],
  ['small', 16, 32],
  ['medium', 32, 96],
  ['large', 96, 1e5],
] as const

/**
 * COCO's numbers by object size, for any sizes. As in `evaluateCoco`, truths of another size are ignored,
 * and so are unmatched detections of another size.
 */
export function bySize(
  truths: Truths,
  detections: Detections,
  options: SizeOptions = {},
): readonly SizeResult[] {
  const { sides = SIDES } = parseDocument(options, optionsSchema, 'bySize options')
  const areaRanges = sides.map(([, low, high]) => [low ** 2, high ** 2] as const)
  const thresholds = COCO_IOU_THRESHOLDS.length
  // [size][threshold][class]
  const precision = sides.map(() => COCO_IOU_THRESHOLDS.map((): number[] => []))
  const recall = sides.map(() => COCO_IOU_THRESHOLDS.map((): number[] => []))
  const total = new Int32Array(sides.length)
  const found = new Int32Array(sides.length)
  const settings = { iouThresholds: COCO_IOU_THRESHOLDS, areaRanges, maxDetections: 100 }
  matchCoco(truths, detections, settings, ({ flag, count, positives }) => {
    positives.forEach((expected, size) => {
      if (expected === 0) return
      total[size]! += expected
      for (let t = 0; t < thresholds; t++) {
        const first = (size * thresholds + t) * count
        const hits = flag
          .subarray(first, first + count)
          .reduce((n, kind) => n + (kind === TRUE_POSITIVE ? 1 : 0), 0)
        if (t === 0) found[size]! += hits
        precision[size]![t]!.push(averagePrecision({ flag, first, count, positives: expected }, '101'))
        recall[size]![t]!.push(hits / expected)
      }
    })
  })
  return sides.map(([name], size) => ({
    name,
    range: areaRanges[size]!,
    truths: total[size]!,
    AP: mean(precision[size]!.flat()),
    AP50: mean(precision[size]![0]!),
    AR: mean(recall[size]!.flat()),
    recall50: total[size] === 0 ? -1 : found[size]! / total[size]!,
  }))
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? -1 : values.reduce((sum, value) => sum + value, 0) / values.length
}
