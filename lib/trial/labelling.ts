/** Runs the models that give unlabelled frames their pseudo-labels. */
import { join } from 'node:path'
import { appendLines } from '../base'
import type { Crop, Sample } from '../data'
import type { Detector } from '../detector'
import type { Precision } from '../engine'
import { detectionsOf, type ScoredBox, truthsOf } from '../evaluate'
import { createPredictor, type Labeller } from '../train'
import { mergeViews } from './merge'
import {
  countThresholds,
  type PseudoOptions,
  precisionThresholds,
  pseudoBoxes,
  type TeacherViews,
  viewsOf,
} from './pseudo'
import { FILES } from './results'

export interface LabellingOptions {
  readonly pseudo: PseudoOptions
  readonly views: TeacherViews | undefined
  readonly teachers: readonly Detector[]
  /** Unlabelled images; `labelled` ones serve to choose thresholds. */
  readonly frames: readonly Sample[]
  readonly labelled: readonly Sample[]
  readonly crop?: Crop
  readonly precision: Precision
  /** The trial's folder, which records what was labelled. */
  readonly folder: string
}

/** The teachers' labels before the first step; renewals use the student's average. */
export function createLabeller(options: LabellingOptions): Labeller {
  const { pseudo, teachers, frames, labelled, folder } = options
  return {
    every: pseudo.renew,
    label: async ({ step, averaged, signal, onProgress }) => {
      if (step > 0 && !averaged) throw new Error('pseudo.renew: expected recipe.average, found none')
      const models = step > 0 && averaged ? [averaged] : teachers
      // Thresholds by precision need detections on the labelled images too.
      const byPrecision = typeof pseudo.threshold === 'object' && 'precision' in pseudo.threshold
      const seen = byPrecision ? [...labelled, ...frames] : frames
      const all = await detectInViews(models, seen, options, { signal, onProgress })
      const found = byPrecision ? all.slice(labelled.length) : all
      const thresholds = thresholdsOf(pseudo.threshold, labelled, all, found, models[0]!.config.classes)
      const boxes = found.map((detections) => pseudoBoxes(detections, thresholds, pseudo))
      const ignored = boxes.flat().filter(({ weight }) => weight === 0).length
      const record = { step, images: frames.length, objects: boxes.flat().length - ignored, ignored }
      // JSON has no infinity: null stands for a class without labels.
      appendLines(join(folder, FILES.pseudo), `${JSON.stringify({ ...record, thresholds })}\n`)
      return boxes
    },
  }
}

function thresholdsOf(
  threshold: PseudoOptions['threshold'],
  labelled: readonly Sample[],
  all: readonly (readonly ScoredBox[])[],
  found: readonly (readonly ScoredBox[])[],
  classes: number,
): number[] {
  if (typeof threshold === 'number') return new Array<number>(classes).fill(threshold)
  const truths = truthsOf(labelled, classes)
  if ('count' in threshold) return countThresholds(truths, found, threshold.count)
  return precisionThresholds(truths, detectionsOf(all.slice(0, labelled.length)), threshold.precision)
}

/** Detections of the models in every image, from all views together. */
async function detectInViews(
  models: readonly Detector[],
  samples: readonly Sample[],
  { views, crop, precision }: LabellingOptions,
  { signal, onProgress }: Pick<Parameters<Labeller['label']>[0], 'signal' | 'onProgress'>,
): Promise<(readonly ScoredBox[])[]> {
  const looks = models.flatMap((model) => viewsOf(model.config, views).map((view) => ({ model, view })))
  const found: ScoredBox[][][] = []
  for (const [i, { model, view }] of looks.entries()) {
    const predictor = createPredictor(model, samples, { crop, precision, ...view })
    const tell = (done: number, total: number) => onProgress?.(i * total + done, looks.length * total)
    try {
      found.push(await predictor.detect({ signal, onProgress: tell }))
    } finally {
      await predictor.dispose()
    }
  }
  if (found.length === 1) return found[0]!
  return samples.map((_, image) => mergeViews(found.map((view) => view[image]!)))
}
