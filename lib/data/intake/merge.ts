/** Merges the readings of several notations into one set of images. */
import { join } from 'node:path'
import type { SplitName } from '../types'
import { chooseReadings } from './choice'
import type { ListedFile } from './listing'
import type { Notation, Prepared, SplitLists, TextFile } from './notation'
import { stemOf } from './paths'
import type { Around, LocatedImage, Reading, ReadSet } from './reading'
import { splitFolders, splitNamed, splitOfPlace } from './splits'
import { someOf } from './text'

/** Merges the chosen readings; each image is taken once, and the rest is unlabelled or left out. */
export function mergeReadings(
  around: Around,
  readings: readonly Reading[],
  listed: readonly string[] | undefined,
): ReadSet {
  const { places, ledger, report, options } = around
  const { listing, imagesRoot } = places
  const chosen = chooseReadings(readings, listing.root, report)
  const lists = readings.map(({ prepared }) => prepared.splits).find((splits) => splits !== undefined)
  const images = chosen.flatMap((reading) => reading.images.flatMap((image) => placed(image, lists, around)))
  if (options.annotations !== undefined)
    for (const { file } of around.recognised.others.values())
      if (!around.mayHoldLabels(file)) ledger.leave(file, 'not where --annotations says')
  if (chosen.some(isSingle)) {
    const taken = new Set(
      chosen.flatMap((reading) => reading.images.map(({ located }) => located.image?.path)),
    )
    for (const image of withoutLabels(around, taken, lists, chosen[0]!.notation)) images.push(image)
  }
  return {
    root: listing.root,
    imagesRoot: join(listing.root, imagesRoot),
    notations: chosen.map(({ notation }) => notation),
    classes: options.classes ?? classesOf(chosen, listed, around),
    categories: new Map(
      chosen.flatMap(({ files }) => files.flatMap(({ parsed }) => [...(parsed.categories ?? [])])),
    ),
    images,
    named: namedSplits(chosen, lists, around),
    ledger,
  }
}

const isSingle = ({ notation }: Reading) => notation.holds === 'one image'

/** Splits that a list, a folder or a label file is named after, even if empty. */
function namedSplits(
  chosen: readonly Reading[],
  lists: SplitLists | undefined,
  { places: { listing, imagesRoot } }: Around,
): Set<SplitName> {
  const named = new Set<SplitName>(lists?.named)
  if (lists === undefined) {
    const home = imagesRoot === '' ? '' : `${imagesRoot}/`
    for (const { place, split } of splitFolders(listing.folders))
      if (!place.slice(home.length).includes('/') && (place.startsWith(home) || chosen.some(isSingle)))
        named.add(split)
  }
  for (const reading of chosen) {
    for (const { locator, parsed } of reading.files)
      if (
        locator.split !== undefined &&
        (parsed.images.length === 0 || parsed.images.some(({ boxes }) => boxes))
      )
        named.add(locator.split)
    for (const { file } of isSingle(reading) ? [] : reading.broken) {
      const split = splitNamed(stemOf(file.place))
      if (split !== undefined) named.add(split)
    }
  }
  return named
}

/** An image with its split; nothing if it is in none of the lists. */
function placed(
  { located, file, listed }: Reading['images'][number],
  lists: SplitLists | undefined,
  around: Around,
): LocatedImage[] {
  const { ledger } = around
  const { image, parsed, notation } = located
  const isInLists = !listed && notation.holds === 'one image' && lists !== undefined && image !== undefined
  const folders = () => splitOf(image, file, around) ?? 'train'
  const split = listed ? located.split : isInLists ? lists.of.get(image.path) : folders()
  if (split === undefined) {
    ledger.leave(image!, `in none of the lists of ${lists!.what}`)
    const rule = `of an image in none of the lists of ${lists!.what}`
    if (parsed.boxes?.length) ledger.leaveBoxes(rule, image!.place, parsed.boxes.length)
    return []
  }
  if (parsed.boxes !== undefined && split !== 'unlabelled') return [{ ...located, split }]
  if (image?.kind === 'image')
    ledger.unlabel(
      image,
      parsed.boxes ? 'its split is called so' : 'its annotation says nothing about labels',
    )
  return [{ ...located, split: 'unlabelled', parsed: { ...parsed, boxes: undefined } }]
}

/** The split according to folders: the image's, else its label's. */
function splitOf(image: ListedFile | undefined, file: TextFile, { places, labelsRoot }: Around) {
  return (image && splitOfPlace(image.place, places.imagesRoot)) ?? splitOfPlace(file.file.place, labelsRoot)
}

/** Images without a label file, in a set where every labelled image has one. */
function withoutLabels(
  { places, ledger }: Around,
  taken: ReadonlySet<string | undefined>,
  lists: Prepared['splits'],
  notation: Notation,
): LocatedImage[] {
  return places.images.flatMap((image): LocatedImage[] => {
    if (taken.has(image.path) || ledger.fateOf(image) !== undefined) return []
    if (lists && !lists.of.has(image.path)) ledger.leave(image, `in none of the lists of ${lists.what}`)
    else if (image.kind === 'other image')
      ledger.leave(image, 'of a type that is not read, and without labels')
    else {
      ledger.unlabel(image, 'no label file')
      const parsed = { image: image.place, boxes: undefined, source: image.path }
      return [{ image, split: 'unlabelled', parsed, notation }]
    }
    return []
  })
}

/** The classes listed in the label files themselves (COCO), else in the list beside the labels. */
function classesOf(
  chosen: readonly Reading[],
  listed: readonly string[] | undefined,
  { report, ledger }: Around,
): readonly string[] | undefined {
  let classes: readonly string[] | undefined
  for (const { files } of chosen) {
    for (const { file, parsed } of files) {
      if (parsed.classes === undefined) continue
      const own = parsed.classes
      const known = classes ?? own
      const [ofOwn, ofKnown] = [new Set(own), new Set(known)]
      if (own.every((name) => ofKnown.has(name))) classes = known
      else if (known.every((name) => ofOwn.has(name))) classes = own
      else {
        const message = `expected the classes ${someOf(known)}, found ${someOf(own)}`
        report({ kind: 'unknown class', file: file.path, key: 'categories', message })
      }
    }
  }
  if (classes === undefined || chosen.some(({ notation }) => notation.classesAre === 'numbers'))
    return listed ?? classes
  if (listed !== undefined && listed.join('\n') !== classes.join('\n'))
    ledger.notes.add('file', 'a list of classes beside annotations that list their own: not used', 'classes')
  return classes
}
