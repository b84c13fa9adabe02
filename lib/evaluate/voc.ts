import { z } from 'zod'
import { parseDocument, type Schema } from '../base'
import { precisionRecall } from './curves'
import { classApFromTable, matchTable, meanApFromTable, positivesOf } from './match-table'
import { iouSchema } from './options'
import type { Detections, Truths } from './types'

/** The rule of VOC's evaluation. */
export interface VocOptions {
  readonly iouThreshold?: number
  /** 'all': area under the whole curve (VOC from 2010 on); '11': mean over 11 recalls (VOC 2007). */
  readonly interpolation?: 'all' | '11'
  /** The devkit's form: widths and heights include both end pixels. */
  readonly plusOne?: boolean
}

const optionsSchema: Schema<Required<VocOptions>> = z
  .object({
    iouThreshold: iouSchema.default(0.5),
    interpolation: z.enum(['all', '11']).default('all'),
    plusOne: z.boolean().default(false),
  })
  .strict()

/** VOC's numbers of one class. */
export interface VocClassResult {
  readonly label: number
  /** NaN if no truth of the class counts. */
  readonly ap: number
  /** Truths that are not difficult. */
  readonly truths: number
  readonly detections: number
  /** After each detection that is not ignored, in descending order of score. */
  readonly precision: Float64Array
  readonly recall: Float64Array
  readonly score: Float64Array
}

/** VOC's numbers of all classes. */
export interface VocResult {
  /** Mean over the classes with truths; NaN if there are none. */
  readonly mAP: number
  readonly perClass: readonly VocClassResult[]
}

/**
 * Pascal VOC's mean average precision.
 *
 * Per class, over all images, in descending order of score (ties keep list order), a detection considers the
 * one truth of its image and class with the largest IoU (the first on ties). Below the threshold it is a
 * false positive. A difficult truth absorbs any number of detections. The first detection of any other truth is a
 * true positive, later ones are false positives. IoU is without + 1 unless `plusOne`. COCO's crowd flag
 * is ignored. Source: Everingham et al., The Pascal Visual Object Classes Challenge, IJCV 2010, and
 * its devkit. Throws an Error on wrong options, NaN scores and malformed columns, naming them.
 */
export function evaluateVoc(truths: Truths, detections: Detections, options: VocOptions = {}): VocResult {
  const { iouThreshold, interpolation, plusOne } = parseDocument(
    options,
    optionsSchema,
    'evaluateVoc options',
  )
  const table = matchTable(truths, detections, { rule: 'voc', iouThresholds: [iouThreshold], plusOne })
  const ap = classApFromTable(table, undefined, { interpolation })
  const perClass = Array.from(ap, (value, label) => ({
    label,
    ap: value,
    truths: positivesOf(table, label),
    detections: table.start[label + 1]! - table.start[label]!,
    ...precisionRecall(table, label),
  }))
  const defined = perClass.filter((result) => result.truths > 0)
  const sum = defined.reduce((total, result) => total + result.ap, 0)
  return { mAP: defined.length === 0 ? Number.NaN : sum / defined.length, perClass }
}

/** VOC's mAP at one IoU threshold. */
export interface VocAtIou {
  readonly iou: number
  /** All-point and 11-point; NaN if no class has truths. */
  readonly mAP: number
  readonly mAP11: number
  /** All-point AP of each class; NaN without truths. */
  readonly perClass: readonly number[]
}

/** VOC's mean average precision at several IoU thresholds, each equal to `evaluateVoc`'s. */
export function vocAtIous(
  truths: Truths,
  detections: Detections,
  ious: readonly number[],
  { plusOne = false }: Pick<VocOptions, 'plusOne'> = {},
): VocAtIou[] {
  const table = matchTable(truths, detections, { rule: 'voc', iouThresholds: ious, plusOne })
  return ious.map((iou, iouThresholdIndex) => ({
    iou,
    mAP: meanApFromTable(table, undefined, { iouThresholdIndex }),
    mAP11: meanApFromTable(table, undefined, { iouThresholdIndex, interpolation: '11' }),
    perClass: Array.from(classApFromTable(table, undefined, { iouThresholdIndex })),
  }))
}
