import { z } from 'zod'
import { Random } from '../base'
import type { Sample } from '../data'

/** Changes to the training split's labels: fewer of them, or worse ones. */
export const labelsSchema = z
  .object({
    /** Number of images that keep their labels, spread evenly over the list; the others get no ground truth. Default: all. */
    images: z.number().int().positive().optional(),
    /** Fraction of the boxes that are missing. */
    missing: z.number().min(0).lt(1).optional(),
    /** Fraction of the boxes with another class, drawn uniformly from the others. */
    wrongClass: z.number().min(0).lt(1).optional(),
  })
  .strict()
/** What is withheld or falsified of the training labels. */
export type Labels = z.infer<typeof labelsSchema>

/** Training images that keep their labels, and the others. */
export interface LabelledSamples {
  readonly labelled: readonly Sample[]
  /** Images whose labels were withheld. */
  readonly rest: readonly Sample[]
}

/**
 * The training images as labelled by someone with less time or less care. What is missing or wrong depends only on
 * the image's id, so every training of a study sees the same faults.
 *
 * @throws Error when there are fewer images than that
 */
export function applyLabels(
  samples: readonly Sample[],
  classes: number,
  { images = samples.length, missing = 0, wrongClass = 0 }: Labels,
): LabelledSamples {
  if (images > samples.length) {
    throw new Error(`labels.images: expected at most the ${samples.length} training images, found ${images}`)
  }
  const chosen = (i: number) =>
    Math.floor(((i + 1) * images) / samples.length) > Math.floor((i * images) / samples.length)
  const labelled = samples
    .filter((_, i) => chosen(i))
    .map((sample): Sample => {
      if (!sample.boxes || (missing === 0 && wrongClass === 0)) return sample
      const random = new Random('labels', sample.id)
      const boxes = sample.boxes.flatMap((box) => {
        // Always three draws per box, so that a larger fraction includes the faults of a smaller one.
        const [lost, wrong, other] = [random.next(), random.next(), random.next()]
        if (lost < missing) return []
        if (wrong >= wrongClass || classes < 2) return [box]
        const label = (box.label + 1 + Math.floor(other * (classes - 1))) % classes
        return [{ ...box, label }]
      })
      return { ...sample, boxes }
    })
  return { labelled, rest: samples.filter((_, i) => !chosen(i)) }
}
