import { basename, relative, sep } from 'node:path'
import { pathInside } from '../base'
import { hashDataset, SPLIT_NAMES } from './hash'
import { otherTypeMessage } from './image-types'
import type { Ledger } from './intake/account'
import { beyondLimits, type ParsedBox, type ParsedImage, pixelsOf } from './intake/parsed'
import { withoutEnding } from './intake/paths'
import { readFolder } from './intake/read'
import type { LocatedImage, ReadOptions, ReadSet } from './intake/reading'
import { shortened, someOf } from './intake/text'
import { turnedAs } from './orientation'
import { namingLines } from './place'
import { DatasetError, type Report, throwProblem } from './problem'
import { type ImageFacts, scanImages } from './scan'
import { sharedImages } from './shared'
import { carveValidation } from './split'
import type { Box, Dataset, Sample, SplitName } from './types'

/** How a user's folder is read and divided into splits. */
export interface OpenOptions extends Omit<ReadOptions, 'imagesNeeded' | 'lists'> {
  /** Fraction of the training images used for validation if the data set has no such split. Default 0.15; false for none. */
  readonly validation?: number | false
  /** Folder that remembers sizes and digests of images between runs; default: none. */
  readonly cache?: string
}

/** One image of a data set with everything known about it. */
export interface ScannedSample {
  readonly sample: Sample
  readonly split: SplitName
  readonly facts: ImageFacts
  readonly parsed: ParsedImage
  /** The sample's boxes as written, in the same order. */
  readonly written: readonly ParsedBox[]
}

export interface ScannedSet extends Pick<ReadSet, 'root' | 'notations' | 'named' | 'ledger'> {
  readonly classes: readonly string[]
  readonly samples: readonly ScannedSample[]
}

/**
 * Opens a folder of labelled images in any notation (intake/notations), recognised from the content of its files. Splits are
 * the data set's own folders, files or lists; a missing validation split is carved from training (split.ts).
 * Boxes are taken as written; images are measured and hashed, not decoded. `account` says what became of every file.
 * @throws DatasetError naming file and line or key of the first error, or an image in two splits
 */
export async function openDataset(directory: string, options: OpenOptions = {}): Promise<Dataset> {
  const { root, classes, samples, ledger } = await namingLines(() =>
    scanDataset(directory, options, throwProblem),
  )
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
  const digestOf = ({ digest }: Sample) => digest!
  const splits = carve ? { ...own, ...carveValidation(own.train!, validation, digestOf) } : own
  const hash = hashDataset(classes, splits, digestOf)
  return { name: basename(root), classes, splits, hash, account: ledger.close() }
}

/** Reads a data set to the end; reports what is wrong to `report` and leaves it out. */
export async function scanDataset(
  directory: string,
  options: OpenOptions,
  report: Report,
): Promise<ScannedSet> {
  const set = await readFolder(directory, options, report)
  const { root, notations, named, ledger } = set
  const classes = set.classes ?? namesIn(set.images.map(({ parsed }) => parsed))
  const known = new Set<string>()
  const repeated = classes.find((name) => known.size === known.add(name).size)
  if (repeated !== undefined) {
    const message = `expected every class once, found "${repeated}" again`
    report({ kind: 'duplicate id', file: root, key: 'classes', message })
  }
  const images = readable(set, report)
  const facts = await scanImages(
    images.map(({ image }) => image!.path),
    { cache: options.cache, key: root },
  )
  const ids = idsOf(images, set)
  const labels = new Map(classes.map((name, label) => [name, label]))
  const samples: ScannedSample[] = []
  const seen = new Set<string>()
  images.forEach((located, i) => {
    const id = ids[i]!
    const found = facts[i]!
    const file = located.image!
    if (found instanceof Error) {
      report({ kind: 'corrupt image', file: file.path, message: found.message.replace(`${file.path}: `, '') })
      ledger.blame(file)
      return
    }
    const { source, line, key } = located.parsed
    if (seen.has(id)) {
      const message = `expected every image once, found ${id} again`
      report({ kind: 'duplicate id', file: source, line, key, message })
      return
    }
    seen.add(id)
    const sample = sampleOf(located, id, found, { labels, classes, ledger, report })
    if (sample === undefined) ledger.blame(file)
    else samples.push(sample)
  })
  samples.sort((a, b) => (a.sample.id < b.sample.id ? -1 : 1))
  return { root, notations, named, ledger, classes, samples }
}

/** Images of readable types; a labelled image of another type is a problem. */
function readable({ images, ledger }: ReadSet, report: Report): LocatedImage[] {
  return images.filter(({ image, split }) => {
    if (image?.kind === 'image') return true
    if (image !== undefined && split !== 'unlabelled') {
      report({ kind: 'image type', file: image.path, message: otherTypeMessage(image.path) })
      ledger.blame(image)
    }
    return false
  })
}

/**
 * Names of samples: the path below the folder of images, with '/' on every system, without extension. If two
 * images would share a name, they keep the extension.
 */
function idsOf(images: readonly LocatedImage[], { root, imagesRoot }: ReadSet): string[] {
  const paths = images.map(({ image }) => {
    const path = pathInside(imagesRoot, image!.path) ?? relative(root, image!.path)
    return path.split(sep).join('/')
  })
  const pathOf = new Map<string, string | undefined>()
  for (const path of paths) {
    const id = withoutEnding(path)
    pathOf.set(id, pathOf.has(id) && pathOf.get(id) !== path ? undefined : path)
  }
  return paths.map((path) => (pathOf.get(withoutEnding(path)) === undefined ? path : withoutEnding(path)))
}

interface SampleContext {
  readonly labels: ReadonlyMap<string, number>
  readonly classes: readonly string[]
  readonly ledger: Ledger
  readonly report: Report
}

/** A located image with its size and its boxes in pixels; undefined after reporting what is wrong with it. */
function sampleOf(
  { image, split, parsed, notation }: LocatedImage,
  id: string,
  facts: ImageFacts,
  { labels, classes, ledger, report }: SampleContext,
): ScannedSample | undefined {
  const file = image!.path
  const place = { file: parsed.source, line: parsed.line, key: parsed.key }
  const size = turnedAs(facts, parsed)
  if (size === undefined) {
    const message =
      `expected an annotation that shows whether ${file} is turned by its EXIF orientation ${facts.orientation} ` +
      '(a size that fits only one reading, or fractions), found one that fits both; turn the pixels and remove the tag'
    report({ kind: 'orientation', ...place, message })
    return undefined
  }
  const { width, height, orientation } = size
  if ((parsed.width ?? width) !== width || (parsed.height ?? height) !== height) {
    const message = `expected the size of ${file}, ${width}x${height}, found ${parsed.width ?? '?'}x${parsed.height ?? '?'}`
    report({ kind: 'wrong size', ...place, message })
    return undefined
  }
  if (orientation !== undefined) ledger.notes.add('image', 'turned by the EXIF orientation', image!.place)
  const written: ParsedBox[] = []
  const boxes: Box[] = []
  for (const box of parsed.boxes ?? []) {
    const label = labels.get(box.name)
    if (label === undefined) {
      const message = `expected one of ${someOf(classes)}, found "${shortened(box.name)}"`
      report({ kind: 'unknown class', file: parsed.source, line: box.line, key: box.key, message })
      continue
    }
    const placed = toBox(box, label, parsed.relative ? size : undefined)
    const message = beyondLimits(placed)
    if (message !== undefined) {
      report({ kind: 'limit', file: parsed.source, line: box.line, key: box.key, message })
      continue
    }
    written.push(box)
    boxes.push(placed)
  }
  if (split !== 'unlabelled') ledger.useImage(image, notation.title, boxes.length)
  const sample = {
    ...{ id, file, width, height, boxes: parsed.boxes && boxes, digest: facts.digest },
    ...(orientation === undefined ? {} : { orientation }),
  }
  return { sample, split, facts, parsed, written }
}

/** `size` is the image's if the box is in fractions of it. */
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
