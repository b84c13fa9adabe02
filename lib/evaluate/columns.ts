import type { Box, Sample } from '../data/types'
import type { Detections, Truths } from './types'

/** A detected rectangle in pixels of its image, with the score of its class. */
export interface ScoredBox extends Pick<Box, 'x1' | 'y1' | 'x2' | 'y2' | 'label'> {
  readonly score: number
}

/**
 * The truths of labelled samples as columns; image i is samples[i].
 * Throws where a sample has no labels: an unlabelled image cannot be evaluated.
 */
export function truthsOf(samples: readonly Sample[], classes: readonly string[] | number): Truths {
  const boxes: Box[] = []
  const image: number[] = []
  samples.forEach((sample, index) => {
    if (sample.boxes === undefined) {
      throw new Error(`truthsOf: sample '${sample.id}' is unlabelled; evaluate labelled splits only`)
    }
    for (const box of sample.boxes) {
      boxes.push(box)
      image.push(index)
    }
  })
  return {
    images: samples.length,
    classes: typeof classes === 'number' ? classes : classes.length,
    image: Int32Array.from(image),
    label: Int32Array.from(boxes, (box) => box.label),
    box: Float64Array.from(boxes.flatMap(corners)),
    difficult: Uint8Array.from(boxes, (box) => (box.difficult ? 1 : 0)),
    crowd: Uint8Array.from(boxes, (box) => (box.crowd ? 1 : 0)),
    area: Float64Array.from(boxes, (box) => box.area ?? (box.x2 - box.x1) * (box.y2 - box.y1)),
  }
}

/** Detections as columns; perImage[i] lists those of image i, and its order breaks ties in score. */
export function detectionsOf(perImage: readonly (readonly ScoredBox[])[]): Detections {
  const boxes = perImage.flat()
  return {
    image: Int32Array.from(perImage.flatMap((list, image) => list.map(() => image))),
    label: Int32Array.from(boxes, (box) => box.label),
    score: Float64Array.from(boxes, (box) => box.score),
    box: Float64Array.from(boxes.flatMap(corners)),
  }
}

function corners(box: Pick<Box, 'x1' | 'y1' | 'x2' | 'y2'>): [number, number, number, number] {
  return [box.x1, box.y1, box.x2, box.y2]
}

const ARTICLES = { Int32Array: 'an', Float64Array: 'a', Uint8Array: 'a' } as const
type ArrayKind = keyof typeof ARTICLES

/** The columns both tables have, and optional ones. */
const REQUIRED_COLUMNS = { image: 'Int32Array', label: 'Int32Array', box: 'Float64Array' } as const
const OPTIONAL_COLUMNS = {
  difficult: 'Uint8Array',
  crowd: 'Uint8Array',
  area: 'Float64Array',
  size: 'Float64Array',
} as const

/**
 * Refuses a missing column, or anything but a typed array of its kind: a plain array would fail or be slow.
 * Arrays of another realm, such as a notebook's, are accepted.
 */
export function expectArray(name: string, column: unknown, kind: ArrayKind): void {
  const found = column instanceof Object ? Reflect.get(column, Symbol.toStringTag) : undefined
  if (found === kind) return
  if (column === undefined)
    throw new TypeError(`${name}: expected ${ARTICLES[kind]} ${kind}, found no such column`)
  const what = found ?? (Array.isArray(column) ? 'a plain array' : typeof column)
  throw new TypeError(
    `${name}: expected ${ARTICLES[kind]} ${kind}, found ${what}; ${kind}.from(values) makes one`,
  )
}

function expectCount(name: string, count: unknown, least: number): void {
  if (Number.isInteger(count) && Number(count) >= least) return
  throw new RangeError(`${name}: expected a whole number of at least ${least}, found ${count ?? 'none'}`)
}

/**
 * Refuses what no rule can rank or match: columns that are missing, not typed arrays or of unequal length, images and
 * labels out of range, boxes that are not finite or run backwards, and NaN scores. Boxes of zero area are allowed.
 */
export function checkColumns(truths: Truths, detections: Detections): void {
  expectCount('truths.images', truths.images, 0)
  expectCount('truths.classes', truths.classes, 1)
  for (const [rows, columns] of Object.entries({ truths, detections })) {
    for (const [name, kind] of Object.entries(REQUIRED_COLUMNS))
      expectArray(`${rows}.${name}`, Reflect.get(columns, name), kind)
    for (const [name, kind] of Object.entries(OPTIONAL_COLUMNS)) {
      const column: unknown = Reflect.get(columns, name)
      if (column !== undefined) expectArray(`${rows}.${name}`, column, kind)
    }
  }
  expectArray('detections.score', detections.score, 'Float64Array')
  checkRows('truths', truths, truths)
  checkRows('detections', detections, truths)
  expectLength('truths.difficult', truths.difficult, truths.image.length)
  expectLength('truths.crowd', truths.crowd, truths.image.length)
  expectLength('truths.area', truths.area, truths.image.length)
  expectLength('detections.score', detections.score, detections.image.length)
  refuseNaN('detections', 'score', detections.score)
  if (truths.area !== undefined) refuseNaN('truths', 'area', truths.area)
}

function checkRows(name: string, rows: Omit<Detections, 'score'>, limits: Truths): void {
  const count = rows.image.length
  expectLength(`${name}.label`, rows.label, count)
  expectLength(`${name}.box`, rows.box, count * 4)
  expectLength(`${name}.size`, rows.size, count * 2)
  for (let i = 0; i < count; i++) {
    const image = rows.image[i]!
    const label = rows.label[i]!
    if (image < 0 || image >= limits.images) {
      throw new RangeError(`${name} row ${i}: expected an image in 0..${limits.images - 1}, found ${image}`)
    }
    if (label < 0 || label >= limits.classes) {
      throw new RangeError(`${name} row ${i}: expected a label in 0..${limits.classes - 1}, found ${label}`)
    }
    const width = rows.box[4 * i + 2]! - rows.box[4 * i]!
    const height = rows.box[4 * i + 3]! - rows.box[4 * i + 1]!
    if (!(width >= 0 && height >= 0 && width < Infinity && height < Infinity)) {
      const box = Array.from(rows.box.subarray(4 * i, 4 * i + 4)).join(', ')
      throw new RangeError(
        `${name} row ${i}: expected finite corners with x1 <= x2 and y1 <= y2, found (${box})`,
      )
    }
  }
}

function refuseNaN(name: string, column: string, values: Float64Array): void {
  for (let i = 0; i < values.length; i++) {
    if (Number.isNaN(values[i]!)) {
      throw new RangeError(
        `${name} row ${i}: ${column} is NaN; a NaN cannot be ranked, so look for it where the row was made`,
      )
    }
  }
}

function expectLength(name: string, column: { readonly length: number } | undefined, length: number): void {
  if (column !== undefined && column.length !== length) {
    throw new RangeError(`${name}: expected ${length} values, found ${column.length}`)
  }
}
