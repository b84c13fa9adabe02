/** A match table on many resamples of its images, faster than one by one. */
import {
  averagePrecisionOfEvents,
  IGNORED,
  type Interpolation,
  type RankedEvents,
  TRUE_POSITIVE,
} from './average-precision'
import { type MatchTable, positivesOf } from './match-table'

/** What all resamples have in common of one class. */
interface Ranking {
  readonly label: number
  /** Images of the ranked detections, without those that count at no threshold and those behind the last hit. */
  readonly image: Int32Array
  /** By threshold. */
  readonly events: readonly RankedEvents[]
}

/**
 * For each resample the mean of average precision over the table's IoU thresholds and classes: `meanApFromTable` of every threshold,
 * and their mean, to the bit.
 *
 * Most detections are false positives at every threshold. So their weights are added up once for all thresholds, and each of these
 * then looks at its hits alone: ten thresholds take little longer than one.
 *
 * @param resamples how often each image counts
 */
export function valuesOfResamples(table: MatchTable, resamples: readonly Int32Array[]): number[] {
  const interpolation: Interpolation = table.rule === 'voc' ? 'all' : '101'
  const rankings = Array.from({ length: table.classes }, (_, label) => rankingOf(table, label))
  const totals = new Float64Array(Math.max(0, ...rankings.map(({ image }) => image.length)))
  return resamples.map((ofImage) => {
    const sums = new Float64Array(table.iouThresholds.length)
    let defined = 0
    for (const { label, image, events } of rankings) {
      const positives = positivesOf(table, label, ofImage)
      if (positives === 0) continue
      defined++
      let total = 0
      for (let i = 0; i < image.length; i++) {
        total += ofImage[image[i]!]!
        totals[i] = total
      }
      for (let t = 0; t < events.length; t++)
        sums[t]! += averagePrecisionOfEvents(events[t]!, totals, { ofImage, positives }, interpolation)
    }
    let sum = 0
    for (const ofThreshold of sums) sum += ofThreshold / defined
    return sum / sums.length
  })
}

function rankingOf(table: MatchTable, label: number): Ranking {
  const { iouThresholds, row, flag } = table
  const [first, end] = [table.start[label]!, table.start[label + 1]!]
  const thresholds = iouThresholds.map((_, t) => t * row.length)
  const kept: number[] = []
  let length = 0
  for (let i = first; i < end; i++) {
    if (thresholds.every((offset) => flag[offset + i] === IGNORED)) continue
    kept.push(i)
    if (thresholds.some((offset) => flag[offset + i] === TRUE_POSITIVE)) length = kept.length
  }
  const rows = kept.slice(0, length)
  const events = thresholds.map((offset): RankedEvents => {
    const places = rows.flatMap((i, place) => {
      const kind = flag[offset + i]!
      return kind === TRUE_POSITIVE || kind === IGNORED ? place : []
    })
    return {
      row: Int32Array.from(places),
      image: Int32Array.from(places, (place) => table.image[rows[place]!]!),
      isHit: Uint8Array.from(places, (place) => Number(flag[offset + rows[place]!] === TRUE_POSITIVE)),
    }
  })
  return { label, image: Int32Array.from(rows, (i) => table.image[i]!), events }
}
