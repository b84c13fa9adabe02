/** From what an exported file gives to detections in pixels of the images. */
import { type Crop, createLoader, type Sample, toImage, unitValues } from '../data'
import { detect } from '../detector'
import { nonMaxSuppression, scoped, type Tensor, tf } from '../engine'
import { type Detections, detectionsOf, type ScoredBox, type Truths, truthsOf } from '../evaluate'
import type { NamedTensor } from '../train'
import type { Metadata } from './metadata'
import type { Session } from './runtimes/session'

/**
 * The final detections of every image, in pixels of the network's input and by descending score. What a file leaves to do is done
 * as `detect` does it; of a file that gives boxes and scores the thresholds are left out that need the objectness.
 */
export function detectionsIn(
  outputs: ReadonlyMap<string, NamedTensor>,
  metadata: Metadata,
): readonly (readonly ScoredBox[])[] {
  const { head, decode } = metadata
  const at = (name: string): NamedTensor => {
    const found = outputs.get(name)
    if (!found) throw new Error(`expected an output ${name}, found ${[...outputs.keys()].join(', ')}`)
    return found
  }
  const tensor = (name: string): Tensor => tf.tensor(at(name).values, [...at(name).shape])
  return scoped(() => {
    if (head === 'detections') {
      const [boxes, scores, labels, counts] = ['boxes', 'scores', 'labels', 'counts'].map(
        (name) => at(name).values,
      )
      return boxesOf(boxes!, scores!, labels!, counts!)
    }
    const found =
      head === 'logits'
        ? detect(
            metadata.outputs.map((name) => tensor(name) as tf.Tensor4D),
            {
              anchors: metadata.anchors,
              classes: metadata.classes.length,
              scaleXY: metadata.scaleXY,
              strides: metadata.strides,
            },
            decode,
          )
        : nonMaxSuppression(
            tensor('boxes') as tf.Tensor3D,
            tensor('scores') as tf.Tensor3D,
            decode.limit,
            decode.iou,
          )
    const [boxes, scores, labels, counts] = [found.boxes, found.scores, found.labels, found.counts].map((t) =>
      t.dataSync(),
    )
    return boxesOf(boxes!, scores!, labels!, counts!)
  })
}

function boxesOf(
  boxes: ArrayLike<number>,
  scores: ArrayLike<number>,
  labels: ArrayLike<number>,
  counts: ArrayLike<number>,
): ScoredBox[][] {
  const limit = scores.length / counts.length
  return Array.from(counts, (count, image) =>
    Array.from({ length: count }, (_, i) => {
      const at = image * limit + i
      const [x1, y1, x2, y2] = [0, 1, 2, 3].map((side) => boxes[4 * at + side]!) as [
        number,
        number,
        number,
        number,
      ]
      return { x1, y1, x2, y2, label: labels[at]!, score: scores[at]! }
    }),
  )
}

export interface PredictedWith {
  readonly truths: Truths
  readonly detections: Detections
}

/** Runs a file over labelled images, as `predict` runs a detector: boxes in pixels of the original images. */
export async function predictWith(
  session: Session,
  samples: readonly Sample[],
  options: {
    readonly crop?: Crop
    readonly batch?: number
    readonly signal?: AbortSignal
    readonly onProgress?: (done: number, total: number) => void
  } = {},
): Promise<PredictedWith> {
  const { crop, signal, onProgress } = options
  const { metadata } = session
  const batch = options.batch ?? (metadata.batch === 'any' ? 8 : metadata.batch)
  const loader = createLoader(samples, { input: [...metadata.input], batch, crop: crop && [...crop] })
  const found: ScoredBox[][] = []
  const truths: Sample[] = []
  try {
    for (let step = 0; step < loader.stepsPerEpoch; step++) {
      signal?.throwIfAborted()
      const { images, shape, indices, placements, truths: labelled } = await loader.batchAt(step)
      const outputs = await session.run({ shape, values: unitValues(images) })
      detectionsIn(outputs, metadata).forEach((boxes, i) => {
        const placement = placements[i]!
        found.push(boxes.map((box) => ({ ...box, ...toImage(box, placement) })))
        const seen = labelled[i]?.map((box) => toImage(box, placement))
        truths.push({ ...samples[indices[i]!]!, boxes: seen })
      })
      onProgress?.(found.length, samples.length)
    }
  } finally {
    await loader.close()
  }
  return { truths: truthsOf(truths, metadata.classes.length), detections: detectionsOf(found) }
}
