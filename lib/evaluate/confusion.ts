import { checkColumns } from './columns'
import { eachGroup } from './overlaps'
import { descendingOrder, groupBy, indices } from './ranking'
import type { Detections, Truths } from './types'

export interface ConfusionMatrix {
  readonly classes: number
  /**
   * counts[truth][detected], (classes + 1) squared. Row `classes` is the background (detections that no
   * truth explains), column `classes` is what was not found.
   */
  readonly counts: readonly (readonly number[])[]
}

export interface ConfusionOptions {
  readonly iouThreshold?: number
  /** Detections below it are left out; a confusion matrix describes one working point. */
  readonly scoreThreshold?: number
}

/**
 * Which class is taken for which. In each image, pairs of IoU >= iouThreshold are joined one to one,
 * whatever their classes, in descending order of IoU (ties: equal classes first, then the better score).
 * Crowd and difficult truths are counted nowhere; they absorb what is left over and overlaps them (crowds:
 * measured over the detection's area).
 */
export function confusionMatrix(
  truths: Truths,
  detections: Detections,
  options: ConfusionOptions = {},
): ConfusionMatrix {
  const { iouThreshold = 0.5, scoreThreshold = 0.25 } = options
  checkColumns(truths, detections)
  const { classes } = truths
  const counts = Array.from({ length: classes + 1 }, () => new Array<number>(classes + 1).fill(0))
  const ranked = groupBy(descendingOrder(detections.score), detections.image, truths.images)
  const listed = groupBy(indices(truths.image.length), truths.image, truths.images)
  const groups = Array.from({ length: truths.images }, (_, image) => {
    const first = ranked.start[image]!
    let end = first
    while (end < ranked.start[image + 1]! && detections.score[ranked.order[end]!]! >= scoreThreshold) end++
    return { first, end, firstTruth: listed.start[image]!, endTruth: listed.start[image + 1]! }
  })
  const absorbs = (row: number) => truths.crowd?.[row] === 1 || truths.difficult?.[row] === 1
  const order = { detections: ranked.order, truths: listed.order }
  eachGroup({ detections, truths }, order, groups, { regions: truths.crowd }, (group, overlaps) => {
    const rows = ranked.order.subarray(group.first, group.end)
    const all = listed.order.subarray(group.firstTruth, group.endTruth)
    const targets = all.filter((row) => !absorbs(row))

    const pairs: { row: number; target: number; overlap: number; agree: boolean }[] = []
    const absorbed = new Set<number>()
    rows.forEach((row, d) => {
      all.forEach((target, g) => {
        const overlap = overlaps[d * all.length + g]!
        if (overlap < iouThreshold) return
        if (absorbs(target)) absorbed.add(row)
        else pairs.push({ row, target, overlap, agree: detections.label[row] === truths.label[target] })
      })
    })
    pairs.sort((a, b) => b.overlap - a.overlap || Number(b.agree) - Number(a.agree)) // stable: by score
    const joined = new Set<number>()
    const found = new Set<number>()
    for (const { row, target } of pairs) {
      if (joined.has(row) || found.has(target)) continue
      joined.add(row)
      found.add(target)
      counts[truths.label[target]!]![detections.label[row]!]!++
    }
    for (const target of targets) if (!found.has(target)) counts[truths.label[target]!]![classes]!++
    for (const row of rows)
      if (!joined.has(row) && !absorbed.has(row)) counts[classes]![detections.label[row]!]!++
  })
  return { classes, counts }
}
