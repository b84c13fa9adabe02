/** Proof of what a file makes of its logits: boxes and scores, or final detections. */
import type { Crop, Sample } from '../data'
import { decodeScale } from '../detector'
import { scoped, type Tensor, tf } from '../engine'
import type { ScoredBox } from '../evaluate'
import type { NamedTensor } from '../train'
import { detectionsIn } from './detections'
import { framesOf } from './frames'
import type { Metadata } from './metadata'
import type { RuntimeName } from './runtimes'
import { Session } from './runtimes/session'

/** How far boxes (pixels) and scores of a file may be from those of its own logits. */
export const HEAD_BOUNDS = { boxes: 0.01, scores: 1e-4 } as const

/** The largest difference of a box's side in pixels, and of a score. */
export interface HeadDifference {
  readonly boxes: number
  readonly scores: number
}

/**
 * How far a file's own head is from what the library makes of the logits of its twin, in the same runtime.
 *
 * @throws Error where that is more than HEAD_BOUNDS, or another number of detections
 */
export async function headDifference(
  twin: readonly [file: string, metadata: Metadata],
  own: readonly [file: string, metadata: Metadata],
  runtime: RuntimeName,
  { samples, crop }: { readonly samples: readonly Sample[]; readonly crop?: Crop },
): Promise<HeadDifference> {
  const run = async ([file, metadata]: typeof twin) => {
    const session = await Session.open(file, runtime, metadata)
    try {
      const images = await framesOf(samples, metadata, metadata.batch === 'any' ? 3 : metadata.batch, crop)
      return await session.run(images)
    } finally {
      await session.close()
    }
  }
  const [logits, found] = [await run(twin), await run(own)]
  const [file, metadata] = own
  const difference =
    metadata.head === 'decoded'
      ? decodedDifference(logits, found, metadata, twin[1])
      : detectedDifference(detectionsIn(logits, twin[1]), detectionsIn(found, metadata), file)
  if (difference.boxes <= HEAD_BOUNDS.boxes && difference.scores <= HEAD_BOUNDS.scores) return difference
  throw new Error(
    `${file}: expected boxes within ${HEAD_BOUNDS.boxes} pixels and scores within ${HEAD_BOUNDS.scores} of those of its ` +
      `logits, found differences of ${difference.boxes.toPrecision(3)} and ${difference.scores.toPrecision(3)}`,
  )
}

function decodedDifference(
  logits: ReadonlyMap<string, NamedTensor>,
  found: ReadonlyMap<string, NamedTensor>,
  { anchors, classes, scaleXY, strides }: Metadata,
  twin: Metadata,
): HeadDifference {
  return scoped(() => {
    const config = { anchors, classes: classes.length, scaleXY, strides }
    const scales = twin.outputs.map((name, scale) => {
      const { shape, values } = logits.get(name)!
      const decoded = decodeScale(tf.tensor(values, [...shape]) as Tensor as tf.Tensor4D, scale, config)
      const scores: Tensor = tf.mul(decoded.probabilities, tf.expandDims(decoded.objectness, 2))
      return { boxes: decoded.boxes as Tensor, scores }
    })
    const largest = (part: 'boxes' | 'scores'): number => {
      const parts = scales.map((scale) => scale[part])
      const { shape, values } = found.get(part)!
      const difference = tf.abs(tf.sub(tf.concat(parts, 1), tf.tensor(values, [...shape])))
      return tf.max(difference).dataSync()[0]!
    }
    return { boxes: largest('boxes'), scores: largest('scores') }
  })
}

function detectedDifference(
  expected: readonly (readonly ScoredBox[])[],
  found: readonly (readonly ScoredBox[])[],
  file: string,
): HeadDifference {
  const difference = { boxes: 0, scores: 0 }
  expected.forEach((boxes, image) => {
    const others = found[image]!
    if (others.length !== boxes.length) {
      throw new Error(
        `${file}: expected ${boxes.length} detections of frame ${image}, as of its logits, found ${others.length}`,
      )
    }
    // Scores that are equal but for rounding stand in any order.
    const left = [...others]
    for (const box of boxes) {
      const apart = left.map((other) => distance(box, other))
      const nearest = apart.indexOf(Math.min(...apart))
      const [other] = left.splice(nearest, 1)
      difference.boxes = Math.max(difference.boxes, apart[nearest]!)
      difference.scores = Math.max(difference.scores, Math.abs(box.score - other!.score))
    }
  })
  return difference
}

/** Of the side that is farthest; boxes of other classes are infinitely far. */
function distance(a: ScoredBox, b: ScoredBox): number {
  if (a.label !== b.label) return Number.POSITIVE_INFINITY
  const sides = (['x1', 'y1', 'x2', 'y2'] as const).map((side) => Math.abs(a[side] - b[side]))
  return Math.max(...sides)
}
