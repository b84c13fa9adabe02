import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, parse, resolve, sep } from 'node:path'
import { mapLimited } from '../base'
import { otherTypeMessage } from '../data/image-types'
import { readImageSize } from '../data/images'
import type { Account } from '../data/intake/account'
import { readClassNames } from '../data/intake/classes'
import { kindOfName } from '../data/intake/listing'
import { compareIds } from '../data/intake/notations/coco'
import { beyondLimits, type ParsedBox, pixelsOf } from '../data/intake/parsed'
import { withoutEnding } from '../data/intake/paths'
import { readFolder } from '../data/intake/read'
import type { LocatedImage, ReadOptions } from '../data/intake/reading'
import { splitOfName } from '../data/intake/splits'
import { shortened, someOf } from '../data/intake/text'
import { turnedAs } from '../data/orientation'
import { type Problem, refuse } from '../data/problem'
import type { SplitName } from '../data/types'
import type { Truths } from './types'

/** A process can keep about a thousand files open. */
export const FILES_AT_ONCE = 64

export interface TruthImage {
  /** Path of the image, or of its label if there is no image file, without extension: what detections refer to. */
  readonly place: string
  /** The image's own name as in the truths, with extension if there is one. */
  readonly name: string
  /** COCO's image id. */
  readonly id?: number | string
  readonly width?: number
  readonly height?: number
}

/** Truths, and what detections need to refer to them. */
export interface TruthSet {
  readonly truths: Truths
  readonly images: readonly TruthImage[]
  readonly classes: readonly string[]
  /** Label of each class. */
  readonly labels: ReadonlyMap<string, number>
  /** Whether the classes were listed, or only gathered from the boxes. */
  readonly listed: boolean
  /** Label of each of COCO's category ids; empty where the truths have none. */
  readonly categories: ReadonlyMap<number | string, number>
  /** What a reader of the results should know. */
  readonly notes: readonly string[]
  /** Name of the notation. */
  readonly format: string
}

export interface TruthFileOptions
  extends Pick<ReadOptions, 'format' | 'annotations' | 'images' | 'vocPixels' | 'outside'> {
  /** File of the class names in the order of their numbers, one a line. */
  readonly classes?: string
  /** Only the images of this split; default: all. */
  readonly split?: SplitName
}

/**
 * Reads truths with the data set readers: a file or folder of labels in any notation, or a whole data set. Images are
 * ordered by id (COCO: pycocotools ranks by it) or path. No image files are needed if the truths contain everything.
 * Throws with file and line of the first problem.
 */
export async function readTruths(path: string, options: TruthFileOptions): Promise<TruthSet> {
  const { split } = options
  const { root, annotations } = await homeOf(path, options)
  const classes = options.classes === undefined ? undefined : await readClassNames(options.classes, root)
  const set = await readFolder(
    root,
    { ...options, annotations, classes, imagesNeeded: false, lists: split !== undefined },
    refuse,
  )
  const labelled = set.images.filter(
    ({ parsed, split: own }) => parsed.boxes !== undefined && (split === undefined || own === split),
  )
  if (labelled.length === 0)
    throw new Error(`${path}: expected labelled images${split ? ` of ${split}` : ''}, found none`)
  const measured = await mapLimited(labelled, FILES_AT_ONCE, measure)
  const sorted = measured.sort(
    (a, b) => compareIds(a.id ?? '', b.id ?? '') || (a.place < b.place ? -1 : a.place > b.place ? 1 : 0),
  )
  const format = set.notations.map(({ name }) => name).join('+')
  const known = classes ?? set.classes
  const labels = new Map(known?.map((name, label) => [name, label]))
  const categories = new Map([...set.categories].map(([id, name]) => [id, labels.get(name) ?? -1] as const))
  return { ...columnsOf(sorted, known), categories, format, notes: notesOf(path, set.ledger.close()) }
}

/**
 * The data set folder that a path of labels belongs to: "DIR" for DIR/labels, DIR/labels/val or DIR/val/labels, and for
 * DIR/annotations/instances.json; the path itself if its name is not that of a labels folder.
 */
async function homeOf(
  path: string,
  { annotations }: TruthFileOptions,
): Promise<{ root: string; annotations: string | undefined }> {
  const full = resolve(path)
  const found = await stat(full).catch(() => undefined)
  if (found === undefined) {
    const wanted = /\.[a-z]+$/i.test(path) ? 'a file' : 'a file or folder of truths'
    throw new Error(`${path}: expected ${wanted}, found nothing`)
  }
  if (annotations !== undefined) return { root: full, annotations }
  const folder = found.isDirectory() ? full : dirname(full)
  const given = found.isDirectory() ? undefined : full
  const parts = folder.split(sep)
  const isOfLabels = (part: string) => /^(labels.*|annotations|label_2|obj_.*_data)$/i.test(part)
  const last = parts.length - 1 - [...parts].reverse().findIndex(isOfLabels)
  const entries = await readdir(folder)
  if (last < Math.max(1, parts.length - 2) || entries.some((name) => kindOfName(name) !== 'other'))
    return { root: folder, annotations: given }
  const above = parts.slice(0, last).join(sep)
  const root = splitOfName(basename(above)) === undefined ? above : dirname(above)
  // A folder of labels at the top of the disk does not make the whole disk a data set.
  return root === '' || root === sep ? { root: folder, annotations: given } : { root, annotations: full }
}

interface MeasuredImage extends TruthImage {
  readonly located: LocatedImage
}

/** An image with its size, which is looked up if boxes are fractions of it, or detections may be. */
async function measure(located: LocatedImage): Promise<MeasuredImage> {
  const { image, parsed } = located
  const written = parsed.image ?? parse(parsed.source).name
  const name = image?.place ?? written
  const base = { located, id: parsed.id, name: written, place: withoutEnding(name) }
  const stated = { width: parsed.width, height: parsed.height }
  if (image === undefined || (!parsed.relative && stated.width && stated.height))
    return { ...base, ...stated }
  if (image.kind !== 'image') {
    if (!parsed.relative) return { ...base, ...stated }
    return refuse({ kind: 'image type', file: image.path, message: otherTypeMessage(image.path) })
  }
  const header = await readImageSize(image.path)
  const { width, height } = turnedAs(header, parsed) ?? header
  return { ...base, width, height }
}

function notesOf(path: string, { noted, leftOut }: Account): string[] {
  const lines = [...noted, ...leftOut.filter(({ what }) => what === 'box')]
  return lines.map(
    ({ what, rule, count, examples }) => `${path}: ${count} x ${what}: ${rule} (${examples.join(', ')})`,
  )
}

/** Refuses a box that runs backwards or lies far beyond all images; a box without area is allowed and matches nothing. */
export function expectForwards(
  [x1, y1, x2, y2]: readonly [number, number, number, number],
  place: Pick<Problem, 'file' | 'line' | 'key'>,
): void {
  const beyond = beyondLimits({ x1, y1, x2, y2 })
  if (beyond !== undefined) refuse({ kind: 'limit', ...place, message: beyond })
  if (x1 <= x2 && y1 <= y2) return
  const message = `expected x1 <= x2 and y1 <= y2, found (${x1}, ${y1}, ${x2}, ${y2})`
  refuse({ kind: 'empty box', ...place, message })
}

function columnsOf(
  images: readonly MeasuredImage[],
  listed: readonly string[] | undefined,
): Omit<TruthSet, 'format' | 'notes' | 'categories'> {
  interface Row {
    box: ParsedBox
    corners: readonly [number, number, number, number]
    image: number
    source: string
  }
  const rows: Row[] = []
  images.forEach(({ located: { parsed }, width, height }, image) => {
    const scale = (value: number, side: number | undefined) =>
      parsed.relative ? pixelsOf(value, side!) : value
    for (const box of parsed.boxes ?? []) {
      const corners = [
        scale(box.x1, width),
        scale(box.y1, height),
        scale(box.x2, width),
        scale(box.y2, height),
      ] as const
      expectForwards(corners, { file: parsed.source, line: box.line, key: box.key })
      rows.push({ box, corners, image, source: parsed.source })
    }
  })
  const classes = listed ?? [...new Set(rows.map(({ box }) => box.name))].sort()
  const labelOf = new Map(classes.map((name, label) => [name, label]))
  const sizes = rows.flatMap(({ box }) => box.size ?? [])
  const isSized = rows.length > 0 && sizes.length === 2 * rows.length
  return {
    images: images.map(({ place, name, id, width, height }) => ({ place, name, id, width, height })),
    classes,
    labels: labelOf,
    listed: listed !== undefined,
    truths: {
      images: images.length,
      classes: classes.length,
      image: Int32Array.from(rows, ({ image }) => image),
      label: Int32Array.from(rows, ({ box: { name, line, key }, source }) => {
        const label = labelOf.get(name)
        if (label !== undefined) return label
        const message = `expected one of ${someOf(classes)}, found ${shortened(name)}`
        return refuse({ kind: 'unknown class', file: source, line, key, message })
      }),
      box: Float64Array.from(rows.flatMap(({ corners }) => corners)),
      difficult: Uint8Array.from(rows, ({ box }) => (box.difficult ? 1 : 0)),
      crowd: Uint8Array.from(rows, ({ box }) => (box.crowd ? 1 : 0)),
      area: Float64Array.from(rows, ({ box, corners: [x1, y1, x2, y2] }) => {
        const [w, h] = box.size ?? [x2 - x1, y2 - y1]
        return box.area ?? w * h
      }),
      ...(isSized ? { size: Float64Array.from(sizes) } : {}),
    },
  }
}
