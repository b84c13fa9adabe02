import { z } from 'zod'
import { Random } from '../base'
import type { Sample } from '../data'

/** Which labels of the training split a training sees: fewer of them, or worse ones. */
export const labelsSchema = z
  .object({
    /** So many images, spread evenly over the list, have labels; the others are not trained on with ground truth. Default: all. */
    images: z.number().int().positive().optional(),
    /** Share of the boxes that are missing. */
    missing: z.number().min(0).lt(1).optional(),
    /** Share of the boxes with another class, drawn evenly from the others. */
    wrongClass: z.number().min(0).lt(1).optional(),
  })
  .strict()
export type Labels = z.infer<typeof labelsSchema>

export interface LabelledSamples {
  readonly labelled: readonly Sample[]
  /** Images whose labels were withheld. */
  readonly rest: readonly Sample[]
}

/**
 * The training images as a labeller with less time or less care would leave them. What is missing or wrong is a function
 * of the image's id alone, so that every training of a study sees the same faults.
 *
 * @throws Error when there are not as many images
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
        // Three draws a box whatever the shares are, so that a larger share has the faults of a smaller one too.
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
