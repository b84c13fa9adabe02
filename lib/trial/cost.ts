/** The cost of trainings in multiply-accumulates, before and after they run. */
import type { HeadConfig } from '../detector'
import { methodWeights } from '../losses'
import { type PseudoOptions, type TeacherViews, viewsOf } from './pseudo'
import type { Term } from './recipe'

/** Images seen by the student, and how many of them the teacher saw too. */
export interface SeenImages {
  readonly images: number
  readonly distilled: number
  /** Forward passes that made pseudo-labels, in images. */
  readonly labelling?: LabellingPasses
}

/** Forward passes of the teacher and of the student's average, in images of the network's own size. */
export interface LabellingPasses {
  readonly teacher: number
  readonly student: number
}

/**
 * MACs of a training: 3 * images * student + distilled * teacher, and the passes that made pseudo-labels. A backward pass
 * counts as two forward passes, a teacher's forward pass as one.
 *
 * @param macs of one image's forward pass
 */
export function trainingMacs(
  { images, distilled, labelling = { teacher: 0, student: 0 } }: SeenImages,
  macs: { readonly student: number; readonly teacher: number },
): number {
  return (3 * images + labelling.student) * macs.student + (distilled + labelling.teacher) * macs.teacher
}

/**
 * Cost of the labels of a training's unlabelled frames: every round runs over the frames (with thresholds by precision, over
 * the labelled images too), in every view by its area. The teacher runs the first round, the student the renewals.
 *
 * @param teacher the size of its input, and its strides
 * @param input the size of the images in which passes are counted: the student's
 */
export function labellingPasses(
  { threshold, renew }: PseudoOptions,
  views: TeacherViews | undefined,
  {
    teacher,
    input = teacher.input,
    frames,
    labelled,
    steps,
  }: {
    readonly teacher: Pick<HeadConfig, 'input' | 'strides'>
    readonly input?: HeadConfig['input']
    readonly frames: number
    readonly labelled: number
    readonly steps: number
  },
): LabellingPasses {
  const images = frames + (typeof threshold === 'object' && 'precision' in threshold ? labelled : 0)
  const area = viewsOf(teacher, views).reduce((sum, view) => sum + view.input[0] * view.input[1], 0)
  const round = (images * area) / (input[0] * input[1])
  const renewals = renew === undefined ? 0 : Math.ceil(steps / renew) - 1
  return { teacher: round, student: renewals * round }
}

/** Whether any term counts at a step; if none does, the teacher does not run. */
export function isDistilled(terms: readonly Term[], step: number): boolean {
  // A ratio of gradients gives a weight above 0.
  const weighted = terms.map((term) => ({
    ...term,
    weight: typeof term.weight === 'number' ? term.weight : 1,
  }))
  return methodWeights(weighted, step).some((weight) => weight !== 0)
}

/** How many of the first `steps` steps have a term that counts. */
export function distilledSteps(terms: readonly Term[], steps: number): number {
  let count = 0
  for (let step = 0; step < steps; step++) if (isDistilled(terms, step)) count++
  return count
}
