import { dirname, join, relative, resolve } from 'node:path'
import {
  filesBelow,
  IMAGE_NAME,
  ImageIndex,
  kindOf,
  readText,
  splitFolders,
  splitNamed,
  splitOfPath,
  stem,
} from './files'
import { type Layout, readClasses, readYoloConfig } from './layout'
import type { Report } from './problem'
import { parseCoco } from './readers/coco'
import { parseKitti } from './readers/kitti'
import { parseList } from './readers/list'
import { parseOpenImages } from './readers/openimages'
import { filledLines, type ParsedImage } from './readers/parsed'
import { parseScalabel } from './readers/scalabel'
import { parseVoc, type VocPixels } from './readers/voc'
import { parseYolo, type YoloConfig } from './readers/yolo'
import type { SplitName } from './types'

/** An annotated image with its file and split. */
export interface LocatedImage {
  readonly file: string
  readonly split: SplitName
  readonly parsed: ParsedImage
}

export interface LocatedSet {
  /** Classes that the data set itself lists; undefined where only its boxes name them. */
  readonly classes: readonly string[] | undefined
  readonly images: readonly LocatedImage[]
  /** Splits that a file, a list or a folder is named after, also where nothing is in it. */
  readonly named: ReadonlySet<SplitName>
}

/** Reads every annotation of a layout and finds the image of each. */
export async function locateImages(
  layout: Layout,
  options: { classes?: readonly string[]; vocPixels?: VocPixels },
  report: Report,
): Promise<LocatedSet> {
  const index = await ImageIndex.of(layout.images)
  const config = layout.format === 'yolo' ? await readYoloConfig(layout, report) : {}
  const listed = options.classes ?? (await readClasses(layout, config, report))
  const needed = (): readonly string[] => {
    if (listed !== undefined) return listed
    throw new Error(
      `${layout.directory}: expected a list of class names (classes.txt, labels.txt, *.names or data.yaml), ` +
        'found none; add one or give classes',
    )
  }
  switch (layout.format) {
    case 'voc':
      return perImage(layout, index, config, listed, report, (text, file) =>
        parseVoc(text, file, { pixels: options.vocPixels }, report),
      )
    case 'yolo': {
      const names = needed()
      return perImage(layout, index, config, names, report, (text, file) =>
        parseYolo(text, file, names, report),
      )
    }
    case 'kitti':
      return perImage(layout, index, config, listed, report, (text, file) => parseKitti(text, file, report))
    case 'list': {
      const names = needed()
      return perList(layout, index, names, report, (text, file) => parseList(text, file, names, report))
    }
    case 'scalabel':
      return perList(layout, index, listed, report, (text, file) => parseScalabel(text, file, report))
    case 'openimages':
      return perList(layout, index, listed, report, (text, file) => parseOpenImages(text, file, report))
    case 'coco': {
      let classes = listed
      const set = await perList(layout, index, listed, report, (text, file) => {
        const coco = parseCoco(text, file, report)
        classes ??= coco?.classes
        if (coco && options.classes === undefined && coco.classes.join('\n') !== classes?.join('\n')) {
          const message = `expected the classes ${classes?.join(', ')}, found ${coco.classes.join(', ')}`
          report({ kind: 'unknown class', file, key: 'categories', message })
        }
        return coco?.images
      })
      return { ...set, classes }
    }
  }
}

type ParseOne = (text: string, file: string) => ParsedImage | undefined
type ParseMany = (text: string, file: string) => readonly ParsedImage[] | undefined

/** Notations with one file for all images (of a split): the split is in the file's name or the images' folder. */
async function perList(
  layout: Layout,
  index: ImageIndex,
  classes: readonly string[] | undefined,
  report: Report,
  parse: ParseMany,
): Promise<LocatedSet> {
  const images: LocatedImage[] = []
  const splits = new Set(await splitFolders(index.root))
  for (const file of layout.files) {
    const named = splitNamed(stem(file))
    if (named !== undefined) splits.add(named)
    for (const parsed of parse(await readText(file), file) ?? []) {
      const found = await index.named(parsed.image, dirname(file), named)
      if (found === undefined) {
        reportMissing(parsed, index, report)
        continue
      }
      const split = named ?? splitOfPath(index.root, found) ?? 'train'
      if (parsed.boxes === undefined || split === 'unlabelled')
        images.push({ file: found, split: 'unlabelled', parsed: { ...parsed, boxes: undefined } })
      else images.push({ file: found, split, parsed })
    }
  }
  return { classes, images, named: splits }
}

/**
 * Notations with a file for each image. Splits come from lists (ImageSets/Main/train.txt, the paths of
 * data.yaml) where there are some, otherwise from the folders' names; images without a label file are
 * unlabelled.
 */
async function perImage(
  layout: Layout,
  index: ImageIndex,
  config: YoloConfig,
  classes: readonly string[] | undefined,
  report: Report,
  parse: ParseOne,
): Promise<LocatedSet> {
  const { splits: lists, named } = await readLists(layout, config, index, report)
  const root =
    (await kindOf(layout.annotations)) === 'folder' ? layout.annotations : dirname(layout.annotations)
  if (lists === undefined) {
    for (const folder of [index.root, root]) for (const split of await splitFolders(folder)) named.add(split)
  }
  const images: LocatedImage[] = []
  const labelled = new Set<string>()
  for (const file of layout.files) {
    const parsed = parse(await readText(file), file)
    const image =
      index.beside(root, file) ??
      (parsed && (await index.named(parsed.image, dirname(file), splitOfPath(root, file))))
    if (image === undefined) reportMissing(parsed ?? { image: stem(file), source: file }, index, report)
    else labelled.add(image)
    if (image === undefined || parsed === undefined) continue
    const split = lists
      ? lists.get(image)
      : (splitOfPath(index.root, image) ?? splitOfPath(root, file) ?? 'train')
    if (split === 'unlabelled') images.push({ file: image, split, parsed: { ...parsed, boxes: undefined } })
    else if (split !== undefined) images.push({ file: image, split, parsed })
  }
  for (const file of index.files) {
    if (labelled.has(file) || (lists && !lists.has(file))) continue
    images.push({ file, split: 'unlabelled', parsed: { image: file, boxes: undefined, source: file } })
  }
  return { classes, images, named }
}

/** Split of every image that a list names, and the splits that have a list; undefined where no image has one. */
async function readLists(
  layout: Layout,
  config: YoloConfig,
  index: ImageIndex,
  report: Report,
): Promise<{ splits: Map<string, SplitName> | undefined; named: Set<SplitName> }> {
  const splits = new Map<string, SplitName>()
  const named = new Set<SplitName>()
  const add = async (split: SplitName, path: string) => {
    named.add(split)
    if ((await kindOf(path)) === 'folder') {
      for (const file of await filesBelow(path, IMAGE_NAME)) splits.set(file, split)
      return
    }
    for (const { text, line } of filledLines(await readText(path))) {
      const name = text.split(/\s+/)[0] ?? ''
      const file = await index.named(name, dirname(path), split)
      if (file !== undefined && splits.has(file) && splits.get(file) !== split) {
        const message = `expected an image of one split, found ${name} in ${splits.get(file)} and ${split}`
        report({ kind: 'duplicate image', file: path, line, message })
      }
      if (file !== undefined) splits.set(file, split)
      else reportMissing({ image: name, source: path, line }, index, report)
    }
  }
  const base = resolve(layout.directory, config.path ?? '.')
  const entries: [SplitName, readonly string[] | undefined][] = [
    ['train', config.train],
    ['validation', config.validation],
    ['test', config.test],
  ]
  for (const [split, paths] of entries) {
    for (const path of paths ?? []) {
      named.add(split)
      // data.yaml is often written for another folder: "../train/images" or "data/train.txt" of somebody's disk.
      const inside = path.replace(/^(\.\.\/)+/, '')
      const candidates = [
        resolve(base, path),
        resolve(layout.directory, inside),
        join(layout.annotations, '..', inside),
      ]
      for (const candidate of candidates) {
        if ((await kindOf(candidate)) === undefined) continue
        if (relative(layout.directory, candidate).startsWith('..')) continue
        await add(split, candidate)
        break
      }
    }
  }
  // Beside the folder of annotations, of which a devkit may hold several (VOC2007, VOC2012).
  for (const folder of new Set([layout.directory, ...layout.files.map((file) => dirname(dirname(file)))])) {
    if (relative(layout.directory, folder).startsWith('..')) continue
    const sets = await filesBelow(join(folder, 'ImageSets', 'Main'), /^(train|val|test|trainval)\.txt$/)
    const hasTrain = sets.some((file) => stem(file) === 'train')
    for (const file of sets) {
      // What train and val hold together.
      if (stem(file) === 'trainval' && hasTrain) continue
      await add(splitNamed(stem(file)) ?? 'train', file)
    }
  }
  return { splits: splits.size > 0 ? splits : undefined, named }
}

function reportMissing(
  parsed: Pick<ParsedImage, 'image' | 'source' | 'line' | 'key'>,
  index: ImageIndex,
  report: Report,
): void {
  const { image, source, line, key } = parsed
  const message = `expected one image ${image} below ${index.root}, found none or several of that name`
  report({ kind: 'missing image', file: source, line, key, message })
}
