import { z } from 'zod'
import { parseJson, parseWith } from '../json'
import {
  companion,
  LABELS,
  type Notation,
  type ParseContext,
  type ParsedFile,
  type Recognition,
  type TextFile,
  UNSURE,
} from '../notation'
import type { ParsedBox, ParsedImage } from '../parsed'
import { baseName, stemOf } from '../paths'
import { splitNamed } from '../splits'

/** COCO: a JSON file of images, annotations and categories. */
export const coco: Notation = {
  name: 'coco',
  title: 'COCO',
  layout: 'annotations/instances_train2017.json beside images/train2017/a.jpg',
  holds: 'many images',
  classesAre: 'names',
  files: /\.json$/i,
  recognise,
  sift(files) {
    const stems = files.map(({ file }) => stemOf(file.place))
    const all = new Set(stems)
    const beside = (stem: string) => all.has(stem.replace(/^(person_keypoints|stuff)_/, 'instances_'))
    return files.flatMap((file, i) =>
      /^(person_keypoints|stuff)_/.test(stems[i]!) && beside(stems[i]!)
        ? [{ file, rule: 'key points and stuff beside the instances of the same images' }]
        : [],
    )
  },
  parse: parseCoco,
}

function recognise({ file, text, outline: { root, keys } }: TextFile): Recognition | undefined {
  const name = baseName(file.place)
  if (name.startsWith('instances')) return LABELS
  if (root === '[' && keys.has('image_id') && keys.has('bbox')) return companion('COCO results: detections')
  if (root === '{' && keys.has('images')) {
    if (!keys.has('annotations')) return keys.has('categories') ? LABELS : undefined
    if (text.includes('"caption"') && !text.includes('"bbox"')) return companion('COCO captions, no boxes')
    if (text.includes('"segments_info"')) return companion('COCO panoptic segments')
    return LABELS
  }
  const isNamed = /^[a-z]+\d*\.json$/i.test(name) && splitNamed(stemOf(name)) !== undefined
  return isNamed && root !== '[' ? UNSURE : undefined
}

const finite = z.number().finite()
const identifier = finite.or(z.string())
/** A list that may be long; what is in it is looked at one by one. */
const longList = z.custom<readonly unknown[]>(Array.isArray, 'expected a list')
const flag = z.union([z.literal(0), z.literal(1), z.boolean()])
const documentSchema = z.object({
  images: longList,
  annotations: longList.optional(),
  categories: z.array(z.object({ id: identifier, name: z.string() })).min(1),
})
const imageSchema = z.object({
  id: identifier,
  file_name: z.string().min(1).optional(),
  width: finite.positive().optional(),
  height: finite.positive().optional(),
})
const annotationSchema = z.object({
  id: identifier.optional(),
  image_id: identifier,
  category_id: identifier,
  bbox: z.tuple([finite, finite, finite, finite]),
  area: finite.optional(),
  iscrowd: flag.optional(),
  ignore: flag.optional(),
})

type Id = number | string

/**
 * A COCO "instances" file: classes in the order of their ids; boxes [x, y, width, height] become corners. `ignore` (written
 * by converters from VOC) is the difficult flag. A file without annotations lists unlabelled images.
 */
export function parseCoco(
  { text, path: file }: Pick<TextFile, 'text' | 'path'>,
  context: Pick<ParseContext, 'report' | 'note'>,
): ParsedFile | undefined {
  const { report } = context
  const json = parseJson(text, file, report)
  if (json === undefined) return undefined
  const document = parseWith(documentSchema, json, { file }, report)
  if (document === undefined) return undefined
  const once = new Once(file, report)
  document.categories.forEach(({ id, name }, i) => {
    once.isNew(id, 'categories', i, 'id')
    once.isNew(name, 'categories', i, 'name')
  })
  const categories = [...document.categories].sort((a, b) => compareIds(a.id, b.id))
  const names = new Map(categories.map(({ id, name }) => [id, name]))
  const { annotations } = document
  const images = new Map<Id, CocoImage>()
  document.images.forEach((value, i) => {
    const key = `images[${i}]`
    const image = parseWith(imageSchema, value, { file, key }, report)
    if (image === undefined || !once.isNew(image.id, 'images', i, 'id')) return
    const { id, file_name = String(id), width, height } = image
    images.set(id, { ...{ image: file_name, id, width, height, source: file, key }, boxes: [], refused: 0 })
  })
  annotations?.forEach((value, i) => {
    const key = `annotations[${i}]`
    const annotation = parseWith(annotationSchema, value, { file, key }, report)
    if (annotation !== undefined) {
      once.isNew(annotation.id, 'annotations', i, 'id')
      addBox(annotation, { file, key }, images, names, context)
    } else if (value instanceof Object) {
      const owner = images.get(Reflect.get(value, 'image_id'))
      if (owner !== undefined) owner.refused++
    }
  })
  const all = [...images.values()]
  return {
    classes: categories.map(({ name }) => name),
    categories: names,
    images: annotations ? all : all.map((image) => ({ ...image, boxes: undefined })),
  }
}

interface CocoImage extends ParsedImage {
  readonly boxes: ParsedBox[]
  refused: number
}

/** Reports repeated ids and names in a list. */
class Once {
  private readonly seen = new Map<string, Map<Id, string>>()

  constructor(
    private readonly file: string,
    private readonly report: ParseContext['report'],
  ) {}

  isNew(value: Id | undefined, list: string, i: number, key: 'id' | 'name'): boolean {
    if (value === undefined) return true
    const values = this.seen.get(`${list}.${key}`) ?? new Map<Id, string>()
    this.seen.set(`${list}.${key}`, values)
    const earlier = values.get(value)
    const place = `${list}[${i}]`
    if (earlier === undefined) {
      values.set(value, place)
      return true
    }
    const message = `expected a new ${key}, found ${JSON.stringify(value)} again (first in ${earlier})`
    this.report({ kind: 'duplicate id', file: this.file, key: `${place}.${key}`, message })
    return false
  }
}

function addBox(
  { id, image_id, category_id, bbox, area, iscrowd, ignore }: z.output<typeof annotationSchema>,
  { file, key }: { file: string; key: string },
  images: ReadonlyMap<Id, CocoImage>,
  names: ReadonlyMap<Id, string>,
  { report, note }: Pick<ParseContext, 'report' | 'note'>,
): void {
  const image = images.get(image_id)
  const name = names.get(category_id)
  if (image === undefined) {
    const message = `expected an id of "images", found ${describeId(image_id, images)}`
    report({ kind: 'missing image', file, key: `${key}.image_id`, message })
    return
  }
  if (name === undefined) {
    image.refused++
    const known = [...names.keys()].slice(0, 20).map((known) => JSON.stringify(known))
    const listed = `${known.join(', ')}${names.size > known.length ? ', ...' : ''}`
    const message = `expected an id of "categories" (${listed}), found ${describeId(category_id, names)}`
    report({ kind: 'unknown class', file, key: `${key}.category_id`, message })
    return
  }
  if (id === 0) note('an annotation with the id 0: pycocotools counts such a truth as never found')
  const [x, y, width, height] = bbox
  image.boxes.push({
    ...{ x1: x, y1: y, x2: x + width, y2: y + height, name, key: `${key}.bbox`, size: [width, height] },
    ...(iscrowd ? { crowd: true } : {}),
    ...(ignore ? { difficult: true } : {}),
    ...(area !== undefined && area !== width * height ? { area } : {}),
  })
}

/** Numbers before texts, each in its own order. */
export function compareIds(a: Id, b: Id): number {
  if (typeof a !== typeof b) return typeof a === 'number' ? -1 : 1
  return a < b ? -1 : a > b ? 1 : 0
}

/** Describes an unknown id; says so if it differs from a known one only in its type. */
export function describeId(id: Id, known: ReadonlyMap<Id, unknown>): string {
  const twin = typeof id === 'number' ? String(id) : Number(id)
  const text = JSON.stringify(id)
  if (!known.has(twin)) return text
  return typeof id === 'number'
    ? `${text}, a number, where the ids are texts ("${twin}")`
    : `${text}, a text, where the ids are numbers (${twin})`
}
