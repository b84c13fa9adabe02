/** Overlaps of detections and truths, pair by pair, computed on the device in double precision. */
import { type DeviceArray, type Float64Device, inFloat64 } from '../engine'
import type { Detections } from './types'

/** Detections first .. end - 1 of one list of rows, each paired with truths firstTruth .. endTruth - 1 of another. */
export interface PairGroup {
  readonly first: number
  readonly end: number
  readonly firstTruth: number
  readonly endTruth: number
}

type Boxes = Pick<Detections, 'box' | 'size'>

export interface OverlapOptions {
  /** 1 is the VOC devkit's form, in which a box from 3 to 5 covers three pixels. Default 0. */
  readonly pixel?: 0 | 1
  /** [truths] 1 where the overlap is divided by the detection's area alone: COCO's crowds. */
  readonly regions?: Uint8Array
}

/**
 * Measures all groups, a block of them at a time, so that memory stays small; `visit` gets the overlaps of each,
 * [detections, truths]. They are intersections over unions (over the detection's area where the truth is a region):
 *
 *     w = min(x2, x2') - max(x1, x1') + pixel, h likewise; w h / (area + area' - w h)
 *
 * and 0 where w or h is not above 0, including boxes of zero area.
 *
 * @param rows the lists of rows that the groups count in
 */
export function eachGroup<G extends PairGroup>(
  boxes: { readonly detections: Boxes; readonly truths: Boxes },
  rows: { readonly detections: Int32Array; readonly truths: Int32Array },
  groups: Iterable<G>,
  options: OverlapOptions,
  visit: (group: G, overlaps: Float64Array) => void,
): void {
  inFloat64((device) => {
    const columns = columnsOnDevice(device, boxes, options)
    for (const block of blocksOf(groups)) {
      const pairs = pairsOf(block, rows)
      const overlaps =
        pairs.truths.length > 0
          ? inFloat64((inner) => inner.read(measure(inner, columns, pairs)))
          : new Float64Array(0)
      let pair = 0
      for (const group of block) {
        const next = pair + countOf(group)
        visit(group, overlaps.subarray(pair, next))
        pair = next
      }
    }
  })
}

/** Pairs measured together: enough to keep the device busy, few enough for one MiB per operation. */
const PAIRS_AT_ONCE = 1 << 17

const countOf = ({ first, end, firstTruth, endTruth }: PairGroup) => (end - first) * (endTruth - firstTruth)

/** The groups that have pairs, in blocks of about PAIRS_AT_ONCE; no group is divided. */
function* blocksOf<G extends PairGroup>(groups: Iterable<G>): Generator<G[], void> {
  let block: G[] = []
  let pairs = 0
  for (const group of groups) {
    if (pairs > 0 && pairs + countOf(group) > PAIRS_AT_ONCE) {
      yield block
      block = []
      pairs = 0
    }
    block.push(group)
    pairs += countOf(group)
  }
  if (block.length > 0) yield block
}

/** The rows of both sides of every pair: group by group, detection by detection, truth by truth. */
interface Pairs {
  readonly detections: Int32Array
  readonly truths: Int32Array
}

function pairsOf(groups: readonly PairGroup[], rows: Pairs): Pairs {
  const count = groups.reduce((sum, group) => sum + countOf(group), 0)
  const pairs = { detections: new Int32Array(count), truths: new Int32Array(count) }
  let pair = 0
  for (const { first, end, firstTruth, endTruth } of groups) {
    for (let d = first; d < end; d++) {
      for (let g = firstTruth; g < endTruth; g++) {
        pairs.detections[pair] = rows.detections[d]!
        pairs.truths[pair] = rows.truths[g]!
        pair++
      }
    }
  }
  return pairs
}

interface Columns {
  /** [5, rows]: x1, y1, x2, y2, area */
  readonly detections: DeviceArray
  readonly truths: DeviceArray
  /** [truths] */
  readonly regions: DeviceArray | undefined
  readonly pixel: DeviceArray
  readonly zero: DeviceArray
}

function columnsOnDevice(
  device: Float64Device,
  { detections, truths }: { readonly detections: Boxes; readonly truths: Boxes },
  { pixel = 0, regions }: OverlapOptions,
): Columns {
  const scalar = (value: number) => device.upload(Float64Array.of(value), [])
  return {
    detections: device.upload(cornersAndAreas(detections, pixel), [5, detections.box.length / 4]),
    truths: device.upload(cornersAndAreas(truths, pixel), [5, truths.box.length / 4]),
    regions: regions?.includes(1) ? device.upload(Float64Array.from(regions)) : undefined,
    pixel: scalar(pixel),
    zero: scalar(0),
  }
}

/** Corners and areas for measuring: stated sizes, where given, determine far edges and areas. [5, rows] */
function cornersAndAreas({ box, size }: Boxes, pixel: 0 | 1): Float64Array {
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
  return columns
}

/** @returns [pairs] in `device`'s scope */
function measure(device: Float64Device, columns: Columns, pairs: Pairs): DeviceArray {
  const { pixel, zero, regions } = columns
  const others = device.indices(pairs.truths)
  const rows = (of: DeviceArray, at: DeviceArray<'int32'>) => device.rows(device.gather(of, at, 1)) as Rows
  const [ax1, ay1, ax2, ay2, area] = rows(columns.detections, device.indices(pairs.detections))
  const [bx1, by1, bx2, by2, otherArea] = rows(columns.truths, others)
  const side = (low: DeviceArray, otherLow: DeviceArray, high: DeviceArray, otherHigh: DeviceArray) => {
    const length = device.subtract(device.minimum(high, otherHigh), device.maximum(low, otherLow))
    return device.maximum(device.add(length, pixel), zero)
  }
  const overlap = device.multiply(side(ax1, bx1, ax2, bx2), side(ay1, by1, ay2, by2))
  const union = device.subtract(device.add(area, otherArea), overlap)
  if (regions === undefined) return device.divide(overlap, union)
  const isUnion = device.equal(device.gather(regions, others), zero)
  return device.divide(overlap, device.select(isUnion, union, area))
}

type Rows = [x1: DeviceArray, y1: DeviceArray, x2: DeviceArray, y2: DeviceArray, area: DeviceArray]
