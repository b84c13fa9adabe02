import { z } from 'zod'
import { parseDocument, type Schema } from '../base'
import {
  averagePrecision,
  FALSE_POSITIVE,
  IGNORED,
  INTERPOLATIONS,
  type Interpolation,
  TRUE_POSITIVE,
} from './average-precision'
import { COCO_AREA_RANGES, COCO_IOU_THRESHOLDS } from './coco'
import { ignoredTruths, matchCoco } from './coco-matching'
import { expectArray } from './columns'
import { areaRangeSchema, iouSchema, limitSchema } from './options'
import type { AreaRange, Detections, Truths } from './types'
import { matchVoc } from './voc-matching'

/**
 * What average precision needs to know about every detection and truth, image by image. Since matching never crosses
 * images, AP of any multiset of the images follows without matching again.
 */
export interface MatchTable {
  readonly rule: 'voc' | 'coco'
  readonly images: number
  readonly classes: number
  readonly iouThresholds: readonly number[]
  /** [classes + 1] detections of class k are rows start[k] .. start[k + 1] - 1, in descending order of score. */
  readonly start: Int32Array
  /** [rows] row in the detections that the table was made from */
  readonly row: Int32Array
  /** [rows] */
  readonly image: Int32Array
  /** [rows] */
  readonly score: Float64Array
  /** [iouThresholds, rows] FALSE_POSITIVE, TRUE_POSITIVE or IGNORED */
  readonly flag: Uint8Array
  /** [classes + 1] truths of class k that count are truthImage[truthStart[k]] .. */
  readonly truthStart: Int32Array
  /** [truths that count] the image of each */
  readonly truthImage: Int32Array
}

/** The rule by which detections and truths are matched. */
export interface MatchTableOptions {
  /** The matching rule: VOC's (see `evaluateVoc`) or COCO's (see `evaluateCoco`, all areas). */
  readonly rule?: 'voc' | 'coco'
  readonly iouThresholds?: readonly number[]
  /** VOC: the devkit's + 1 on widths and heights. */
  readonly plusOne?: boolean
  /** COCO: detections kept per image and class. */
  readonly maxDetections?: number
  /** COCO: area in square pixels of the objects that count, both ends included (see `COCO_AREA_RANGES`). Default: all. */
  readonly areaRange?: AreaRange
}

const optionsSchema: Schema<Required<Omit<MatchTableOptions, 'areaRange'>> & MatchTableOptions> = z
  .object({
    rule: z.enum(['voc', 'coco']).default('voc'),
    iouThresholds: z.array(iouSchema).min(1).default([0.5]),
    plusOne: z.boolean().default(false),
    maxDetections: limitSchema.default(100),
    areaRange: areaRangeSchema.optional(),
  })
  .strict()

/**
 * Matches once; see `MatchTable`. Throws an Error on wrong options, on NaN scores and on malformed columns, naming them.
 */
export function matchTable(
  truths: Truths,
  detections: Detections,
  options: MatchTableOptions = {},
): MatchTable {
  const { rule, iouThresholds, plusOne, maxDetections, areaRange } = parseDocument(
    options,
    optionsSchema,
    'matchTable options',
  )
  if (rule === 'voc') return vocTable(truths, detections, iouThresholds, plusOne)
  const areaRanges = [areaRange ?? COCO_AREA_RANGES[0]]
  return tablesOfRanges(truths, detections, { iouThresholds, areaRanges, maxDetections })[0]!
}

/** For every IoU threshold the table that `matchTable` gives for it alone by VOC's rule, all from one matching. */
export function vocTables(
  truths: Truths,
  detections: Detections,
  iouThresholds: readonly number[],
): MatchTable[] {
  const all = matchTable(truths, detections, { rule: 'voc', iouThresholds })
  const rows = all.row.length
  return iouThresholds.map((iou, t) => ({
    ...all,
    iouThresholds: [iou],
    flag: all.flag.subarray(t * rows, (t + 1) * rows),
  }))
}

/** For every range of area the table that `matchTable` gives for it by COCO's rule and at its thresholds, all from one matching. */
export function cocoTables(
  truths: Truths,
  detections: Detections,
  areaRanges: readonly AreaRange[],
): MatchTable[] {
  return tablesOfRanges(truths, detections, {
    iouThresholds: COCO_IOU_THRESHOLDS,
    areaRanges,
    maxDetections: 100,
  })
}

/** Which number is read from a match table. */
export interface TableApOptions {
  readonly iouThresholdIndex?: number
  /** Default: 'all' for a VOC table, '101' for a COCO table. */
  readonly interpolation?: Interpolation
}

/**
 * Mean of average precision over the classes with truths, each image counted weights[image] times (once
 * without weights); NaN if no class has truths. With unit weights it equals `evaluateVoc(...).mAP` and
 * COCO's AP at that threshold. Linear in the detections: a bootstrap calls it for every resample.
 */
export function meanApFromTable(
  table: MatchTable,
  imageWeights?: Int32Array,
  options: TableApOptions = {},
): number {
  let sum = 0
  let defined = 0
  for (const ap of classApFromTable(table, imageWeights, options)) {
    if (Number.isNaN(ap)) continue
    sum += ap
    defined++
  }
  return defined === 0 ? Number.NaN : sum / defined
}

/** Average precision of each class under image weights; NaN for classes without truths. */
export function classApFromTable(
  table: MatchTable,
  imageWeights?: Int32Array,
  options: TableApOptions = {},
): Float64Array {
  const { iouThresholdIndex = 0, interpolation = table.rule === 'voc' ? 'all' : '101' } = options
  // Checked by hand, for speed: a bootstrap calls this for every resample.
  if (!INTERPOLATIONS.includes(interpolation)) {
    throw new RangeError(
      `classApFromTable options: at "interpolation": expected one of ${INTERPOLATIONS.join(', ')}, found "${interpolation}"`,
    )
  }
  if (imageWeights !== undefined) expectArray('imageWeights', imageWeights, 'Int32Array')
  if (imageWeights !== undefined && imageWeights.length !== table.images) {
    throw new RangeError(
      `classApFromTable: expected a weight for each of ${table.images} images, found ${imageWeights.length}`,
    )
  }
  if (!(iouThresholdIndex in table.iouThresholds)) {
    throw new RangeError(
      `classApFromTable: expected an IoU threshold index in 0..${table.iouThresholds.length - 1}, found ${iouThresholdIndex}`,
    )
  }
  const offset = iouThresholdIndex * table.row.length
  return Float64Array.from({ length: table.classes }, (_, label) => {
    const first = table.start[label]!
    return averagePrecision(
      {
        flag: table.flag,
        first: offset + first,
        count: table.start[label + 1]! - first,
        positives: positivesOf(table, label, imageWeights),
        ...(imageWeights && { weights: { ofImage: imageWeights, image: table.image, first } }),
      },
      interpolation,
    )
  })
}

/** Truths of a class that count, including copies of weighted images. */
export function positivesOf(table: MatchTable, label: number, imageWeights?: Int32Array): number {
  const first = table.truthStart[label]!
  const end = table.truthStart[label + 1]!
  if (imageWeights === undefined) return end - first
  let sum = 0
  for (let i = first; i < end; i++) sum += imageWeights[table.truthImage[i]!]!
  return sum
}

function vocTable(
  truths: Truths,
  detections: Detections,
  iouThresholds: readonly number[],
  plusOne: boolean,
): MatchTable {
  const { order, start, truth, overlap } = matchVoc(truths, detections, { plusOne })
  const flag = new Uint8Array(iouThresholds.length * order.length)
  // Locals: reading an import calls its getter, which is slow in a loop.
  const [miss, hit, none] = [FALSE_POSITIVE, TRUE_POSITIVE, IGNORED]
  iouThresholds.forEach((threshold, t) => {
    const taken = new Uint8Array(truths.image.length)
    for (let i = 0; i < order.length; i++) {
      const best = truth[i]!
      let kind: number = miss
      if (best >= 0 && overlap[i]! >= threshold) {
        if (truths.difficult?.[best] === 1) kind = none
        else if (taken[best] === 0) kind = hit
        taken[best] = 1
      }
      flag[t * order.length + i] = kind
    }
  })
  const counts = (i: number) => truths.difficult?.[i] !== 1
  return {
    rule: 'voc',
    iouThresholds,
    ...ranked(detections, order, start),
    flag,
    ...countedTruths(truths, counts),
  }
}

function tablesOfRanges(
  truths: Truths,
  detections: Detections,
  settings: Parameters<typeof matchCoco>[2],
): MatchTable[] {
  const { iouThresholds, areaRanges } = settings
  const rows: Int32Array[] = []
  const flags: Uint8Array[] = []
  const start = new Int32Array(truths.classes + 1)
  matchCoco(truths, detections, settings, (matches) => {
    rows.push(matches.row.slice())
    flags.push(matches.flag.slice())
    start[matches.label + 1] = start[matches.label]! + matches.count
  })
  const order = new Int32Array(start[truths.classes]!)
  for (const [label, ofClass] of rows.entries()) order.set(ofClass, start[label])
  const ignored = ignoredTruths(truths, areaRanges)
  const shared = ranked(detections, order, start)
  return areaRanges.map((_, range): MatchTable => {
    const flag = new Uint8Array(order.length * iouThresholds.length)
    for (const [label, { length: count }] of rows.entries()) {
      for (let t = 0; t < iouThresholds.length; t++) {
        const first = (range * iouThresholds.length + t) * count
        flag.set(flags[label]!.subarray(first, first + count), t * order.length + start[label]!)
      }
    }
    const counts = (i: number) => ignored[range * truths.image.length + i] === 0
    return { rule: 'coco', iouThresholds, ...shared, flag, ...countedTruths(truths, counts) }
  })
}

function ranked(detections: Detections, order: Int32Array, start: Int32Array) {
  const image = new Int32Array(order.length)
  const score = new Float64Array(order.length)
  for (let i = 0; i < order.length; i++) {
    image[i] = detections.image[order[i]!]!
    score[i] = detections.score[order[i]!]!
  }
  return { start, row: order, image, score }
}

function countedTruths(truths: Truths, counts: (row: number) => boolean) {
  const truthStart = new Int32Array(truths.classes + 1)
  const images: number[][] = Array.from({ length: truths.classes }, () => [])
  for (let i = 0; i < truths.image.length; i++) {
    if (counts(i)) images[truths.label[i]!]!.push(truths.image[i]!)
  }
  images.forEach((list, label) => {
    truthStart[label + 1] = truthStart[label]! + list.length
  })
  return {
    images: truths.images,
    classes: truths.classes,
    truthStart,
    truthImage: Int32Array.from(images.flat()),
  }
}
