import { parse } from 'node:path'
import { z } from 'zod'
import { mapLimited } from '../base'
import { filesBelow, kindOf, readText } from '../data/files'
import { type Problem, refuse } from '../data/problem'
import { filledLines, parseJson, parseNumber, parseWith, pixelsOf } from '../data/readers/parsed'
import type { VocPixels } from '../data/readers/voc'
import {
  cocoBoxSchema,
  cocoCategorySchema,
  cocoImageSchema,
  expectForwards,
  FILES_AT_ONCE,
  type TruthSet,
} from './truth-files'

/** One detection as a file gives it. */
export interface FileDetection {
  /** Index among the truths' images. */
  readonly image: number
  readonly name: string
  readonly score: number
  readonly box: readonly [x1: number, y1: number, x2: number, y2: number]
  readonly size?: readonly [width: number, height: number]
}

export interface DetectionFileOptions {
  /** What the numbers of a line mean, where files hold the detections of one image each. */
  readonly columns: readonly string[]
  /** Names behind class numbers. */
  readonly classes?: readonly string[]
  readonly pixels: VocPixels
}

/** Layouts of a box in a line: corners or corner and size in pixels, centre and size as shares of the image. */
const LAYOUTS: readonly (readonly [string, string, string, string])[] = [
  ['x1', 'y1', 'x2', 'y2'],
  ['x', 'y', 'w', 'h'],
  ['cx', 'cy', 'w', 'h'],
]

/**
 * Reads detections of the images in `set`:
 * - a .json file: COCO's list of results, or a COCO document whose annotations have scores (joined by file and
 *   class name),
 * - files called comp*_det_*_CLASS.txt: VOC's results, lines "image score x1 y1 x2 y2",
 * - a folder of any other .txt: one for each image, of its name, lines as `columns` says.
 *
 * Throws with file and line of the first problem.
 */
export async function readDetections(
  path: string,
  set: TruthSet,
  options: DetectionFileOptions,
): Promise<FileDetection[]> {
  if (/\.json$/i.test(path)) return readCoco(path, set)
  if ((await kindOf(path)) === undefined) throw new Error(`${path}: expected a file or folder, found nothing`)
  const files = await filesBelow(path, /\.txt$/i)
  if (files.length === 0) throw new Error(`${path}: expected a .json file or .txt files, found none`)
  const imageOf = new Map(set.images.map(({ stem }, i) => [stem, i]))
  const lists = await mapLimited(files, FILES_AT_ONCE, async (file) => {
    const { name: stem, base } = parse(file)
    const named = /^comp\d+_det_[^_]+_(.+)\.txt$/.exec(base)?.[1]
    const text = await readText(file)
    if (named !== undefined) {
      return readVocResults(text, file, known(named, set, { file }), imageOf, options.pixels)
    }
    const image = imageOf.get(stem)
    if (image === undefined) {
      const message = `expected the name of an image with truths, found ${stem}; an image without objects has an empty file of truths`
      return refuse({ kind: 'missing image', file, message })
    }
    return readLines(text, file, image, set, options)
  })
  return lists.flat()
}

function readVocResults(
  text: string,
  file: string,
  name: string,
  imageOf: ReadonlyMap<string, number>,
  pixels: VocPixels,
): FileDetection[] {
  const first = pixels === 'inclusive' ? 1 : 0
  return filledLines(text).map(({ text: content, line }) => {
    const fields = content.split(/\s+/)
    expectFields(fields, ['image', 'score', 'x1', 'y1', 'x2', 'y2'], file, line)
    const image = imageOf.get(fields[0]!)
    if (image === undefined) {
      const message = `expected the name of an image with truths, found ${fields[0]}`
      return refuse({ kind: 'missing image', file, line, message })
    }
    const [score, x1, y1, x2, y2] = numbers(fields.slice(1), ['score', 'x1', 'y1', 'x2', 'y2'], file, line)
    const box = [x1! - first, y1! - first, x2!, y2!] as const
    expectForwards(box, { file, line })
    return { image, name, score: score!, box }
  })
}

function readLines(
  text: string,
  file: string,
  image: number,
  set: TruthSet,
  { columns, classes }: DetectionFileOptions,
): FileDetection[] {
  const layout = LAYOUTS.find((names) => names.every((name) => columns.includes(name)))
  if (layout === undefined || !columns.includes('class') || !columns.includes('score')) {
    const layouts = LAYOUTS.map((names) => names.join(' ')).join(', or ')
    throw new Error(`columns: expected class, score and one of ${layouts}, found ${columns.join(' ')}`)
  }
  const wanted = ['score', ...layout]
  return filledLines(text).map(({ text: content, line }) => {
    const fields = content.split(/\s+/)
    expectFields(fields, columns, file, line)
    const field = (name: string) => fields[columns.indexOf(name)]!
    const [score, a, b, c, d] = numbers(wanted.map(field), wanted, file, line) as [
      number,
      number,
      number,
      number,
      number,
    ]
    const name = known(className(field('class'), classes, file, line), set, { file, line })
    if (layout[0] === 'x1') {
      expectForwards([a, b, c, d], { file, line })
      return { image, name, score, box: [a, b, c, d] }
    }
    if (layout[0] === 'x') {
      expectForwards([a, b, a + c, b + d], { file, line })
      return { image, name, score, box: [a, b, a + c, b + d], size: [c, d] }
    }
    const { width, height, stem } = set.images[image]!
    if (width === undefined || height === undefined) {
      const message = `expected the size of ${stem}, since its boxes are shares of it, found none with the truths`
      return refuse({ kind: 'wrong size', file, message })
    }
    const box = [
      pixelsOf(a - c / 2, width),
      pixelsOf(b - d / 2, height),
      pixelsOf(a + c / 2, width),
      pixelsOf(b + d / 2, height),
    ] as const
    expectForwards(box, { file, line })
    return { image, name, score, box }
  })
}

/** A class number stands for its name in the list; anything else is a name. */
function className(
  field: string,
  classes: readonly string[] | undefined,
  file: string,
  line: number,
): string {
  if (!/^\d+$/.test(field)) return field
  const name = classes?.[Number(field)]
  if (name !== undefined) return name
  const message = classes
    ? `expected a class of 0 .. ${classes.length - 1}, found ${field}`
    : `found the class number ${field} and no list of names; name a file of them, one a line (--detection-classes)`
  return refuse({ kind: 'unknown class', file, line, message })
}

function expectFields(
  fields: readonly string[],
  columns: readonly string[],
  file: string,
  line: number,
): void {
  if (fields.length === columns.length) return
  const message = `expected ${columns.length} fields (${columns.join(' ')}), found ${fields.length}: "${fields.join(' ')}"`
  refuse({ kind: 'syntax', file, line, message })
}

function numbers(fields: readonly string[], names: readonly string[], file: string, line: number): number[] {
  return fields.map((field, i) => parseNumber(field, names[i]!, { file, line }, refuse)!)
}

const resultSchema = z.object({
  image_id: z.number().or(z.string()),
  category_id: z.number().or(z.string()),
  bbox: cocoBoxSchema,
  score: z.number().finite(),
})
const documentSchema = z.object({
  images: z.array(cocoImageSchema.required({ file_name: true })),
  categories: z.array(cocoCategorySchema),
  annotations: z.array(resultSchema),
})

async function readCoco(file: string, set: TruthSet): Promise<FileDetection[]> {
  const json = parseJson(await readText(file), file, refuse)
  if (Array.isArray(json)) {
    const results = parseWith(z.array(resultSchema), json, { file }, refuse)!
    const imageOf = new Map(set.images.map(({ id }, i) => [id, i]))
    const { categories, classes } = set
    if (categories === undefined) {
      throw new Error(
        `${file}: expected truths as a COCO file, whose ids a list of results refers to; found another format`,
      )
    }
    return results.map((result, i) => {
      const place = { file, key: `[${i}]` }
      const label = lookUp(categories, result.category_id, 'category_id', place)
      return detection(result, lookUp(imageOf, result.image_id, 'image_id', place), classes[label]!)
    })
  }
  const document = parseWith(documentSchema, json, { file }, refuse)!
  const imageOf = new Map(set.images.map(({ stem }, i) => [stem, i]))
  const stemOf = new Map(document.images.map(({ id, file_name }) => [id, parse(file_name).name]))
  const nameOf = new Map(document.categories.map(({ id, name }) => [id, name]))
  return document.annotations.map((result, i) => {
    const place = { file, key: `annotations[${i}]` }
    const stem = lookUp(stemOf, result.image_id, 'image_id', place)
    const name = lookUp(nameOf, result.category_id, 'category_id', place)
    return detection(
      result,
      lookUp(imageOf, stem, 'image_id', place),
      known(name, set, { file, key: `${place.key}.category_id` }),
    )
  })
}

function detection(
  { bbox: [x, y, w, h], score }: z.output<typeof resultSchema>,
  image: number,
  name: string,
): FileDetection {
  return { image, name, score, box: [x, y, x + w, y + h], size: [w, h] }
}

/** The name of a class, which must be one of the truths' where these are listed. */
function known(
  name: string,
  { listed, classes }: TruthSet,
  place: Pick<Problem, 'file' | 'line' | 'key'>,
): string {
  if (!listed || classes.includes(name)) return name
  const message = `expected one of the truths' classes (${classes.join(', ')}), found ${name}`
  return refuse({ kind: 'unknown class', ...place, message })
}

function lookUp<K, V>(
  map: ReadonlyMap<K, V>,
  key: K,
  column: 'image_id' | 'category_id',
  place: { file: string; key: string },
): V {
  const value = map.get(key)
  if (value !== undefined) return value
  const [kind, what] =
    column === 'image_id' ? (['missing image', 'an image'] as const) : (['unknown class', 'a class'] as const)
  return refuse({
    kind,
    file: place.file,
    key: `${place.key}.${column}`,
    message: `expected ${what} of the truths, found ${key}`,
  })
}
