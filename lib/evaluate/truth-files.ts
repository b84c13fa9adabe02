import { basename, dirname, join, parse, relative, sep } from 'node:path'
import { z } from 'zod'
import { mapLimited } from '../base'
import { filesBelow, firstExisting, readText } from '../data/files'
import { readImageSize } from '../data/images'
import { labelFiles } from '../data/layout'
import { type Problem, refuse } from '../data/problem'
import { filledLines, type ParsedImage, parseJson, parseWith, pixelsOf } from '../data/readers/parsed'
import { parseVoc, type VocPixels } from '../data/readers/voc'
import { parseYolo, parseYoloYaml } from '../data/readers/yolo'
import type { Truths } from './types'

/** A process may have some thousand files open. */
export const FILES_AT_ONCE = 64

export type TruthFormat = 'coco' | 'voc' | 'yolo'

export interface TruthImage {
  /** Name of the image or label file without folder and extension. */
  readonly stem: string
  /** COCO's image id. */
  readonly id?: number | string
  readonly width?: number
  readonly height?: number
}

/** Truths with what detections need in order to refer to them. */
export interface TruthSet {
  readonly truths: Truths
  readonly images: readonly TruthImage[]
  readonly classes: readonly string[]
  /** Whether the classes were listed, or only gathered from the boxes. */
  readonly listed: boolean
  /** COCO's category ids. */
  readonly categories?: ReadonlyMap<number | string, number>
  /** What a reader of the numbers should know. */
  readonly notes: readonly string[]
}

export interface TruthFileOptions {
  readonly format: TruthFormat
  /** Names in the order of their labels. */
  readonly classes?: readonly string[]
  /** Folder of the images: YOLO's boxes are shares of their sizes. */
  readonly images?: string
  readonly pixels: VocPixels
}

/**
 * Reads a COCO file, a folder of VOC's XML or a folder of YOLO's text. Images come in the order of their
 * ids (COCO: pycocotools ranks by it) or names. Throws with file and line of the first problem.
 */
export async function readTruths(path: string, options: TruthFileOptions): Promise<TruthSet> {
  if (options.format === 'coco') return readCocoTruths(path)
  const parsed =
    options.format === 'voc' ? await readVocFolder(path, options) : await readYoloFolder(path, options)
  const images = await mapLimited(parsed.images, FILES_AT_ONCE, (image) =>
    measured(image, path, options.images),
  )
  return fromParsed(images, parsed.classes)
}

const identifier = z.number().or(z.string())
const flag = z.union([z.literal(0), z.literal(1), z.boolean()])
export const cocoImageSchema = z.object({
  id: identifier,
  file_name: z.string().min(1).optional(),
  width: z.number().positive().optional(),
  height: z.number().positive().optional(),
})
export const cocoCategorySchema = z.object({ id: identifier, name: z.string().min(1) })
const coordinate = z.number().finite()
export const cocoBoxSchema = z.tuple([coordinate, coordinate, coordinate.min(0), coordinate.min(0)])
const cocoTruthSchema = z.object({
  images: z.array(cocoImageSchema),
  categories: z.array(cocoCategorySchema).min(1),
  annotations: z.array(
    z.object({
      id: identifier.optional(),
      image_id: identifier,
      category_id: identifier,
      bbox: cocoBoxSchema,
      area: coordinate.optional(),
      iscrowd: flag.optional(),
      ignore: flag.optional(),
    }),
  ),
})

/**
 * Widths and heights are kept as written: x + width - x is not always width. `ignore` is VOC's difficult flag, as
 * converters from VOC write it; COCO's numbers do not look at it, and neither does pycocotools.
 */
async function readCocoTruths(file: string): Promise<TruthSet> {
  const json = parseJson(await readText(file), file, refuse)
  const document = parseWith(cocoTruthSchema, json, { file }, refuse)!
  const { annotations } = document
  for (const list of ['images', 'categories', 'annotations'] as const) {
    const ids = document[list].map(({ id }) => id)
    refuseDuplicates(ids, 'id', list, file)
  }
  // Detections are joined to classes by name.
  const names = document.categories.map(({ name }) => name)
  refuseDuplicates(names, 'name', 'categories', file)
  const images = [...document.images].sort(byId)
  const categories = [...document.categories].sort(byId)
  const imageOf = new Map(images.map(({ id }, i) => [id, i]))
  const labelOf = new Map(categories.map(({ id }, i) => [id, i]))
  const find = <T>(map: ReadonlyMap<T, number>, id: T, i: number, key: 'image_id' | 'category_id') => {
    const found = map.get(id)
    if (found !== undefined) return found
    const [kind, list] =
      key === 'image_id' ? (['missing image', 'images'] as const) : (['unknown class', 'categories'] as const)
    return refuse({
      kind,
      file,
      key: `annotations[${i}].${key}`,
      message: `expected an id of "${list}", found ${id}`,
    })
  }
  return {
    images: images.map(({ id, file_name, width, height }) => ({
      stem: parse(file_name ?? `${id}`).name,
      id,
      width,
      height,
    })),
    classes: categories.map(({ name }) => name),
    listed: true,
    categories: labelOf,
    notes: annotations.flatMap(({ id }, i) =>
      id !== 0
        ? []
        : [
            `${file}: annotations[${i}] has the id 0: pycocotools counts such a truth as never found, here it counts as any other`,
          ],
    ),
    truths: {
      images: images.length,
      classes: categories.length,
      image: Int32Array.from(annotations, ({ image_id }, i) => find(imageOf, image_id, i, 'image_id')),
      label: Int32Array.from(annotations, ({ category_id }, i) =>
        find(labelOf, category_id, i, 'category_id'),
      ),
      box: Float64Array.from(annotations.flatMap(({ bbox: [x, y, w, h] }) => [x, y, x + w, y + h])),
      size: Float64Array.from(annotations.flatMap(({ bbox: [, , w, h] }) => [w, h])),
      area: Float64Array.from(annotations, ({ area, bbox }) => area ?? bbox[2] * bbox[3]),
      crowd: Uint8Array.from(annotations, ({ iscrowd }) => (iscrowd ? 1 : 0)),
      difficult: Uint8Array.from(annotations, ({ ignore }) => (ignore ? 1 : 0)),
    },
  }
}

function refuseDuplicates(
  values: readonly (number | string | undefined)[],
  key: 'id' | 'name',
  list: string,
  file: string,
): void {
  const placeOf = new Map<number | string, number>()
  values.forEach((value, i) => {
    if (value === undefined) return
    const earlier = placeOf.get(value)
    if (earlier !== undefined) {
      const message = `expected a new ${key}, found ${value} again (first in ${list}[${earlier}])`
      refuse({ kind: 'duplicate id', file, key: `${list}[${i}].${key}`, message })
    }
    placeOf.set(value, i)
  })
}

function byId(a: { id: number | string }, b: { id: number | string }): number {
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0
}

/** Refuses a box that runs backwards; one without area is a box that nothing matches. */
export function expectForwards(
  [x1, y1, x2, y2]: readonly [number, number, number, number],
  place: Pick<Problem, 'file' | 'line'>,
): void {
  if (x1 <= x2 && y1 <= y2) return
  const message = `expected x1 <= x2 and y1 <= y2, found (${x1}, ${y1}, ${x2}, ${y2})`
  refuse({ kind: 'empty box', ...place, message })
}

interface ParsedFolder {
  readonly images: readonly ParsedImage[]
  readonly classes: readonly string[] | undefined
}

async function readVocFolder(folder: string, { classes, pixels }: TruthFileOptions): Promise<ParsedFolder> {
  const files = oneOfEachName(await filesBelow(folder, /\.xml$/i), folder, "VOC's .xml files")
  const read = async (file: string) => parseVoc(await readText(file), file, { pixels }, refuse)!
  return { images: await mapLimited(files, FILES_AT_ONCE, read), classes }
}

async function readYoloFolder(folder: string, options: TruthFileOptions): Promise<ParsedFolder> {
  const classes = options.classes ?? (await namesBeside(folder))
  const labels = labelFiles('yolo', await filesBelow(folder, /\.txt$/i))
  const files = oneOfEachName(labels, folder, "YOLO's .txt files")
  const read = async (file: string) => parseYolo(await readText(file), file, classes, refuse)
  return { images: await mapLimited(files, FILES_AT_ONCE, read), classes }
}

/** Detections refer to images by the names of the truths' files. */
function oneOfEachName(files: readonly string[], folder: string, what: string): readonly string[] {
  if (files.length === 0) throw new Error(`${folder}: expected a folder of ${what}, found none`)
  const seen = new Map<string, string>()
  for (const file of files) {
    const { name: stem } = parse(file)
    const earlier = seen.get(stem)
    if (earlier !== undefined) {
      throw new Error(`${file}: expected every name once, since detections refer to it, found ${earlier} too`)
    }
    seen.set(stem, file)
  }
  return files
}

/** The class names that lie in a YOLO folder or above it. */
async function namesBeside(folder: string): Promise<readonly string[]> {
  const places = [folder, dirname(folder), dirname(dirname(folder))]
  const list = await firstExisting(
    places.flatMap((place) => ['classes.txt', 'obj.names', 'data.yaml'].map((name) => join(place, name))),
  )
  if (list !== undefined) {
    const text = await readText(list)
    const names = basename(list) === 'data.yaml' ? parseYoloYaml(text, list, refuse)?.names : splitNames(text)
    if (Array.isArray(names)) return names
  }
  throw new Error(
    `${folder}: expected class names in classes.txt, obj.names or data.yaml, here or above; name a file of them, one a line (--classes)`,
  )
}

/** Names, one a line. */
export function splitNames(text: string): string[] {
  return filledLines(text).map(({ text: name }) => name)
}

/** The image with its size, which is looked up where boxes are shares of it. */
async function measured(
  image: ParsedImage,
  folder: string,
  images: string | undefined,
): Promise<ParsedImage & { stem: string }> {
  const stem = parse(image.source).name
  if (!image.relative) return { ...image, stem }
  const own = dirname(image.source)
  const places =
    images === undefined
      ? [own, join(dirname(folder), 'images'), swapLabels(own)]
      : [join(images, relative(folder, own)), images]
  const candidates = places.flatMap((place) =>
    ['.jpg', '.jpeg', '.png', '.webp', '.bmp'].map((extension) => join(place, stem + extension)),
  )
  const file = await firstExisting(candidates)
  if (file !== undefined) return { ...image, stem, ...(await readImageSize(file)) }
  throw new Error(
    `${image.source}: expected the image ${stem} (its size turns shares into pixels), found none in ${[...new Set(places)].join(', ')}; name their folder (--images)`,
  )
}

/** Ultralytics' layout: labels/train beside images/train. */
function swapLabels(folder: string): string {
  const parts = folder.split(sep)
  const last = parts.lastIndexOf('labels')
  return last < 0 ? folder : [...parts.slice(0, last), 'images', ...parts.slice(last + 1)].join(sep)
}

function fromParsed(
  images: readonly (ParsedImage & { stem: string })[],
  listed: readonly string[] | undefined,
): TruthSet {
  const rows = images.flatMap(({ boxes, relative, width, height }, image) => {
    const scale = (value: number, side: number | undefined) => (relative ? pixelsOf(value, side!) : value)
    return (boxes ?? []).map((box) => {
      const corners = [
        scale(box.x1, width),
        scale(box.y1, height),
        scale(box.x2, width),
        scale(box.y2, height),
      ] as const
      const { source } = images[image]!
      expectForwards(corners, { file: source, line: box.line })
      return { ...box, corners, image, source }
    })
  })
  const classes = listed ?? [...new Set(rows.map(({ name }) => name))].sort()
  const labelOf = new Map(classes.map((name, label) => [name, label]))
  return {
    images: images.map(({ stem, width, height }) => ({ stem, width, height })),
    classes,
    listed: listed !== undefined,
    notes: [],
    truths: {
      images: images.length,
      classes: classes.length,
      image: Int32Array.from(rows, ({ image }) => image),
      label: Int32Array.from(rows, ({ name, source, line }) => {
        const label = labelOf.get(name)
        if (label !== undefined) return label
        const message = `expected one of ${classes.join(', ')}, found ${name}`
        return refuse({ kind: 'unknown class', file: source, line, message })
      }),
      box: Float64Array.from(rows.flatMap(({ corners }) => corners)),
      difficult: Uint8Array.from(rows, ({ difficult }) => (difficult ? 1 : 0)),
    },
  }
}
