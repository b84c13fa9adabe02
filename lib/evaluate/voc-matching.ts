import { checkColumns } from './columns'
import { eachGroup, type PairGroup } from './overlaps'
import { descendingOrder, type Groups, groupBy, indices } from './ranking'
import type { Detections, Truths } from './types'

/** Every detection with its best truth, by class and in descending order of score. */
export interface VocMatches {
  /** [rows] row of `detections`; class k is order[start[k]] .. order[start[k + 1] - 1]; ties keep list order */
  readonly order: Int32Array
  readonly start: Int32Array
  /** [rows] row of the truth with the largest IoU in the same image and class (the first on ties), or -1 */
  readonly truth: Int32Array
  /** [rows] that IoU */
  readonly overlap: Float64Array
}

/**
 * VOC's matching up to the threshold: a detection considers only its best truth, whatever others take, so one pass
 * serves every threshold. Ranking and overlaps are computed on the device in double precision, a block of pairs
 * at a time: memory is linear in detections and truths.
 */
export function matchVoc(
  truths: Truths,
  detections: Detections,
  { plusOne = false }: { readonly plusOne?: boolean } = {},
): VocMatches {
  checkColumns(truths, detections)
  const { order, start } = groupBy(descendingOrder(detections.score), detections.label, truths.classes)
  const truthRows = groupBy(
    groupBy(indices(truths.image.length), truths.image, truths.images).order,
    truths.label,
    truths.classes,
  )
  const truth = new Int32Array(order.length).fill(-1)
  const overlap = new Float64Array(order.length)
  // Only corners: VOC states no sizes.
  const boxes = { detections: { box: detections.box }, truths: { box: truths.box } }
  const rows = { detections: order, truths: truthRows.order }
  const groups = groupsOf(truths, detections, { order, start }, truthRows)
  const options = { pixel: plusOne ? 1 : 0 } as const
  eachGroup(boxes, rows, groups, options, ({ first, firstTruth }, overlaps) => {
    overlaps.forEach((value, g) => {
      if (value <= overlap[first]!) return
      overlap[first] = value
      truth[first] = truthRows.order[firstTruth + g]!
    })
  })
  return { order, start, truth, overlap }
}

/** Every detection that has truths of its image and class: indices into the orders. */
function* groupsOf(
  truths: Truths,
  detections: Detections,
  { order, start }: Groups,
  truthRows: Groups,
): Generator<PairGroup, void> {
  const first = new Int32Array(truths.images) // truths of the current class in each image
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
      const image = detections.image[order[i]!]!
      if (end[image]! > first[image]!)
        yield { first: i, end: i + 1, firstTruth: first[image]!, endTruth: end[image]! }
    }
  }
}
