/** What trainings cost in multiply-accumulates, before and after they have run. */
import { methodWeights } from '../losses'
import type { Term } from './recipe'

/** Images that the student saw, and how many of them the teacher saw too. */
export interface SeenImages {
  readonly images: number
  readonly distilled: number
}

/**
 * MACs of a training: 3 * images * student + distilled * teacher. A backward pass counts as two forward passes, a teacher's
 * forward pass as one.
 *
 * @param macs of one image's forward pass
 */
export function trainingMacs(
  { images, distilled }: SeenImages,
  macs: { readonly student: number; readonly teacher: number },
): number {
  return 3 * images * macs.student + distilled * macs.teacher
}

/** Whether any of the terms counts at a step; where none does, the teacher is not asked. */
export function isDistilled(terms: readonly Term[], step: number): boolean {
  // A ratio of gradients gives a weight above 0.
  const weighted = terms.map((term) => ({
    ...term,
    weight: typeof term.weight === 'number' ? term.weight : 1,
  }))
  return methodWeights(weighted, step).some((weight) => weight !== 0)
}

/** Steps of the first `steps` at which the terms count. */
export function distilledSteps(terms: readonly Term[], steps: number): number {
  let count = 0
  for (let step = 0; step < steps; step++) if (isDistilled(terms, step)) count++
  return count
}
