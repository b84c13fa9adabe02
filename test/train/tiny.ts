import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { sha256 } from '../../lib/base'
import { type Dataset, generateScenes, type ScenesConfig } from '../../lib/data'
import {
  type Darknet21Config,
  darknet21,
  initialWeights,
  type NetworkSpec,
  type Weights,
} from '../../lib/detector'
import { encodeSafetensors, type TrainOptions } from '../../lib/train'
import { narrowConfig } from '../detector/support'

const root = mkdtempSync(join(tmpdir(), 'tiny-'))
after(() => rmSync(root, { recursive: true, force: true }))

/** A new temporary folder; all are removed after the tests of the file. */
export const temporary = (): string => mkdtempSync(join(root, 'f-'))

export const TINY_SCENES: ScenesConfig = {
  splits: { train: 6, validation: 3, test: 3, unlabelled: 4 },
  width: 128,
  height: 48,
}

/** A few small street scenes. */
export const tinyScenes = (directory: string): Promise<Dataset> =>
  generateScenes(directory, TINY_SCENES, { workers: 1 })

/** A network of a few thousand weights for the scenes. */
export function tinyConfig(options: Partial<Darknet21Config> = {}): Darknet21Config {
  return narrowConfig({
    input: [64, 96],
    classes: 8,
    anchors: [
      [
        [40, 30],
        [30, 40],
        [60, 40],
      ],
      [
        [20, 14],
        [14, 20],
        [26, 22],
      ],
      [
        [6, 5],
        [9, 8],
        [5, 12],
      ],
    ],
    ...options,
  })
}

/** The same as a list of layers. */
export function tinyDetector(options: Partial<Darknet21Config> = {}): NetworkSpec {
  const config = tinyConfig(options)
  return darknet21(config.backbone, config)
}

export const tinyWeights = (seed = 1): Weights => initialWeights(tinyDetector(), seed)

/** Four steps of two images. */
export const TINY_TRAINING: TrainOptions = {
  steps: 4,
  batch: 2,
  seed: 1,
  augment: {},
  assign: { multiAnchor: true, crossGrid: true },
  loss: {},
  sgd: { momentum: 0.9, weightDecay: 5e-4, clip: 35 },
  schedule: { kind: 'cosine', rate: 0.02, final: 0.01 },
  warmUp: { steps: 2, from: 0.1 },
  precision: 'float32',
  eager: false,
  workers: 0,
  checkpointEvery: 100,
  logEvery: 1,
}

/** Equal for weights that are equal bit for bit. */
export const hashOf = (weights: Weights): string => sha256(encodeSafetensors(weights))
