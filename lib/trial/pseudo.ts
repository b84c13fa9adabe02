/** Pseudo-labels: which of a model's detections count as objects, and how much. */
import { z } from 'zod'
import type { Box } from '../data'
import type { HeadConfig } from '../detector'
import { type Detections, matchTable, precisionRecall, type ScoredBox, type Truths } from '../evaluate'
import type { ViewOptions } from '../train'

const share = z.number().min(0).max(1)

/** Further views of an image for a teacher; the results of all views are averaged. */
export const teacherViewsSchema = z
  .object({
    /** Also mirrors every view. */
    flip: z.literal(true).optional(),
    /** Input sizes relative to the detector's own, each rounded to multiples of its coarsest stride; for pseudo-labels only. */
    scales: z.array(z.number().positive()).min(1).optional(),
  })
  .strict()
/** Views of an image over which a teacher's outputs are averaged. */
export type TeacherViews = z.infer<typeof teacherViewsSchema>

/** The views of a model: its scales, each also mirrored with `flip`. */
export function viewsOf(
  { input: [height, width], strides }: Pick<HeadConfig, 'input' | 'strides'>,
  views: TeacherViews = {},
): Required<ViewOptions>[] {
  const { flip, scales = [1] } = views
  const unit = Math.max(...strides)
  return scales.flatMap((scale) => {
    const side = (length: number) => Math.max(unit, unit * Math.round((scale * length) / unit))
    const input = [side(height), side(width)] as const
    return flip
      ? [
          { input, flip: false },
          { input, flip: true },
        ]
      : [{ input, flip: false }]
  })
}

/** The unlabelled frames as truths: the teacher's boxes, in the ground-truth loss. */
export const pseudoSchema = z
  .object({
    /**
     * Least score (class probability times objectness) of a detection that is an object: one for all classes; or for
     * each class the lowest at which detections on the labelled images have this precision (at IoU 0.5, see
     * `precisionThresholds`); or the one that gives `count` times as many objects of the class per image as on the
     * labelled images (see `countThresholds`).
     */
    threshold: z.union([
      share,
      z.object({ precision: z.number().positive().max(1) }).strict(),
      z.object({ count: z.number().positive() }).strict(),
    ]),
    /** Below the threshold, but from this fraction of it on, a detection teaches nothing; by default it is background. */
    ignore: share.optional(),
    /** Weights an object by its score; by default all have weight 1. */
    soft: z.literal(true).optional(),
    /** Steps after which the student's own average renews the labels (a mean teacher); by default they stay the teacher's. */
    renew: z.number().int().positive().optional(),
  })
  .strict()
/** Which detections of the teacher become labels. */
export type PseudoOptions = z.infer<typeof pseudoSchema>

/**
 * The thresholds at which detections reach a precision: for every class the lowest score t such that at least this
 * fraction of the detections with score >= t are true positives (VOC's matching at IoU 0.5); infinite if there is none.
 */
export function precisionThresholds(truths: Truths, detections: Detections, precision: number): number[] {
  const table = matchTable(truths, detections)
  return Array.from({ length: truths.classes }, (_, label) => {
    const curve = precisionRecall(table, label)
    let threshold = Number.POSITIVE_INFINITY
    curve.score.forEach((score, i) => {
      // Equal scores are all above a threshold or none.
      const isLast = curve.score[i + 1] !== score
      if (isLast && curve.precision[i]! >= precision) threshold = score
    })
    return threshold
  })
}

/**
 * The thresholds that give the expected number of detections: for every class the k-th highest score, where
 * k = round(factor * images * truths of the class / labelled images); infinite for k = 0, and 0 if there are fewer.
 *
 * @param found the detections of every unlabelled image
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
 * Detections as labels. From its class's threshold on, a detection is an object of weight 1, or with `soft` of its score as
 * weight. From `ignore` times the threshold on, it is a region where nothing is learnt (weight 0). Others are dropped.
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
