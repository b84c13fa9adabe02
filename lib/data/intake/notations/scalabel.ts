import { z } from 'zod'
import { parseJson, parseWith } from '../json'
import {
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

/** BDD100K and Scalabel: a JSON list of frames, or one file per image as in BDD100K's first release. */
export const scalabel: Notation = {
  name: 'scalabel',
  title: 'BDD100K / Scalabel',
  layout: 'labels/det_20/det_train.json beside images/100k/train/a.jpg',
  holds: 'many images',
  classesAre: 'names',
  files: /\.json$/i,
  recognise,
  parse: parseScalabel,
}

const OF_FRAMES = ['labels', 'videoName', 'frameIndex', 'timestamp', 'attributes', 'size', 'url']

function recognise({ file, outline: { root, keys } }: TextFile): Recognition | undefined {
  if (root === '{' && keys.has('frames')) return LABELS
  if (root === '[' && keys.has('name') && OF_FRAMES.some((key) => keys.has(key))) return LABELS
  const name = baseName(file.place)
  const isNamed = /^[a-z]+\d*\.json$/i.test(name) && splitNamed(stemOf(name)) !== undefined
  return isNamed && root !== '{' ? UNSURE : undefined
}

const finite = z.number().finite()
const labelSchema = z.object({
  category: z.string(),
  box2d: z.object({ x1: finite, y1: finite, x2: finite, y2: finite }).nullish(),
  attributes: z.object({ crowd: z.boolean().nullish() }).nullish(),
})
const frameSchema = z.object({
  name: z.string().min(1).optional(),
  videoName: z.string().nullish(),
  size: z.object({ width: finite.positive(), height: finite.positive() }).nullish(),
  labels: z.array(z.unknown()).nullish(),
  /** BDD100K's first release. */
  objects: z.array(z.unknown()).nullish(),
})
const documentSchema = z
  .array(z.unknown())
  .transform((frames) => ({ frames, name: undefined, key: '' }))
  .or(
    z
      .object({ frames: z.array(z.unknown()), name: z.string().min(1).optional() })
      .transform(({ frames, name }) => ({ frames, name, key: 'frames' })),
  )

/**
 * A list of frames, an object with `frames`, or an object with `name` and one frame of `objects`. Labels without `box2d`
 * (lanes, areas, 3D boxes) are left out; a frame whose `labels` is null or absent is unlabelled. If `name` is a URL, its
 * last part counts.
 */
export function parseScalabel(
  { text, path: file }: Pick<TextFile, 'text' | 'path'>,
  { report, leaveOut }: Pick<ParseContext, 'report' | 'leaveOut'>,
): ParsedFile | undefined {
  const json = parseJson(text, file, report)
  if (json === undefined) return undefined
  const document = parseWith(documentSchema, json, { file }, report)
  if (document === undefined) return undefined
  const images: ParsedImage[] = []
  document.frames.forEach((value, i) => {
    const key = `${document.key}[${i}]`
    const frame = parseWith(frameSchema, value, { file, key }, report)
    if (frame === undefined) return
    const name = frame.name ?? (document.frames.length === 1 ? document.name : undefined)
    if (name === undefined) {
      report({ kind: 'syntax', file, key, message: 'expected the name of an image, found none' })
      return
    }
    const list = frame.labels ? 'labels' : 'objects'
    const labels = frame.labels ?? frame.objects
    const boxes: ParsedBox[] = []
    let refused = 0
    labels?.forEach((entry, j) => {
      const at = `${key}.${list}[${j}]`
      const label = parseWith(labelSchema, entry, { file, key: at }, report)
      if (label === undefined) refused++
      else if (!label.box2d) leaveOut('a label without box2d (a lane, an area) has no box')
      if (!label?.box2d) return
      const box = { ...label.box2d, name: label.category, key: `${at}.box2d` }
      boxes.push(label.attributes?.crowd ? { ...box, crowd: true } : box)
    })
    const isAddress = /^[a-z0-9+.-]+:\/\//.test(name)
    images.push({
      image: isAddress ? name.slice(name.lastIndexOf('/') + 1) : name,
      width: frame.size?.width,
      height: frame.size?.height,
      boxes: labels ? boxes : undefined,
      refused,
      source: file,
      key,
    })
  })
  return { images }
}
