/** What is looked at: images, a folder of them, a pattern, a data set with labels, or a video. */
import { existsSync, statSync } from 'node:fs'
import { basename, dirname, relative, resolve, sep } from 'node:path'
import { glob } from 'tinyglobby'
import {
  describeProblem,
  type OpenOptions,
  type Problem,
  readImage,
  readSampleImage,
  type SplitName,
} from '../../data'
import { IMAGE_NAME, IMAGE_TYPES, OTHER_IMAGE_NAME } from '../../data/image-types'
import { isBelow, listFolder } from '../../data/intake/listing'
import { scanDataset } from '../../data/open'
import { withLines } from '../../data/place'
import { nameOf } from '../../data/writers/name'
import type { Source, SourceImage } from './types'
import { openVideo, VIDEO_NAME } from './video'

export interface SourceOptions
  extends Pick<OpenOptions, 'format' | 'annotations' | 'images' | 'vocPixels' | 'outside' | 'classes'> {
  /** Whether a folder is a data set whose labels are read; found out where absent: it is where it holds more than images. */
  readonly labels?: boolean
  /** Only that split of a data set. */
  readonly split?: SplitName
  /** Frames of a video that are looked at, a second; all of them where absent. */
  readonly fps?: number
}

/**
 * @param words paths of files, one folder, or patterns
 * @throws Error saying what was expected, and where nothing is found
 */
export async function openSource(words: readonly string[], options: SourceOptions = {}): Promise<Source> {
  const [first] = words
  if (first === undefined)
    throw new Error('source: expected an image, a folder, a pattern or a video, found none')
  if (words.length === 1 && existsSync(first)) {
    if (statSync(first).isDirectory()) return openFolder(resolve(first), options)
    if (VIDEO_NAME.test(first)) return openVideo(resolve(first), options)
  }
  const files = (await Promise.all(words.map(filesOf))).flat()
  return imagesOf(commonFolder(files), [...new Set(files)])
}

/** The file of a path, or those that a pattern stands for. */
async function filesOf(word: string): Promise<string[]> {
  if (existsSync(word)) {
    if (statSync(word).isDirectory())
      throw new Error(`${word}: expected one folder alone, or files, found a folder among several places`)
    if (VIDEO_NAME.test(word))
      throw new Error(`${word}: expected one video alone, or images, found a video among several places`)
    if (!IMAGE_NAME.test(word)) throw new Error(`${word}: ${expectedType(word)}`)
    return [resolve(word)]
  }
  const found = /[*?[\]{}()!]/.test(word) ? await glob(word, { absolute: true, onlyFiles: true }) : undefined
  if (found === undefined)
    throw new Error(`${word}: expected an image, a folder, a pattern or a video, found nothing`)
  const images = found.filter((file) => IMAGE_NAME.test(file)).sort()
  if (images.length === 0)
    throw new Error(
      `${word}: expected a pattern of images (${IMAGE_TYPES}), found ${found.length === 0 ? 'no file that fits it' : `${found.length} files, of which none is an image`}`,
    )
  return images.map((file) => resolve(file))
}

function expectedType(word: string): string {
  return OTHER_IMAGE_NAME.test(word)
    ? `expected ${IMAGE_TYPES}, found an image of another type; convert it`
    : `expected an image (${IMAGE_TYPES}) or a video, found another type of file`
}

function commonFolder(files: readonly string[]): string {
  let folder = dirname(files[0]!)
  while (!files.every((file) => isBelow(folder, file))) folder = dirname(folder)
  return folder
}

function imagesOf(folder: string, files: readonly string[]): Source {
  const taken = new Set<string>()
  const placed = files.map((file) => {
    const place = relative(folder, file).split(sep).join('/')
    return { file, place, name: nameOf({ id: place, file }, taken) }
  })
  const images = async function* () {
    for (const { file, place, name } of placed)
      yield { name, place, load: () => readImage(file, { upright: true }) }
  }
  const title = basename(files.length === 1 ? files[0]! : folder)
  return { title, total: files.length, images: images(), problems: [] }
}

async function openFolder(folder: string, options: SourceOptions): Promise<Source> {
  const { files } = await listFolder(folder, { outside: options.outside })
  const isAsked =
    options.split !== undefined ||
    [options.format, options.annotations, options.images, options.classes].some(
      (value) => value !== undefined,
    )
  const isSet = options.labels ?? (isAsked || files.some(({ kind }) => kind === 'other'))
  if (isSet) return openLabelled(folder, options)
  const images = files.filter(({ kind }) => kind === 'image').map(({ path }) => path)
  const others = files.filter(({ kind }) => kind === 'other image')
  if (images.length === 0)
    throw new Error(
      `${folder}: expected a folder with images (${IMAGE_TYPES}), found ${files.length === 0 ? 'an empty one' : 'none'}`,
    )
  const problems = others.map(({ path }) => `${path}: ${expectedType(path)}`)
  return { ...imagesOf(folder, images), title: basename(folder), problems }
}

/** Every image of a data set, or of one of its splits, with its labels. */
async function openLabelled(folder: string, options: SourceOptions): Promise<Source> {
  const found: Problem[] = []
  const { labels: _, split, fps: __, ...reading } = options
  const set = await scanDataset(folder, reading, (problem) => found.push(problem)).catch((error: unknown) => {
    if (!(error instanceof Error) || options.labels !== undefined) throw error
    const cause = [...found.slice(0, 3).map(describeProblem), error.message].join('\n')
    throw new Error(`${cause}\nWith --no-labels the images are taken and nothing else.`, { cause: error })
  })
  const samples = set.samples.filter((scanned) => split === undefined || scanned.split === split)
  if (samples.length === 0) {
    const splits = [...new Set(set.samples.map((scanned) => scanned.split))]
    throw new Error(
      `${folder}: expected images${split === undefined ? '' : ` of the split ${split}`}, found ${splits.length > 0 ? `those of ${splits.join(', ')}` : 'none'}`,
    )
  }
  const taken = new Set<string>()
  const listed = samples.map(({ sample }): SourceImage => {
    const { id, file, boxes } = sample
    const place = relative(set.root, file).split(sep).join('/')
    return {
      ...{ name: nameOf({ id, file }, taken), place },
      ...(boxes && { truths: boxes }),
      load: () => readSampleImage(sample),
    }
  })
  const images = async function* () {
    yield* listed
  }
  const problems = (await withLines(found)).map(describeProblem)
  return { title: basename(folder), total: listed.length, images: images(), classes: set.classes, problems }
}
