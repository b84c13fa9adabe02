/** Paths written by others: finds the listed file or folder that a written path means. */
import { isAbsolute, posix, relative, sep } from 'node:path'
import { isBelow, type ListedFile, type Listing } from './listing'

/** A file that a path means; `guess` says what was assumed. */
export interface Found<T> {
  readonly found: T
  readonly guess?: string
}
/** Why a path leads nowhere. */
export interface Missing {
  readonly missing: string
}
export type Resolution<T> = Found<T> | Missing

/** The guess for an image identified only by its name. */
export const ONLY_OF_NAME = 'the only image of its name'

/** Folders in front of a path that may be those of somebody's disk. */
const MOST_DROPPED = 40

/** Folders that only say what kind of file they contain; without them a label's path and its image's agree. */
const FILLER = /^(images|labels.*|jpegimages|annotations|image_2|label_2|obj_train_data)$/i

/** A path without its extension: ".rf.1" of "a.rf.1.jpg" stays. */
export function withoutEnding(path: string): string {
  const at = path.lastIndexOf('.')
  return at > path.lastIndexOf('/') + 1 ? path.slice(0, at) : path
}

export const baseName = (place: string): string => place.slice(place.lastIndexOf('/') + 1)
export const folderOf = (place: string): string => {
  const at = place.lastIndexOf('/')
  return at < 0 ? '' : place.slice(0, at)
}
export const stemOf = (place: string): string => withoutEnding(baseName(place))

/** Files by a name that they share. */
export type Index = ReadonlyMap<string, readonly ListedFile[]>

function indexBy(files: readonly ListedFile[], keysOf: (file: ListedFile) => readonly string[]): Index {
  const index = new Map<string, ListedFile[]>()
  for (const file of files) {
    for (const key of new Set(keysOf(file).map((name) => name.normalize('NFC')))) {
      const members = index.get(key)
      if (members === undefined) index.set(key, [file])
      else members.push(file)
    }
  }
  return index
}

/** Ways to read a written path, from literal to guessed. */
const READINGS: readonly { readonly what: string; readonly read: (path: string) => string | undefined }[] = [
  { what: '', read: (path) => path },
  { what: 'percent signs decoded', read: decoded },
]

/** Looks up the places of a listing, as written or as they would be on somebody else's disk. */
export class Places {
  /** Images of every type, including unreadable ones. */
  readonly images: readonly ListedFile[]
  private readonly byPlace = new Map<string, ListedFile | string>()
  private readonly byNfc = new Map<string, ListedFile | string | null>()
  private readonly byFold = new Map<string, ListedFile | string | null>()
  private readonly byKey: Index
  private readonly byStem: Index
  private readonly byName: Index

  /** @param imagesRoot place of the images' folder, '' for the data set's own */
  constructor(
    readonly listing: Listing,
    readonly imagesRoot: string,
  ) {
    this.images = listing.files.filter(({ kind }) => kind !== 'other')
    const add = (place: string, entry: ListedFile | string) => {
      this.byPlace.set(place, entry)
      addOnce(this.byNfc, place.normalize('NFC'), entry)
      addOnce(this.byFold, place.normalize('NFC').toLowerCase(), entry)
    }
    for (const folder of listing.folders) add(folder, folder)
    for (const file of listing.files) add(file.place, file)
    this.byKey = indexBy(this.images, (file) => this.keysOf(file))
    this.byStem = indexBy(this.images, ({ place }) => [stemOf(place)])
    this.byName = indexBy(this.images, ({ place }) => [baseName(place)])
  }

  /** Lookup keys of an image: its place below the folder of images, and below that of the data set. */
  private keysOf({ place }: ListedFile): string[] {
    return [keyBelow(this.imagesRoot, place), keyBelow('', place)]
  }

  /** Images with this name without extension. */
  stems(stem: string): readonly ListedFile[] {
    return exactly(this.byStem.get(stem.normalize('NFC')), (file) => stemOf(file.place) === stem)
  }

  /** Images of this name. */
  named(name: string): readonly ListedFile[] {
    return exactly(this.byName.get(name.normalize('NFC')), (file) => baseName(file.place) === name)
  }

  /** The entry at a place; the guess says how the name was read. */
  at(place: string): Found<ListedFile | string> | undefined {
    for (const { what, read } of READINGS) {
      const path = read(place)
      if (path === undefined) continue
      const clean = posix.normalize(path).replace(/\/$/, '')
      const normal = clean === '.' ? '' : clean
      const exact = this.byPlace.get(normal)
      if (exact !== undefined) return found(exact, what)
      const composed = this.byNfc.get(normal.normalize('NFC'))
      if (composed) return found(composed, what, 'letters of another Unicode form')
      const folded = this.byFold.get(normal.normalize('NFC').toLowerCase())
      if (folded) return found(folded, what, 'capital and small letters taken as one')
    }
    return undefined
  }

  /**
   * The image that a label file belongs to: the one at the same place except for filler folders, else the only one of its
   * name whose folders do not contradict.
   * @param root place of the labels' folder
   */
  beside(label: ListedFile, root = ''): Resolution<ListedFile> {
    for (const reading of READINGS) {
      const place = reading.read(label.place)
      if (place === undefined) continue
      const guess = reading.what
      for (const key of new Set([keyBelow('', place), keyBelow(root, place)])) {
        const isExact = (file: ListedFile) => this.keysOf(file).includes(key)
        const same = exactly(this.byKey.get(key.normalize('NFC')), isExact)
        if (same.length === 1) return guess ? { found: same[0]!, guess } : { found: same[0]! }
        if (same.length > 1) {
          const names = same.map((file) => file.place).join(' and ')
          return { missing: `expected one image of its name, found ${names}` }
        }
      }
    }
    const [folders] = [foldersBelow(root, label.place)]
    const stem = stemOf(label.place)
    const similar = [...new Set([...this.stems(stem), ...this.stems(decoded(stem) ?? stem)])].filter((file) =>
      isEnd(folders, foldersBelow(this.imagesRoot, file.place)),
    )
    if (similar.length === 1) return { found: similar[0]!, guess: ONLY_OF_NAME }
    if (similar.length > 1)
      return {
        missing: `expected one image of its name, found ${similar.map((file) => file.place).join(' and ')}`,
      }
    const elsewhere = this.stems(stem)[0]
    return {
      missing: `expected one image ${stem} at the same place, found ${elsewhere ? `${elsewhere.place}, which lies elsewhere` : 'none'}`,
    }
  }

  /**
   * Reads the paths of one file. If none of them leads anywhere, they were written for another place: then as few folders
   * as possible are removed from their beginning, the same from all.
   * @param written every path of the file
   * @param bases places that a path may start from; the first that leads somewhere counts
   * @param elsewhere 'any': the paths start where some program ran, so their first folders may be removed; 'disk': only
   *   what leads to somebody's disk is removed, that is, all of an absolute path's beginning, or "../"
   */
  reader(
    written: readonly string[],
    bases: readonly string[],
    elsewhere: 'any' | 'disk' = 'disk',
  ): PathReader {
    const names = written.map(slashed)
    const all = [...new Set([...bases, this.imagesRoot, ''])]
    const look = (name: string, dropped: number) => this.lookUp(name, dropped, all)
    const readerOf = (dropped: number, start: string, guess?: string): PathReader => ({
      dropped: start,
      read: (path) => {
        const entry = look(slashed(path), dropped)
        const slashes = path.includes('\\') ? 'back slashes taken as slashes' : undefined
        return entry && found(entry.found, guess, slashes, entry.guess)
      },
    })
    const [first] = names
    if (first === undefined || names.some((name) => look(name, 0) !== undefined)) return readerOf(0, '')
    const common = commonFolders(names)
    const isFree = elsewhere === 'any' || isForeign(first)
    const others = isFree ? -1 : common.findIndex((part) => part !== '..' && part !== '.')
    const most = Math.min(others < 0 ? common.length : others, MOST_DROPPED)
    for (let dropped = 1; dropped <= most; dropped++) {
      if (!names.some((name) => look(name, dropped) !== undefined)) continue
      const start = common.slice(0, dropped).join('/')
      return readerOf(dropped, start, `"${start}/" taken as a folder of the data set`)
    }
    return { dropped: '', read: () => undefined }
  }

  private lookUp(
    name: string,
    dropped: number,
    bases: readonly string[],
  ): Found<ListedFile | string> | undefined {
    if (dropped === 0 && isForeign(name)) {
      if (!isAbsolute(name)) return undefined
      const inside = isBelow(this.listing.root, name)
      return inside || this.byPlace.has(relative(this.listing.root, name).split(sep).join('/'))
        ? this.at(relative(this.listing.root, name).split(sep).join('/'))
        : undefined
    }
    const parts = partsOf(name).slice(dropped)
    if (parts.length === 0) return undefined
    for (const base of bases) {
      const found = this.at(posix.join(base, parts.join('/')))
      if (found !== undefined) return found
    }
    return undefined
  }
}

export interface PathReader {
  /** The beginning removed from every path. */
  readonly dropped: string
  readonly read: (path: string) => Found<ListedFile | string> | undefined
}

/** Whether a path is absolute or begins with a drive. */
function isForeign(path: string): boolean {
  return path.startsWith('/') || /^[A-Za-z]:\//.test(path)
}

function slashed(path: string): string {
  const plain = path.trim().replace(/^file:\/\//, '')
  return plain.includes('\\') ? plain.replaceAll('\\', '/') : plain
}

/** The parts of a path; the first is the drive, or the empty part before the first slash. */
function partsOf(path: string): string[] {
  const parts = path.split('/')
  return parts[0] === '.' ? parts.slice(1) : parts
}

function commonFolders(names: readonly string[]): string[] {
  let common = partsOf(names[0] ?? '').slice(0, -1)
  for (const name of names) {
    const folders = partsOf(name).slice(0, -1)
    let same = 0
    while (same < common.length && common[same] === folders[same]) same++
    common = common.slice(0, same)
  }
  return common
}

function found<T>(entry: T, ...guesses: readonly (string | undefined)[]): Found<T> {
  const guess = guesses.filter(Boolean).join(', ')
  return guess ? { found: entry, guess } : { found: entry }
}

function addOnce<T>(map: Map<string, T | null>, key: string, value: T): void {
  map.set(key, map.has(key) ? null : value)
}

function decoded(path: string): string | undefined {
  if (!path.includes('%')) return undefined
  try {
    return decodeURIComponent(path)
  } catch {
    return undefined
  }
}

/** Folders between a root and a file, without those that only say what kind of file they contain. */
function foldersBelow(root: string, place: string): string[] {
  const inner = root !== '' && place.startsWith(`${root}/`) ? place.slice(root.length + 1) : place
  return inner
    .split('/')
    .slice(0, -1)
    .filter((part) => !FILLER.test(part))
}

/** A file's place under a root without its extension and filler folders: "train/a" for "train/images/a.jpg". */
function keyBelow(root: string, place: string): string {
  return [...foldersBelow(root, place), stemOf(place)].join('/')
}

/** Of files whose names differ only in the form of letters, those with exactly this form, if there are any. */
function exactly(
  files: readonly ListedFile[] = [],
  isExact: (file: ListedFile) => boolean,
): readonly ListedFile[] {
  if (files.length < 2) return files
  const exact = files.filter(isExact)
  return exact.length > 0 ? exact : files
}

/** Whether one list of folders is a suffix of the other. */
function isEnd(a: readonly string[], b: readonly string[]): boolean {
  const [short, long] = a.length < b.length ? [a, b] : [b, a]
  return short.every((folder, i) => folder === long[long.length - short.length + i])
}
