/** Detections in JSON: COCO's results, Ultralytics' predictions.json, a COCO document with scores, Darknet's -out. */
import { z } from 'zod'
import { parseJson, parseWith } from '../../data/intake/json'
import { describeId } from '../../data/intake/notations/coco'
import { pixelsOf } from '../../data/intake/parsed'
import { refuse } from '../../data/problem'
import { expectForwards, type TruthSet } from '../truth-files'
import { type FileDetection, knownClass, type TruthImages } from './detection'

const identifier = z.number().or(z.string())
const coordinate = z.number().finite()
const resultSchema = z.object({
  image_id: identifier,
  /** Ultralytics writes it beside an id that is the file's name. */
  file_name: z.string().min(1).optional(),
  category_id: identifier,
  bbox: z.tuple([coordinate, coordinate, coordinate.min(0), coordinate.min(0)]),
  score: coordinate,
})
type Result = z.output<typeof resultSchema>

const documentSchema = z.object({
  images: z.array(z.object({ id: identifier, file_name: z.string().min(1) })),
  categories: z.array(z.object({ id: identifier, name: z.string().min(1) })),
  annotations: z.array(resultSchema),
})

const share = z.number().finite()
const darknetSchema = z.array(
  z.object({
    filename: z.string().min(1),
    objects: z.array(
      z.object({
        class_id: z.number().int(),
        name: z.string(),
        relative_coordinates: z.object({ center_x: share, center_y: share, width: share, height: share }),
        confidence: z.number().finite(),
      }),
    ),
  }),
)

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
  const [first] = json as readonly unknown[]
  if (first instanceof Object && 'filename' in first && 'objects' in first)
    return readDarknet(parseWith(darknetSchema, json, { file }, refuse)!, file, set, images)
  return readResults(parseWith(z.array(resultSchema), json, { file }, refuse)!, file, set, images, options)
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
    return detection(result, image, classOf(result.category_id, `[${i}].category_id`))
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
  const fileOf = new Map(document.images.map(({ id, file_name }) => [id, file_name]))
  const nameOf = new Map(document.categories.map(({ id, name }) => [id, name]))
  return document.annotations.map((result, i) => {
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
    return detection(result, image, knownClass(name, set, { file, key: `${key}.category_id` }))
  })
}

function detection({ bbox: [x, y, w, h], score }: Result, image: number, name: string): FileDetection {
  return { image, name, score, box: [x, y, x + w, y + h], size: [w, h] }
}

/** What Darknet's `detector test -out FILE.json` writes: centres and sizes as fractions, classes by name. */
function readDarknet(
  frames: z.output<typeof darknetSchema>,
  file: string,
  set: TruthSet,
  images: TruthImages,
): FileDetection[] {
  return frames.flatMap(({ filename, objects }, i) => {
    if (objects.length === 0) return []
    const image = images.ofName(filename, { file, key: `[${i}].filename` })
    const { width, height, name } = set.images[image]!
    if (width === undefined || height === undefined) {
      const message = `expected the size of ${name}, since its boxes are fractions of it, found none with the truths; name the folder of the images (--images)`
      return refuse({ kind: 'wrong size', file, key: `[${i}]`, message })
    }
    return objects.map((object, j): FileDetection => {
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
