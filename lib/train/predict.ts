import { z } from 'zod'
import { parseDocument } from '../base'
import { type Batch, type Crop, createLoader, type Sample, toImage } from '../data'
import { type DecodeOptions, type Detector, detect } from '../detector'
import { compile, type Precision, pixelTensor, type Tensor, tf, unitPixels } from '../engine'
import { type Detections, detectionsOf, type ScoredBox, type Truths, truthsOf } from '../evaluate'

/** How images are run through a detector. */
export interface PredictOptions {
  readonly batch?: number
  readonly crop?: Crop
  readonly precision?: Precision
  readonly eager?: boolean
  readonly decode?: Partial<DecodeOptions>
  /** Folder in which runs on the same images find those that others have decoded; default: none. */
  readonly frames?: string
  readonly signal?: AbortSignal
  /** Called with the images done and their number. */
  readonly onProgress?: (done: number, total: number) => void
}

/** How a model views images, if not plainly; boxes are returned as if it did. */
export interface ViewOptions {
  /** [height, width] of the network's input, multiples of its coarsest stride; the detector's own by default. */
  readonly input?: readonly [number, number]
  /** Mirrors the images left to right. */
  readonly flip?: boolean
}

/** What a detector finds in samples, beside their truths. */
export interface Prediction {
  /** Boxes are in pixels of the original images; truths are clipped to the crop that the network saw. */
  readonly truths: Truths
  readonly detections: Detections
  /** Network, decoding and NMS only, without reading images; seconds per image. */
  readonly secondsPerImage: number
}

const batchSchema = z.number().int().positive()

/** A detector ready to run on the same samples repeatedly; dispose of it when done. */
export interface Predictor {
  /**
   * The detections of every image, labelled or not, by descending score.
   * @throws the signal's reason when it aborts
   */
  detect(options?: Pick<PredictOptions, 'signal' | 'onProgress'>): Promise<ScoredBox[][]>
  /** @throws the signal's reason when it aborts */
  run(options?: Pick<PredictOptions, 'signal' | 'onProgress'>): Promise<Prediction>
  /** Frees graphs and frames. */
  dispose(): Promise<void>
}

/**
 * Runs a detector over labelled samples: forward pass, decoding and NMS as one compiled graph per batch size.
 * @throws Error naming the wrong option
 */
export async function predict(
  detector: Detector,
  samples: readonly Sample[],
  options: PredictOptions = {},
): Promise<Prediction> {
  const predictor = createPredictor(detector, samples, options)
  try {
    return await predictor.run(options)
  } finally {
    await predictor.dispose()
  }
}

/** A detector's forward pass, decoding and NMS as one compiled graph per batch size. */
export interface BatchDetector {
  /** The detections of every image by descending score, in pixels of the original images, and the seconds they took. */
  detect(batch: SeenBatch): { readonly found: ScoredBox[][]; readonly seconds: number }
  /** Frees the graphs. */
  dispose(): void
}

/** Images as a loader gives them, and how each lies in the network's input. */
export type SeenBatch = Pick<Batch, 'images' | 'shape' | 'placements'>

/**
 * Compiles a detector's forward pass, decoding and NMS.
 *
 * @param options `flip`: mirrors the images left to right first; `changing`: the weights may change between batches, as
 *   during training; otherwise the graphs keep those of the first one as constants
 */
export function createBatchDetector(
  detector: Detector,
  options: Pick<PredictOptions, 'precision' | 'eager' | 'decode'> & {
    readonly flip?: boolean
    readonly changing?: boolean
  } = {},
): BatchDetector {
  const { precision = 'float32', eager = false, decode, flip = false, changing = false } = options
  // Kernels would have to be copied out of a vector at every batch.
  const { kernels, vectors, statistics } = detector.groups
  const detection = compile(
    (images: Tensor) => {
      const pixels = unitPixels(images as tf.Tensor4D)
      const seen = flip ? tf.reverse4d(pixels, 2) : pixels
      const { outputs } = detector.forward(seen, { training: false })
      const { boxes, scores, labels, counts } = detect(outputs, detector.config, decode)
      return { boxes, scores, labels, counts }
    },
    { state: changing ? [...kernels, [...vectors, ...statistics]] : [], precision, eager, name: 'detection' },
  )

  const look: BatchDetector['detect'] = (batch) => {
    const input = pixelTensor(batch.images, batch.shape)
    const start = performance.now()
    const result = detection(input)
    const columns = {
      boxes: result.boxes.dataSync(),
      scores: result.scores.dataSync(),
      labels: result.labels.dataSync(),
      counts: result.counts.dataSync(),
    }
    const seconds = (performance.now() - start) / 1000
    tf.dispose([result, input])
    return { found: boxesOf(columns, batch, flip), seconds }
  }
  return { detect: look, dispose: () => detection.dispose() }
}

/**
 * Like `predict`, but keeps graphs and decoded frames between runs.
 *
 * @param options `changing`: the weights may change between runs, as during training; otherwise the graphs keep those
 *   of the first run as constants
 */
export function createPredictor(
  detector: Detector,
  samples: readonly Sample[],
  options: PredictOptions & ViewOptions & { readonly changing?: boolean } = {},
): Predictor {
  const { crop, frames: diskCache } = options
  const size = parseDocument(options.batch ?? 8, batchSchema, 'predict options: batch')
  const { classes } = detector.config
  const { input = detector.config.input } = options
  const loader = createLoader(samples, { input: [...input], batch: size, crop: crop && [...crop], diskCache })
  const detection = createBatchDetector(detector, options)

  const look = async ({ signal, onProgress }: Pick<PredictOptions, 'signal' | 'onProgress'>) => {
    const found: ScoredBox[][] = []
    const truths: Sample[] = []
    const times: number[] = []
    for (let step = 0; step < loader.stepsPerEpoch; step++) {
      signal?.throwIfAborted()
      const batch = await loader.batchAt(step)
      const { found: detected, seconds } = detection.detect(batch)
      found.push(...detected)
      times.push(seconds / batch.indices.length)
      batch.placements.forEach((placement, i) => {
        const boxes = batch.truths[i]?.map((box) => toImage(box, placement))
        truths.push({ ...samples[batch.indices[i]!]!, boxes })
      })
      onProgress?.(found.length, samples.length)
      // Lets signals through, which frames in memory would not.
      await new Promise((resolve) => setImmediate(resolve))
    }
    // The median excludes the first batch, which records the graph, and pauses of the machine.
    const secondsPerImage = times.sort((a, b) => a - b)[times.length >> 1] ?? 0
    return { found, truths, secondsPerImage }
  }
  const run: Predictor['run'] = async (options = {}) => {
    const { found, truths, secondsPerImage } = await look(options)
    return { truths: truthsOf(truths, classes), detections: detectionsOf(found), secondsPerImage }
  }
  const detected: Predictor['detect'] = async (options = {}) => (await look(options)).found
  const dispose = async (): Promise<void> => {
    detection.dispose()
    await loader.close()
  }
  return { detect: detected, run, dispose }
}

/** What the network says of a batch: the same number of rows for every image, of which `counts` are filled. */
interface DetectionColumns {
  /** [n * rows * 4] */
  readonly boxes: ArrayLike<number>
  readonly scores: ArrayLike<number>
  readonly labels: ArrayLike<number>
  readonly counts: ArrayLike<number>
}

/** The boxes of every image, in pixels of the original one. */
function boxesOf(
  { boxes, scores, labels, counts }: DetectionColumns,
  { shape: [images, , width], placements }: Pick<Batch, 'shape' | 'placements'>,
  flip: boolean,
): ScoredBox[][] {
  const rows = scores.length / images
  return placements.map((placement, i) =>
    Array.from({ length: counts[i]! }, (_, k) => {
      const row = i * rows + k
      const corners = {
        x1: boxes[row * 4]!,
        y1: boxes[row * 4 + 1]!,
        x2: boxes[row * 4 + 2]!,
        y2: boxes[row * 4 + 3]!,
      }
      if (flip) [corners.x1, corners.x2] = [width - corners.x2, width - corners.x1]
      return { ...toImage(corners, placement), label: labels[row]!, score: scores[row]! }
    }),
  )
}
