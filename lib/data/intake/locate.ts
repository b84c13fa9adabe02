/** Finds the image file of each annotation. */
import { stat } from 'node:fs/promises'
import { isAbsolute, join, relative, resolve, sep } from 'node:path'
import { IMAGE_NAME, OTHER_IMAGE_NAME } from '../image-types'
import type { SplitName } from '../types'
import { kindOfName, type ListedFile } from './listing'
import type { Notation, TextFile } from './notation'
import type { ParsedImage } from './parsed'
import { baseName, folderOf, ONLY_OF_NAME, type Places, type Resolution, stemOf } from './paths'
import { splitFolders, splitNamed, splitOfPlace } from './splits'

const hasEnding = (name: string) => IMAGE_NAME.test(name) || OTHER_IMAGE_NAME.test(name)

/** Finds the images of one label file. */
export interface Locator {
  readonly find: (parsed: ParsedImage) => Resolution<ListedFile>
  /** The split in the file's name. */
  readonly split: SplitName | undefined
}

export function locatorOf(
  notation: Notation,
  file: TextFile,
  images: readonly ParsedImage[],
  places: Places,
  labelsRoot: string,
): Locator {
  if (notation.holds === 'one image')
    return { split: undefined, find: ({ image }) => besideOrNamed(file, image, places, labelsRoot) }
  const split = splitNamed(stemOf(file.file.place))
  const written = images.flatMap(({ image }) => (image === undefined ? [] : [image]))
  const folders =
    split === undefined ? [] : splitFolders(places.listing.folders).filter((f) => f.split === split)
  // Look in "val2017" of instances_val2017.json before other folders of that split.
  const stem = stemOf(file.file.place)
  folders.sort((a, b) => Number(stem.includes(baseName(b.place))) - Number(stem.includes(baseName(a.place))))
  const bases = [...folders.map(({ place }) => place), places.imagesRoot, folderOf(file.file.place)]
  const reader = places.reader(written, bases)
  return {
    split,
    find: ({ image: name = stem }) => {
      const found = reader.read(name)
      if (found !== undefined && typeof found.found !== 'string' && found.found.kind !== 'other')
        return { found: found.found, guess: found.guess }
      return byBareName(name, split, file, places)
    },
  }
}

/** The image of a one-image label: the one beside it; if there are several of that name, the one named in the label. */
function besideOrNamed(
  file: TextFile,
  image: string | undefined,
  places: Places,
  labelsRoot: string,
): Resolution<ListedFile> {
  const beside = places.beside(file.file, labelsRoot)
  if (image === undefined) return beside
  if ('found' in beside) {
    const other = places.at(`${folderOf(beside.found.place)}/${baseName(image)}`)?.found
    const isOther = other !== undefined && typeof other !== 'string' && other !== beside.found
    return isOther && stemOf(image) !== stemOf(beside.found.place)
      ? { found: beside.found, guess: 'by the name of the label file, which names another image inside' }
      : beside
  }
  const folder = folderOf(file.file.place)
  const bases = [folder, folder.replace(/(^|\/)annotations(?=\/|$)/i, '$1JPEGImages')]
  const named = places.reader([image], bases).read(image)
  if (named !== undefined && typeof named.found !== 'string' && named.found.kind !== 'other')
    return { found: named.found, guess: named.guess }
  const similar = hasEnding(image) ? places.named(baseName(image)) : places.stems(image)
  const isSingle =
    similar.length === 1 && baseName(image) === image && stemOf(image) !== stemOf(file.file.place)
  return isSingle ? { found: similar[0]!, guess: ONLY_OF_NAME } : beside
}

/** The only image with a bare name; if there are several, the one in the folder of the split. */
function byBareName(
  name: string,
  split: SplitName | undefined,
  { file }: TextFile,
  places: Places,
): Resolution<ListedFile> {
  const bare = baseName(name.replaceAll('\\', '/'))
  const all = hasEnding(bare) ? places.named(bare) : [...places.stems(bare)]
  if (bare === name.replace(/^\.\//, '')) {
    // A file of one split is not about an image in the folder of another.
    const splitOf = (image: ListedFile) => splitOfPlace(image.place)
    const possible = all.filter((image) => [undefined, split ?? splitOf(image)].includes(splitOf(image)))
    const beside = possible.filter((image) => image.place.includes(`${stemOf(file.place)}.`))
    const inSplit = possible.filter((image) => splitOf(image) === split)
    const guess = ONLY_OF_NAME
    for (const candidates of [possible, beside, split === undefined ? [] : inSplit])
      if (candidates.length === 1) return { found: candidates[0]!, ...(hasEnding(bare) ? { guess } : {}) }
    if (possible.length > 1)
      return {
        missing: `expected one image ${name}, found ${possible.map(({ place }) => place).join(' and ')}`,
      }
  }
  const elsewhere = all[0] ?? places.stems(stemOf(bare))[0]
  const hint = elsewhere === undefined ? '' : `; there is ${elsewhere.place}`
  return { missing: `expected one image ${name} below ${places.listing.root}, found none${hint}` }
}

/** An image outside the data set's folder that a path names; undefined if there is none. */
export async function outsideImage(
  name: string,
  file: TextFile,
  places: Places,
): Promise<ListedFile | undefined> {
  const { root } = places.listing
  const bases = [resolve(file.path, '..'), root, join(root, places.imagesRoot)]
  for (const path of isAbsolute(name) ? [name] : bases.map((base) => resolve(base, name))) {
    const found = await stat(path).catch(() => undefined)
    if (found?.isFile() && kindOfName(path) !== 'other')
      return { path, place: relative(root, path).split(sep).join('/'), kind: kindOfName(path) }
  }
  return undefined
}
