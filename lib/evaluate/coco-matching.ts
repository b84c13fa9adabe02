import { FALSE_POSITIVE, IGNORED, TRUE_POSITIVE } from './average-precision'
import { checkColumns } from './columns'
import { eachGroup, type PairGroup } from './overlaps'
import { descendingOrder, type Groups, groupBy, indices } from './ranking'
import type { AreaRange, Detections, Truths } from './types'

export interface CocoMatchingOptions {
  readonly iouThresholds: readonly number[]
  readonly areaRanges: readonly AreaRange[]
  /** Detections kept per image and class. */
  readonly maxDetections: number
  /** Called for every truth that a detection takes, at every area range and threshold. */
  readonly onTaken?: (truth: number) => void
}

/** One class after matching; its kept detections are numbered in descending order of score. */
export interface CocoClassMatches {
  readonly label: number
  readonly count: number
  /** [count] row of `detections` */
  readonly row: Int32Array
  /** [count] rank among the detections of the same image and class, from 0 */
  readonly rank: Int32Array
  /** [areaRanges, iouThresholds, count] */
  readonly flag: Uint8Array
  /** [areaRanges] truths that count */
  readonly positives: Int32Array
}

/**
 * COCO's matching (pycocotools 2.0.11, `COCOeval.evaluateImg`), class by class.
 *
 * In an image and class, detections in descending order of score (ties keep list order) each take the free
 * truth with the largest IoU >= min(threshold, 1 - 1e-10). On equal IoUs the last truth wins. A truth that counts
 * is preferred to one that does not (crowd, or area outside the range). Only crowds can be taken repeatedly, and
 * their overlap is divided by the detection's area. A detection is ignored if it matches a truth that does not count, or
 * if it matches nothing and lies outside the area range.
 *
 * Ranking and overlaps are computed on the device in double precision, for many images and classes at once (ranking.ts,
 * overlaps.ts). Who takes which truth depends on who came before, so that is decided one detection after the other, among
 * the few pairs that reach the lowest threshold. Only pairs of one image and class are measured, a block of them at a time,
 * so that memory is linear in detections and truths. `npx workbook bench --parts evaluator` compares with pycocotools.
 */
export function matchCoco(
  truths: Truths,
  detections: Detections,
  options: CocoMatchingOptions,
  visit: (matches: CocoClassMatches) => void,
): void {
  checkColumns(truths, detections)
  const kept = keepBest(truths, detections, options.maxDetections)
  const truthRows = groupBy(
    groupBy(indices(truths.image.length), truths.image, truths.images).order,
    truths.label,
    truths.classes,
  )
  const ignored = ignoredTruths(truths, options.areaRanges)
  const flag = unmatchedFlags(detections, kept, options)
  takeTruths({ truths, detections, kept, truthRows, ignored, options }, flag)

  const settings = options.areaRanges.length * options.iouThresholds.length
  for (let label = 0; label < truths.classes; label++) {
    const [first, end] = [kept.start[label]!, kept.start[label + 1]!]
    visit({
      label,
      count: end - first,
      row: kept.row.subarray(first, end),
      rank: kept.rank.subarray(first, end),
      flag: flag.subarray(settings * first, settings * end),
      positives: Int32Array.from(options.areaRanges, (_, range) => {
        let count = 0
        for (let i = truthRows.start[label]!; i < truthRows.start[label + 1]!; i++)
          count += 1 - ignored[range * truths.image.length + truthRows.order[i]!]!
        return count
      }),
    })
  }
}

/** The best detections of every image and class. */
interface Kept {
  /** [kept] rows by class, then by descending score; ties by image, then in list order */
  readonly row: Int32Array
  /** [kept] rank among those of the same image and class */
  readonly rank: Int32Array
  /** [classes + 1] */
  readonly start: Int32Array
  /** [kept] the same detections by class, then image, then descending score: indices into `row`, rows and images */
  readonly byImage: Int32Array
  readonly rowOf: Int32Array
  readonly imageOf: Int32Array
}

function keepBest(truths: Truths, detections: Detections, maxDetections: number): Kept {
  const listed = groupBy(indices(detections.image.length), detections.image, truths.images).order
  const scores = Float64Array.from(listed, (row) => detections.score[row]!)
  const ranked = descendingOrder(scores).map((place) => listed[place]!)
  const all = groupBy(ranked, detections.label, truths.classes)
  const row = new Int32Array(all.order.length)
  const rank = new Int32Array(all.order.length)
  const start = new Int32Array(truths.classes + 1)
  const inImage = new Int32Array(truths.images)
  let count = 0
  for (let label = 0; label < truths.classes; label++) {
    inImage.fill(0)
    for (let i = all.start[label]!; i < all.start[label + 1]!; i++) {
      const place = inImage[detections.image[all.order[i]!]!]!++
      if (place >= maxDetections) continue
      row[count] = all.order[i]!
      rank[count] = place
      count++
    }
    start[label + 1] = count
  }
  const rows = row.slice(0, count)
  const image = rows.map((kept) => detections.image[kept]!)
  const label = rows.map((kept) => detections.label[kept]!)
  const byImage = groupBy(groupBy(indices(count), image, truths.images).order, label, truths.classes).order
  const rowOf = byImage.map((place) => rows[place]!)
  const imageOf = byImage.map((place) => image[place]!)
  return { row: rows, rank: rank.slice(0, count), start, byImage, rowOf, imageOf }
}

/** [areaRanges, truths] 1 for crowds and for truths whose area is outside the range. */
export function ignoredTruths(truths: Truths, areaRanges: readonly AreaRange[]): Uint8Array {
  const count = truths.image.length
  const ignored = new Uint8Array(areaRanges.length * count)
  for (let i = 0; i < count; i++) {
    const area = truths.area?.[i] ?? areaOf(truths, i)
    areaRanges.forEach(([low, high], range) => {
      if (truths.crowd?.[i] === 1 || area < low || area > high) ignored[range * count + i] = 1
    })
  }
  return ignored
}

/** Flags before any matching: class by class [areaRanges, iouThresholds, detections of the class]. */
function unmatchedFlags(detections: Detections, kept: Kept, options: CocoMatchingOptions): Uint8Array {
  const { areaRanges, iouThresholds } = options
  const settings = areaRanges.length * iouThresholds.length
  const flag = new Uint8Array(settings * kept.row.length)
  const area = Float64Array.from(kept.row, (row) => areaOf(detections, row))
  const outside = new Uint8Array(kept.row.length)
  const [none, miss] = [IGNORED, FALSE_POSITIVE] // locals: reading an import calls its getter, which is slow in a loop
  areaRanges.forEach(([low, high], range) => {
    for (let i = 0; i < outside.length; i++) outside[i] = area[i]! < low || area[i]! > high ? none : miss
    for (let label = 0; label < kept.start.length - 1; label++) {
      const [first, end] = [kept.start[label]!, kept.start[label + 1]!]
      const ofClass = outside.subarray(first, end)
      for (let t = 0; t < iouThresholds.length; t++)
        flag.set(ofClass, settings * first + (range * iouThresholds.length + t) * (end - first))
    }
  })
  return flag
}

/** Area in square pixels, from the stated sides if there are any. */
export function areaOf({ box, size }: Pick<Detections, 'box' | 'size'>, i: number): number {
  if (size !== undefined) return size[2 * i]! * size[2 * i + 1]!
  return (box[4 * i + 2]! - box[4 * i]!) * (box[4 * i + 3]! - box[4 * i + 1]!)
}

/** A matching under way. */
interface CocoMatching {
  readonly truths: Truths
  readonly detections: Detections
  readonly kept: Kept
  /** Truths by class, then image, then in list order. */
  readonly truthRows: Groups
  readonly ignored: Uint8Array
  readonly options: CocoMatchingOptions
}

/** Overwrites the flags of detections that take a truth. */
function takeTruths(matching: CocoMatching, flag: Uint8Array): void {
  const { truths, detections, kept, truthRows, options } = matching
  const thresholds = options.iouThresholds.map((value) => Math.min(value, 1 - 1e-10))
  const order = { detections: kept.rowOf, truths: truthRows.order }
  const groups = groupsOf(matching)
  eachGroup({ detections, truths }, order, groups, { regions: truths.crowd }, (group, overlaps) => {
    const suitors = suitorsOf(matching, group, overlaps, Math.min(...thresholds))
    if (suitors.length > 0) matchGroup(matching, thresholds, suitors, flag)
  })
}

/** A detection with the truths of its image and class that it may take. */
interface Suitor {
  /** Number into `kept.row`. */
  readonly kept: number
  /** Rows of the truths: the largest overlap first, of equal ones the last truth. */
  readonly candidates: readonly { readonly truth: number; readonly overlap: number }[]
}

/** The detections of a group that overlap a truth by at least so much, in descending order of score. */
function suitorsOf(
  { kept, truthRows }: CocoMatching,
  { first, end, firstTruth, endTruth }: PairGroup,
  overlaps: Float64Array,
  least: number,
): Suitor[] {
  const suitors: Suitor[] = []
  for (let d = first; d < end; d++) {
    const candidates: { truth: number; overlap: number }[] = []
    for (let g = endTruth - 1; g >= firstTruth; g--) {
      const overlap = overlaps[(d - first) * (endTruth - firstTruth) + g - firstTruth]!
      if (overlap >= least) candidates.push({ truth: truthRows.order[g]!, overlap })
    }
    if (candidates.length === 0) continue
    candidates.sort((a, b) => b.overlap - a.overlap)
    suitors.push({ kept: kept.byImage[d]!, candidates })
  }
  return suitors
}

/** Matches the suitors of one image and class under every area range and threshold. */
function matchGroup(
  { truths, detections, kept, ignored, options }: CocoMatching,
  thresholds: readonly number[],
  suitors: readonly Suitor[],
  flag: Uint8Array,
): void {
  const label = detections.label[kept.row[suitors[0]!.kept]!]!
  const [start, end] = [kept.start[label]!, kept.start[label + 1]!]
  let setting = options.areaRanges.length * thresholds.length * start
  options.areaRanges.forEach((_, range) => {
    const counts = (truth: number) => ignored[range * truths.image.length + truth] === 0
    for (const threshold of thresholds) {
      const taken = new Set<number>()
      for (const { kept: place, candidates } of suitors) {
        const open = candidates.filter(
          ({ truth, overlap }) => overlap >= threshold && (!taken.has(truth) || truths.crowd?.[truth] === 1),
        )
        const best = open.find(({ truth }) => counts(truth)) ?? open[0]
        if (best === undefined) continue
        taken.add(best.truth)
        options.onTaken?.(best.truth)
        flag[setting + place - start] = counts(best.truth) ? TRUE_POSITIVE : IGNORED
      }
      setting += end - start
    }
  })
}

/** Every image and class with detections and truths, as indices into kept.byImage and truthRows.order. */
function* groupsOf({ truths, kept, truthRows }: CocoMatching): Generator<PairGroup, void> {
  for (let label = 0; label < truths.classes; label++) {
    let truth = truthRows.start[label]!
    const lastTruth = truthRows.start[label + 1]!
    const last = kept.start[label + 1]!
    for (let first = kept.start[label]!; first < last; ) {
      const image = kept.imageOf[first]!
      let end = first + 1
      while (end < last && kept.imageOf[end] === image) end++
      while (truth < lastTruth && truths.image[truthRows.order[truth]!]! < image) truth++
      const firstTruth = truth
      while (truth < lastTruth && truths.image[truthRows.order[truth]!] === image) truth++
      if (truth > firstTruth) yield { first, end, firstTruth, endTruth: truth }
      first = end
    }
  }
}
