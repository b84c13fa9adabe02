/** Detections in JSON: COCO's results, Ultralytics' predictions.json, a COCO document with scores, Darknet's -out. */
import { z } from 'zod'
import { parseJson, parseWith } from '../../data/intake/json'
import { describeId } from '../../data/intake/notations/coco'
import { pixelsOf } from '../../data/intake/parsed'
import { refuse } from '../../data/problem'
import { expectForwards, type TruthSet } from '../truth-files'
import { type FileDetection, knownClass, type Place, type TruthImages } from './detection'

const coordinate = z.number().finite()
const identifier = coordinate.or(z.string())
/** A list that may be long; what is in it is looked at one by one, so that the first fault ends the reading. */
const longList = z.custom<readonly unknown[]>(Array.isArray, 'expected a list')
const resultSchema = z.object({
  image_id: identifier,
  /** Ultralytics writes it beside an id that is the file's name. */
  file_name: z.string().min(1).optional(),
  category_id: identifier,
  bbox: z.tuple([coordinate, coordinate, coordinate.min(0), coordinate.min(0)]),
  score: coordinate,
})
type Result = z.output<typeof resultSchema>

const documentSchema = z.object({ images: longList, categories: longList, annotations: longList })
const imageSchema = z.object({ id: identifier, file_name: z.string().min(1) })
const categorySchema = z.object({ id: identifier, name: z.string() })

const share = z.number().finite()
const frameSchema = z.object({ filename: z.string().min(1), objects: longList })
const objectSchema = z.object({
  class_id: z.number().int(),
  name: z.string(),
  relative_coordinates: z.object({ center_x: share, center_y: share, width: share, height: share }),
  confidence: z.number().finite(),
})

export interface JsonOptions {
  /** Names, in order, of category ids that are not ids of the truths. */
  readonly classes: readonly string[] | undefined
  /** The number of the first of them. */
  readonly firstClass: number | undefined
}

/** Reads detections from a .json file. */
export function readJsonDetections(
  text: string,
  file: string,
  set: TruthSet,
  images: TruthImages,
  options: JsonOptions,
): FileDetection[] {
  const json = parseJson(text, file, refuse)
  if (!Array.isArray(json))
    return readDocument(parseWith(documentSchema, json, { file }, refuse)!, file, set, images)
  const list: readonly unknown[] = json
  const [first] = list
  if (first instanceof Object && Object.hasOwn(first, 'filename') && Object.hasOwn(first, 'objects'))
    return readDarknet(list, file, set, images)
  return readResults(each(resultSchema, list, file, ''), file, set, images, options)
}

/** Every entry of a list, or an error at the first that is none. @param key of the list */
function each<T extends z.ZodTypeAny>(
  schema: T,
  list: readonly unknown[],
  file: string,
  key: string,
): z.output<T>[] {
  return list.map((value, i): z.output<T> => parseWith(schema, value, { file, key: `${key}[${i}]` }, refuse))
}

/** COCO's list of results; images by id, or by file name where the ids are names (Ultralytics). */
function readResults(
  results: readonly Result[],
  file: string,
  set: TruthSet,
  images: TruthImages,
  options: JsonOptions,
): FileDetection[] {
  const classOf = classesOf(results, file, set, options)
  return results.map((result, i) => {
    const { image_id, file_name } = result
    const place = { file, key: `[${i}].image_id` }
    const isNamed = file_name !== undefined || (!images.hasIds && images.withId(image_id) === undefined)
    const image =
      isNamed && images.withId(image_id) === undefined
        ? images.ofName(file_name ?? String(image_id), place)
        : images.ofId(image_id, place)
    const name = classOf(result.category_id, `[${i}].category_id`)
    return detection(result, image, name, { file, key: `[${i}].bbox` })
  })
}

/**
 * The meaning of category ids: COCO's ids if the truths have them, else numbers that count the classes from 0 or 1,
 * whichever the ids show.
 */
function classesOf(
  results: readonly Result[],
  file: string,
  set: TruthSet,
  { classes = set.listed ? set.classes : undefined, firstClass }: JsonOptions,
): (id: number | string, key: string) => string {
  const { categories } = set
  const unknown = (id: number | string, key: string, what: string) =>
    refuse({
      kind: 'unknown class',
      file,
      key,
      message: `expected ${what}, found ${describeId(id, categories)}`,
    })
  if (categories.size > 0 && firstClass === undefined)
    return (id, key) => set.classes[categories.get(id) ?? -1] ?? unknown(id, key, 'a class of the truths')
  if (classes === undefined)
    throw new Error(
      `${file}: expected truths as a COCO file, whose ids the results refer to, or a file with the names of the ids, ` +
        'one a line (--detection-classes); found neither',
    )
  const ids = results.map(({ category_id }) => category_id)
  const first = firstClass ?? (ids.includes(0) ? 0 : ids.includes(classes.length) ? 1 : undefined)
  if (first === undefined)
    throw new Error(
      `${file}: expected category ids that begin with 0 or end with ${classes.length}, which would show whether they ` +
        'count from 0 or from 1, found neither; say it with --first-class 0 or --first-class 1',
    )
  return (id, key) => {
    const name = typeof id === 'number' ? classes[id - first] : undefined
    if (name === undefined) return unknown(id, key, `a class of ${first} .. ${classes.length - 1 + first}`)
    return knownClass(name, set, { file, key })
  }
}

/** A COCO document whose annotations have scores, joined by file and class name. */
function readDocument(
  document: z.output<typeof documentSchema>,
  file: string,
  set: TruthSet,
  images: TruthImages,
): FileDetection[] {
  const listed = each(imageSchema, document.images, file, 'images')
  const fileOf = new Map(listed.map(({ id, file_name }) => [id, file_name]))
  const categories = each(categorySchema, document.categories, file, 'categories')
  const nameOf = new Map(categories.map(({ id, name }) => [id, name]))
  return each(resultSchema, document.annotations, file, 'annotations').map((result, i) => {
    const key = `annotations[${i}]`
    const named = fileOf.get(result.image_id)
    const name = nameOf.get(result.category_id)
    if (named === undefined) {
      const message = `expected an id of "images", found ${describeId(result.image_id, fileOf)}`
      return refuse({ kind: 'missing image', file, key: `${key}.image_id`, message })
    }
    if (name === undefined) {
      const message = `expected an id of "categories", found ${describeId(result.category_id, nameOf)}`
      return refuse({ kind: 'unknown class', file, key: `${key}.category_id`, message })
    }
    const image = images.ofName(named, { file, key: `${key}.image_id` })
    const known = knownClass(name, set, { file, key: `${key}.category_id` })
    return detection(result, image, known, { file, key: `${key}.bbox` })
  })
}

function detection(
  { bbox: [x, y, w, h], score }: Result,
  image: number,
  name: string,
  place: Place,
): FileDetection {
  const box = [x, y, x + w, y + h] as const
  expectForwards(box, place)
  return { image, name, score, box, size: [w, h] }
}

/** What Darknet's `detector test -out FILE.json` writes: centres and sizes as fractions, classes by name. */
function readDarknet(
  frames: readonly unknown[],
  file: string,
  set: TruthSet,
  images: TruthImages,
): FileDetection[] {
  return each(frameSchema, frames, file, '').flatMap(({ filename, objects }, i) => {
    if (objects.length === 0) return []
    const image = images.ofName(filename, { file, key: `[${i}].filename` })
    const { width, height, name } = set.images[image]!
    if (width === undefined || height === undefined) {
      const message = `expected the size of ${name}, since its boxes are fractions of it, found none with the truths; name the folder of the images (--images)`
      return refuse({ kind: 'wrong size', file, key: `[${i}]`, message })
    }
    return each(objectSchema, objects, file, `[${i}].objects`).map((object, j): FileDetection => {
      const { center_x: x, center_y: y, width: w, height: h } = object.relative_coordinates
      const key = `[${i}].objects[${j}]`
      const box = [
        pixelsOf(x - w / 2, width),
        pixelsOf(y - h / 2, height),
        pixelsOf(x + w / 2, width),
        pixelsOf(y + h / 2, height),
      ] as const
      expectForwards(box, { file, key })
      return {
        image,
        name: knownClass(object.name, set, { file, key: `${key}.name` }),
        score: object.confidence,
        box,
      }
    })
  })
}
