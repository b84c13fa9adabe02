import { readdir, readFile, stat } from 'node:fs/promises'
import { basename, dirname, extname, join, relative, resolve, sep } from 'node:path'
import { unreadable } from '../base'
import type { SplitName } from './types'

/** Files below a folder whose name matches, sorted, as absolute paths; a file stands for itself. */
export async function filesBelow(root: string, name: RegExp): Promise<string[]> {
  const kind = await kindOf(root)
  if (kind === 'file') return name.test(root) ? [root] : []
  if (kind === undefined) return []
  const found: string[] = []
  for (const entry of await readdir(root, { withFileTypes: true })) {
    if (entry.name.startsWith('.') || entry.name === 'node_modules') continue
    const path = join(root, entry.name)
    const inner = entry.isSymbolicLink() ? await kindOf(path) : entry.isDirectory() ? 'folder' : 'file'
    if (inner === 'folder') found.push(...(await filesBelow(path, name)))
    else if (inner === 'file' && name.test(entry.name)) found.push(path)
  }
  return found.sort()
}

/** What a path is; undefined when there is nothing. */
export async function kindOf(path: string): Promise<'file' | 'folder' | undefined> {
  const found = await stat(path).catch(() => undefined)
  return found && (found.isDirectory() ? 'folder' : 'file')
}

/** The first of these paths that exists. */
export async function firstExisting(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) if ((await kindOf(path)) !== undefined) return path
  return undefined
}

/**
 * The text of a file, without the mark that some editors begin it with.
 * @throws Error naming the file when it cannot be read
 */
export async function readText(file: string): Promise<string> {
  try {
    return (await readFile(file, 'utf8')).replace(/^\ufeff/, '')
  } catch (cause) {
    throw unreadable(file, cause)
  }
}

export const IMAGE_NAME = /\.(jpe?g|png|webp|gif|tiff?|avif)$/i

const SPLITS: Readonly<Record<string, SplitName>> = {
  train: 'train',
  training: 'train',
  trainval: 'train',
  val: 'validation',
  valid: 'validation',
  validation: 'validation',
  test: 'test',
  unlabelled: 'unlabelled',
  unlabeled: 'unlabelled',
  shifted: 'shifted',
}

/** The split that a folder or a list is named after: "train", "val2017", "instances_test.json". */
export function splitNamed(name: string): SplitName | undefined {
  for (const word of name.toLowerCase().split(/[^a-z]+/)) if (SPLITS[word] !== undefined) return SPLITS[word]
  return undefined
}

/** The split that a folder is named after, "train" or "train2017"; a word among others does not count. */
function splitOfFolder(name: string): SplitName | undefined {
  return SPLITS[name.toLowerCase().replace(/\d{4}$/, '')]
}

/** The split of a file by the folders between it and the root. */
export function splitOfPath(root: string, file: string): SplitName | undefined {
  for (const folder of dirname(relative(root, file)).split(sep)) {
    const split = splitOfFolder(folder)
    if (split !== undefined) return split
  }
  return undefined
}

/** The splits that folders within a folder are named after, empty ones included. */
export async function splitFolders(folder: string): Promise<SplitName[]> {
  if ((await kindOf(folder)) !== 'folder') return []
  const splits: SplitName[] = []
  for (const name of await readdir(folder)) {
    const split = splitOfFolder(name)
    if (split !== undefined && (await kindOf(join(folder, name))) === 'folder') splits.push(split)
  }
  return splits
}

/** Folders that only say what kind of file is inside, so that a label's path and its image's agree without. */
const FILLER = /^(images|labels.*|jpegimages|annotations|image_2|label_2|obj_train_data)$/i

/** A file's place under a root without its extension and filler folders: "train/a" for "train/images/a.jpg". */
function keyOf(root: string, file: string): string {
  const parts = relative(root, file).split(sep)
  const folders = parts.slice(0, -1).filter((part) => !FILLER.test(part))
  return [...folders, stem(file)].join('/')
}

/** A file's name without folders and extension. */
export const stem = (file: string): string => basename(file, extname(file))

/** Path with '/' on every system, without the extension: what samples are named by. */
export function idOf(root: string, file: string): string {
  const path = relative(root, file).split(sep).join('/')
  return path.slice(0, path.length - extname(path).length)
}

/** Finds the image that an annotation speaks of. */
export class ImageIndex {
  private readonly byKey = new Map<string, string[]>()
  private readonly byStem = new Map<string, string[]>()

  constructor(
    readonly root: string,
    readonly files: readonly string[],
  ) {
    for (const file of files) {
      append(this.byKey, keyOf(root, file), file)
      append(this.byStem, stem(file), file)
    }
  }

  static async of(root: string): Promise<ImageIndex> {
    return new ImageIndex(root, await filesBelow(root, IMAGE_NAME))
  }

  /** The image beside a label file: at the same place but for filler folders, or else the only one of that name. */
  beside(labelRoot: string, label: string): string | undefined {
    return this.only(
      this.byKey.get(keyOf(labelRoot, label)) ?? this.byStem.get(stem(label)),
      splitOfPath(labelRoot, label),
    )
  }

  /** The image with a written path or name, from `base` or from the root of the images. */
  async named(name: string, base: string, split?: SplitName): Promise<string | undefined> {
    const exact = await firstExisting([resolve(this.root, name), resolve(base, name)])
    if (exact !== undefined && IMAGE_NAME.test(exact)) return exact
    // A name without extension may hold dots.
    return this.only(this.byStem.get(stem(name)) ?? this.byStem.get(basename(name)), split)
  }

  /** One file of several: the one in the folder of that split. */
  private only(files: readonly string[] | undefined, split: SplitName | undefined): string | undefined {
    if (files === undefined || files.length === 1) return files?.[0]
    const fitting = files.filter((file) => splitOfPath(this.root, file) === split)
    return fitting.length === 1 ? fitting[0] : undefined
  }
}

function append(map: Map<string, string[]>, key: string, file: string): void {
  const files = map.get(key)
  if (files === undefined) map.set(key, [file])
  else files.push(file)
}
