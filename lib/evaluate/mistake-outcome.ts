/** Mistakes, and what mAP would be without some of them. */
import { averagePrecision, FALSE_POSITIVE, TRUE_POSITIVE } from './average-precision'
import { descendingOrder, groupBy } from './ranking'
import type { Truths } from './types'

/** TIDE's kinds, in its order. */
export const MISTAKE_KINDS = ['class', 'localisation', 'both', 'duplicate', 'background', 'missed'] as const

/** A kind of mistake, as in TIDE. */
export type MistakeKind = (typeof MISTAKE_KINDS)[number]

/** One mistake of a detector. */
export interface Mistake {
  readonly kind: MistakeKind
  readonly image: number
  /** Row of the wrong detection; absent for `missed`. */
  readonly detection?: number
  /** Row of the truth that it should have found, that was taken before it, or that was missed; absent otherwise. */
  readonly truth?: number
}

/** A point of a class's precision-recall curve. */
export interface Point {
  readonly label: number
  readonly score: number
  readonly correct: boolean
}

/** A mistake with its point before fixing (undefined if forgiven) and after (undefined if removed). */
export interface Mendable extends Mistake {
  readonly point?: Point
  /** The free truth that fixing this would find. */
  readonly target?: number
}

/** What became of the detections and truths, image by image. */
export class Outcome {
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
