/** What a detector finds and misses at one score: object by object, and as recall by class and size. */
import { FALSE_POSITIVE } from './average-precision'
import { areaOf, matchCoco } from './coco-matching'
import { SIDES } from './size'
import type { Detections, Truths } from './types'

/** Where a detector is used: the score from which on its boxes count, and the overlap that makes a box a hit. */
export interface OperatingPoint {
  /** Least score of a box that counts. */
  readonly minScore: number
  /** Default 0.5. */
  readonly iouThreshold?: number
}

/** What became of every object and box at an operating point. */
export interface Found {
  /** [truths] 1 where a box found it; 0 for crowds, which are no objects. */
  readonly found: Uint8Array
  /** [classes] boxes that found nothing. */
  readonly wrong: Int32Array
}

/**
 * Matches the boxes from a score on with the objects, by COCO's rule (`evaluateCoco`) at one IoU threshold, with all areas and
 * at most 100 boxes an image and class. Oracle: pycocotools' `gtMatches`.
 */
export function findTruths(
  truths: Truths,
  detections: Detections,
  { minScore, iouThreshold = 0.5 }: OperatingPoint,
): Found {
  const found = new Uint8Array(truths.image.length)
  const wrong = new Int32Array(truths.classes)
  matchCoco(
    truths,
    scoredFrom(detections, minScore),
    {
      iouThresholds: [iouThreshold],
      areaRanges: [[0, Number.POSITIVE_INFINITY]],
      maxDetections: 100,
      onTaken: (truth) => {
        if (truths.crowd?.[truth] !== 1) found[truth] = 1
      },
    },
    ({ label, flag }) => {
      wrong[label] = flag.reduce((sum, kind) => sum + (kind === FALSE_POSITIVE ? 1 : 0), 0)
    },
  )
  return { found, wrong }
}

function scoredFrom({ image, label, score, box, size }: Detections, minScore: number): Detections {
  const rows = Array.from(score.keys()).filter((row) => score[row]! >= minScore)
  const parts = (values: Float64Array, width: number) =>
    Float64Array.from(rows.flatMap((row) => [...values.subarray(width * row, width * (row + 1))]))
  return {
    image: Int32Array.from(rows, (row) => image[row]!),
    label: Int32Array.from(rows, (row) => label[row]!),
    score: Float64Array.from(rows, (row) => score[row]!),
    box: parts(box, 4),
    ...(size && { size: parts(size, 2) }),
  }
}

/** Objects of one class and size. */
export interface ObjectGroup {
  readonly label: number
  /** "small". */
  readonly size: string
  /** Rows of the truths. */
  readonly rows: readonly number[]
}

/**
 * The objects that are no crowds by class, then by size, without empty groups. A side is the root of an object's area; an object
 * belongs where low <= side < high, so that each is counted once.
 *
 * @param sides names with the limits of the side in pixels; default: COCO's sizes, small split in two
 */
export function byClassAndSize(
  truths: Truths,
  sides: readonly (readonly [name: string, low: number, high: number])[] = SIDES,
): ObjectGroup[] {
  const groups = new Map<string, ObjectGroup & { rows: number[] }>()
  const named = (label: number, size: string) => `${label}/${size}`
  for (let label = 0; label < truths.classes; label++)
    for (const [size] of sides) groups.set(named(label, size), { label, size, rows: [] })
  truths.label.forEach((label, row) => {
    if (truths.crowd?.[row] === 1) return
    const side = sideOf(truths, row)
    const size = sides.find(([, low, high]) => low <= side && side < high)?.[0]
    if (size !== undefined) groups.get(named(label, size))?.rows.push(row)
  })
  return [...groups.values()].filter(({ rows }) => rows.length > 0)
}

/** Root of an object's area, in pixels. */
export function sideOf(truths: Truths, row: number): number {
  return Math.sqrt(truths.area?.[row] ?? areaOf(truths, row))
}
