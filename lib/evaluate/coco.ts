import { z } from 'zod'
import { parseDocument, type Schema } from '../base'
import { averagePrecision, TRUE_POSITIVE } from './average-precision'
import { type CocoClassMatches, matchCoco } from './coco-matching'
import { areaRangeSchema, iouSchema, limitSchema } from './options'
import type { AreaRange, Detections, Truths } from './types'

/** The twelve numbers in pycocotools' order. */
export const COCO_NAMES = [
  'AP',
  'AP50',
  'AP75',
  'APsmall',
  'APmedium',
  'APlarge',
  'AR1',
  'AR10',
  'AR100',
  'ARsmall',
  'ARmedium',
  'ARlarge',
] as const

/** A name of COCO's twelve numbers. */
export type CocoName = (typeof COCO_NAMES)[number]

/** The twelve numbers by name; -1 if undefined (no truth to find). AR1, AR10, AR100 name the default limits. */
export type CocoNumbers = { readonly [name in CocoName]: number }

export interface CocoClassResult extends CocoNumbers {
  readonly label: number
  /** Truths that are not crowds. */
  readonly truths: number
  /** Detections kept: the best of each image. */
  readonly detections: number
}

export interface CocoResult extends CocoNumbers {
  /** The numbers in the order of `names`. */
  readonly stats: readonly number[]
  readonly names: typeof COCO_NAMES
  readonly perClass: readonly CocoClassResult[]
}

/** Limits of COCO's evaluation, by default its own. */
export interface CocoOptions {
  /** Limits on detections per image and class, ascending: for AR1, AR10, and for everything else. */
  readonly maxDetections?: readonly [number, number, number]
  /** Square pixels: everything, small, medium, large. */
  readonly areaRanges?: readonly [AreaRange, AreaRange, AreaRange, AreaRange]
  readonly iouThresholds?: readonly number[]
}

const optionsSchema: Schema<CocoOptions> = z
  .object({
    maxDetections: z
      .tuple([limitSchema, limitSchema, limitSchema])
      .refine(([a, b, c]) => a <= b && b <= c, 'expected ascending limits')
      .optional(),
    areaRanges: z.tuple([areaRangeSchema, areaRangeSchema, areaRangeSchema, areaRangeSchema]).optional(),
    iouThresholds: z.array(iouSchema).min(1).optional(),
  })
  .strict()

/** 0.5, 0.55 .. 0.95, computed like numpy's linspace, so that comparisons agree to the last bit. */
export const COCO_IOU_THRESHOLDS: readonly number[] = Array.from({ length: 10 }, (_, i) =>
  i === 9 ? 0.95 : i * ((0.95 - 0.5) / 9) + 0.5,
)

/** All, small, medium and large: sides of 32 and 96 pixels. */
export const COCO_AREA_RANGES: readonly [AreaRange, AreaRange, AreaRange, AreaRange] = [
  [0, 1e10],
  [0, 1024],
  [1024, 9216],
  [9216, 1e10],
]

/**
 * COCO's twelve numbers, equal to pycocotools 2.0.11 within 1e-12, overall and class by class.
 *
 * AP is the mean of 101-point average precision over thresholds and classes with truths, AR the mean of the
 * largest recall. Boxes are measured as by pycocotools with [x1, y1, x2 - x1, y2 - y1]; images are
 * ranked in the order of their index. Two of pycocotools' quirks are not reproduced: here a truth whose id is 0
 * counts, and without a limit of 100 in `maxDetections` AP uses the largest limit instead of being -1.
 * Throws an Error on wrong options, NaN scores and malformed columns, naming them.
 */
export function evaluateCoco(truths: Truths, detections: Detections, options: CocoOptions = {}): CocoResult {
  const {
    maxDetections = [1, 10, 100],
    areaRanges = COCO_AREA_RANGES,
    iouThresholds = COCO_IOU_THRESHOLDS,
  } = parseDocument(options, optionsSchema, 'evaluateCoco options')
  const perClass: CocoClassResult[] = []
  const perThreshold: ClassCurves[] = []
  matchCoco(truths, detections, { iouThresholds, areaRanges, maxDetections: maxDetections[2] }, (matches) => {
    const curves = classCurves(matches, iouThresholds.length, maxDetections)
    perThreshold.push(curves)
    perClass.push({
      label: matches.label,
      truths: matches.positives[0]!,
      detections: matches.count,
      ...numbers([curves], iouThresholds),
    })
  })
  const all = numbers(perThreshold, iouThresholds)
  return { ...all, stats: COCO_NAMES.map((name) => all[name]), names: COCO_NAMES, perClass }
}

/** Average precision [areaRange][threshold] and recall [limit or areaRange][threshold]; NaN without truths. */
interface ClassCurves {
  readonly precision: readonly (readonly number[])[]
  readonly recallAtLimit: readonly (readonly number[])[]
  readonly recallInRange: readonly (readonly number[])[]
}

function classCurves(
  matches: CocoClassMatches,
  thresholds: number,
  maxDetections: readonly [number, number, number],
): ClassCurves {
  const { flag, rank, count, positives } = matches
  const hit = TRUE_POSITIVE // a local: reading an import calls its getter, which is slow in the innermost loop
  const perThreshold = (range: number, evaluate: (first: number) => number) =>
    Array.from({ length: thresholds }, (_, t) => evaluate((range * thresholds + t) * count))
  const precision = (range: number) =>
    perThreshold(range, (first) =>
      averagePrecision({ flag, first, count, positives: positives[range]! }, '101'),
    )
  const recall = (range: number, limit: number) =>
    perThreshold(range, (first) => {
      if (positives[range] === 0) return Number.NaN
      let hits = 0
      for (let i = 0; i < count; i++) if (flag[first + i] === hit && rank[i]! < limit) hits++
      return hits / positives[range]!
    })
  const ranges = Array.from(positives.keys())
  return {
    precision: ranges.map(precision),
    recallAtLimit: maxDetections.map((limit) => recall(0, limit)),
    recallInRange: ranges.map((range) => recall(range, maxDetections[2])),
  }
}

function numbers(classes: readonly ClassCurves[], iouThresholds: readonly number[]): CocoNumbers {
  const at = (values: readonly number[], threshold: number) => {
    const index = iouThresholds.indexOf(threshold)
    return index < 0 ? [] : [values[index]!]
  }
  const precision = (range: number) => definedMean(classes.flatMap((curves) => curves.precision[range]!))
  const recall = (range: number) => definedMean(classes.flatMap((curves) => curves.recallInRange[range]!))
  const recallAt = (limit: number) => definedMean(classes.flatMap((curves) => curves.recallAtLimit[limit]!))
  return {
    AP: precision(0),
    AP50: definedMean(classes.flatMap((curves) => at(curves.precision[0]!, 0.5))),
    AP75: definedMean(classes.flatMap((curves) => at(curves.precision[0]!, 0.75))),
    APsmall: precision(1),
    APmedium: precision(2),
    APlarge: precision(3),
    AR1: recallAt(0),
    AR10: recallAt(1),
    AR100: recallAt(2),
    ARsmall: recall(1),
    ARmedium: recall(2),
    ARlarge: recall(3),
  }
}

function definedMean(values: readonly number[]): number {
  const defined = values.filter((value) => !Number.isNaN(value))
  return defined.length === 0 ? -1 : defined.reduce((sum, value) => sum + value, 0) / defined.length
}
