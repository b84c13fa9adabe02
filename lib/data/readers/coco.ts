import { z } from 'zod'
import type { Report } from '../problem'
import { type ParsedBox, type ParsedImage, parseJson, parseWith } from './parsed'

const finite = z.number().finite()
const identifier = z.number().or(z.string())
const cocoSchema = z.object({
  images: z.array(z.unknown()),
  annotations: z.array(z.unknown()),
  categories: z.array(z.object({ id: identifier, name: z.string() })).min(1),
})
const imageSchema = z.object({
  id: identifier,
  file_name: z.string().min(1),
  width: z.number().positive().optional(),
  height: z.number().positive().optional(),
})
const annotationSchema = z.object({
  image_id: identifier,
  category_id: identifier,
  bbox: z.tuple([finite, finite, finite, finite]),
  area: finite.optional(),
  iscrowd: z.union([z.literal(0), z.literal(1), z.boolean()]).optional(),
  ignore: z.union([z.literal(0), z.literal(1), z.boolean()]).optional(),
})

/**
 * A COCO "instances" file: classes in the order of their ids; boxes [x, y, width, height] become
 * corners. `ignore` (what converters from VOC write) is the difficult flag.
 */
export function parseCoco(
  content: string,
  file: string,
  report: Report,
): { classes: string[]; images: ParsedImage[] } | undefined {
  const json = parseJson(content, file, report)
  if (json === undefined) return undefined
  const document = parseWith(cocoSchema, json, { file }, report)
  if (document === undefined) return undefined
  const categories = [...document.categories].sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0))
  const names = new Map(categories.map(({ id, name }) => [id, name]))

  const images: (ParsedImage & { boxes: ParsedBox[] })[] = []
  const byId = new Map<number | string, ParsedBox[]>()
  document.images.forEach((value, i) => {
    const key = `images[${i}]`
    const image = parseWith(imageSchema, value, { file, key }, report)
    if (image === undefined) return
    if (byId.has(image.id)) {
      report({ kind: 'duplicate id', file, key, message: `expected a new image id, found ${image.id} again` })
      return
    }
    const boxes: ParsedBox[] = []
    byId.set(image.id, boxes)
    const { file_name, width, height } = image
    images.push({ image: file_name, width, height, boxes, source: file, key })
  })
  document.annotations.forEach((value, i) => {
    const key = `annotations[${i}]`
    const annotation = parseWith(annotationSchema, value, { file, key }, report)
    if (annotation === undefined) return
    const { image_id, category_id, bbox, area, iscrowd, ignore } = annotation
    const boxes = byId.get(image_id)
    const name = names.get(category_id)
    if (boxes === undefined) {
      const message = `expected the id of an image in "images", found ${image_id}`
      report({ kind: 'missing image', file, key: `${key}.image_id`, message })
    } else if (name === undefined) {
      const message = `expected the id of a category (${[...names.keys()].join(', ')}), found ${category_id}`
      report({ kind: 'unknown class', file, key: `${key}.category_id`, message })
    } else {
      const [x, y, width, height] = bbox
      boxes.push({
        ...{ x1: x, y1: y, x2: x + width, y2: y + height, name, key: `${key}.bbox` },
        ...(iscrowd ? { crowd: true } : {}),
        ...(ignore ? { difficult: true } : {}),
        ...(area !== undefined && area !== width * height ? { area } : {}),
      })
    }
  })
  return { classes: categories.map(({ name }) => name), images }
}
