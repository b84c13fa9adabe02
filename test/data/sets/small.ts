/** Small data sets written for a test, and the result of checking them. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after } from 'node:test'
import sharp from 'sharp'
import {
  type CheckReport,
  checkDataset,
  describeProblem,
  encodePng,
  type OpenOptions,
} from '../../../lib/data'

const scratch = mkdtempSync(join(tmpdir(), 'small-sets-'))
after(() => rmSync(scratch, { recursive: true, force: true }))

let made = 0

/** A PNG of 64 x 48 pixels, no two alike. */
export async function png(width = 64, height = 48): Promise<Buffer> {
  const n = ++made
  const pixels = new Uint8Array(3 * width * height).map((_, i) => (i * 7 + n * 13 + (i % 3) * n) % 256)
  return encodePng({ width, height, pixels })
}

/** A JPEG whose pixels are stored 64 x 48, with an EXIF orientation. */
export async function jpeg(orientation?: number): Promise<Buffer> {
  const image = sharp(await png()).jpeg({ quality: 95 })
  return (orientation === undefined ? image : image.withMetadata({ orientation })).toBuffer()
}

/** Writes files below a new folder; an image is made where the content is 'image'. */
export async function folderOf(
  files: Readonly<Record<string, string | Buffer | Uint8Array>>,
): Promise<string> {
  const folder = mkdtempSync(join(scratch, 'set-'))
  for (const [name, content] of Object.entries(files)) {
    const file = join(folder, name)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, content === 'image' ? await png() : content)
  }
  return folder
}

export interface Said {
  readonly report: CheckReport
  /** Problems with paths from the folder. */
  readonly problems: string[]
  /** "split/class x1,y1,x2,y2" of every box, by id. */
  readonly boxes: Record<string, string[]>
  readonly leftOut: string[]
  readonly unlabelled: string[]
  readonly noted: string[]
}

/** Checks a set, and that its account closes: every image and every file is in it exactly once. */
export async function check(folder: string, options: OpenOptions = {}): Promise<Said> {
  const report = await checkDataset(folder, options)
  const { account, classes, found } = report
  const count = (lines: readonly { what: string; count: number }[], what: string) =>
    lines.reduce((sum, line) => sum + (line.what === what ? line.count : 0), 0)
  const images = account.read.reduce((sum, line) => sum + line.images, 0)
  assert.equal(
    images + count(account.unlabelled, 'image') + count(account.leftOut, 'image') + account.faulty.images,
    account.listed.images,
    'every image is read, unlabelled, left out or a problem',
  )
  const boxes: Record<string, string[]> = {}
  for (const [split, samples] of Object.entries(found.splits))
    for (const { id, boxes: all } of samples ?? [])
      boxes[`${split}/${id}`] = (all ?? []).map(
        (b) => `${classes[b.label]} ${[b.x1, b.y1, b.x2, b.y2].map((v) => +v.toFixed(3)).join()}`,
      )
  const lines = (all: readonly { rule: string; count: number }[]) => all.map((l) => `${l.count} ${l.rule}`)
  return {
    report,
    problems: report.problems.map((problem) =>
      describeProblem(problem).replaceAll(`${folder}/`, '').replaceAll(folder, '.'),
    ),
    boxes,
    leftOut: lines(account.leftOut),
    unlabelled: lines(account.unlabelled),
    noted: lines(account.noted),
  }
}

/** One object as a YOLO line: car (class 0), pixels 24,12 to 40,36 of 64 x 48. */
export const LINE = '0 0.5 0.5 0.25 0.5\n'
export const BOX = 'car 24,12,40,36'

export const xml = (name: string, [x1, y1, x2, y2] = [24, 12, 40, 36], size = '64x48', label = 'car') => {
  const [width, height] = size.split('x')
  return `<annotation><filename>${name}</filename><size><width>${width}</width><height>${height}</height></size>
<object><name>${label}</name><bndbox><xmin>${x1}</xmin><ymin>${y1}</ymin><xmax>${x2}</xmax><ymax>${y2}</ymax></bndbox></object></annotation>`
}

/** A COCO file of images with a box each; `size` of all, or none stated. */
export const coco = (
  names: readonly string[],
  { size = [64, 48], bbox = [24, 12, 16, 24], change = (d: CocoDocument): unknown => d } = {},
) => {
  const document: CocoDocument = {
    images: names.map((file_name, i) => ({ id: i + 1, file_name, width: size[0], height: size[1] })),
    annotations: names.map((_, i) => ({ id: i + 1, image_id: i + 1, category_id: 1, bbox })),
    categories: [{ id: 1, name: 'car' }],
  }
  return JSON.stringify(change(document) ?? document, null, 1)
}
export interface CocoDocument {
  images: { id: number | string; file_name: string; width?: number; height?: number }[]
  annotations?: { id: number; image_id: number | string; category_id: number | string; bbox: number[] }[]
  categories: { id: number | string; name: string }[]
}

/** A TIFF of 64 x 48 grey pixels as 32-bit floats of 0 to 1, by hand: no encoder at hand writes one. */
export function floatTiff(): Buffer {
  const [width, height] = [64, 48]
  const pixels = Buffer.from(
    Float32Array.from({ length: width * height }, (_, i) => (i % width) / width).buffer,
  )
  // tag, type (3: 16 bits, 4: 32 bits), value
  const tags: readonly (readonly [number, number, number])[] = [
    [256, 4, width],
    [257, 4, height],
    [258, 3, 32],
    [259, 3, 1],
    [262, 3, 1],
    [273, 4, 8],
    [277, 3, 1],
    [278, 4, height],
    [279, 4, pixels.length],
    [339, 3, 3],
  ]
  const header = Buffer.alloc(8)
  header.write('II*\0', 'latin1')
  header.writeUInt32LE(8 + pixels.length, 4)
  const directory = Buffer.alloc(2 + 12 * tags.length + 4)
  directory.writeUInt16LE(tags.length, 0)
  tags.forEach(([tag, type, value], i) => {
    const at = 2 + 12 * i
    directory.writeUInt16LE(tag, at)
    directory.writeUInt16LE(type, at + 2)
    directory.writeUInt32LE(1, at + 4)
    directory.writeUInt32LE(value, at + 8)
  })
  return Buffer.concat([header, pixels, directory])
}
