/** Walks a folder and lists everything below it once. */
import { type Dirent, promises as fs } from 'node:fs'
import { join, relative, resolve, sep } from 'node:path'
import { unreadable } from '../../base'
import { IMAGE_NAME, OTHER_IMAGE_NAME } from '../image-types'

export type FileKind = 'image' | 'other image' | 'other'

export interface ListedFile {
  /** Absolute path. */
  readonly path: string
  /** Path from the data set's folder, with '/' on every system: "images/train/a.jpg". */
  readonly place: string
  readonly kind: FileKind
}

/** A file that is there but not listed, with the rule for it. */
export interface Skipped {
  readonly place: string
  readonly rule: string
}

export interface Listing {
  /** The folder of the data set. */
  readonly root: string
  /** Sorted by place. */
  readonly files: readonly ListedFile[]
  /** Places of the folders, empty ones included; the root is ''. */
  readonly folders: ReadonlySet<string>
  readonly skipped: readonly Skipped[]
}

/** Rules of the walk, as the account names them. */
export const WALK_RULES = {
  hidden: 'hidden: the name begins with a dot',
  helper: 'folder of another program',
  outside: 'a link out of the data folder (--outside follows it)',
  again: 'a link to what is listed already',
  above: 'a link to a folder that the data folder lies in',
  broken: 'a link to nothing',
  special: 'no file and no folder',
} as const

const HELPERS = new Set(['node_modules', '__MACOSX', '__pycache__'])

/**
 * Lists everything below a folder, and below other folders (of images, for example). Each real folder is visited once,
 * whatever links lead to it; links out of the folders are followed only with `outside`.
 * @throws Error naming a folder that cannot be read
 */
export async function listFolder(
  directory: string,
  options: { readonly outside?: boolean; readonly also?: readonly string[] } = {},
): Promise<Listing> {
  const root = resolve(directory)
  const roots = [root, ...(options.also ?? []).map((folder) => resolve(folder))]
  const realRoots = await Promise.all(roots.map((folder) => fs.realpath(folder).catch(() => folder)))
  const isInside = (real: string) => realRoots.some((folder) => isBelow(folder, real))
  const files: ListedFile[] = []
  const folders = new Set<string>()
  const skipped: Skipped[] = []
  const visited = new Set<string>()
  const placeOf = (path: string) => relative(root, path).split(sep).join('/')
  const skip = (path: string, rule: keyof typeof WALK_RULES) =>
    skipped.push({ place: placeOf(path), rule: WALK_RULES[rule] })
  const addFile = (path: string) => files.push({ path, place: placeOf(path), kind: kindOfName(path) })

  // Links come last, so that a folder is listed at its real place, not where a link points to it.
  const waiting = [...roots].reverse()
  const links: string[] = []
  const visit = async (folder: string): Promise<void> => {
    const real = await fs.realpath(folder)
    if (visited.has(real)) return
    visited.add(real)
    folders.add(placeOf(folder))
    for (const entry of await entriesOf(folder)) {
      const path = join(folder, entry.name)
      if (entry.name.startsWith('.')) skip(path, 'hidden')
      else if (HELPERS.has(entry.name)) skip(path, 'helper')
      else if (entry.isSymbolicLink()) links.push(path)
      else if (entry.isDirectory()) waiting.push(path)
      else if (entry.isFile()) addFile(path)
      else skip(path, 'special')
    }
  }
  const follow = async (link: string): Promise<void> => {
    const real = await fs.realpath(link).catch(() => undefined)
    const found = real === undefined ? undefined : await fs.stat(real)
    if (real === undefined || found === undefined) skip(link, 'broken')
    else if (!isInside(real) && !options.outside) skip(link, 'outside')
    else if (found.isFile()) addFile(link)
    else if (!found.isDirectory()) skip(link, 'special')
    else if (visited.has(real)) skip(link, 'again')
    else if (realRoots.some((folder) => isBelow(real, folder))) skip(link, 'above')
    else waiting.push(link)
  }
  for (let next = 0; waiting.length > 0 || next < links.length; ) {
    const folder = waiting.pop()
    if (folder !== undefined) await visit(folder)
    else await follow(links[next++]!)
  }
  files.sort((a, b) => (a.place < b.place ? -1 : 1))
  skipped.sort((a, b) => (a.place < b.place ? -1 : 1))
  return { root, files, folders, skipped }
}

/** Whether a path is a folder or lies below it. */
export function isBelow(folder: string, path: string): boolean {
  const between = relative(folder, path)
  return (
    between === '' || !(between === '..' || between.startsWith(`..${sep}`) || resolve(between) === between)
  )
}

export function kindOfName(path: string): FileKind {
  return IMAGE_NAME.test(path) ? 'image' : OTHER_IMAGE_NAME.test(path) ? 'other image' : 'other'
}

async function entriesOf(folder: string): Promise<Dirent[]> {
  try {
    const entries = await fs.readdir(folder, { withFileTypes: true })
    return entries.sort((a, b) => (a.name < b.name ? 1 : -1))
  } catch (cause) {
    throw unreadable(folder, cause)
  }
}
