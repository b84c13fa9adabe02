import { readClassNames } from '../data/intake/classes'
import { baseName } from '../data/intake/paths'
import { namingLines } from '../data/place'
import { type FileDetection, readDetections } from './detections'
import { readTruths, type TruthFileOptions } from './truth-files'
import type { Detections, Truths } from './types'

/** Files of truths and detections. */
export interface EvaluationFiles extends TruthFileOptions {
  /** A file or folder of labels in any supported notation, or a whole data set. */
  readonly truth: string
  /** COCO's results, VOC's comp*_det_*_CLASS.txt, a folder of one .txt per image, or the output of Darknet or Ultralytics. */
  readonly detections: string
  /** File with the names of the detections' class numbers; the truths' names by default. */
  readonly detectionClasses?: string
  /** Number of the first class, where category ids are only numbers. */
  readonly firstClass?: number
  /**
   * Columns of a line of detections, separated by blanks: class, score and x1 y1 x2 y2 or x y w h (pixels) or
   * cx cy w h (fractions of the image). Default: "class cx cy w h score" for yolo, else "class score x1 y1 x2 y2", or
   * the only other common order that fits every line.
   */
  readonly columns?: string
}

/** Truths and detections read from files, with their names. */
export interface EvaluationData {
  readonly truths: Truths
  readonly detections: Detections
  readonly classes: readonly string[]
  /** Names of the images without folder and extension. */
  readonly images: readonly string[]
  /** What a reader of the results should know. */
  readonly notes: readonly string[]
}

/** Reads truths and detections in any of the notations; throws with file and line of the first problem. */
export function readEvaluation(files: EvaluationFiles): Promise<EvaluationData> {
  return namingLines(() => read(files))
}

async function read(files: EvaluationFiles): Promise<EvaluationData> {
  const set = await readTruths(files.truth, files)
  const { rows, notes } = await readDetections(files.detections, set, {
    columns: files.columns,
    classes: files.detectionClasses === undefined ? undefined : await readClassNames(files.detectionClasses),
    firstClass: files.firstClass,
    pixels: files.vocPixels ?? 'corners',
  })
  const classes = set.listed ? set.classes : [...new Set([...set.classes, ...rows.map(({ name }) => name)])]
  return {
    truths: { ...set.truths, classes: classes.length },
    detections: columnsOf(rows, classes),
    classes,
    images: set.images.map(({ place }) => baseName(place)),
    notes: [...set.notes, ...notes],
  }
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
