/** The split of an image: by lists, or by the names of folders and files. */
import { posix } from 'node:path'
import { IMAGE_NAME, OTHER_IMAGE_NAME } from '../image-types'
import type { SplitName } from '../types'
import type { ListedFile } from './listing'
import type { SplitLists, Surroundings, TextFile } from './notation'
import { baseName, folderOf, stemOf } from './paths'

const SPLITS: ReadonlyMap<string, SplitName> = new Map([
  ['train', 'train'],
  ['training', 'train'],
  ['trainval', 'train'],
  ['val', 'validation'],
  ['valid', 'validation'],
  ['validation', 'validation'],
  ['test', 'test'],
  ['unlabelled', 'unlabelled'],
  ['unlabeled', 'unlabelled'],
  ['shifted', 'shifted'],
])

/** The split in the name of a label file for many images: "instances_val2017.json", "det_train.json". */
export function splitNamed(name: string): SplitName | undefined {
  for (const word of name.toLowerCase().split(/[^a-z]+/)) {
    const split = SPLITS.get(word)
    if (split !== undefined) return split
  }
  return undefined
}

/** The split that a folder or list is named after, "train" or "train2017"; a word among others does not count. */
export function splitOfName(name: string): SplitName | undefined {
  return SPLITS.get(name.toLowerCase().replace(/\d{4}$/, ''))
}

/** The split of a file by the folders above it, the outermost first. */
export function splitOfPlace(place: string, root = ''): SplitName | undefined {
  const inner = root !== '' && place.startsWith(`${root}/`) ? place.slice(root.length + 1) : place
  for (const folder of inner.split('/').slice(0, -1)) {
    const split = splitOfName(folder)
    if (split !== undefined) return split
  }
  return undefined
}

/** Folders named after a split, with it. */
export function splitFolders(folders: Iterable<string>): { place: string; split: SplitName }[] {
  const found: { place: string; split: SplitName }[] = []
  for (const place of folders) {
    const split = splitOfName(baseName(place))
    if (split !== undefined) found.push({ place, split })
  }
  return found
}

/** Whether a text is a list of images: every line is the path of one and nothing else. */
export function isImageList(file: TextFile): boolean {
  const lines = file.content
  return lines.length > 0 && lines.every(({ text }) => isImagePath(imageOf(text)))
}

/** The path of an image in a line, without the label file that follows it in some lists. */
function imageOf(line: string): string {
  const at = line.lastIndexOf(' ')
  return at > 0 && /\.(xml|txt|json)$/i.test(line) && isImagePath(line.slice(0, at).trim())
    ? line.slice(0, at).trim()
    : line
}

const isImagePath = (text: string) => IMAGE_NAME.test(text) || OTHER_IMAGE_NAME.test(text)

/** Lists of images by split, under construction. */
export class SplitCollector {
  private readonly of = new Map<string, SplitName>()
  private readonly named = new Set<SplitName>()

  constructor(private readonly set: Surroundings) {}

  name(split: SplitName): void {
    this.named.add(split)
  }

  /** @param from source of the statement: file and line, for the error */
  add(image: ListedFile, split: SplitName, from: { file: string; line?: number }): void {
    const earlier = this.of.get(image.path)
    if (earlier !== undefined && earlier !== split) {
      const message = `expected an image of one split, found ${image.place} in ${earlier} and ${split}`
      this.set.report({ kind: 'duplicate image', ...from, message })
      return
    }
    this.of.set(image.path, split)
  }

  /** Every image below a folder. */
  addFolder(place: string, split: SplitName, from: { file: string; line?: number }): void {
    this.name(split)
    const start = place === '' ? '' : `${place}/`
    for (const image of this.set.places.images)
      if (image.place.startsWith(start)) this.add(image, split, from)
  }

  /** Adds the images of a list: paths from the list's folder or `bases`, or names without extension (`ids`). */
  addList(
    list: TextFile,
    split: SplitName,
    options: { bases?: readonly string[]; ids?: boolean } = {},
  ): void {
    const { places, report, used, note } = this.set
    used(list.file.place, `list of ${split}`)
    this.name(split)
    const { bases = [], ids = false } = options
    const { lines } = list
    const reader = places.reader(
      lines.map(({ text }) => imageOf(text)),
      [folderOf(list.file.place), ...bases],
      'any',
    )
    for (const { text, line } of lines) {
      const place = { file: list.path, line }
      const found = ids ? idIn(this.set, text, list) : reader.read(imageOf(text))
      if (found !== undefined && typeof found.found !== 'string' && isImagePath(found.found.place)) {
        if (found.guess) note.add('file', `paths not read as written: ${found.guess}`, list.file.place)
        this.add(found.found, split, place)
      } else if (!text.startsWith('#')) {
        const message = `expected one image ${text}, found ${ids ? 'none or several of that name' : 'none at that path'}`
        report({ kind: 'missing image', ...place, message })
      }
    }
  }

  done(what: string): SplitLists | undefined {
    return this.named.size > 0 ? { of: this.of, named: this.named, what } : undefined
  }
}

/** "a_001", or "a_001  1" from a list by class, as the image of that name beside the folder of lists. */
function idIn(
  { places }: Surroundings,
  line: string,
  list: TextFile,
): { found: ListedFile; guess?: string } | undefined {
  const devkit = posix.join(folderOf(list.file.place), '..', /\/?Main\//.test(list.file.place) ? '..' : '.')
  const home = devkit === '.' ? '' : `${devkit}/`
  for (const id of [line, line.replace(/\s-?[01]$/, '').trim()]) {
    const name = baseName(id)
    const all = [...places.stems(name), ...places.named(name)]
    const exact = all.filter((image) => withinIds(image.place, id))
    const near = exact.filter(({ place }) => place.startsWith(home))
    for (const candidates of [near, exact]) if (candidates.length === 1) return { found: candidates[0]! }
  }
  return undefined
}

/** Whether an image's place ends with an id, including the id's folders. */
function withinIds(place: string, id: string): boolean {
  const nfc = id.normalize('NFC')
  const end = `${folderOf(place)}/${stemOf(place)}`.normalize('NFC')
  return `/${end}`.endsWith(`/${nfc}`) || `/${place.normalize('NFC')}`.endsWith(`/${nfc}`)
}

/** Splits of VOC's and KITTI's ImageSets: train.txt, val.txt, test.txt; trainval.txt if there is no train.txt. */
export function imageSets(set: Surroundings): SplitLists | undefined {
  if (!set.splitsWanted) return undefined
  const collector = new SplitCollector(set)
  const lists = [...set.others.values()].filter(({ file }) =>
    /(^|\/)ImageSets\/(Main\/)?[^/]+\.txt$/.test(file.place),
  )
  for (const list of lists) {
    const split = splitOfName(stemOf(list.file.place))
    if (split === undefined) {
      set.leaveOut(list.file.place, 'a list of ImageSets that is not a split')
      continue
    }
    const isBoth = /^trainval/i.test(stemOf(list.file.place))
    const folder = folderOf(list.file.place)
    if (isBoth && lists.some(({ file }) => folderOf(file.place) === folder && stemOf(file.place) === 'train'))
      set.leaveOut(list.file.place, 'the union of train and val')
    else collector.addList(list, split, { ids: true })
  }
  return collector.done('ImageSets')
}

/**
 * Lists named after splits (train.txt, val.txt, autosplit_test.txt) with images: paths, or names without
 * extension.
 */
export function namedLists(set: Surroundings): SplitLists | undefined {
  if (!set.splitsWanted) return undefined
  const collector = new SplitCollector(set)
  for (const list of set.others.values()) {
    const split = splitOfName(stemOf(list.file.place).replace(/^autosplit_/, ''))
    if (split === undefined || !/\.txt$/i.test(list.file.place)) continue
    if (isImageList(list)) collector.addList(list, split)
    else if (list.content.some(({ text }) => set.places.stems(baseName(text)).length > 0))
      collector.addList(list, split, { ids: true })
  }
  return collector.done('train.txt, val.txt and test.txt')
}
