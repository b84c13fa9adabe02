import { basename, relative, resolve } from 'node:path'
import { idOf } from './files'
import { hashDataset, SPLIT_NAMES } from './hash'
import { findLayout, type Layout, type LayoutOptions } from './layout'
import { locateImages } from './located'
import { namingLines } from './place'
import { DatasetError, type Report, throwProblem } from './problem'
import { type ParsedBox, type ParsedImage, pixelsOf } from './readers/parsed'
import type { VocPixels } from './readers/voc'
import { type ImageFacts, scanImages } from './scan'
import { sharedImages } from './shared'
import { carveValidation } from './split'
import type { Box, Dataset, Sample, SplitName } from './types'

export interface OpenOptions extends LayoutOptions {
  /** Class names in the order of their labels; the data set's own list, or else the sorted names, by default. */
  readonly classes?: readonly string[]
  /** What VOC's numbers mean; 'corners' by default. */
  readonly vocPixels?: VocPixels
  /** Share of the training images for validation where the data set has none. Default 0.15; false for none. */
  readonly validation?: number | false
  /** Folder that remembers sizes and digests of images between runs; none by default. */
  readonly cache?: string
}

/** One image of a data set with all that is known of it. */
export interface ScannedSample {
  readonly sample: Sample
  readonly split: SplitName
  readonly facts: ImageFacts
  readonly parsed: ParsedImage
  /** Boxes as written beside the sample's boxes, in the same order. */
  readonly written: readonly ParsedBox[]
}

export interface ScannedSet {
  readonly layout: Layout
  readonly classes: readonly string[]
  readonly samples: readonly ScannedSample[]
  /** Splits that the data set names, also those without images. */
  readonly named: ReadonlySet<SplitName>
}

/**
 * Opens a folder of labelled images: Pascal VOC, COCO, annotation lists, YOLO, KITTI, BDD100K / Scalabel or
 * OpenImages, recognised by its files (VOC first where the same labels come in several notations). Splits are
 * the data set's own folders, files or lists; where there is no validation split it is carved from training
 * (split.ts). Boxes are taken as written; images are measured and hashed, not decoded.
 * @throws DatasetError naming file and line or key of the first thing that is wrong, or an image in two splits
 */
export async function openDataset(directory: string, options: OpenOptions = {}): Promise<Dataset> {
  const { layout, classes, samples } = await namingLines(() => scanDataset(directory, options, throwProblem))
  const own: { [split in SplitName]?: Sample[] } = {}
  for (const name of SPLIT_NAMES) {
    const members = samples.filter(({ split }) => split === name).map(({ sample }) => sample)
    if (members.length > 0) own[name] = members
  }
  for (const { problem } of sharedImages(samples))
    throw new DatasetError(
      problem,
      '; `dataset check --fix` leaves out the copies of what another split holds',
    )
  const { validation = 0.15 } = options
  const carve = validation !== false && own.validation === undefined && own.train !== undefined
  const digests = new Map(samples.map(({ sample, facts }) => [sample, facts.digest]))
  const digestOf = (sample: Sample) => digests.get(sample)!
  const splits = carve ? { ...own, ...carveValidation(own.train!, validation, digestOf) } : own
  const hash = hashDataset(classes, splits, digestOf)
  return { name: basename(layout.directory), classes, splits, hash }
}

/** Reads a data set to the end, sending what is wrong to `report` and leaving it out. */
export async function scanDataset(
  directory: string,
  options: OpenOptions,
  report: Report,
): Promise<ScannedSet> {
  const layout = await findLayout(resolve(directory), options)
  const { classes: listed, images, named } = await locateImages(layout, options, report)
  const classes = listed?.length ? listed : namesIn(images.map(({ parsed }) => parsed))
  if (listed?.length === 0) {
    const message = 'expected a list of class names, found an empty one'
    report({ kind: 'syntax', file: layout.directory, key: 'classes', message })
  }
  const repeated = classes.find((name, label) => classes.indexOf(name) < label)
  if (repeated !== undefined) {
    const message = `expected every class once, found "${repeated}" again`
    report({ kind: 'duplicate id', file: layout.directory, key: 'classes', message })
  }
  const labels = new Map(classes.map((name, label) => [name, label]))
  const facts = await scanImages(
    images.map(({ file }) => file),
    { cache: options.cache, key: layout.directory },
  )
  const samples: ScannedSample[] = []
  const seen = new Set<string>()
  images.forEach(({ file, split, parsed }, i) => {
    const found = facts[i]!
    const { source, line, key } = parsed
    if (found instanceof Error) {
      report({ kind: 'corrupt image', file, message: found.message.replace(`${file}: `, '') })
      return
    }
    const { width, height } = found
    if ((parsed.width ?? width) !== width || (parsed.height ?? height) !== height) {
      const message = `expected the size of ${file}, ${width}x${height}, found ${parsed.width ?? '?'}x${parsed.height ?? '?'}`
      report({ kind: 'wrong size', file: source, line, key, message })
      return
    }
    const inside = !relative(layout.images, file).startsWith('..')
    const id = idOf(inside ? layout.images : layout.directory, file)
    if (seen.has(id)) {
      const message = `expected every image once, found ${id} again`
      report({ kind: 'duplicate id', file: source, line, key, message })
      return
    }
    seen.add(id)
    const written: ParsedBox[] = []
    const boxes: Box[] = []
    for (const box of parsed.boxes ?? []) {
      const label = labels.get(box.name)
      if (label === undefined) {
        const message = `expected one of ${classes.join(', ')}, found "${box.name}"`
        report({ kind: 'unknown class', file: source, line: box.line, key: box.key, message })
        continue
      }
      written.push(box)
      boxes.push(toBox(box, label, parsed.relative ? found : undefined))
    }
    const sample = { id, file, width, height, boxes: parsed.boxes && boxes }
    samples.push({ sample, split, facts: found, parsed, written })
  })
  samples.sort((a, b) => (a.sample.id < b.sample.id ? -1 : 1))
  return { layout, classes, samples, named }
}

/** `size` is that of the image where the box is a share of it. */
function toBox(box: ParsedBox, label: number, size: { width: number; height: number } | undefined): Box {
  return {
    x1: size ? pixelsOf(box.x1, size.width) : box.x1,
    y1: size ? pixelsOf(box.y1, size.height) : box.y1,
    x2: size ? pixelsOf(box.x2, size.width) : box.x2,
    y2: size ? pixelsOf(box.y2, size.height) : box.y2,
    label,
    ...(box.difficult ? { difficult: true } : {}),
    ...(box.crowd ? { crowd: true } : {}),
    ...(box.area === undefined ? {} : { area: box.area }),
  }
}

function namesIn(images: readonly ParsedImage[]): string[] {
  const names = new Set<string>()
  for (const { boxes } of images) for (const { name } of boxes ?? []) names.add(name)
  return [...names].sort()
}
