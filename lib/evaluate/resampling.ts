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
  /** The rows of `image` that are an event at some threshold, ascending: where the weights so far are looked at. */
  readonly stops: Int32Array
  /** By threshold; their rows count in `stops`. */
  readonly events: readonly RankedEvents[]
}

/**
 * For each resample the mean of average precision over the table's IoU thresholds and classes: `meanApFromTable` of every threshold,
 * and their mean, to the bit.
 *
 * Most detections are false positives at every threshold. So their weights are added up once for all thresholds, from one event to
 * the next, and each threshold then looks at its hits alone: ten thresholds take little longer than one.
 *
 * @param resamples how often each image counts
 */
export function valuesOfResamples(table: MatchTable, resamples: readonly Int32Array[]): number[] {
  const interpolation: Interpolation = table.rule === 'voc' ? 'all' : '101'
  const rankings = Array.from({ length: table.classes }, (_, label) => rankingOf(table, label))
  const totals = new Float64Array(Math.max(0, ...rankings.map(({ stops }) => stops.length)))
  return resamples.map((ofImage) => {
    const sums = new Float64Array(table.iouThresholds.length)
    let defined = 0
    for (const { label, image, stops, events } of rankings) {
      const positives = positivesOf(table, label, ofImage)
      if (positives === 0) continue
      defined++
      addUp(ofImage, image, stops, totals)
      for (let t = 0; t < events.length; t++)
        sums[t]! += averagePrecisionOfEvents(events[t]!, totals, { ofImage, positives }, interpolation)
    }
    let sum = 0
    for (const ofThreshold of sums) sum += ofThreshold / defined
    return sum / sums.length
  })
}

/** The weights of the images up to each stop, this one included. */
function addUp(ofImage: Int32Array, image: Int32Array, stops: Int32Array, totals: Float64Array): void {
  let total = 0
  let i = 0
  for (let s = 0; s < stops.length; s++) {
    for (const stop = stops[s]!; i <= stop; i++) total += ofImage[image[i]!]!
    totals[s] = total
  }
}

function rankingOf(table: MatchTable, label: number): Ranking {
  const { iouThresholds, row, flag, image } = table
  const [hit, none] = [TRUE_POSITIVE, IGNORED] // locals: reading an import calls its getter, which is slow in a loop
  const [first, end] = [table.start[label]!, table.start[label + 1]!]
  const offsets = iouThresholds.map((_, t) => t * row.length)
  const kept: number[] = []
  const stops: number[] = []
  let [length, stopped] = [0, 0]
  for (let i = first; i < end; i++) {
    let [ignored, hits] = [0, 0]
    for (const offset of offsets) {
      const kind = flag[offset + i]
      if (kind === none) ignored++
      else if (kind === hit) hits++
    }
    if (ignored === offsets.length) continue
    if (ignored + hits > 0) stops.push(kept.length)
    kept.push(i)
    if (hits > 0) [length, stopped] = [kept.length, stops.length]
  }
  // Behind the last hit nothing counts.
  const places = stops.slice(0, stopped)
  const events = offsets.map((offset): RankedEvents => {
    const isEvent = (stop: number) =>
      flag[offset + kept[stop]!] === hit || flag[offset + kept[stop]!] === none
    const rows = places.flatMap((stop, s) => (isEvent(stop) ? s : []))
    return {
      row: Int32Array.from(rows),
      image: Int32Array.from(rows, (s) => image[kept[places[s]!]!]!),
      isHit: Uint8Array.from(rows, (s) => Number(flag[offset + kept[places[s]!]!] === hit)),
    }
  })
  return {
    label,
    image: Int32Array.from(kept.slice(0, length), (i) => image[i]!),
    stops: Int32Array.from(places),
    events,
  }
}
