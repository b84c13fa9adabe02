/** What can be said about a difference in mAP: paired bootstrap over images and training seeds. */

import { probit, sampleStandardDeviation, sampleVariance } from 'simple-statistics'
import { Random } from '../base'
import { type MatchTable, meanApFromTable, valuesOfResamples } from '../evaluate'

/** How the bootstrap draws. */
export interface BootstrapOptions {
  /** Number of resamples. */
  readonly resamples?: number
  /** Fraction of the resamples within the interval. */
  readonly confidence?: number
  /** Names the random stream; the same seed gives every model the same resamples. */
  readonly seed?: number
}

const DEFAULTS = { resamples: 1000, confidence: 0.95, seed: 0 } as const

/**
 * Mean of average precision over the table's IoU thresholds and classes, every image counted weights[image] times.
 * NaN without truths.
 */
export function tableValue(table: MatchTable, imageWeights?: Int32Array): number {
  const values = table.iouThresholds.map((_, iouThresholdIndex) =>
    meanApFromTable(table, imageWeights, { iouThresholdIndex }),
  )
  return mean(values)
}

/** [resamples][images] how often each image is drawn, with `images` draws with replacement. */
export function imageResamples(images: number, options: BootstrapOptions = {}): Int32Array[] {
  const { resamples, seed } = { ...DEFAULTS, ...options }
  const random = new Random('bootstrap images', seed, images)
  return Array.from({ length: resamples }, () => {
    const weights = new Int32Array(images)
    for (let i = 0; i < images; i++) weights[random.integer(images)]!++
    return weights
  })
}

/** [resamples][seeds] indices of training seeds, `seeds` draws with replacement; a single seed is always itself. */
export function seedResamples(seeds: number, options: BootstrapOptions = {}): Int32Array[] {
  const { resamples, seed } = { ...DEFAULTS, ...options }
  const random = new Random('bootstrap seeds', seed, seeds)
  return Array.from({ length: resamples }, () =>
    Int32Array.from({ length: seeds }, () => (seeds === 1 ? 0 : random.integer(seeds))),
  )
}

/** A value with its interval. */
export interface Interval {
  /** On the original images, mean over seeds. */
  readonly value: number
  readonly lower: number
  readonly upper: number
}

/**
 * Percentile interval of one model's mAP, mean over its training seeds.
 * @param tables match tables of the same images, one per seed
 */
export function interval(tables: readonly MatchTable[], options: BootstrapOptions = {}): Interval {
  checkTables(tables)
  return {
    value: mean(tables.map((table) => tableValue(table))),
    ...bounds(resampledMeans(tables, options), options),
  }
}

/** `not shown`: too few images or seeds to say (see `LEAST`), whatever the interval. */
export const VERDICTS = ['better', 'worse', 'no difference shown', 'not shown'] as const
/** What an interval of a difference shows. */
export type Verdict = (typeof VERDICTS)[number]

/**
 * What a verdict needs, wherever one is given. Measured on pairs of arms that do not differ (test/study/verdict-rates.ts and .txt; nominal
 * 5 %): intervals over 30 images and fewer call 8 % and more of them different, those over 50 and more 5 to 6 %. With one seed whose
 * luck matters as much as the choice of images, 32 % are called different: the interval knows nothing of how seeds vary. Two
 * seeds are the fewest from which that can be seen at all (12 %, three: 5 %); what few lack stands among the report’s limits.
 */
export const LEAST = { seeds: 2, images: 50 } as const

/** Resamples below which no p value can be under 1 - confidence. */
export function leastResamples(confidence: number = DEFAULTS.confidence): number {
  return Math.ceil(2 / (1 - confidence) - 1e-9)
}

/** Two models' difference on the same images and seeds. */
export interface PairedDifference {
  /** mAP(a) - mAP(b), mean over seeds; 0.01 is one point. */
  readonly difference: number
  readonly lower: number
  readonly upper: number
  /** By the rule of `verdictOf`. */
  readonly verdict: Verdict
  /** Two-sided: the largest 1 - confidence at which the interval still holds 0, at least 2 / (resamples + 1). */
  readonly pValue: number
  readonly resamples: number
  readonly confidence: number
  readonly images: number
  /** Training seeds; 0 where neither model was trained by the comparison. */
  readonly seeds: number
}

/**
 * The one rule for verdicts: with at least `LEAST` images, and seeds where seeds were trained, `better` where the interval
 * lies above 0, which is where the difference is positive and p < 1 - confidence; `worse` where it lies below.
 */
export function verdictOf({
  lower,
  upper,
  images,
  seeds,
}: Pick<PairedDifference, 'lower' | 'upper' | 'images' | 'seeds'>): Verdict {
  if (shortOf({ images, seeds }).length > 0) return 'not shown'
  return lower > 0 ? 'better' : upper < 0 ? 'worse' : 'no difference shown'
}

/** What a verdict lacks, in words: "1 seed, at least 2 needed". */
export function shortOf({ images, seeds }: Pick<PairedDifference, 'images' | 'seeds'>): string[] {
  const lacking = (number: number, what: 'seed' | 'image', least: number): string =>
    `${number} ${what}${number === 1 ? '' : 's'}, at least ${least} needed`
  return [
    ...(seeds > 0 && seeds < LEAST.seeds ? [lacking(seeds, 'seed', LEAST.seeds)] : []),
    ...(images < LEAST.images ? [lacking(images, 'image', LEAST.images)] : []),
  ]
}

/** A verdict as tables and sentences say it: "not shown: 1 seed, at least 2 needed". */
export function verdictText(difference: Pick<PairedDifference, 'verdict' | 'images' | 'seeds'>): string {
  const { verdict } = difference
  return verdict === 'not shown' ? `${verdict}: ${shortOf(difference).join('; ')}` : verdict
}

/**
 * Paired bootstrap of mAP(a) - mAP(b) (Efron & Tibshirani 1993, chapter 13: percentile interval).
 *
 * Each resample draws images with replacement, the same for both models, and training seeds with replacement, the same
 * for both: effects of an image or a seed common to both models cancel. mAP is recomputed on each resample, since it is
 * not a mean over images. Few seeds understate their variance: n seeds by the factor (n - 1) / n.
 *
 * @param a match tables of the same images, one per seed
 * @param b the other model's, in the same order of seeds; a single table stands for a model without seeds
 * @param options `seeded`: whether one of the models was trained by the comparison, so that a verdict needs several seeds.
 *   Default true
 * @throws RangeError when the tables have different images or truths, the numbers of seeds do not match, or there are too
 *   few resamples for the confidence
 */
export function pairedDifference(
  a: readonly MatchTable[],
  b: readonly MatchTable[],
  options: BootstrapOptions & { readonly seeded?: boolean } = {},
): PairedDifference {
  const { resamples, confidence, seeded = true } = { ...DEFAULTS, ...options }
  if (resamples < leastResamples(confidence)) {
    throw new RangeError(
      `paired bootstrap: expected at least ${leastResamples(confidence)} resamples for a confidence of ${confidence}, ` +
        `found ${resamples}`,
    )
  }
  const [first, second] = paired(a, b)
  const [drawsA, drawsB] = [resampledMeans(first, options), resampledMeans(second, options)]
  const draws = drawsA.map((value, r) => value - drawsB[r]!)
  const limits = bounds(draws, options)
  const basis = { images: first[0]!.images, seeds: seeded ? first.length : 0 }
  return {
    difference: mean(seedDifferences(first, second)),
    ...limits,
    verdict: verdictOf({ ...limits, ...basis }),
    pValue: pValueOf(draws),
    ...{ resamples, confidence, ...basis },
  }
}

/** How small a difference could be shown. */
export interface Resolution {
  /** Standard deviation of the paired difference over samples of as many images. */
  readonly imageDeviation: number
  /** Standard deviation of the paired difference from seed to seed; undefined with one seed. */
  readonly seedDeviation: number | undefined
  /** The smallest difference that the given images and seeds would show with probability `power`. */
  readonly smallest: number
  /** Images needed with that many seeds; undefined if the seeds' variance alone is too large. */
  readonly needed: readonly { readonly seeds: number; readonly images: number | undefined }[]
}

/**
 * Number of images and seeds that show a true difference with probability `power`: the least n with
 *
 *     (z_{(1 + confidence) / 2} + z_power) * sqrt(vi * N / n + vs / seeds) <= difference
 *
 * where vi is the bootstrap's variance over the N given images and vs the variance from seed to seed.
 *
 * @param a as in `pairedDifference`
 * @param b as in `pairedDifference`
 */
export function imagesNeeded(
  a: readonly MatchTable[],
  b: readonly MatchTable[],
  options: BootstrapOptions & {
    /** In mAP; 0.01 is one point. */
    readonly difference?: number
    readonly power?: number
    /** Numbers of seeds to plan for; only 1 if the variance over seeds is unknown. */
    readonly seeds?: readonly number[]
  } = {},
): Resolution {
  const { difference = 0.01, power = 0.8, seeds = [1, 2, 3, 5, 10] } = options
  const { confidence } = { ...DEFAULTS, ...options }
  const [first, second] = paired(a, b)
  const images = first[0]!.images
  const [drawsA, drawsB] = [drawsOf(first, options), drawsOf(second, options)]
  const overImages = drawsA[0]!.map((_, r) => mean(first.map((__, s) => drawsA[s]![r]! - drawsB[s]![r]!)))
  const imageVariance = sampleVariance(overImages.filter((draw) => !Number.isNaN(draw)))
  const perSeed = seedDifferences(first, second)
  const seedDeviation = perSeed.length > 1 ? sampleStandardDeviation(perSeed) : undefined
  const seedVariance = (seedDeviation ?? 0) ** 2
  const z = probit((1 + confidence) / 2) + probit(power)
  const allowed = (difference / z) ** 2
  return {
    imageDeviation: Math.sqrt(imageVariance),
    seedDeviation,
    smallest: z * Math.sqrt(imageVariance + seedVariance / perSeed.length),
    needed: (seedDeviation === undefined ? [1] : seeds).map((count) => {
      const left = allowed - seedVariance / count
      return { seeds: count, images: left > 0 ? Math.ceil((imageVariance * images) / left) : undefined }
    }),
  }
}

/** Both models with one table per seed; a model with a single table is repeated. */
function paired(
  a: readonly MatchTable[],
  b: readonly MatchTable[],
): readonly [readonly MatchTable[], readonly MatchTable[]] {
  checkTables([...a, ...b])
  const seeds = Math.max(a.length, b.length)
  if ([a, b].some(({ length }) => length !== seeds && length !== 1)) {
    throw new RangeError(
      `paired bootstrap: expected one table per seed for both models, found ${a.length} and ${b.length}`,
    )
  }
  const repeated = (tables: readonly MatchTable[]) =>
    tables.length === seeds ? tables : Array.from({ length: seeds }, () => tables[0]!)
  return [repeated(a), repeated(b)]
}

function checkTables(tables: readonly MatchTable[]): void {
  const [first] = tables
  if (!first) throw new RangeError('bootstrap: expected at least one match table, found none')
  if (first.truthImage.length === 0) throw new RangeError('bootstrap: expected truths that count, found none')
  for (const table of tables) {
    const same =
      table.images === first.images &&
      String(table.iouThresholds) === String(first.iouThresholds) &&
      sameValues(table.truthStart, first.truthStart) &&
      sameValues(table.truthImage, first.truthImage)
    if (!same) {
      throw new RangeError(
        `bootstrap: expected match tables of the same images and truths, found ${first.images} images with ` +
          `${first.truthImage.length} truths and ${table.images} with ${table.truthImage.length}`,
      )
    }
  }
}

function sameValues(a: Int32Array, b: Int32Array): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i])
}

function seedDifferences(a: readonly MatchTable[], b: readonly MatchTable[]): number[] {
  return a.map((table, s) => tableValue(table) - tableValue(b[s]!))
}

/** Mean over the resampled seeds of the value on the resampled images. */
function resampledMeans(tables: readonly MatchTable[], options: BootstrapOptions): number[] {
  const draws = drawsOf(tables, options)
  return seedResamples(tables.length, options).map((seeds, r) =>
    mean(Array.from(seeds, (s) => draws[s]![r]!)),
  )
}

/** Values on the resamples, by table. All comparisons of a model share them, so they are computed once. */
const known = new WeakMap<MatchTable, Map<string, readonly number[]>>()

/** [tables][resamples] value on the resampled images. */
function drawsOf(tables: readonly MatchTable[], options: BootstrapOptions): (readonly number[])[] {
  const { resamples, seed } = { ...DEFAULTS, ...options }
  const key = `${resamples}/${seed}`
  let weights: Int32Array[] | undefined
  return tables.map((table) => {
    const kept = known.get(table) ?? new Map<string, readonly number[]>()
    known.set(table, kept)
    const found = kept.get(key)
    if (found) return found
    weights ??= imageResamples(table.images, options)
    const values = valuesOfResamples(table, weights)
    kept.set(key, values)
    return values
  })
}

/**
 * The mean value of objects that lie in images, with its percentile interval over resampled images. A resample without any of the
 * objects does not count.
 *
 * @param objects with the index of their image
 * @param resamples from `imageResamples`
 */
export function sharesInterval(
  objects: readonly { readonly image: number; readonly value: number }[],
  resamples: readonly Int32Array[],
  options: BootstrapOptions = {},
): Interval {
  const draws = resamples.map((weights) => {
    let [sum, count] = [0, 0]
    for (const { image, value } of objects) {
      sum += weights[image]! * value
      count += weights[image]!
    }
    return sum / count
  })
  return { value: mean(objects.map(({ value }) => value)), ...bounds(draws, options) }
}

/** Quantiles (1 - confidence) / 2 and (1 + confidence) / 2; resamples without any truth do not count. */
function bounds(draws: readonly number[], options: BootstrapOptions): { lower: number; upper: number } {
  const { confidence } = { ...DEFAULTS, ...options }
  const sorted = Float64Array.from(draws.filter((draw) => !Number.isNaN(draw))).sort()
  return { lower: quantile(sorted, (1 - confidence) / 2), upper: quantile(sorted, (1 + confidence) / 2) }
}

/**
 * The test that belongs to the interval: the largest alpha at which the interval of confidence 1 - alpha still holds 0, found by
 * turning its quantiles round. So p < alpha where that interval does not hold 0, and nowhere else. No bootstrap of n
 * resamples can say that p is below 2 / (n + 1), which is the least that is given.
 */
function pValueOf(draws: readonly number[]): number {
  const sorted = Float64Array.from(draws.filter((draw) => !Number.isNaN(draw))).sort()
  const mirrored = sorted.map((draw) => -draw).reverse()
  const tail = 2 * Math.min(shareUpTo0(sorted), shareUpTo0(mirrored))
  return Math.min(1, Math.max(tail, 2 / (sorted.length + 1)))
}

/** The largest share whose quantile is at most 0. */
function shareUpTo0(sorted: Float64Array): number {
  const above = sorted.findIndex((draw) => draw > 0)
  if (above < 0) return 1
  if (above === 0) return 0
  const [low, high] = [sorted[above - 1]!, sorted[above]!]
  return (above - 1 - low / (high - low)) / (sorted.length - 1)
}

/** Linear between the order statistics, numpy's default. */
function quantile(sorted: Float64Array, share: number): number {
  const at = share * (sorted.length - 1)
  const below = Math.floor(at)
  const low = sorted[below] ?? Number.NaN
  return low + (at - below) * ((sorted[below + 1] ?? low) - low)
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
