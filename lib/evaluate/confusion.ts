import { z } from 'zod'
import { parseDocument, type Schema } from '../base'
import { checkColumns } from './columns'
import { iouSchema } from './options'
import { eachGroup, type PairGroup } from './overlaps'
import { descendingOrder, type Groups, groupBy, indices } from './ranking'
import type { Detections, Truths } from './types'

/** Which class is detected as which. */
export interface ConfusionMatrix {
  readonly classes: number
  /**
   * counts[truth][detected], (classes + 1) squared. Row `classes` is the background (detections without a
   * truth); column `classes` counts missed truths.
   */
  readonly counts: readonly (readonly number[])[]
}

/** The operating point of a confusion matrix. */
export interface ConfusionOptions {
  readonly iouThreshold?: number
  /** Detections below it are left out; a confusion matrix describes one operating point. */
  readonly scoreThreshold?: number
}

const optionsSchema: Schema<Required<ConfusionOptions>> = z
  .object({ iouThreshold: iouSchema.default(0.5), scoreThreshold: z.number().default(0.25) })
  .strict()

/**
 * Counts which class is taken for which. In each image, pairs of IoU >= iouThreshold are joined one to one,
 * whatever their classes, in descending order of IoU (ties: equal classes first, then the better score).
 * Crowd and difficult truths are not counted; they absorb remaining detections that overlap them (for crowds
 * the overlap is divided by the detection's area).
 */
export function confusionMatrix(
  truths: Truths,
  detections: Detections,
  options: ConfusionOptions = {},
): ConfusionMatrix {
  const { iouThreshold, scoreThreshold } = parseDocument(options, optionsSchema, 'confusionMatrix options')
  checkColumns(truths, detections)
  const { classes } = truths
  const counts = Array.from({ length: classes + 1 }, () => new Array<number>(classes + 1).fill(0))
  const ranked = groupBy(descendingOrder(detections.score), detections.image, truths.images)
  const listed = groupBy(indices(truths.image.length), truths.image, truths.images)
  const absorbs = (row: number) => truths.crowd?.[row] === 1 || truths.difficult?.[row] === 1
  const joined = new Uint8Array(detections.image.length)
  const absorbed = new Uint8Array(detections.image.length)
  const found = new Uint8Array(truths.image.length)

  /** Pairs of the current image, in descending order of score. */
  let pairs: Pair[] = []
  let current = -1
  const joinPairs = () => {
    pairs.sort((a, b) => b.overlap - a.overlap || Number(b.agree) - Number(a.agree)) // stable: by score
    for (const { row, target } of pairs) {
      if (joined[row] === 1 || found[target] === 1) continue
      joined[row] = 1
      found[target] = 1
      counts[truths.label[target]!]![detections.label[row]!]!++
    }
    pairs = []
  }
  const order = { detections: ranked.order, truths: listed.order }
  const groups = detectionsOfImages(detections, ranked, listed, scoreThreshold)
  eachGroup({ detections, truths }, order, groups, { regions: truths.crowd }, (group, overlaps) => {
    if (group.image !== current) joinPairs()
    current = group.image
    const row = ranked.order[group.first]!
    overlaps.forEach((overlap, i) => {
      if (overlap < iouThreshold) return
      const target = listed.order[group.firstTruth + i]!
      if (absorbs(target)) absorbed[row] = 1
      else pairs.push({ row, target, overlap, agree: detections.label[row] === truths.label[target] })
    })
  })
  joinPairs()
  truths.label.forEach((label, target) => {
    if (found[target] === 0 && !absorbs(target)) counts[label]![classes]!++
  })
  detections.label.forEach((label, row) => {
    const isLeft = joined[row] === 0 && absorbed[row] === 0
    if (isLeft && detections.score[row]! >= scoreThreshold) counts[classes]![label]!++
  })
  return { classes, counts }
}

/** A detection and a truth of one image that overlap enough to be joined. */
interface Pair {
  readonly row: number
  readonly target: number
  readonly overlap: number
  readonly agree: boolean
}

/** Every counted detection, image by image and in descending order of score, with the truths of its image. */
function* detectionsOfImages(
  { score }: Detections,
  ranked: Groups,
  listed: Groups,
  scoreThreshold: number,
): Generator<PairGroup & { readonly image: number }, void> {
  for (let image = 0; image < ranked.start.length - 1; image++) {
    const [firstTruth, endTruth] = [listed.start[image]!, listed.start[image + 1]!]
    if (firstTruth === endTruth) continue
    for (let d = ranked.start[image]!; d < ranked.start[image + 1]!; d++) {
      if (score[ranked.order[d]!]! < scoreThreshold) break
      yield { image, first: d, end: d + 1, firstTruth, endTruth }
    }
  }
}
