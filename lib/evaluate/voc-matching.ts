import { type Float64Device, inFloat64 } from '../engine'
import { checkColumns } from './columns'
import { blocksOf, OverlapMeter, type PairGroup, pairsOfGroups } from './overlaps'
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
 * serves every threshold. Ranking, overlaps and the best truths are computed on the device in double precision, a
 * block of pairs at a time: memory is linear in detections and truths.
 */
export function matchVoc(
  truths: Truths,
  detections: Detections,
  options: { readonly plusOne?: boolean } = {},
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
  inFloat64((device) => {
    // Only corners: VOC states no sizes.
    const boxes = [{ box: detections.box }, { box: truths.box }] as const
    const meter = new OverlapMeter(device, ...boxes, { pixel: options.plusOne ? 1 : 0 })
    for (const block of blocksOf(groupsOf(truths, detections, { order, start }, truthRows))) {
      const { best, first } = inFloat64((scope) => bestOfEach(scope, meter, order, truthRows.order, block))
      block.forEach((group, i) => {
        if (best[i]! <= 0) return
        overlap[group.first] = best[i]!
        truth[group.first] = truthRows.order[group.firstTruth + first[i]!]!
      })
    }
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

/** The largest overlap of each detection, and the first of its truths that has it. */
function bestOfEach(
  device: Float64Device,
  meter: OverlapMeter,
  order: Int32Array,
  truthOrder: Int32Array,
  groups: readonly PairGroup[],
): { best: Float64Array; first: Float64Array } {
  const pairs = pairsOfGroups(order, truthOrder, groups)
  const detection = new Int32Array(pairs.count)
  const place = new Float64Array(pairs.count)
  let pair = 0
  groups.forEach(({ firstTruth, endTruth }, i) => {
    for (let g = 0; g < endTruth - firstTruth; g++) {
      detection[pair] = i
      place[pair] = -g
      pair++
    }
  })
  const overlaps = meter.measure(device, pairs.rows, pairs.truthRows)
  const segments = device.indices(detection)
  const best = device.segmentMax(overlaps, segments, groups.length)
  const isBest = device.equal(overlaps, device.gather(best, segments))
  const never = device.upload(Float64Array.of(Number.NEGATIVE_INFINITY), [])
  const places = device.select(isBest, device.upload(place), never)
  const first = device.segmentMax(places, segments, groups.length)
  return { best: device.read(best), first: device.read(first).map((value) => -value) }
}
