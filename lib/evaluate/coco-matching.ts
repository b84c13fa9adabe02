import { FALSE_POSITIVE, IGNORED, TRUE_POSITIVE } from './average-precision'
import { checkColumns } from './columns'
import { descendingOrder, type Groups, groupBy, indices } from './ranking'
import type { Detections, Truths } from './types'

/** Limits of an area in square pixels, both inclusive. */
export type AreaRange = readonly [low: number, high: number]

export interface CocoMatchingOptions {
  readonly iouThresholds: readonly number[]
  readonly areaRanges: readonly AreaRange[]
  /** Detections kept for an image and class. */
  readonly maxDetections: number
}

/** One class after matching; its kept detections are numbered in descending order of score. */
export interface CocoClassMatches {
  readonly label: number
  readonly count: number
  /** [count] row of `detections` */
  readonly row: Int32Array
  /** [count] place among the detections of the same image and class, from 0 */
  readonly rank: Int32Array
  /** [areaRanges, iouThresholds, count] */
  readonly flag: Uint8Array
  /** [areaRanges] truths that count */
  readonly positives: Int32Array
}

/**
 * COCO's matching (pycocotools 2.0.11, `COCOeval.evaluateImg`), class by class in one pass.
 *
 * In an image and class, detections in descending order of score (ties keep list order) each take the free
 * truth of the largest IoU >= min(threshold, 1 - 1e-10); of equal IoUs the last truth wins; a truth that counts
 * is preferred to one that does not (crowd, or area outside the range); only crowds can be taken again, and
 * their overlap is divided by the detection's area. What matches a truth that does not count, or matches
 * nothing and lies outside the area range, is ignored.
 *
 * It runs in float64 on typed arrays. Tensors are float32: an IoU rounded to 24 bits can fall on the other side
 * of a threshold or tie with another, and as a filter before the exact arithmetic they do not pay. On COCO val's
 * size (test/bench/evaluator.ts, two CPU cores) the IoUs alone, batched over padded images and read back, took
 * 0.2 s as tensors, the whole of `evaluateVoc` 0.14 s and the whole of `evaluateCoco` 0.6 s (pycocotools 50 s),
 * since only pairs of one image and class are measured here. Memory is linear in detections and truths; only
 * the IoUs of one image and class exist at a time.
 *
 * The arrays given to `visit` are valid during the call; a label without detections is visited too.
 */
export function matchCoco(
  truths: Truths,
  detections: Detections,
  options: CocoMatchingOptions,
  visit: (matches: CocoClassMatches) => void,
): void {
  checkColumns(truths, detections)
  const { iouThresholds, areaRanges, maxDetections } = options
  const settings = areaRanges.length * iouThresholds.length
  const truthRows = groupBy(
    groupBy(indices(truths.image.length), truths.image, truths.images).order,
    truths.label,
    truths.classes,
  )
  const detectionRows = groupDetections(truths, detections)
  const matcher = new ImageMatcher(truths, detections, options)

  let largest = 0
  for (let label = 0; label < truths.classes; label++) {
    largest = Math.max(largest, detectionRows.start[label + 1]! - detectionRows.start[label]!)
  }
  const row = new Int32Array(largest)
  const place = new Int32Array(largest)
  const score = new Float64Array(largest)
  const listed = new Uint8Array(largest * settings)
  const flag = new Uint8Array(largest * settings)
  const rank = new Int32Array(largest)
  const sortedRow = new Int32Array(largest)

  for (let label = 0; label < truths.classes; label++) {
    const count = keepTop(detections, detectionRows, label, maxDetections, row, place)
    let truth = truthRows.start[label]!
    const truthEnd = truthRows.start[label + 1]!
    const positives = matcher.positives(truthRows.order.subarray(truth, truthEnd))
    for (let begin = 0; begin < count; ) {
      const image = detections.image[row[begin]!]!
      let end = begin + 1
      while (end < count && detections.image[row[end]!] === image) end++
      while (truth < truthEnd && truths.image[truthRows.order[truth]!]! < image) truth++
      const firstTruth = truth
      while (truth < truthEnd && truths.image[truthRows.order[truth]!] === image) truth++
      matcher.match(
        row.subarray(begin, end),
        truthRows.order.subarray(firstTruth, truth),
        listed,
        begin,
        count,
      )
      begin = end
    }

    for (let i = 0; i < count; i++) score[i] = detections.score[row[i]!]!
    const order = descendingOrder(score.subarray(0, count)) // ties: by image, then in list order
    for (let i = 0; i < count; i++) {
      sortedRow[i] = row[order[i]!]!
      rank[i] = place[order[i]!]!
    }
    for (let setting = 0; setting < settings; setting++) {
      const first = setting * count
      for (let i = 0; i < count; i++) flag[first + i] = listed[first + order[i]!]!
    }
    visit({
      label,
      count,
      row: sortedRow.subarray(0, count),
      rank: rank.subarray(0, count),
      flag: flag.subarray(0, settings * count),
      positives,
    })
  }
}

/** Rows by label, then image, then descending score, then list order. */
function groupDetections(truths: Truths, detections: Detections): Groups {
  const byScore = descendingOrder(detections.score)
  const byImage = groupBy(byScore, detections.image, truths.images).order
  return groupBy(byImage, detections.label, truths.classes)
}

/** Copies the class's rows without those past `maxDetections` of their image; returns how many are left. */
function keepTop(
  detections: Detections,
  groups: Groups,
  label: number,
  maxDetections: number,
  row: Int32Array,
  place: Int32Array,
): number {
  let count = 0
  let image = -1
  let inImage = 0
  for (let i = groups.start[label]!; i < groups.start[label + 1]!; i++) {
    const candidate = groups.order[i]!
    inImage = detections.image[candidate] === image ? inImage + 1 : 0
    image = detections.image[candidate]!
    if (inImage >= maxDetections) continue
    row[count] = candidate
    place[count] = inImage
    count++
  }
  return count
}

/** Matches the detections and truths of one image and class at every threshold and area range. */
class ImageMatcher {
  private readonly detectionSize: Float64Array
  private readonly truthSize: Float64Array
  private readonly thresholds: Float64Array
  /** [detections, truths] of the image at hand */
  private overlaps = new Float64Array(0)
  /** [thresholds, detections]: the truth taken, or -1 */
  private taken = new Int32Array(0)
  private best = new Float64Array(0)
  private used = new Uint8Array(0)
  private ignored = new Uint8Array(0)
  private order = new Int32Array(0)

  constructor(
    private readonly truths: Truths,
    private readonly detections: Detections,
    private readonly options: CocoMatchingOptions,
  ) {
    this.detectionSize = sizes(detections)
    this.truthSize = sizes(truths)
    this.thresholds = Float64Array.from(options.iouThresholds, (threshold) => Math.min(threshold, 1 - 1e-10))
  }

  /** Truths among the rows that count in each area range. */
  positives(rows: Int32Array): Int32Array {
    return Int32Array.from(this.options.areaRanges, (range) => {
      let count = 0
      for (const row of rows) if (!this.isIgnored(row, range)) count++
      return count
    })
  }

  /** Writes flag[setting * stride + first + i] of the i-th detection for every setting. */
  match(rows: Int32Array, truthRows: Int32Array, flag: Uint8Array, first: number, stride: number): void {
    const { areaRanges, iouThresholds } = this.options
    // Locals: an import read in the innermost loop is a call of its getter.
    const [falsePositive, truePositive, ignored] = [FALSE_POSITIVE, TRUE_POSITIVE, IGNORED]
    const matchable = this.measure(rows, truthRows)
    let current = '' // how the truths are split at present into counting and ignored
    areaRanges.forEach((range, rangeIndex) => {
      let ignoredCount = 0
      for (let g = 0; g < truthRows.length; g++) {
        this.ignored[g] = this.isIgnored(truthRows[g]!, range) ? 1 : 0
        ignoredCount += this.ignored[g]!
      }
      if (matchable) {
        // Truths that all count and truths that are all ignored are matched alike.
        const uniform = ignoredCount === 0 || ignoredCount === truthRows.length
        const split = uniform ? 'uniform' : this.ignored.subarray(0, truthRows.length).join('')
        if (split !== current) this.assign(rows.length, truthRows)
        current = split
      }
      for (let d = 0; d < rows.length; d++) {
        const area = this.detectionSize[2 * rows[d]!]! * this.detectionSize[2 * rows[d]! + 1]!
        const unmatched = area < range[0] || area > range[1] ? ignored : falsePositive
        for (let t = 0; t < iouThresholds.length; t++) {
          const truth = matchable ? this.taken[t * rows.length + d]! : -1
          const place = (rangeIndex * iouThresholds.length + t) * stride + first + d
          flag[place] = truth < 0 ? unmatched : this.ignored[truth] === 1 ? ignored : truePositive
        }
      }
    })
  }

  private isIgnored(row: number, range: AreaRange): boolean {
    const area = this.truths.area?.[row] ?? this.truthSize[2 * row]! * this.truthSize[2 * row + 1]!
    return this.truths.crowd?.[row] === 1 || area < range[0] || area > range[1]
  }

  /** Computes the overlaps; false where none reaches the lowest threshold, so that nothing can match. */
  private measure(rows: Int32Array, truthRows: Int32Array): boolean {
    this.reserve(rows.length, truthRows.length)
    const { truths, detectionSize, truthSize, overlaps, best } = this
    const detections = this.detections
    let largest = 0
    for (let d = 0; d < rows.length; d++) {
      const i = rows[d]!
      const x1 = detections.box[4 * i]!
      const y1 = detections.box[4 * i + 1]!
      const width = detectionSize[2 * i]!
      const height = detectionSize[2 * i + 1]!
      best[d] = 0
      for (let g = 0; g < truthRows.length; g++) {
        const j = truthRows[g]!
        const gx1 = truths.box[4 * j]!
        const gy1 = truths.box[4 * j + 1]!
        const gWidth = truthSize[2 * j]!
        const gHeight = truthSize[2 * j + 1]!
        const w = Math.min(x1 + width, gx1 + gWidth) - Math.max(x1, gx1)
        const h = Math.min(y1 + height, gy1 + gHeight) - Math.max(y1, gy1)
        let overlap = 0
        if (w > 0 && h > 0) {
          const area = width * height
          const union = truths.crowd?.[j] === 1 ? area : area + gWidth * gHeight - w * h
          overlap = (w * h) / union
        }
        overlaps[d * truthRows.length + g] = overlap
        if (overlap > best[d]!) best[d] = overlap
      }
      largest = Math.max(largest, best[d]!)
    }
    return largest > 0 && this.thresholds.some((threshold) => largest >= threshold)
  }

  /** Greedy matching under the current split of the truths; fills `taken`. */
  private assign(count: number, truthRows: Int32Array): void {
    const { overlaps, best, used, ignored, taken, truths } = this
    const order = this.order
    const truthCount = truthRows.length
    let position = 0
    for (const wanted of [0, 1]) {
      for (let g = 0; g < truthCount; g++) if (ignored[g] === wanted) order[position++] = g
    }
    for (let t = 0; t < this.thresholds.length; t++) {
      const threshold = this.thresholds[t]!
      used.fill(0, 0, truthCount)
      for (let d = 0; d < count; d++) {
        let match = -1
        if (best[d]! >= threshold) {
          let bar = threshold
          for (let k = 0; k < truthCount; k++) {
            const g = order[k]!
            if (used[g] === 1 && truths.crowd?.[truthRows[g]!] !== 1) continue
            if (match >= 0 && ignored[match] === 0 && ignored[g] === 1) break
            const overlap = overlaps[d * truthCount + g]!
            if (overlap < bar) continue
            bar = overlap
            match = g
          }
          if (match >= 0) used[match] = 1
        }
        taken[t * count + d] = match
      }
    }
  }

  private reserve(count: number, truthCount: number): void {
    if (this.overlaps.length < count * truthCount) this.overlaps = new Float64Array(count * truthCount * 2)
    if (this.best.length < count) {
      this.best = new Float64Array(count * 2)
      this.taken = new Int32Array(count * 2 * this.thresholds.length)
    }
    if (this.used.length < truthCount) {
      this.used = new Uint8Array(truthCount * 2)
      this.ignored = new Uint8Array(truthCount * 2)
      this.order = new Int32Array(truthCount * 2)
    }
  }
}

/** [rows * 2] width and height, as stated or as the difference of the corners. */
function sizes(rows: Pick<Detections, 'box' | 'size'>): Float64Array {
  if (rows.size !== undefined) return rows.size
  const size = new Float64Array(rows.box.length / 2)
  for (let i = 0; i < size.length; i += 2) {
    size[i] = rows.box[2 * i + 2]! - rows.box[2 * i]!
    size[i + 1] = rows.box[2 * i + 3]! - rows.box[2 * i + 1]!
  }
  return size
}
