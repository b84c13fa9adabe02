import { z } from 'zod'
import type { Report } from '../problem'
import { type ParsedBox, type ParsedImage, parseJson, parseWith } from './parsed'

const frameSchema = z.object({
  name: z.string().min(1),
  size: z.object({ width: z.number().positive(), height: z.number().positive() }).nullish(),
  labels: z.array(z.unknown()).nullish(),
})
const finite = z.number().finite()
const labelSchema = z.object({
  category: z.string(),
  box2d: z.object({ x1: finite, y1: finite, x2: finite, y2: finite }).nullish(),
  attributes: z.object({ crowd: z.boolean().nullish() }).nullish(),
})
const documentSchema = z
  .array(z.unknown())
  .or(z.object({ frames: z.array(z.unknown()) }).transform(({ frames }) => frames))

/**
 * A BDD100K / Scalabel file: a list of frames, or an object with `frames`. Labels without `box2d` (lanes,
 * areas, 3D boxes) are left out; a frame whose `labels` is null or absent is unlabelled. A `name` that is an
 * address stands for its last part.
 */
export function parseScalabel(content: string, file: string, report: Report): ParsedImage[] | undefined {
  const json = parseJson(content, file, report)
  if (json === undefined) return undefined
  const frames = parseWith(documentSchema, json, { file }, report)
  const images: ParsedImage[] = []
  frames?.forEach((value, i) => {
    const key = `[${i}]`
    const frame = parseWith(frameSchema, value, { file, key }, report)
    if (frame === undefined) return
    const boxes: ParsedBox[] = []
    frame.labels?.forEach((entry, j) => {
      const at = `${key}.labels[${j}]`
      const label = parseWith(labelSchema, entry, { file, key: at }, report)
      if (!label?.box2d) return
      const box = { ...label.box2d, name: label.category, key: `${at}.box2d` }
      boxes.push(label.attributes?.crowd ? { ...box, crowd: true } : box)
    })
    const image = /^[a-z0-9+.-]+:\/\//.test(frame.name)
      ? frame.name.slice(frame.name.lastIndexOf('/') + 1)
      : frame.name
    images.push({
      image,
      width: frame.size?.width,
      height: frame.size?.height,
      boxes: frame.labels ? boxes : undefined,
      source: file,
      key,
    })
  })
  return frames && images
}
