import { join } from 'node:path'
import { type Dataset, generateScenes, scenesSchema } from '../../lib/data'
import type { NetworkSpec, Weights } from '../../lib/detector'
import { saveCheckpoint } from '../../lib/train'
import {
  metricsSchema,
  type TrialConfig,
  trialFolder,
  trialHash,
  trialSchema,
  writeConfig,
  writeMetrics,
} from '../../lib/trial'
import { TINY_SCENES, tinyConfig } from '../train/tiny'

/** What a profile's study passes to its trials beside their configs. */
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
    detector: tinyConfig(),
    training: tinyTraining(steps, seed),
  })
}

/** Puts a model where trials look for the one of the trial with the given hash. */
export function placeModel(
  runs: string,
  hash: string,
  { network, weights }: { network: NetworkSpec; weights: Weights },
): { trial: string } {
  const path = join(runs, `placed-${hash.slice(0, 12)}`, 'model.json')
  saveCheckpoint(path, { network, classes: [], step: 0, weights, optimizer: new Map(), provenance: {} })
  return { trial: hash }
}

/** Writes the parts of a finished trial's folder that are read. */
export function finishTrial(runs: string, config: TrialConfig, mAP: number | null): void {
  const folder = join(runs, trialFolder(config))
  writeConfig(folder, config)
  const metrics = {
    format: 'trial-metrics/1',
    hash: trialHash(config),
    kind: config.kind,
    evaluation: {
      split: 'validation',
      images: 1,
      truths: 1,
      detections: 0,
      voc: { mAP, mAP11: 0 },
      coco: { AP: 0.125 },
      perClass: [],
      secondsPerImage: 1,
    },
    complexity: { macs: 7, macsByPart: { backbone: 4, neck: 2, head: 1 }, parameters: 3, mmdet: 8 },
    ...('training' in config && {
      training: { steps: 1, images: 1, seconds: 1, waitedShare: 0, last: { total: 1.5, box: 0.5 }, macs: 1 },
    }),
    ...(config.kind === 'distill' && {
      gradients: [{ method: config.terms[0]!.method, unitRatio: 2, ratio: 0.3, lambda: 0.15, cosine: null }],
    }),
    weights: '0',
    provenance: { device: 'this CPU', tensorflow: '2.21.0', engine: 2 },
  }
  writeMetrics(folder, metricsSchema.parse(metrics))
}
