import { basename, join, relative, resolve } from 'node:path'
import { z } from 'zod'
import { filesBelow, firstExisting, kindOf, readText, splitNamed, stem } from './files'
import type { Report } from './problem'
import { filledLines, parseJson, parseWith } from './readers/parsed'
import { parseYoloData, parseYoloYaml, type YoloConfig } from './readers/yolo'

/** Notations that are read, in the order of preference where a folder holds several. */
export const FORMATS = ['voc', 'coco', 'list', 'yolo', 'kitti', 'scalabel', 'openimages'] as const
export type Format = (typeof FORMATS)[number]

/** Where a data set keeps its parts. */
export interface Layout {
  readonly directory: string
  readonly format: Format
  /** Folder or file that the annotations lie in. */
  readonly annotations: string
  /** The annotation files themselves. */
  readonly files: readonly string[]
  /** Folder that the images lie in. */
  readonly images: string
}

export interface LayoutOptions {
  /** Notation; recognised from the files by default. */
  readonly format?: Format
  /** Folder or file of the annotations, from the data set's folder; looked for by default. */
  readonly annotations?: string
  /** Folder of the images, from the data set's folder; looked for by default. */
  readonly images?: string
}

/** Where each notation's annotations usually lie, and how to know them by a file's name and its text. */
const NOTATIONS: Readonly<
  Record<Format, { places: string[]; name: RegExp; fits: (text: string) => boolean }>
> = {
  voc: {
    places: ['labels_voc', 'Annotations', 'annotations', 'labels', '.'],
    name: /\.xml$/i,
    fits: (text) => text.includes('<annotation'),
  },
  coco: {
    places: ['annotations', '.'],
    name: /\.json$/i,
    fits: (text) =>
      text.includes('"images"') && text.includes('"annotations"') && text.includes('"categories"'),
  },
  list: {
    places: ['.', 'annotations'],
    name: /\.txt$/i,
    fits: (text) => /^\S+ +[-\d.]+(,[-\d.]+){4}/m.test(text),
  },
  yolo: {
    places: ['labels_yolo', 'labels', '.'],
    name: /\.txt$/i,
    fits: (text) => /^\s*\d+(\s+[-\d.e]+){4}\s*$/m.test(text),
  },
  kitti: {
    places: ['label_2', 'training/label_2', 'labels', '.'],
    name: /\.txt$/i,
    fits: (text) => /^\s*[A-Za-z_]\w*(\s+[-\d.e]+){14,15}\s*$/m.test(text),
  },
  scalabel: {
    places: ['labels', 'annotations', '.'],
    name: /\.json$/i,
    fits: (text) => text.includes('"labels"') && text.includes('"name"') && /^\s*(\[|\{)/.test(text),
  },
  openimages: {
    places: ['annotations', '.'],
    name: /\.csv$/i,
    fits: (text) => /^\W*ImageID,/.test(text),
  },
}

/** Text files that are no labels. An image may be called train_0001, so that only whole names tell a list. */
const OTHER_TEXT =
  /^(classes|labels|names|obj|readme.*|licen[cs]e.*|autosplit_.*|(train(ing|val)?|val(id|idation)?|test)(\d{4})?)$/i

/** Whether a file that holds many images' labels, or is to list them, is named after a split. */
function isNamedAfterSplit(file: string): boolean {
  return splitNamed(stem(file)) !== undefined
}

/**
 * Recognises a data set's notation by its files: the first of FORMATS of which a file is found.
 * @throws Error naming what was looked for when nothing fits
 */
export async function findLayout(directory: string, options: LayoutOptions = {}): Promise<Layout> {
  if ((await kindOf(directory)) !== 'folder')
    throw new Error(
      `${directory}: expected the folder of a data set, found ${(await kindOf(directory)) ?? 'nothing'}`,
    )
  const images = options.images
    ? resolve(directory, options.images)
    : ((await firstExisting(
        ['images', 'JPEGImages', 'image_2', 'training/image_2'].map((name) => join(directory, name)),
      )) ?? directory)
  for (const format of options.format ? [options.format] : FORMATS) {
    const { places, name, fits } = NOTATIONS[format]
    for (const place of options.annotations ? [options.annotations] : places) {
      const annotations = resolve(directory, place)
      const files = labelFiles(format, await filesBelow(annotations, name))
      // A notation named by the caller is taken at its word: its mistakes are then reported by line.
      const certain = options.format !== undefined && (options.annotations !== undefined || place !== '.')
      if (files.length > 0 && (certain || (await anyFits(files, fits))))
        return { directory, format, annotations, images, files: await fitting(files, format) }
    }
  }
  const sought = options.format ?? FORMATS.join(', ')
  const place = options.annotations ? `in ${options.annotations}` : 'anywhere below it'
  throw new Error(
    `${directory}: expected annotations (${sought}), found none ${place}; ` +
      'name the notation with format and their place with annotations',
  )
}

/** The files among those with a notation's extension that hold labels, by their names. */
export function labelFiles(format: Format, files: readonly string[]): string[] {
  if (format === 'list') return files.filter(isNamedAfterSplit)
  if (format === 'yolo' || format === 'kitti')
    return files.filter((file) => !OTHER_TEXT.test(stem(file)) && !/ImageSets/.test(file))
  if (format !== 'coco') return [...files]
  // Beside its boxes COCO keeps captions and key points of the same images.
  const instances = files.filter((file) => basename(file).startsWith('instances'))
  return instances.length > 0 ? instances : [...files]
}

/** A few files tell: the first ones of a folder may be empty, since YOLO writes nothing where there is nothing. */
async function anyFits(files: readonly string[], fits: (text: string) => boolean): Promise<boolean> {
  for (const file of files.slice(0, 50)) if (fits(await readText(file))) return true
  return false
}

/**
 * JSON folders hold other files too (a manifest, say); those that are something else are left out. Not those whose
 * name says what they are: they may be broken, or empty.
 */
async function fitting(files: readonly string[], format: Format): Promise<string[]> {
  if (format !== 'coco' && format !== 'scalabel') return [...files]
  const kept: string[] = []
  for (const file of files) {
    const name = basename(file)
    const named = name.startsWith('instances') || (/^[a-z]+\d*\.json$/i.test(name) && isNamedAfterSplit(file))
    if (named || NOTATIONS[format].fits(await readText(file))) kept.push(file)
  }
  return kept.length > 0 ? kept : [...files]
}

/** What YOLO's configuration says, with absolute paths; empty where there is none. */
export async function readYoloConfig(layout: Layout, report: Report): Promise<YoloConfig> {
  const { directory, annotations } = layout
  const file = await firstExisting(
    [directory, annotations, join(annotations, '..')].flatMap((folder) =>
      ['data.yaml', 'data.yml', 'dataset.yaml', 'obj.data'].map((name) => join(folder, name)),
    ),
  )
  if (file === undefined) return {}
  const parse = file.endsWith('.data') ? parseYoloData : parseYoloYaml
  return parse(await readText(file), file, report) ?? {}
}

/**
 * The list of classes that comes with a data set: a name a line in classes.txt, labels.txt or *.names, the
 * `names` of data.yaml, or `classes` of manifest.json; undefined where there is none.
 */
export async function readClasses(
  layout: Layout,
  config: YoloConfig,
  report: Report,
): Promise<string[] | undefined> {
  if (Array.isArray(config.names)) return [...config.names]
  const { directory, annotations } = layout
  const folders = [directory, annotations, join(annotations, '..')].filter(
    (folder) => !relative(directory, folder).startsWith('..'),
  )
  for (const folder of folders) {
    const file = await firstExisting(
      ['classes.txt', 'labels.txt', 'obj.names', 'classes.names'].map((name) => join(folder, name)),
    )
    if (file !== undefined) return filledLines(await readText(file)).map(({ text }) => text)
  }
  const manifest = join(directory, 'manifest.json')
  if ((await kindOf(manifest)) === undefined) return undefined
  const schema = z.object({ classes: z.array(z.string()).optional() })
  return parseWith(schema, parseJson(await readText(manifest), manifest, report), { file: manifest }, report)
    ?.classes
}
