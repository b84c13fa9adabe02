import { COCO_NAMES, type CocoNumbers, evaluateCoco } from './coco'
import { bestF1, precisionRecall } from './curves'
import { classApFromTable, matchTable, meanApFromTable, positivesOf } from './match-table'
import type { Detections, Truths } from './types'

/** The numbers of one class. */
export interface ClassSummary {
  readonly name: string
  /** Truths that are not difficult, and all detections. */
  readonly truths: number
  readonly detections: number
  /** VOC's AP at IoU 0.5, all-point and 11-point; null without truths. */
  readonly ap: number | null
  readonly ap11: number | null
  /** COCO's; -1 without truths. */
  readonly AP: number
  readonly AP50: number
  readonly AP75: number
  readonly AR100: number
  /** The working point of the largest F1 at IoU 0.5; null without hits. */
  readonly best: {
    readonly score: number
    readonly precision: number
    readonly recall: number
    readonly f1: number
  } | null
}

/** The stored part of an evaluation: plain JSON. */
export interface EvaluationSummary {
  readonly images: number
  readonly truths: number
  readonly detections: number
  /** VOC's mAP at IoU 0.5, all-point and 11-point; null if no class has truths. */
  readonly voc: { readonly mAP: number | null; readonly mAP11: number | null; readonly plusOne: boolean }
  readonly coco: CocoNumbers
  readonly perClass: readonly ClassSummary[]
}

/**
 * VOC's mAP@0.5 (all-point, which is the published number, and 11-point), COCO's twelve numbers and a table of
 * classes. Throws a RangeError on NaN scores, malformed columns, or a wrong number of names.
 */
export function evaluateDetections(
  truths: Truths,
  detections: Detections,
  options: { readonly classes: readonly string[]; readonly plusOne?: boolean },
): EvaluationSummary {
  const { classes, plusOne = false } = options
  if (classes.length !== truths.classes) {
    throw new RangeError(
      `evaluateDetections: expected names of ${truths.classes} classes, found ${classes.length}: ${classes.join(', ')}`,
    )
  }
  const table = matchTable(truths, detections, { plusOne })
  const ap = classApFromTable(table)
  const ap11 = classApFromTable(table, undefined, { interpolation: '11' })
  const coco = evaluateCoco(truths, detections)
  return {
    images: truths.images,
    truths: truths.image.length,
    detections: detections.image.length,
    voc: {
      mAP: orNull(meanApFromTable(table)),
      mAP11: orNull(meanApFromTable(table, undefined, { interpolation: '11' })),
      plusOne,
    },
    coco: Object.fromEntries(COCO_NAMES.map((name) => [name, coco[name]])) as CocoNumbers,
    perClass: classes.map((name, label) => {
      const { AP, AP50, AP75, AR100 } = coco.perClass[label]!
      return {
        name,
        truths: positivesOf(table, label),
        detections: table.start[label + 1]! - table.start[label]!,
        ap: orNull(ap[label]!),
        ap11: orNull(ap11[label]!),
        AP,
        AP50,
        AP75,
        AR100,
        best: bestF1(precisionRecall(table, label)) ?? null,
      }
    }),
  }
}

function orNull(value: number): number | null {
  return Number.isNaN(value) ? null : value
}
