import { stat } from 'node:fs/promises'
import { filesBelow, readText } from '../data/files'
import { namingLines } from '../data/place'
import type { VocPixels } from '../data/readers/voc'
import { type FileDetection, readDetections } from './detection-files'
import { readTruths, splitNames, type TruthFormat } from './truth-files'
import type { Detections, Truths } from './types'

export interface EvaluationFiles {
  /** COCO's instances file, a folder of VOC's .xml, or a folder of YOLO's .txt. */
  readonly truth: string
  /** COCO's results, VOC's comp*_det_*_CLASS.txt, or a folder of one .txt for each image. */
  readonly detections: string
  /** Of the truths, and of detections in lines; found out from the truths where absent. */
  readonly format?: TruthFormat
  /** File of the truths' class names, one a line; VOC's are gathered from the boxes where absent. */
  readonly classes?: string
  /** File of the names behind the detections' class numbers; the truths' where absent. */
  readonly detectionClasses?: string
  /** Folder of the images, where boxes are shares of their sizes and they lie elsewhere. */
  readonly images?: string
  /**
   * What a line of detections holds, separated by blanks: class, score and x1 y1 x2 y2 or x y w h (pixels) or
   * cx cy w h (shares of the image). Default: "class cx cy w h score" for yolo, else "class score x1 y1 x2 y2".
   */
  readonly columns?: string
  /** VOC: corners as they stand, or the devkit's first and last pixel counted from 1. */
  readonly vocPixels?: VocPixels
}

export interface EvaluationData {
  readonly truths: Truths
  readonly detections: Detections
  readonly classes: readonly string[]
  /** Names of the images without folder and extension. */
  readonly images: readonly string[]
  /** What a reader of the numbers should know. */
  readonly notes: readonly string[]
}

/** Reads truths and detections in any of the notations; throws with file and line of the first problem. */
export function readEvaluation(files: EvaluationFiles): Promise<EvaluationData> {
  return namingLines(() => read(files))
}

async function read(files: EvaluationFiles): Promise<EvaluationData> {
  const { format = await formatOf(files.truth), vocPixels: pixels = 'corners' } = files
  const listed = files.classes === undefined ? undefined : splitNames(await readText(files.classes))
  const set = await readTruths(files.truth, { format, classes: listed, images: files.images, pixels })
  const rows = await readDetections(files.detections, set, {
    columns: (files.columns ?? (format === 'yolo' ? 'class cx cy w h score' : 'class score x1 y1 x2 y2'))
      .trim()
      .split(/[\s,]+/),
    classes:
      files.detectionClasses === undefined
        ? set.listed
          ? set.classes
          : undefined
        : splitNames(await readText(files.detectionClasses)),
    pixels,
  })
  const classes = set.listed ? set.classes : [...new Set([...set.classes, ...rows.map(({ name }) => name)])]
  return {
    truths: { ...set.truths, classes: classes.length },
    detections: columnsOf(rows, classes),
    classes,
    images: set.images.map(({ stem }) => stem),
    notes: set.notes,
  }
}

/** The format of truths: .json is COCO's, a folder is what its files are. */
async function formatOf(truth: string): Promise<TruthFormat> {
  if (/\.json$/i.test(truth)) return 'coco'
  const found = await stat(truth).catch(() => undefined)
  if (found === undefined) throw new Error(`${truth}: expected a file or folder of truths, found nothing`)
  if ((await filesBelow(truth, /\.xml$/i)).length > 0) return 'voc'
  if ((await filesBelow(truth, /\.txt$/i)).length > 0) return 'yolo'
  throw new Error(`${truth}: expected COCO's .json, VOC's .xml or YOLO's .txt files, found none`)
}

function columnsOf(rows: readonly FileDetection[], classes: readonly string[]): Detections {
  const labelOf = new Map(classes.map((name, label) => [name, label]))
  return {
    image: Int32Array.from(rows, ({ image }) => image),
    label: Int32Array.from(rows, ({ name }) => labelOf.get(name)!),
    score: Float64Array.from(rows, ({ score }) => score),
    box: Float64Array.from(rows.flatMap(({ box }) => box)),
    size: Float64Array.from(rows.flatMap(({ box: [x1, y1, x2, y2], size }) => size ?? [x2 - x1, y2 - y1])),
  }
}
