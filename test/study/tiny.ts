import { join } from 'node:path'
import { type Dataset, generateScenes, scenesSchema } from '../../lib/data'
import type { DetectorConfig, Weights } from '../../lib/detector'
import { type TrialConfig, trialSchema } from '../../lib/study'
import { saveCheckpoint } from '../../lib/train'
import { TINY_SCENES, tinyDetector } from '../train/tiny'

/** What a profile's study tells its trials beside their configs. */
export const TINY_SOURCE = { scenes: scenesSchema.parse(TINY_SCENES) }

/** The scenes where a trial's process with this cache looks for them. */
export const tinyData = (cache: string): Promise<Dataset> =>
  generateScenes(join(cache, 'data'), TINY_SCENES, { workers: 1 })

export function tinyTraining(steps: number, seed = 1) {
  return {
    steps,
    rate: 0.02,
    seed,
    recipe: {
      batch: 2,
      augment: {},
      assign: {},
      loss: {},
      sgd: {},
      schedule: 'cosine',
      warmUp: { steps: 2 },
      precision: 'float32',
    },
  }
}

/** A trial of a few steps that starts from random weights. */
export function teacherTrial(data: Dataset, steps: number, seed = 1): TrialConfig {
  return trialSchema.parse({
    kind: 'teacher',
    data: { hash: data.hash },
    detector: tinyDetector(),
    training: tinyTraining(steps, seed),
  })
}

/** Puts a model where trials look for that of the trial with the given hash. */
export function placeModel(
  runs: string,
  hash: string,
  { detector, weights }: { detector: DetectorConfig; weights: Weights },
): { trial: string } {
  const path = join(runs, `placed-${hash.slice(0, 12)}`, 'model.json')
  saveCheckpoint(path, { detector, classes: [], step: 0, weights, optimizer: new Map(), provenance: {} })
  return { trial: hash }
}
