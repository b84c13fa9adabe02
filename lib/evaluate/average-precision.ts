/** Recalls at which precision is averaged: every recall step, VOC 2007's 11, or COCO's 101. */
export const INTERPOLATIONS = ['all', '11', '101'] as const
/** How average precision reads a curve: its whole area, 11 or 101 recalls. */
export type Interpolation = (typeof INTERPOLATIONS)[number]

/** Outcome of a detection, as in a match table's `flag`: it found nothing, or a truth already taken ... */
export const FALSE_POSITIVE = 0
/** ... it found a truth ... */
export const TRUE_POSITIVE = 1
/** ... or it does not count: it lies on a difficult or crowd truth, or is of another size. */
export const IGNORED = 2

/** Detections of one class in descending order of score: flag[first] .. flag[first + count - 1]. */
export interface RankedFlags {
  /** FALSE_POSITIVE, TRUE_POSITIVE or IGNORED. */
  readonly flag: Uint8Array
  readonly first: number
  readonly count: number
  /** Truths that count, copies of weighted images included. */
  readonly positives: number
  /** How often each image counts (a bootstrap resample), and the image of each ranked detection. */
  readonly weights?: { readonly ofImage: Int32Array; readonly image: Int32Array; readonly first: number }
}

/** COCO's recalls: i / 100, computed like numpy's linspace. */
const COCO_RECALLS = Float64Array.from({ length: 101 }, (_, i) => (i === 100 ? 1 : i * 0.01))

// Reused between calls: a bootstrap makes some ten thousand of them.
let hits = new Float64Array(1024)
let envelope = new Float64Array(1024)

/**
 * Average precision of one class; NaN without positives.
 *
 * With precision p(r) = max over recalls >= r of tp / (tp + fp):
 * - `all`: sum over hits of (r_i - r_(i-1)) * p(r_i) (VOC from 2010 on),
 * - `11`: mean of p at recalls 0, 0.1 .. 1, tested exactly as 10 * tp >= i * positives (VOC 2007),
 * - `101`: mean of p at recalls 0, 0.01 .. 1, in pycocotools' arithmetic.
 *
 * The copies of a weighted image stand side by side, as if the image were listed w times.
 */
export function averagePrecision(list: RankedFlags, interpolation: Interpolation): number {
  if (list.positives === 0) return Number.NaN
  return areaUnder(rankedHits(list, epsilonOf(interpolation)), list.positives, interpolation)
}

/** What matters in the ranking of one class at one threshold: its hits, and the rows that do not count, in order. */
export interface RankedEvents {
  /** Row of each in the ranking. */
  readonly row: Int32Array
  /** Its image. */
  readonly image: Int32Array
  /** 1 for a hit, 0 for a row that does not count. */
  readonly isHit: Uint8Array
}

/**
 * The same number as `averagePrecision` gives, to the bit, where the ranking has been added up before: a look at the hits is
 * enough, since detections up to a row are true or false positives or do not count.
 *
 * @param totals weights of the detections up to each row, this one included, those that do not count too
 * @param ofImage how often each image counts
 * @param positives truths that count, copies of weighted images included
 */
export function averagePrecisionOfEvents(
  { row, image, isHit }: RankedEvents,
  totals: Float64Array,
  { ofImage, positives }: { readonly ofImage: Int32Array; readonly positives: number },
  interpolation: Interpolation,
): number {
  if (positives === 0) return Number.NaN
  reserve(row.length)
  const epsilon = epsilonOf(interpolation)
  let steps = 0
  let truePositives = 0
  let ignored = 0
  for (let i = 0; i < row.length; i++) {
    const weight = ofImage[image[i]!]!
    if (weight === 0) continue
    if (isHit[i] === 0) {
      ignored += weight
      continue
    }
    truePositives += weight
    hits[steps] = truePositives
    envelope[steps] = truePositives / (totals[row[i]!]! - ignored + epsilon)
    steps++
  }
  return areaUnder(steps, positives, interpolation)
}

const epsilonOf = (interpolation: Interpolation): number => (interpolation === '101' ? Number.EPSILON : 0)

/** Average precision from the first `steps` of `hits` and `envelope`. */
function areaUnder(steps: number, positives: number, interpolation: Interpolation): number {
  for (let i = steps - 1; i > 0; i--) {
    if (envelope[i]! > envelope[i - 1]!) envelope[i - 1] = envelope[i]!
  }
  if (interpolation === 'all') return allPoint(steps, positives)
  if (interpolation === '11') return elevenPoint(steps, positives)
  return hundredOnePoint(steps, positives)
}

function reserve(count: number): void {
  if (hits.length >= count) return
  hits = new Float64Array(count * 2)
  envelope = new Float64Array(count * 2)
}

/**
 * Fills `hits` (true positives so far) and `envelope` (precision) at every true positive. False positives
 * in between can only lower precision, so the envelope needs no other point. Copies of a hit raise
 * precision one by one, so the last copy stands for all.
 */
function rankedHits(list: RankedFlags, epsilon: number): number {
  const { flag, first, count, weights } = list
  reserve(count)
  let steps = 0
  let truePositives = 0
  let falsePositives = 0
  for (let i = 0; i < count; i++) {
    const kind = flag[first + i]!
    if (kind === IGNORED) continue
    const weight = weights === undefined ? 1 : weights.ofImage[weights.image[weights.first + i]!]!
    if (kind === FALSE_POSITIVE) {
      falsePositives += weight
    } else if (weight > 0) {
      truePositives += weight
      hits[steps] = truePositives
      envelope[steps] = truePositives / (falsePositives + truePositives + epsilon)
      steps++
    }
  }
  return steps
}

function allPoint(steps: number, positives: number): number {
  let sum = 0
  let recall = 0
  for (let i = 0; i < steps; i++) {
    const next = hits[i]! / positives
    sum += (next - recall) * envelope[i]!
    recall = next
  }
  return sum
}

function elevenPoint(steps: number, positives: number): number {
  let sum = 0
  let i = 0
  for (let tenth = 0; tenth <= 10; tenth++) {
    while (i < steps && hits[i]! * 10 < tenth * positives) i++
    if (i < steps) sum += envelope[i]! / 11
  }
  return sum
}

function hundredOnePoint(steps: number, positives: number): number {
  let sum = 0
  let i = 0
  for (const recall of COCO_RECALLS) {
    while (i < steps && hits[i]! / positives < recall) i++
    if (i < steps) sum += envelope[i]!
  }
  return sum / COCO_RECALLS.length
}
