import { z } from 'zod'
import { parseDocument, type Schema } from '../base'
import { averagePrecision, FALSE_POSITIVE, TRUE_POSITIVE } from './average-precision'
import { checkColumns } from './columns'
import { iouSchema, limitSchema } from './options'
import { eachGroup } from './overlaps'
import { descendingOrder, groupBy, indices } from './ranking'
import type { Detections, Truths } from './types'

/** TIDE's kinds, in its order. */
export const MISTAKE_KINDS = ['class', 'localisation', 'both', 'duplicate', 'background', 'missed'] as const

export type MistakeKind = (typeof MISTAKE_KINDS)[number]

export interface Mistake {
  readonly kind: MistakeKind
  readonly image: number
  /** Row of the wrong detection; absent for `missed`. */
  readonly detection?: number
  /** Row of the truth that it should have found, that was taken before it, or that was missed; absent otherwise. */
  readonly truth?: number
}

export interface MistakesResult {
  /**
   * Mean 101-point AP at the foreground threshold over the classes present in the truths or the detections;
   * NaN if there are none.
   */
  readonly mAP: number
  /** Number of mistakes of each kind, and how much mAP rises when that kind alone is fixed. */
  readonly kinds: { readonly [kind in MistakeKind]: { readonly count: number; readonly cost: number } }
  /** Rise of mAP if every false positive ranked last, and if no truth were missed. */
  readonly falsePositives: number
  readonly falseNegatives: number
  readonly list: readonly Mistake[]
}

export interface MistakesOptions {
  /** IoU from which on a box is in the right place. */
  readonly foreground?: number
  /** IoU up to which a box is on the background. */
  readonly background?: number
  /** Number of best detections considered per image. */
  readonly maxDetections?: number
}

const optionsSchema: Schema<Required<MistakesOptions>> = z
  .object({
    foreground: iouSchema.default(0.5),
    background: iouSchema.default(0.1),
    maxDetections: limitSchema.default(100),
  })
  .strict()
  .refine(({ foreground, background }) => background <= foreground, 'expected background <= foreground')

/**
 * Mistakes by kind, by TIDE's definitions (Bolya et al., A General Toolbox for Identifying Object Detection
 * Errors, ECCV 2020, section 2; equal to tidecv 1.0.1 with pycocotools' 101 recalls).
 *
 * A detection that is not a true positive is the first of these that applies:
 * - `localisation`: its IoU with a truth of its class is between background and foreground, both included,
 * - `class`: its IoU with a truth of another class reaches the foreground,
 * - `duplicate`: its IoU with a truth of its class taken by another detection reaches the foreground,
 * - `background`: no IoU above the background,
 * - `both`: anything else, wrong in class and place.
 * A truth that nothing took is `missed` unless fixing a `class` or `localisation` mistake would find it.
 *
 * Fixing turns the best-scored `class` or `localisation` mistake of a free truth into a hit of that truth and
 * removes all other mistakes of the kind; a missed truth is removed from the count. The cost is the rise of mAP, at
 * least 0; costs do not add up. Crowd and difficult truths are TIDE's ignore regions: they forgive detections
 * of their class that lie inside them by more than the foreground threshold.
 */
export function mistakes(
  truths: Truths,
  detections: Detections,
  options: MistakesOptions = {},
): MistakesResult {
  const { foreground, background, maxDetections } = parseDocument(options, optionsSchema, 'mistakes options')
  checkColumns(truths, detections)
  const outcome = findMistakes(truths, detections, foreground, background, maxDetections)
  const mAP = outcome.meanAp(outcome.points, outcome.positives)
  const kinds = Object.fromEntries(
    MISTAKE_KINDS.map((kind) => {
      const cost = Math.max(0, outcome.mended(kind) - mAP)
      return [kind, { count: outcome.list.filter((mistake) => mistake.kind === kind).length, cost }]
    }),
  ) as Record<MistakeKind, { count: number; cost: number }>
  const nothing = outcome.points.length === 0 && outcome.positives.every((count) => count === 0)
  return {
    mAP: nothing ? Number.NaN : mAP,
    kinds,
    falsePositives: outcome.withoutFalsePositives() - mAP,
    falseNegatives: outcome.withoutFalseNegatives() - mAP,
    list: outcome.list,
  }
}

/** A point of a class's precision-recall curve. */
interface Point {
  readonly label: number
  readonly score: number
  readonly correct: boolean
}

/** A mistake with its point before fixing (undefined if forgiven) and after (undefined if removed). */
interface Mendable extends Mistake {
  readonly point?: Point
  /** The free truth that fixing this would find. */
  readonly target?: number
}

class Outcome {
  readonly list: Mendable[] = []
  readonly hits: Point[] = []
  /** Hits and mistakes in the order of images and scores. */
  readonly points: Point[] = []
  /** Per class: truths that count, and how many of them nothing took. */
  readonly positives: Int32Array
  readonly unfound: Int32Array
  /** For each free truth, the best-scored mistake that could find it. */
  readonly rescuer = new Map<number, Mendable>()

  constructor(
    private readonly truths: Truths,
    private readonly scores: Float64Array,
  ) {
    this.positives = new Int32Array(truths.classes)
    this.unfound = new Int32Array(truths.classes)
  }

  add(mistake: Mendable): void {
    this.list.push(mistake)
    if (mistake.target === undefined) return
    const best = this.rescuer.get(mistake.target)
    if (best === undefined || this.scores[best.detection!]! < this.scores[mistake.detection!]!) {
      this.rescuer.set(mistake.target, mistake)
    }
  }

  /** mAP after fixing the mistakes of one kind. */
  mended(kind: MistakeKind): number {
    const points: Point[] = []
    const positives = this.positives.slice()
    for (const mistake of this.list) {
      if (mistake.kind !== kind) {
        if (mistake.point !== undefined) points.push(mistake.point)
      } else if (kind === 'missed') {
        positives[this.truths.label[mistake.truth!]!]!--
      } else if (mistake.target !== undefined && this.rescuer.get(mistake.target) === mistake) {
        const label = this.truths.label[mistake.target]!
        points.push({ label, score: this.scores[mistake.detection!]!, correct: true })
      }
    }
    return this.meanAp([...points, ...this.hits], positives)
  }

  withoutFalsePositives(): number {
    const points = this.standing().map((point) => ({ ...point, score: point.correct ? 1 : 0 }))
    return this.meanAp(points, this.positives)
  }

  withoutFalseNegatives(): number {
    return this.meanAp(
      this.standing(),
      this.positives.map((count, label) => count - this.unfound[label]!),
    )
  }

  private standing(): Point[] {
    return [...this.list.flatMap(({ point }) => (point === undefined ? [] : [point])), ...this.hits]
  }

  /** Mean over the classes with points or positives; 0 for a class without positives, 1 if no class is left. */
  meanAp(points: readonly Point[], positives: Int32Array): number {
    const order = descendingOrder(Float64Array.from(points, (point) => point.score))
    const labels = Int32Array.from(points, (point) => point.label)
    const groups = groupBy(order, labels, this.truths.classes)
    const flag = Uint8Array.from(groups.order, (i) => (points[i]!.correct ? TRUE_POSITIVE : FALSE_POSITIVE))
    let sum = 0
    let classes = 0
    for (let label = 0; label < this.truths.classes; label++) {
      const first = groups.start[label]!
      const count = groups.start[label + 1]! - first
      if (count === 0 && positives[label] === 0) continue
      classes++
      if (positives[label]! > 0) {
        sum += averagePrecision({ flag, first, count, positives: positives[label]! }, '101')
      }
    }
    return classes === 0 ? 1 : sum / classes
  }
}

function findMistakes(
  truths: Truths,
  detections: Detections,
  foreground: number,
  background: number,
  maxDetections: number,
): Outcome {
  const outcome = new Outcome(truths, detections.score)
  const isIgnored = (row: number) => truths.crowd?.[row] === 1 || truths.difficult?.[row] === 1
  const ranked = groupBy(descendingOrder(detections.score), detections.image, truths.images)
  const listed = groupBy(indices(truths.image.length), truths.image, truths.images)
  const groups = Array.from({ length: truths.images }, (_, image) => ({
    image,
    first: ranked.start[image]!,
    end: Math.min(ranked.start[image + 1]!, ranked.start[image]! + maxDetections),
    firstTruth: listed.start[image]!,
    endTruth: listed.start[image + 1]!,
  }))
  const regions = Uint8Array.from(truths.image, (_, row) => (isIgnored(row) ? 1 : 0))
  const order = { detections: ranked.order, truths: listed.order }
  eachGroup({ detections, truths }, order, groups, { regions }, (group, measured) => {
    const { image } = group
    const rows = ranked.order.subarray(group.first, group.end)
    const all = listed.order.subarray(group.firstTruth, group.endTruth)
    const places = Array.from(all.keys())
    const targetPlaces = places.filter((place) => regions[all[place]!] === 0)
    const regionPlaces = places.filter((place) => regions[all[place]!] === 1)
    const targets = targetPlaces.map((place) => all[place]!)
    // [detection][target], and the detection that took each target
    const overlaps = Array.from(rows, (_, d) =>
      Float64Array.from(targetPlaces, (place) => measured[d * all.length + place]!),
    )
    const taker = new Int32Array(targets.length).fill(-1)
    const sameClass = (row: number, k: number) => truths.label[targets[k]!] === detections.label[row]

    const isHit = Array.from(rows, (row, d) => {
      const best = argmax(overlaps[d]!, (k) => taker[k]! < 0 && sameClass(row, k))
      if (best < 0 || overlaps[d]![best]! < foreground) return false
      taker[best] = row
      return true
    })
    rows.forEach((row, d) => {
      const point = { label: detections.label[row]!, score: detections.score[row]!, correct: isHit[d]! }
      if (isHit[d]) {
        outcome.points.push(point)
        outcome.hits.push(point)
        return
      }
      const forgiven = regionPlaces.some(
        (place) =>
          truths.label[all[place]!] === detections.label[row] &&
          measured[d * all.length + place]! > foreground,
      )
      if (!forgiven) outcome.points.push(point)
      const found = classify(overlaps[d]!, (k) => sameClass(row, k), taker, foreground, background)
      const truth = found.index < 0 ? undefined : targets[found.index]!
      const mendable = found.kind === 'class' || found.kind === 'localisation'
      outcome.add({
        kind: found.kind,
        image,
        detection: row,
        ...(truth !== undefined && { truth }),
        ...(!forgiven && { point }),
        ...(mendable && truth !== undefined && taker[found.index]! < 0 && { target: truth }),
      })
    })
    targets.forEach((truth, k) => {
      outcome.positives[truths.label[truth]!]!++
      if (taker[k]! >= 0) return
      outcome.unfound[truths.label[truth]!]!++
      if (!outcome.rescuer.has(truth)) outcome.add({ kind: 'missed', image, truth })
    })
  })
  return outcome
}

/** The kind of a detection that is not a hit, and the target concerned (-1 for none). */
function classify(
  overlap: Float64Array,
  sameClass: (k: number) => boolean,
  taker: Int32Array,
  foreground: number,
  background: number,
): { readonly kind: MistakeKind; readonly index: number } {
  const own = argmax(overlap, sameClass)
  if (own >= 0 && background <= overlap[own]! && overlap[own]! <= foreground) {
    return { kind: 'localisation', index: own }
  }
  const other = argmax(overlap, (k) => !sameClass(k))
  if (other >= 0 && overlap[other]! >= foreground) return { kind: 'class', index: other }
  const taken = argmax(overlap, (k) => sameClass(k) && taker[k]! >= 0)
  if (taken >= 0 && overlap[taken]! >= foreground) return { kind: 'duplicate', index: taken }
  return { kind: overlap.every((value) => value <= background) ? 'background' : 'both', index: -1 }
}

/** Index of the first largest allowed value, -1 if none is allowed. */
function argmax(values: Float64Array, allowed: (index: number) => boolean): number {
  let best = -1
  for (let i = 0; i < values.length; i++) {
    if (allowed(i) && (best < 0 || values[i]! > values[best]!)) best = i
  }
  return best
}

const worstSchema = z
  .object({ count: z.number().int().min(0).default(10), minScore: z.number().default(0.3) })
  .strict()

/**
 * Images with the most mistakes, worst first: mistakes of detections scored at least `minScore`, and missed
 * truths. Ties keep the order of images; images without mistakes are left out.
 */
export function worstImages(
  result: MistakesResult,
  detections: Detections,
  options: { readonly count?: number; readonly minScore?: number } = {},
): readonly { readonly image: number; readonly mistakes: readonly Mistake[] }[] {
  const { count, minScore } = parseDocument(options, worstSchema, 'worstImages options')
  const perImage = new Map<number, Mistake[]>()
  for (const mistake of result.list) {
    if (mistake.detection !== undefined && detections.score[mistake.detection]! < minScore) continue
    const list = perImage.get(mistake.image)
    if (list === undefined) perImage.set(mistake.image, [mistake])
    else list.push(mistake)
  }
  return [...perImage]
    .map(([image, list]) => ({ image, mistakes: list }))
    .sort((a, b) => b.mistakes.length - a.mistakes.length || a.image - b.image)
    .slice(0, count)
}
