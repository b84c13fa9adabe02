/** Pseudo-labels: which of a model's detections count as objects, and how much. */
import { z } from 'zod'
import type { Box } from '../data'
import { type Detections, matchTable, precisionRecall, type ScoredBox, type Truths } from '../evaluate'
import type { ViewOptions } from '../train'

const share = z.number().min(0).max(1)

/** Other views in which a teacher sees an image beside the plain one; what it finds there is averaged. */
export const teacherViewsSchema = z
  .object({
    /** Every view mirrored too. */
    flip: z.literal(true).optional(),
    /** Input sizes as shares of the detector's own, each rounded to multiples of 32; for pseudo-labels alone. */
    scales: z.array(z.number().positive()).min(1).optional(),
  })
  .strict()
export type TeacherViews = z.infer<typeof teacherViewsSchema>

/** The views of a model: its scales, each mirrored too where that is asked for. */
export function viewsOf(
  [height, width]: readonly [number, number],
  views: TeacherViews = {},
): Required<ViewOptions>[] {
  const { flip, scales = [1] } = views
  return scales.flatMap((scale) => {
    const side = (length: number) => Math.max(32, 32 * Math.round((scale * length) / 32))
    const input = [side(height), side(width)] as const
    return flip
      ? [
          { input, flip: false },
          { input, flip: true },
        ]
      : [{ input, flip: false }]
  })
}

/** The unlabelled frames as truths: boxes of the teacher, in the ground truth's loss. */
export const pseudoSchema = z
  .object({
    /**
     * Score (class probability times objectness) from which on a detection is an object: one for all classes, or for
     * each class the lowest at which the detections on the labelled images have this precision (at IoU 0.5, see
     * `precisionThresholds`), or with which there are `count` times as many objects of the class an image as on the
     * labelled images (see `countThresholds`).
     */
    threshold: z.union([
      share,
      z.object({ precision: z.number().positive().max(1) }).strict(),
      z.object({ count: z.number().positive() }).strict(),
    ]),
    /** From this share of the threshold on nothing is learnt where a detection below it lies; without it that is background. */
    ignore: share.optional(),
    /** An object counts by its score; otherwise all count 1. */
    soft: z.literal(true).optional(),
    /** Steps after which the student's own average makes the labels anew (a mean teacher); else they stay the teacher's. */
    renew: z.number().int().positive().optional(),
  })
  .strict()
export type PseudoOptions = z.infer<typeof pseudoSchema>

/**
 * The thresholds at which the detections have a precision: for every class the lowest score t such that of the detections
 * with score >= t at least this share are true positives (VOC's matching at IoU 0.5); infinite where there is none.
 */
export function precisionThresholds(truths: Truths, detections: Detections, precision: number): number[] {
  const table = matchTable(truths, detections)
  return Array.from({ length: truths.classes }, (_, label) => {
    const curve = precisionRecall(table, label)
    let threshold = Number.POSITIVE_INFINITY
    curve.score.forEach((score, i) => {
      // Of equal scores all or none are above a threshold.
      const isLast = curve.score[i + 1] !== score
      if (isLast && curve.precision[i]! >= precision) threshold = score
    })
    return threshold
  })
}

/**
 * The thresholds at which detections are as many as expected: for every class the k-th highest score, where
 * k = round(factor * images * truths of the class / labelled images); infinite for k = 0, and 0 where there are fewer.
 *
 * @param found the detections of every image without labels
 */
export function countThresholds(
  truths: Truths,
  found: readonly (readonly ScoredBox[])[],
  factor: number,
): number[] {
  const all = found.flat()
  return Array.from({ length: truths.classes }, (_, label) => {
    const count = truths.label.reduce((sum, other) => sum + (other === label ? 1 : 0), 0)
    const wanted = Math.round((factor * found.length * count) / truths.images)
    if (wanted === 0) return Number.POSITIVE_INFINITY
    const scores = all.flatMap((box) => (box.label === label ? [box.score] : [])).sort((a, b) => b - a)
    return scores[wanted - 1] ?? 0
  })
}

/**
 * Detections as labels: from its class's threshold on a detection is an object, of weight 1 or with `soft` of its score;
 * from `ignore` times the threshold on it is a region where nothing is learnt (weight 0); below that it is none.
 *
 * @param thresholds by class
 */
export function pseudoBoxes(
  detections: readonly ScoredBox[],
  thresholds: readonly number[],
  { ignore = 1, soft }: Pick<PseudoOptions, 'ignore' | 'soft'>,
): Box[] {
  return detections.flatMap(({ score, ...box }): Box[] => {
    const threshold = thresholds[box.label] ?? Number.POSITIVE_INFINITY
    if (score >= threshold) return [soft ? { ...box, weight: score } : box]
    return score >= ignore * threshold ? [{ ...box, weight: 0 }] : []
  })
}
