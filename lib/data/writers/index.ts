/** Writes data sets in the notations that can be read. */

import { copyFile, link, mkdir, stat, writeFile } from 'node:fs/promises'
import { dirname, extname, join, relative, resolve, sep } from 'node:path'
import { expectNewFolder, mapLimited, spaceError, writeWholeFolder } from '../../base'
import { SPLIT_NAMES } from '../hash'
import { encodePng } from '../images'
import { baseName, folderOf } from '../intake/paths'
import { readSampleImage } from '../sample-image'
import type { Box, Sample, SplitName } from '../types'
import { coco } from './coco'
import { classLines, list } from './list'
import { nameOf } from './name'
import { voc } from './voc'
import type { NamedSample, Writer, WrittenSplit } from './writer'
import { yolo } from './yolo'

export { classLines, fillsLine } from './list'

/** All notations that can be written. */
const WRITERS: readonly Writer[] = [yolo, voc, coco, list]

const [first, ...others] = WRITERS.map(({ name }) => name)
/** Values of the option `--to`. */
export const WRITTEN_FORMATS: readonly [string, ...string[]] = [first!, ...others]

/** What to do with the images: link them where the disk supports it and copy them elsewhere, copy them, or leave them. */
export const IMAGE_MODES = ['link', 'copy', 'none'] as const
/** What a written data set does with its images. */
export type ImageMode = (typeof IMAGE_MODES)[number]

/** What to write: classes, and samples by split. */
export interface WritableSet {
  readonly classes: readonly string[]
  readonly splits: { readonly [split in SplitName]?: readonly Sample[] }
}

export interface WriteReport {
  readonly images: number
  /** Images copied instead of linked, since the disks differ. */
  readonly copied: number
  /** Images written upright, as PNG without the EXIF tag. */
  readonly turned: number
  /** Boxes with a flag or an area that the notation cannot store. */
  readonly flagged: number
}

/** Number of boxes with more than a notation stores: difficult ones, crowds, and areas other than the box's. */
export function flaggedBoxes(set: WritableSet, notation: string): number {
  const { keeps } = writerOf(notation)
  const isLost = ({ difficult, crowd, area }: Box) =>
    (difficult && !keeps.includes('difficult')) ||
    (crowd && !keeps.includes('crowd')) ||
    (area !== undefined && !keeps.includes('area'))
  let count = 0
  for (const samples of Object.values(set.splits))
    for (const { boxes = [] } of samples ?? []) count += boxes.filter(isLost).length
  return count
}

/**
 * Writes a data set to a new folder, which `openDataset` opens with the same boxes; the folder appears whole or not at all.
 * Linked images are hard links to the same files; images turned by an EXIF tag are written upright. With `none`, lists
 * and COCO refer to the images where they are, and YOLO and VOC contain only labels.
 * @throws Error when the folder exists and is not empty; nothing is overwritten
 */
export async function writeDataset(
  set: WritableSet,
  notation: string,
  target: string,
  images: ImageMode = 'none',
): Promise<WriteReport> {
  const writer = writerOf(notation)
  const folder = resolve(target)
  await expectNewFolder(folder)
  if (Object.values(set.splits).every((samples) => (samples?.length ?? 0) === 0))
    throw new Error(`${folder}: expected images to write, found none`)
  if (notation !== 'coco') classLines(set.classes)
  const splits = namedSplits(set, writer, folder, images)
  return writeWholeFolder(folder, async (temporary) => {
    for (const [name, text] of writer.write(splits, set.classes)) await writeInto(temporary, name, text)
    const copies = images === 'none' ? { copied: 0, turned: 0 } : await writeImages(splits, temporary, images)
    const count = splits.reduce((sum, { samples }) => sum + samples.length, 0)
    return { images: count, ...copies, flagged: flaggedBoxes(set, notation) }
  })
}

function writerOf(notation: string): Writer {
  const writer = WRITERS.find(({ name }) => name === notation)
  if (writer === undefined)
    throw new Error(`notation: expected one of ${WRITTEN_FORMATS.join(', ')}, found ${notation}`)
  return writer
}

async function writeInto(folder: string, name: string, text: string): Promise<void> {
  const file = join(folder, name)
  await mkdir(dirname(file), { recursive: true })
  await writeOnto(file, text)
}

async function writeOnto(file: string, content: string | Buffer): Promise<void> {
  await writeFile(file, content).catch((error) => {
    throw spaceError(error, file, Buffer.byteLength(content))
  })
}

async function copyOnto(from: string, to: string): Promise<void> {
  await copyFile(from, to).catch(async (error) => {
    throw spaceError(error, to, (await stat(from)).size)
  })
}

function namedSplits(set: WritableSet, writer: Writer, folder: string, mode: ImageMode): WrittenSplit[] {
  const taken = new Set<string>()
  return SPLIT_NAMES.flatMap((split): WrittenSplit[] => {
    const samples = set.splits[split]
    if (samples === undefined) return []
    const place = split === 'validation' ? writer.validation : split
    const named = samples.map((sample): NamedSample => {
      const name = nameOf(sample, taken)
      const ending = sample.orientation === undefined ? extname(sample.file) : '.png'
      const image =
        mode === 'none'
          ? relative(folder, sample.file).split(sep).join('/')
          : `${writer.images(place)}/${name}${ending}`
      return { sample, name, image }
    })
    return [{ split, folder: place, samples: named }]
  })
}

async function writeImages(
  splits: readonly WrittenSplit[],
  folder: string,
  mode: Exclude<ImageMode, 'none'>,
): Promise<{ copied: number; turned: number }> {
  const all = splits.flatMap(({ samples }) => samples)
  for (const place of new Set(all.map(({ image }) => folderOf(image))))
    await mkdir(join(folder, place), { recursive: true })
  let [copied, turned] = [0, 0]
  await mapLimited(all, 8, async ({ sample, image }) => {
    const file = join(folder, folderOf(image), baseName(image))
    if (sample.orientation !== undefined) {
      await writeOnto(file, await encodePng(await readSampleImage(sample)))
      turned++
    } else if (mode === 'copy') await copyOnto(sample.file, file)
    else if (!(await linked(sample.file, file))) {
      await copyOnto(sample.file, file)
      copied++
    }
  })
  return { copied, turned }
}

/** Creates a hard link; false if the disk cannot. */
async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to)
    return true
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    if (['EXDEV', 'EPERM', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EACCES'].includes(code)) return false
    throw error
  }
}
