/** Reads a folder of labelled images to the end: lists, recognises, parses, locates and accounts for its files. */
import { stat } from 'node:fs/promises'
import { dirname, relative, resolve, sep } from 'node:path'
import type { Report } from '../problem'
import { Ledger } from './account'
import { findClasses } from './classes'
import { isBelow, type ListedFile, listFolder } from './listing'
import { type Locator, locatorOf, outsideImage } from './locate'
import { mergeReadings } from './merge'
import type { Notation, ParseContext, ParsedFile, Prepared, Surroundings, TextFile } from './notation'
import { NOTATIONS } from './notations'
import type { ParsedImage } from './parsed'
import { Places } from './paths'
import type { Around, LocatedImage, Reading, ReadOptions, ReadSet } from './reading'
import { type Recognised, recogniseFiles } from './recognise'
import { givenPath } from './text'

/**
 * Reads a folder; errors go to `report` and are left out.
 * @throws Error if nothing, or too much, explains the images; DatasetError as thrown by `report`
 */
export async function readFolder(directory: string, options: ReadOptions, report: Report): Promise<ReadSet> {
  const root = resolve(directory)
  if (!(await stat(root).catch(() => undefined))?.isDirectory()) {
    const found = (await stat(root).catch(() => undefined)) ? 'a file' : 'nothing'
    throw new Error(`${root}: expected the folder of a data set, found ${found}`)
  }
  if (options.format !== undefined && !NOTATIONS.some(({ name }) => name === options.format)) {
    const names = NOTATIONS.map(({ name }) => name).join(', ')
    throw new Error(`format: expected one of ${names}, found ${options.format}`)
  }
  const annotations = await chosenAnnotations(root, options.annotations)
  const images = options.images === undefined ? undefined : await givenPath(root, options.images, '--images')
  const also = [...(annotations ? [annotations.folder] : []), ...(images ? [images] : [])]
  const outside = also.filter((folder) => !isBelow(root, folder))
  const listing = await listFolder(root, { outside: options.outside, also: outside })
  const placeOf = (path: string) => relative(root, path).split(sep).join('/')
  const imagesRoot =
    images === undefined
      ? (['images', 'JPEGImages', 'image_2', 'training/image_2'].find((name) => listing.folders.has(name)) ??
        '')
      : placeOf(images)
  if (images !== undefined && !listing.folders.has(imagesRoot))
    throw new Error(`${images}: expected a folder of images (--images), found a file`)
  const places = new Places(listing, imagesRoot)
  const ledger = new Ledger(listing)
  const labelsRoot = annotations?.labels ? placeOf(annotations.folder) : ''
  const mayHoldLabels = ({ path }: ListedFile) => annotations === undefined || annotations.holds(path)
  const recognised = await recogniseFiles(
    places,
    {
      format: options.format,
      labelsRoot,
      named: annotations?.labels ? annotations.file : undefined,
      mayHoldLabels,
    },
    ledger,
    report,
  )
  const around = {
    places,
    ledger,
    report,
    chosen: annotations?.file,
    labelsRoot,
    options,
    recognised,
    mayHoldLabels,
  }
  const { readings, classes } = await readAll(around)
  if (
    readings.every(({ images }) => images.length === 0) &&
    readings.every(({ files }) => files.length === 0)
  )
    throw noneFits(root, options, recognised)
  return mergeReadings(around, readings, classes)
}

async function chosenAnnotations(root: string, annotations: string | undefined) {
  if (annotations === undefined) return undefined
  const path = await givenPath(root, annotations, '--annotations')
  const found = await stat(path)
  if (found.isDirectory())
    return { folder: path, labels: true, file: undefined, holds: (file: string) => isBelow(path, file) }
  const isConfig = /\.(ya?ml|data)$/i.test(path)
  return {
    folder: dirname(path),
    labels: !isConfig,
    file: path,
    holds: (file: string) => isConfig || file === path,
  }
}

/** Prepares, parses and locates the labels of every notation. */
async function readAll(
  around: Around,
): Promise<{ readings: Reading[]; classes: readonly string[] | undefined }> {
  const { places, ledger, report, chosen, options, recognised } = around
  const byPlace = new Map(places.listing.files.map((file) => [file.place, file]))
  const set: Surroundings = {
    ...{ listing: places.listing, places, others: recognised.others, chosen, report, note: ledger.notes },
    splitsWanted: options.lists !== false,
    used: (place) => ledger.useFile(byPlace.get(place)!),
    leaveOut: (place, rule) => ledger.leave(byPlace.get(place)!, rule),
  }
  const prepared = new Map<Notation, Prepared>()
  for (const notation of NOTATIONS)
    if (recognised.labels.has(notation)) prepared.set(notation, notation.prepare?.(set) ?? {})
  const isNumbered = [...prepared.keys()].some(({ classesAre }) => classesAre === 'numbers')
  const own = [...prepared.values()].find(({ classes }) => classes !== undefined)
  const found = own ?? (options.classes ? undefined : findClasses(set, isNumbered))
  const listed = options.classes ?? found?.classes
  if (listed?.length === 0) {
    const message = 'expected a list of class names, found an empty one'
    report({ kind: 'syntax', file: places.listing.root, key: 'classes', message })
  }
  const needed = (): readonly string[] => {
    if (listed !== undefined) return listed
    throw new NoClasses(
      `${places.listing.root}: expected a list of class names (classes.txt, labels.txt, *.names or data.yaml), ` +
        'found none; add one or name a file of them, one a line (--classes)',
    )
  }
  const readings: Reading[] = []
  for (const [notation, files] of recognised.labels) {
    const context = { notation, prepared: prepared.get(notation)!, needed }
    readings.push(await readNotation(context, files, around))
  }
  return { readings, classes: listed?.length ? listed : undefined }
}

async function readNotation(
  { notation, prepared, needed }: { notation: Notation; prepared: Prepared; needed: () => readonly string[] },
  files: readonly TextFile[],
  around: Around,
): Promise<Reading> {
  const { places, ledger, labelsRoot, options, report } = around
  const broken: TextFile[] = []
  const read: { file: TextFile; parsed: ParsedFile; locator: Locator }[] = []
  for (const file of files) {
    const parsed = parseOne(notation, file, around.recognised.labels.size > 1, {
      classes: needed,
      prepared,
      vocPixels: options.vocPixels ?? 'corners',
      report,
      leaveOut: (rule, count) => ledger.leaveBoxes(rule, file.file.place, count),
      note: (rule, count) => ledger.notes.add('box', rule, file.file.place, count),
    })
    if (parsed === undefined) {
      broken.push(file)
      ledger.blame(file.file)
      // The image that belongs to it does not count as unlabelled.
      const beside = notation.holds === 'one image' ? places.beside(file.file, labelsRoot) : undefined
      if (beside && 'found' in beside) ledger.blame(beside.found)
    } else read.push({ file, parsed, locator: locatorOf(notation, file, parsed.images, places, labelsRoot) })
  }
  const images: { located: LocatedImage; file: TextFile; listed: boolean }[] = []
  for (const { file, parsed, locator } of read) {
    let isPlaced = parsed.images.length === 0
    for (const image of parsed.images) {
      const found = await locate(image, file, locator, around)
      if (found === 'missing') continue
      isPlaced = true
      images.push({
        located: { image: found, split: locator.split ?? 'train', parsed: image, notation },
        file,
        listed: locator.split !== undefined,
      })
    }
    if (isPlaced) ledger.useFile(file.file, notation.title)
    else ledger.blame(file.file)
  }
  return { notation, prepared, files: read, broken, images }
}

/** There is no list of classes, but labels are numbers. */
class NoClasses extends Error {}

/** Reads one file. A missing list of classes is an error, except for a stray file among another notation's: a problem. */
function parseOne(
  notation: Notation,
  file: TextFile,
  isAmongOthers: boolean,
  context: ParseContext,
): ParsedFile | undefined {
  try {
    return notation.parse(file, context)
  } catch (error) {
    if (!(error instanceof NoClasses) || !isAmongOthers) throw error
    const message = `expected a list of class names for its numbers (classes.txt, or --classes FILE), found none`
    context.report({ kind: 'unknown class', file: file.path, message })
    return undefined
  }
}

async function locate(
  image: ParsedImage,
  file: TextFile,
  locator: Locator,
  { places, ledger, options, report }: Around,
): Promise<ListedFile | undefined | 'missing'> {
  const { source, line, key } = image
  const found = locator.find(image)
  if ('found' in found) {
    if (found.guess) ledger.notes.add('image', `not found as written: ${found.guess}`, found.found.place)
    return found.found
  }
  const elsewhere = image.image === undefined ? undefined : await outsideImage(image.image, file, places)
  if (elsewhere !== undefined && options.outside) return elsewhere
  if (options.imagesNeeded === false && !image.relative) return undefined
  const message =
    elsewhere === undefined
      ? found.missing
      : `expected one image ${image.image} below ${places.listing.root}, found it outside; --outside reads it`
  const hint =
    options.imagesNeeded === false ? '; its size turns fractions into pixels: name the folder (--images)' : ''
  report({ kind: 'missing image', file: source, line, key, message: message + hint })
  return 'missing'
}

function noneFits(root: string, { format, annotations }: ReadOptions, { others }: Recognised): Error {
  const looked = [...others.values()].map(({ file }) => file.place)
  const seen =
    looked.length === 0
      ? 'there is no file of text'
      : `looked at ${looked.slice(0, 5).join(', ')}${looked.length > 5 ? ` and ${looked.length - 5} more` : ''}`
  const wanted = NOTATIONS.filter(({ name }) => format === undefined || name === format)
  const layouts = wanted.map(({ name, layout }) => `\n  ${name}: ${layout}`)
  return new Error(
    `${root}: expected annotations (${wanted.map(({ name }) => name).join(', ')}), found none ` +
      `${annotations ? `in ${annotations}` : 'anywhere below it'}; ${seen}. What is read:${layouts.join('')}`,
  )
}
