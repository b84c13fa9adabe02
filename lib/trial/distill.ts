import type { Sample } from '../data'
import { complexity, type Detector } from '../detector'
import { methodWeights } from '../losses'
import { type TrainContext, type TrainOptions, type TrainSummary, train } from '../train'
import type { TrialConfig } from './config'
import { labellingPasses, type SeenImages } from './cost'
import { createDistillation } from './distillation'
import { ensembleOf } from './ensemble'
import { compareGradients } from './gradients'
import { createLabeller } from './labelling'
import type { Metrics } from './metrics'

export interface DistillInputs {
  readonly student: Detector
  readonly teachers: readonly Detector[]
  readonly samples: readonly Sample[]
  /** Unlabelled images, if the trial has any. */
  readonly frames: readonly Sample[] | undefined
  readonly options: TrainOptions
  readonly context: TrainContext
}

/** Trains a student with its teachers: by terms on their outputs, by their pseudo-labels, or both. */
export async function distill(
  { terms, unlabelled, pseudo, views, training }: Extract<TrialConfig, { kind: 'distill' }>,
  { student, teachers, samples, frames, options, context }: DistillInputs,
): Promise<{
  readonly summary: TrainSummary
  readonly gradients: Metrics['gradients']
  readonly seen: SeenImages
  /** MACs of the teachers' forward passes for one image. */
  readonly teacherMacs: number
}> {
  const { crop, precision } = options
  const { directory: folder } = context
  const beside =
    unlabelled && frames
      ? {
          samples: frames,
          batch: unlabelled.batch,
          ...(pseudo && {
            labeller: createLabeller({
              pseudo,
              views,
              teachers,
              frames,
              labelled: samples,
              crop,
              precision,
              folder,
            }),
          }),
        }
      : undefined
  const distillation =
    terms.length > 0
      ? createDistillation(student, ensembleOf(teachers, views), terms, training.seed)
      : undefined
  try {
    const gradients = distillation && (await compareGradients(student, distillation, samples, options, terms))
    const weighted = terms.map((term, i) => ({ ...term, weight: gradients?.[i]?.lambda ?? 0 }))
    const weightsAt = (step: number) => methodWeights(weighted, step)
    const summary = await train(
      student,
      samples,
      { ...options, unlabelled: beside, ...(distillation && { extra: { ...distillation, weightsAt } }) },
      context,
    )
    const labelling =
      pseudo &&
      labellingPasses(pseudo, views, {
        teacher: teachers[0]!.config,
        input: student.config.input,
        frames: frames?.length ?? 0,
        labelled: samples.length,
        steps: summary.steps,
      })
    const distilled = summary.distilled * (views?.flip ? 2 : 1)
    // A teacher sees the student's images, whose size may not be its own.
    const { input } = student.config
    const teacherMacs = teachers.reduce((sum, { network }) => sum + complexity({ ...network, input }).macs, 0)
    return { summary, gradients, seen: { images: summary.images, distilled, labelling }, teacherMacs }
  } finally {
    distillation?.dispose()
  }
}
