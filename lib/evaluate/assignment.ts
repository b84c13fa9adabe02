import type { Float64Device } from '../engine'

/** Detections and the truths they may take, pair by pair; both are numbered from 0. */
export interface Proposals {
  readonly detections: number
  readonly truths: number
  /** [pairs] */
  readonly detection: Int32Array
  readonly truth: Int32Array
  readonly overlap: Float64Array
  /** [pairs] above 0; a detection prefers the larger; no two of its pairs have the same. */
  readonly preference: Float64Array
  /** [pairs] a truth goes to the detection with the larger one; no two detections of a truth have the same. */
  readonly priority: Float64Array
  /** [pairs] 1 where any number of detections can take the truth. */
  readonly shared: Uint8Array
}

/**
 * Greedy matching: in descending order of priority, each detection takes the truth it prefers among those that are still
 * free and that it overlaps by a threshold. All groups and thresholds run at once, as batched operations on the device.
 *
 * Greedy matching by one common order is the stable matching of detections and truths in which every truth prefers the
 * detection that comes first. There is exactly one, found by proposals (Gale and Shapley, College Admissions
 * and the Stability of Marriage, 1962): each detection proposes to the truth it prefers, and each truth rejects all
 * but the first of its proposers, until nobody is rejected. That takes as many rounds as the longest chain of
 * detections that displace each other, usually a few; going through detections one by one would take as many steps
 * as an image has detections.
 *
 * @param thresholds [thresholds]
 * @returns [detections, thresholds] the preference of the pair taken, or below 0
 */
export function assignGreedily(
  device: Float64Device,
  proposals: Proposals,
  thresholds: Float64Array,
): Float64Array {
  const pairs = proposals.detection.length
  const column = (values: Float64Array) => device.upload(values, [pairs, 1])
  const detection = device.indices(proposals.detection)
  const truth = device.indices(proposals.truth)
  const preference = column(proposals.preference)
  const priority = column(proposals.priority)
  const isShared = proposals.shared.includes(1)
    ? device.atLeast(column(Float64Array.from(proposals.shared)), device.upload(Float64Array.of(1), []))
    : undefined
  const none = device.upload(Float64Array.of(-1), [])

  // Pairs not rejected yet. [pairs, thresholds]
  let open = device.atLeast(column(proposals.overlap), device.upload(thresholds, [1, thresholds.length]))
  for (;;) {
    const wish = device.segmentMax(device.select(open, preference, none), detection, proposals.detections)
    const wished = device.gather(wish, detection)
    const proposed = device.and(open, device.equal(wished, preference))
    const offered = device.select(proposed, priority, none)
    const first = device.segmentMax(offered, truth, proposals.truths)
    const bar = device.gather(first, truth)
    const inTime = device.atLeast(priority, bar)
    const kept = isShared ? device.or(inTime, isShared) : inTime
    const next = device.and(open, kept)
    const settled = device.same(open, next)
    device.free(wished, proposed, offered, first, bar, inTime, kept, open)
    if (settled) return device.read(wish)
    device.free(wish)
    open = next
  }
}
