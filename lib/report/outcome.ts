import { createLoader } from '../data'
import { boxesOfImage, type Detections, drawDetections, mistakes } from '../evaluate'
import type { Study } from '../study'
import { readDetections, type TrialDetections, type TrialResult } from '../trial'
import { batchImage } from './probe'

export interface OutcomeOptions {
  /** Detections scored below it are left out. Default 0.3. */
  readonly minScore?: number
  /** Of the drawing in pixels. Default 900. */
  readonly width?: number
}

/**
 * What a trial's model made of one image of its split, as an SVG picture: hits green, mistakes with their kind, missed
 * truths dashed.
 *
 * @param image index among the images that the trial was evaluated on
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
  // Large frames are drawn at the drawing's size.
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

/** The detections that are shown: an object that was found with a lower score alone is missed. */
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

/** For every image: right detections minus mistakes, missed truths included, of what is scored at least `minScore`. */
export function imageScores({ truths, detections }: TrialDetections, minScore = 0.3): Int32Array {
  const shown = scoredAtLeast(detections, minScore)
  const scores = new Int32Array(truths.images)
  for (const image of shown.image) scores[image]!++
  for (const { image, detection } of mistakes(truths, shown).list) {
    // A mistake is no right detection, as which it was counted above.
    scores[image]! -= detection === undefined ? 1 : 2
  }
  return scores
}

/** The image on which two models differ most, for better or worse; of equal ones the first. */
export function mostChanged(before: TrialDetections, after: TrialDetections, minScore = 0.3): number {
  const [a, b] = [imageScores(before, minScore), imageScores(after, minScore)]
  const changes = Array.from(b, (score, i) => Math.abs(score - a[i]!))
  return changes.indexOf(Math.max(...changes))
}
