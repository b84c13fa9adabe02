/** Reads detections for the truths' images from the files that detectors write. */
import { stat } from 'node:fs/promises'
import { dirname, relative, resolve, sep } from 'node:path'
import { mapLimited } from '../../base'
import { readClassNames } from '../../data/intake/classes'
import { type ListedFile, listFolder } from '../../data/intake/listing'
import type { VocPixels } from '../../data/intake/notation'
import { baseName, withoutEnding } from '../../data/intake/paths'
import { filledLines, readText } from '../../data/intake/text'
import { FILES_AT_ONCE, type TruthSet } from '../truth-files'
import { isDarknetOutput, readDarknetOutput } from './darknet'
import { type FileDetection, knownClass, TruthImages } from './detection'
import { readJsonDetections } from './json'
import { findLayout, type LinesOfImage, layoutOf } from './layouts'
import { readLines, readVocResults, VOC_RESULTS } from './lines'

export type { FileDetection } from './detection'

export interface DetectionFileOptions {
  /** Meaning of a line's numbers, where each file holds the detections of one image; detected by default. */
  readonly columns?: string
  /** Names of the class numbers; the truths' by default. */
  readonly classes?: readonly string[]
  /** Number of the first class, where category ids are only numbers; detected by default. */
  readonly firstClass?: number
  readonly pixels: VocPixels
}

/** Lists of class names that may lie among detections. */
const CLASS_LIST = /^(classes|labels)\.txt$|\.names$/i

/**
 * Reads detections of the images in `set`:
 * - a .json file: COCO's list of results (Ultralytics' predictions.json), a COCO document whose annotations have scores
 *   (joined by file and class name), or what Darknet writes with -out,
 * - a .txt printed by Darknet (-ext_output),
 * - files called comp*_det_*_CLASS.txt: VOC's results, lines "image score x1 y1 x2 y2",
 * - a folder of any other .txt: one per image, named like it, lines as in `columns`. A list of classes among them
 *   (classes.txt) names their numbers.
 *
 * Throws with file and line of the first problem.
 */
export async function readDetections(
  path: string,
  set: TruthSet,
  options: DetectionFileOptions,
): Promise<{ rows: FileDetection[]; notes: string[] }> {
  const found = await stat(path).catch(() => undefined)
  if (found === undefined) {
    if (/\.json$/i.test(path)) throw new Error(`${path}: expected a file, found nothing`)
    throw new Error(`${path}: expected a file or folder, found nothing`)
  }
  const images = new TruthImages(set)
  const { classes = set.listed ? set.classes : undefined, firstClass } = options
  if (/\.json$/i.test(path) && found.isFile()) {
    const text = await readText(path)
    return {
      rows: readJsonDetections(text, path, set, images, { classes: options.classes, firstClass }),
      notes: [],
    }
  }
  const files = await textFiles(path, found.isDirectory())
  if (files.length === 0) throw new Error(`${path}: expected a .json file or .txt files, found none`)
  const own = files.find(({ place }) => CLASS_LIST.test(baseName(place)))
  const names = options.classes ?? (own ? await readClassNames(own.path) : classes)
  const rows: FileDetection[] = []
  const perImage: LinesOfImage[] = []
  const texts = await mapLimited(
    files.filter((file) => !CLASS_LIST.test(baseName(file.place))),
    FILES_AT_ONCE,
    async (file) => ({ file, text: await readText(file.path) }),
  )
  for (const { file, text } of texts) {
    const named = VOC_RESULTS.exec(baseName(file.place))?.[1]
    if (named !== undefined) {
      const name = knownClass(named, set, { file: file.path })
      for (const row of readVocResults(text, file.path, name, images, options.pixels)) rows.push(row)
    } else if (isDarknetOutput(text)) {
      for (const row of readDarknetOutput(text, file.path, set, images)) rows.push(row)
    } else {
      const image = images.ofName(withoutEnding(file.place), { file: file.path })
      perImage.push({ file: file.path, image, lines: filledLines(text, file.path) })
    }
  }
  if (perImage.length === 0) return { rows, notes: [] }
  const fallback = set.format.includes('yolo') ? 'class cx cy w h score' : 'class score x1 y1 x2 y2'
  const { layout, note } =
    options.columns === undefined
      ? findLayout(perImage, set, fallback)
      : { layout: layoutOf(options.columns), note: undefined }
  for (const lines of perImage) for (const row of readLines(lines, layout, set, names)) rows.push(row)
  return { rows, notes: note === undefined ? [] : [`${path}: ${note}`] }
}

async function textFiles(path: string, isFolder: boolean): Promise<readonly ListedFile[]> {
  const isText = ({ place }: ListedFile) => /\.txt$|\.names$/i.test(place)
  if (isFolder) return (await listFolder(path)).files.filter(isText)
  const full = resolve(path)
  const place = relative(dirname(full), full).split(sep).join('/')
  return [{ path, place, kind: 'other' as const }].filter(isText)
}
