/** Finds the mistakes of every image by TIDE's rules; what they mean stands in mistakes.ts. */
import { type MistakeKind, Outcome } from './mistake-outcome'
import { eachGroup } from './overlaps'
import { descendingOrder, groupBy, indices } from './ranking'
import type { Detections, Truths } from './types'

export interface MistakeLimits {
  /** IoU from which on a box is in the right place. */
  readonly foreground: number
  /** IoU up to which a box is on the background. */
  readonly background: number
  /** Number of best detections considered per image. */
  readonly maxDetections: number
}

/** Mistakes and hits, in the order of images and scores. */
export function findMistakes(truths: Truths, detections: Detections, limits: MistakeLimits): Outcome {
  const outcome = new Outcome(truths, detections.score)
  const ranked = groupBy(descendingOrder(detections.score), detections.image, truths.images)
  const listed = groupBy(indices(truths.image.length), truths.image, truths.images)
  const groups = Array.from({ length: truths.images }, (_, image) => ({
    image,
    first: ranked.start[image]!,
    end: Math.min(ranked.start[image + 1]!, ranked.start[image]! + limits.maxDetections),
    firstTruth: listed.start[image]!,
    endTruth: listed.start[image + 1]!,
  }))
  const isRegion = (row: number) => truths.crowd?.[row] === 1 || truths.difficult?.[row] === 1
  const regions = Uint8Array.from(truths.image, (_, row) => (isRegion(row) ? 1 : 0))
  const order = { detections: ranked.order, truths: listed.order }
  eachGroup({ detections, truths }, order, groups, { regions }, (group, measured) => {
    const rows = ranked.order.subarray(group.first, group.end)
    const all = listed.order.subarray(group.firstTruth, group.endTruth)
    const places = Array.from(all.keys())
    const targetPlaces = places.filter((place) => regions[all[place]!] === 0)
    const regionPlaces = places.filter((place) => regions[all[place]!] === 1)
    const overlapsOf = (d: number) => measured.subarray(d * all.length, (d + 1) * all.length)
    const found = Array.from(rows, (row, d): Found => {
      const overlaps = overlapsOf(d)
      return {
        row,
        overlaps: Float64Array.from(targetPlaces, (place) => overlaps[place]!),
        isForgiven: regionPlaces.some(
          (place) =>
            truths.label[all[place]!] === detections.label[row] && overlaps[place]! > limits.foreground,
        ),
      }
    })
    const targets = targetPlaces.map((place) => all[place]!)
    addImage(outcome, { image: group.image, found, targets }, { truths, detections, limits })
  })
  return outcome
}

/** A detection of an image. */
interface Found {
  readonly row: number
  /** [targets] */
  readonly overlaps: Float64Array
  /** Whether it lies in an ignore region of its class. */
  readonly isForgiven: boolean
}

/** Matches the detections of an image, in descending order of score, with the truths there that count. */
function addImage(
  outcome: Outcome,
  { image, found, targets }: { image: number; found: readonly Found[]; targets: readonly number[] },
  { truths, detections, limits }: { truths: Truths; detections: Detections; limits: MistakeLimits },
): void {
  /** The detection that took each target. */
  const taker = new Int32Array(targets.length).fill(-1)
  const sameClass = (row: number) => (k: number) => truths.label[targets[k]!] === detections.label[row]
  const isHit = found.map(({ row, overlaps }) => {
    const isOfClass = sameClass(row)
    const best = argmax(overlaps, (k) => taker[k]! < 0 && isOfClass(k))
    if (best < 0 || overlaps[best]! < limits.foreground) return false
    taker[best] = row
    return true
  })
  found.forEach(({ row, overlaps, isForgiven }, d) => {
    const point = { label: detections.label[row]!, score: detections.score[row]!, correct: isHit[d]! }
    if (isHit[d] || !isForgiven) outcome.points.push(point)
    if (isHit[d]) {
      outcome.hits.push(point)
      return
    }
    const { kind, index } = classify(overlaps, sameClass(row), taker, limits)
    const truth = index < 0 ? undefined : targets[index]!
    const mendable = kind === 'class' || kind === 'localisation'
    outcome.add({
      kind,
      image,
      detection: row,
      ...(truth !== undefined && { truth }),
      ...(!isForgiven && { point }),
      ...(mendable && truth !== undefined && taker[index]! < 0 && { target: truth }),
    })
  })
  targets.forEach((truth, k) => {
    outcome.positives[truths.label[truth]!]!++
    if (taker[k]! >= 0) return
    outcome.unfound[truths.label[truth]!]!++
    if (!outcome.rescuer.has(truth)) outcome.add({ kind: 'missed', image, truth })
  })
}

/** The kind of a detection that is not a hit, and the target concerned (-1 for none). */
function classify(
  overlap: Float64Array,
  sameClass: (k: number) => boolean,
  taker: Int32Array,
  { foreground, background }: MistakeLimits,
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
