import { readClassNames } from '../data/intake/classes'
import { baseName } from '../data/intake/paths'
import { namingLines } from '../data/place'
import { type FileDetection, readDetections } from './detections'
import { readTruths, type TruthFileOptions } from './truth-files'
import type { Detections, Truths } from './types'

export interface EvaluationFiles extends TruthFileOptions {
  /** A file or folder of labels in any notation that data sets are read in, or a whole data set. */
  readonly truth: string
  /** COCO's results, VOC's comp*_det_*_CLASS.txt, a folder of one .txt for each image, or what Darknet or Ultralytics write. */
  readonly detections: string
  /** File of the names behind the detections' class numbers; the truths' where absent. */
  readonly detectionClasses?: string
  /** Number of the first class where category ids only count. */
  readonly firstClass?: number
  /**
   * What a line of detections holds, separated by blanks: class, score and x1 y1 x2 y2 or x y w h (pixels) or
   * cx cy w h (shares of the image). Default: "class cx cy w h score" for yolo, else "class score x1 y1 x2 y2", or the only
   * other usual order that every line allows.
   */
  readonly columns?: string
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
