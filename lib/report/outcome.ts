import { createLoader } from '../data'
import { boxesOfImage, type Detections, drawDetections, mistakes } from '../evaluate'
import type { Study } from '../study'
import { readDetections, type TrialDetections, type TrialResult } from '../trial'
import { batchImage } from './probe'

/** Which detections are drawn, and how large. */
export interface OutcomeOptions {
  /** Detections scored below it are left out. Default 0.3. */
  readonly minScore?: number
  /** Width of the drawing in pixels. Default 900. */
  readonly width?: number
}

/**
 * How a trial's model did on one image of its split, as an SVG picture: hits green, mistakes with their kind, missed
 * truths dashed.
 *
 * @param image index among the images on which the trial was evaluated
 */
export async function drawOutcome(
  study: Study,
  { folder, metrics }: TrialResult,
  image: number,
  options: OutcomeOptions = {},
): Promise<string> {
  const { minScore = 0.3, width = 900 } = options
  const { truths, detections, ids } = readDetections(folder)
  const sample = study.dataset.splits[metrics.evaluation.split]?.find(({ id }) => id === ids[image])
  if (!sample) {
    throw new RangeError(`${folder}: expected an image index below ${ids.length}, found ${image}`)
  }
  // Scale large frames down to the size of the drawing.
  const scale = Math.min(1, width / sample.width)
  const input: [number, number] = [Math.round(sample.height * scale), Math.round(sample.width * scale)]
  const loader = createLoader([sample], { input, batch: 1 })
  const picture = batchImage(await loader.batchAt(0), 0)
  await loader.close()
  const shown = scoredAtLeast(detections, minScore, image)
  const drawn = boxesOfImage(truths, shown, mistakes(truths, shown), image, { minScore })
  const placed = drawn.map(({ box: { x1, y1, x2, y2 }, ...rest }) => ({
    ...rest,
    box: { x1: x1 * scale, y1: y1 * scale, x2: x2 * scale, y2: y2 * scale },
  }))
  return drawDetections(picture, placed, study.dataset.classes, { width })
}

/** The detections shown: an object found only with a lower score counts as missed. */
function scoredAtLeast(detections: Detections, minScore: number, ofImage?: number): Detections {
  const rows = [...detections.score.keys()].filter(
    (row) =>
      detections.score[row]! >= minScore && detections.image[row] === (ofImage ?? detections.image[row]),
  )
  return {
    image: Int32Array.from(rows, (row) => detections.image[row]!),
    label: Int32Array.from(rows, (row) => detections.label[row]!),
    score: Float64Array.from(rows, (row) => detections.score[row]!),
    box: Float64Array.from(rows.flatMap((row) => [...detections.box.subarray(4 * row, 4 * row + 4)])),
  }
}

/** For every image: right detections minus mistakes, missed truths included, counting scores of at least `minScore`. */
export function imageScores({ truths, detections }: TrialDetections, minScore = 0.3): Int32Array {
  const shown = scoredAtLeast(detections, minScore)
  const scores = new Int32Array(truths.images)
  for (const image of shown.image) scores[image]!++
  for (const { image, detection } of mistakes(truths, shown).list) {
    // A mistaken detection was counted as right above.
    scores[image]! -= detection === undefined ? 1 : 2
  }
  return scores
}

/** The image on which two models differ most, for better or worse; the first on ties. */
export function mostChanged(before: TrialDetections, after: TrialDetections, minScore = 0.3): number {
  const [a, b] = [imageScores(before, minScore), imageScores(after, minScore)]
  const changes = Array.from(b, (score, i) => Math.abs(score - a[i]!))
  return changes.reduce((most, change, i) => (change > changes[most]! ? i : most), 0)
}
