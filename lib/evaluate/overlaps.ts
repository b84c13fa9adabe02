import { type DeviceArray, type Float64Device, inFloat64 } from '../engine'
import type { Detections } from './types'

/** Detections first .. end - 1 of one list of rows, each paired with truths firstTruth .. endTruth - 1 of another. */
export interface PairGroup {
  readonly first: number
  readonly end: number
  readonly firstTruth: number
  readonly endTruth: number
}

/** Pairs measured together: enough to keep the device busy, few enough for one MiB per operation. */
const PAIRS_AT_ONCE = 1 << 17

const pairsOf = ({ first, end, firstTruth, endTruth }: PairGroup) => (end - first) * (endTruth - firstTruth)

/** The groups in blocks of about PAIRS_AT_ONCE pairs; no group is divided. */
export function* blocksOf<G extends PairGroup>(groups: Iterable<G>): Generator<G[], void> {
  let block: G[] = []
  let pairs = 0
  for (const group of groups) {
    if (block.length > 0 && pairs + pairsOf(group) > PAIRS_AT_ONCE) {
      yield block
      block = []
      pairs = 0
    }
    block.push(group)
    pairs += pairsOf(group)
  }
  if (block.length > 0) yield block
}

/** The pairs of groups: group by group, detection by detection, truth by truth. */
export function pairsOfGroups(
  rows: Int32Array,
  truthRows: Int32Array,
  groups: readonly PairGroup[],
): { readonly count: number; readonly rows: Int32Array; readonly truthRows: Int32Array } {
  const count = groups.reduce((sum, group) => sum + pairsOf(group), 0)
  const pairs = { count, rows: new Int32Array(count), truthRows: new Int32Array(count) }
  let pair = 0
  for (const { first, end, firstTruth, endTruth } of groups) {
    for (let d = first; d < end; d++) {
      for (let g = firstTruth; g < endTruth; g++) {
        pairs.rows[pair] = rows[d]!
        pairs.truthRows[pair] = truthRows[g]!
        pair++
      }
    }
  }
  return pairs
}

export interface OverlapOptions {
  /** 1 is the VOC devkit's form, in which a box from 3 to 5 covers three pixels. Default 0. */
  readonly pixel?: 0 | 1
  /** [truths] 1 where the overlap is divided by the detection's area alone: COCO's crowds. */
  readonly regions?: Uint8Array
}

type Boxes = Pick<Detections, 'box' | 'size'>

/** Overlaps of detections and truths, pair by pair: columns lie on the device, pairs come in blocks. */
export class OverlapMeter {
  /** [5, rows]: x1, y1, x2, y2, area */
  private readonly detections: DeviceArray
  private readonly truths: DeviceArray
  private readonly regions: DeviceArray | undefined
  private readonly pixel: DeviceArray
  private readonly zero: DeviceArray

  constructor(device: Float64Device, detections: Boxes, truths: Boxes, options: OverlapOptions = {}) {
    const { pixel = 0, regions } = options
    this.detections = columnsOnDevice(device, detections, pixel)
    this.truths = columnsOnDevice(device, truths, pixel)
    this.regions = regions?.includes(1) ? device.upload(Float64Array.from(regions)) : undefined
    this.pixel = device.upload(Float64Array.of(pixel), [])
    this.zero = device.upload(Float64Array.of(0), [])
  }

  /**
   * Intersection over union of detection rows[i] and truth truthRows[i] (over the detection's area for a region):
   *
   *     w = min(x2, x2') - max(x1, x1') + pixel, h likewise; w h / (area + area' - w h)
   *
   * and 0 where w or h is not above 0, including boxes of zero area.
   *
   * @param device the scope that owns the result
   * @returns [pairs]
   */
  measure(device: Float64Device, rows: Int32Array, truthRows: Int32Array): DeviceArray {
    const others = device.indices(truthRows)
    const columns = (of: DeviceArray, at: DeviceArray<'int32'>) =>
      device.rows(device.gather(of, at, 1)) as Columns
    const [ax1, ay1, ax2, ay2, area] = columns(this.detections, device.indices(rows))
    const [bx1, by1, bx2, by2, otherArea] = columns(this.truths, others)
    const side = (low: DeviceArray, otherLow: DeviceArray, high: DeviceArray, otherHigh: DeviceArray) => {
      const length = device.subtract(device.minimum(high, otherHigh), device.maximum(low, otherLow))
      return device.maximum(device.add(length, this.pixel), this.zero)
    }
    const overlap = device.multiply(side(ax1, bx1, ax2, bx2), side(ay1, by1, ay2, by2))
    const union = device.subtract(device.add(area, otherArea), overlap)
    if (this.regions === undefined) return device.divide(overlap, union)
    const isUnion = device.equal(device.gather(this.regions, others), this.zero)
    return device.divide(overlap, device.select(isUnion, union, area))
  }

  /** Overlaps of the pairs of groups, read back. */
  measureGroups(rows: Int32Array, truthRows: Int32Array, groups: readonly PairGroup[]): Float64Array {
    const pairs = pairsOfGroups(rows, truthRows, groups)
    if (pairs.count === 0) return new Float64Array(0)
    return inFloat64((device) => device.read(this.measure(device, pairs.rows, pairs.truthRows)))
  }
}

type Columns = [x1: DeviceArray, y1: DeviceArray, x2: DeviceArray, y2: DeviceArray, area: DeviceArray]

/** Corners and areas for measuring: stated sizes, where given, determine far edges and areas. */
function columnsOnDevice(device: Float64Device, { box, size }: Boxes, pixel: 0 | 1): DeviceArray {
  const count = box.length / 4
  const columns = new Float64Array(5 * count)
  for (let i = 0; i < count; i++) {
    const x1 = box[4 * i]!
    const y1 = box[4 * i + 1]!
    const width = size?.[2 * i] ?? box[4 * i + 2]! - x1
    const height = size?.[2 * i + 1] ?? box[4 * i + 3]! - y1
    columns[i] = x1
    columns[count + i] = y1
    columns[2 * count + i] = size ? x1 + width : box[4 * i + 2]!
    columns[3 * count + i] = size ? y1 + height : box[4 * i + 3]!
    columns[4 * count + i] = (width + pixel) * (height + pixel)
  }
  return device.upload(columns, [5, count])
}

/** Measures all groups, a block at a time; `visit` gets the overlaps of each, [detections, truths]. */
export function eachGroup<G extends PairGroup>(
  boxes: { readonly detections: Boxes; readonly truths: Boxes },
  rows: { readonly detections: Int32Array; readonly truths: Int32Array },
  groups: Iterable<G>,
  options: OverlapOptions,
  visit: (group: G, overlaps: Float64Array) => void,
): void {
  inFloat64((device) => {
    const meter = new OverlapMeter(device, boxes.detections, boxes.truths, options)
    for (const block of blocksOf(groups)) {
      const overlaps = meter.measureGroups(rows.detections, rows.truths, block)
      let pair = 0
      for (const group of block) {
        const next = pair + pairsOf(group)
        visit(group, overlaps.subarray(pair, next))
        pair = next
      }
    }
  })
}
