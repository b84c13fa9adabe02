import { IGNORED, TRUE_POSITIVE } from './average-precision'
import { type MatchTable, positivesOf } from './match-table'

/** Precision and recall of one class as the score falls. */
export interface PrecisionRecallCurve {
  /** tp / truths after each detection that is not ignored, in descending order of score; NaN without truths */
  readonly recall: Float64Array
  /** tp / (tp + fp) */
  readonly precision: Float64Array
  readonly score: Float64Array
}

/** The measured points of a class's precision-recall curve, without interpolation. */
export function precisionRecall(
  table: MatchTable,
  label: number,
  options: { readonly iouThresholdIndex?: number } = {},
): PrecisionRecallCurve {
  const { iouThresholdIndex = 0 } = options
  const first = table.start[label]
  const end = table.start[label + 1]
  if (first === undefined || end === undefined || !(iouThresholdIndex in table.iouThresholds)) {
    throw new RangeError(
      `precisionRecall: expected a label in 0..${table.classes - 1} and a threshold index in 0..${table.iouThresholds.length - 1}, found ${label} and ${iouThresholdIndex}`,
    )
  }
  const positives = positivesOf(table, label)
  const recall = new Float64Array(end - first)
  const precision = new Float64Array(end - first)
  const score = new Float64Array(end - first)
  let seen = 0
  let truePositives = 0
  for (let i = first; i < end; i++) {
    const kind = table.flag[iouThresholdIndex * table.row.length + i]!
    if (kind === IGNORED) continue
    if (kind === TRUE_POSITIVE) truePositives++
    score[seen] = table.score[i]!
    recall[seen] = truePositives / positives
    precision[seen] = truePositives / (seen + 1)
    seen++
  }
  return {
    recall: recall.subarray(0, seen),
    precision: precision.subarray(0, seen),
    score: score.subarray(0, seen),
  }
}

/** p(r) = max of precision at recalls >= r, at every point of the curve: what average precision sums. */
export function precisionEnvelope(precision: Float64Array): Float64Array {
  const envelope = precision.slice()
  for (let i = envelope.length - 2; i >= 0; i--) envelope[i] = Math.max(envelope[i]!, envelope[i + 1]!)
  return envelope
}

/** The score at which a class's F1 = 2 p r / (p + r) is largest (the highest such score); undefined without hits. */
export function bestF1(
  curve: PrecisionRecallCurve,
):
  | { readonly score: number; readonly precision: number; readonly recall: number; readonly f1: number }
  | undefined {
  let best: { score: number; precision: number; recall: number; f1: number } | undefined
  curve.score.forEach((score, i) => {
    // A cut at a score keeps every detection of that score.
    if (curve.score[i + 1] === score) return
    const precision = curve.precision[i]!
    const recall = curve.recall[i]!
    const f1 = precision + recall > 0 ? (2 * precision * recall) / (precision + recall) : 0
    if (f1 > (best?.f1 ?? 0)) best = { score, precision, recall, f1 }
  })
  return best
}
