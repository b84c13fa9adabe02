import { inFloat64 } from '../engine'
import { assignGreedily, type Proposals } from './assignment'
import { IGNORED, TRUE_POSITIVE } from './average-precision'
import type { CocoMatching } from './coco-types'
import type { OverlapMeter, PairGroup } from './overlaps'
import { descendingOrder } from './ranking'

/** Pairs that reach the lowest threshold, group by group and detection by detection. */
interface Candidates {
  readonly count: number
  /** [count] number into kept.byImage */
  readonly detection: Int32Array
  /** [count] number into truthRows.order */
  readonly truth: Int32Array
  readonly overlap: Float64Array
  /** [groups + 1] */
  readonly start: Int32Array
}

/** The detections of a group that have candidates, matched under one division of its truths. */
interface Division {
  /** Area ranges in which the truths are so divided. */
  readonly ranges: readonly number[]
  /** Rows of the proposals' detections. */
  readonly first: number
  readonly end: number
}

/** Matches the detections and truths of some images and classes; overwrites the flags of those that take a truth. */
export function matchBlock(
  matching: CocoMatching,
  meter: OverlapMeter,
  groups: readonly PairGroup[],
  flag: Uint8Array,
): void {
  const thresholds = Float64Array.from(matching.options.iouThresholds, (value) => Math.min(value, 1 - 1e-10))
  const candidates = findCandidates(matching, meter, groups, Math.min(...thresholds))
  if (candidates.count === 0) return
  const { preference, byPreference } = preferences(candidates)
  const { proposals, divisions, detectionOf } = propose(matching, groups, candidates, preference)
  const taken = inFloat64((device) => assignGreedily(device, proposals, thresholds))

  const { kept, truthRows, ignored, truths, detections } = matching
  const settings = matching.options.areaRanges.length * thresholds.length
  for (const { ranges, first, end } of divisions) {
    for (let row = first; row < end; row++) {
      const place = kept.byImage[detectionOf[row]!]!
      const label = detections.label[kept.row[place]!]!
      const start = kept.start[label]!
      const count = kept.start[label + 1]! - start
      for (let t = 0; t < thresholds.length; t++) {
        const key = taken[row * thresholds.length + t]!
        if (key < 0) continue
        const candidate = byPreference[key > candidates.count ? key - candidates.count : key]!
        const truth = truthRows.order[candidates.truth[candidate]!]!
        for (const range of ranges) {
          const counts = ignored[range * truths.image.length + truth] === 0
          const at = settings * start + (range * thresholds.length + t) * count + place - start
          flag[at] = counts ? TRUE_POSITIVE : IGNORED
        }
      }
    }
  }
}

function findCandidates(
  { kept, truthRows }: CocoMatching,
  meter: OverlapMeter,
  groups: readonly PairGroup[],
  lowest: number,
): Candidates {
  const measured = meter.measureGroups(kept.rowOf, truthRows.order, groups)
  const detection = new Int32Array(measured.length)
  const truth = new Int32Array(measured.length)
  const overlap = new Float64Array(measured.length)
  const start = new Int32Array(groups.length + 1)
  let count = 0
  let pair = 0
  groups.forEach(({ first, end, firstTruth, endTruth }, i) => {
    for (let d = first; d < end; d++) {
      for (let g = firstTruth; g < endTruth; g++) {
        const value = measured[pair++]!
        if (value < lowest) continue
        detection[count] = d
        truth[count] = g
        overlap[count] = value
        count++
      }
    }
    start[i + 1] = count
  })
  return { count, detection, truth, overlap: overlap.subarray(0, count), start }
}

/** Larger for larger overlaps and, of equal ones, for later truths: 1 .. count, each once; and back from them. */
function preferences({ count, overlap }: Candidates): { preference: Float64Array; byPreference: Int32Array } {
  const preference = new Float64Array(count)
  const byPreference = new Int32Array(count + 1)
  // Equal values keep their order, so the later truths come first in a reversed list.
  descendingOrder(overlap.slice().reverse()).forEach((reversed, place) => {
    const candidate = count - 1 - reversed
    preference[candidate] = count - place
    byPreference[count - place] = candidate
  })
  return { preference, byPreference }
}

/**
 * The candidates as proposals, a group again for every way in which the area ranges divide its truths into those that
 * count and those that do not. A truth that counts is preferred by `count` more than one that does not; where all or none
 * count it makes no difference, and that is the rule.
 */
function propose(
  matching: CocoMatching,
  groups: readonly PairGroup[],
  candidates: Candidates,
  preference: Float64Array,
): { proposals: Proposals; divisions: Division[]; detectionOf: number[] } {
  const { truths, truthRows, ignored, options } = matching
  const columns = {
    detection: [],
    truth: [],
    overlap: [],
    preference: [],
    priority: [],
    shared: [],
  } as Record<Exclude<keyof Proposals, 'detections' | 'truths'>, number[]>
  const divisions: Division[] = []
  const detectionOf: number[] = []
  let truthCount = 0
  groups.forEach((group, i) => {
    const [begin, stop] = [candidates.start[i]!, candidates.start[i + 1]!]
    if (begin === stop) return
    const rows = truthRows.order.subarray(group.firstTruth, group.endTruth)
    for (const { ranges, mixed } of divide(rows, ignored, options.areaRanges.length, truths.image.length)) {
      const first = detectionOf.length
      let last = -1
      for (let c = begin; c < stop; c++) {
        const detection = candidates.detection[c]!
        if (detection !== last) detectionOf.push(detection)
        last = detection
        const row = truthRows.order[candidates.truth[c]!]!
        const counts = mixed && ignored[ranges[0]! * truths.image.length + row] === 0
        columns.detection.push(detectionOf.length - 1)
        columns.truth.push(truthCount + candidates.truth[c]! - group.firstTruth)
        columns.overlap.push(candidates.overlap[c]!)
        columns.preference.push(preference[c]! + (counts ? candidates.count : 0))
        columns.priority.push(group.end - detection)
        columns.shared.push(truths.crowd?.[row] ?? 0)
      }
      truthCount += rows.length
      divisions.push({ ranges, first, end: detectionOf.length })
    }
  })
  const proposals: Proposals = {
    detections: detectionOf.length,
    truths: truthCount,
    detection: Int32Array.from(columns.detection),
    truth: Int32Array.from(columns.truth),
    overlap: Float64Array.from(columns.overlap),
    preference: Float64Array.from(columns.preference),
    priority: Float64Array.from(columns.priority),
    shared: Uint8Array.from(columns.shared),
  }
  return { proposals, divisions, detectionOf }
}

/** The area ranges by how they divide these truths; `mixed` where some count and some do not. */
function divide(
  rows: Int32Array,
  ignored: Uint8Array,
  areaRanges: number,
  truths: number,
): { ranges: number[]; mixed: boolean }[] {
  const found = new Map<string, { ranges: number[]; mixed: boolean }>()
  for (let range = 0; range < areaRanges; range++) {
    let key = ''
    for (const row of rows) key += ignored[range * truths + row]
    const mixed = key.includes('0') && key.includes('1')
    const name = mixed ? key : ''
    const known = found.get(name)
    if (known === undefined) found.set(name, { ranges: [range], mixed })
    else known.ranges.push(range)
  }
  return [...found.values()]
}
