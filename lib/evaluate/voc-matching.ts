import { checkColumns } from './columns'
import { iou } from './iou'
import { descendingOrder, groupBy, indices } from './ranking'
import type { Detections, Truths } from './types'

/** Every detection with the truth it looks at, by class and in descending order of score. */
export interface VocMatches {
  /** [rows] row of `detections`; class k is order[start[k]] .. order[start[k + 1] - 1]; ties keep list order */
  readonly order: Int32Array
  readonly start: Int32Array
  /** [rows] row of `truths` with the largest IoU among the same image and class (the first on ties), or -1 */
  readonly truth: Int32Array
  /** [rows] that IoU */
  readonly overlap: Float64Array
}

/**
 * VOC's matching up to the threshold: a detection looks only at its best truth, whatever the others take, so
 * one pass serves every threshold. Linear in detections and truths but for the overlaps within an image
 * and class, none of which is kept.
 */
export function matchVoc(
  truths: Truths,
  detections: Detections,
  options: { readonly plusOne?: boolean } = {},
): VocMatches {
  checkColumns(truths, detections)
  const pixel = options.plusOne ? 1 : 0
  const { order, start } = groupBy(descendingOrder(detections.score), detections.label, truths.classes)
  const truthRows = groupBy(
    groupBy(indices(truths.image.length), truths.image, truths.images).order,
    truths.label,
    truths.classes,
  )
  const truth = new Int32Array(order.length)
  const overlap = new Float64Array(order.length)
  const first = new Int32Array(truths.images) // of the class at hand: the first truth of each image
  const end = new Int32Array(truths.images)
  for (let label = 0; label < truths.classes; label++) {
    first.fill(0)
    end.fill(0)
    for (let i = truthRows.start[label]!; i < truthRows.start[label + 1]!; i++) {
      const image = truths.image[truthRows.order[i]!]!
      if (end[image] === 0) first[image] = i
      end[image] = i + 1
    }
    for (let i = start[label]!; i < start[label + 1]!; i++) {
      const row = order[i]!
      const image = detections.image[row]!
      let best = -1
      let largest = 0
      for (let j = first[image]!; j < end[image]!; j++) {
        const candidate = iou(detections.box, row, truths.box, truthRows.order[j]!, pixel)
        if (candidate > largest) {
          largest = candidate
          best = truthRows.order[j]!
        }
      }
      truth[i] = best
      overlap[i] = largest
    }
  }
  return { order, start, truth, overlap }
}
