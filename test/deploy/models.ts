/** Small models with odd widths, and frames for them. */

import { sha256 } from '../../lib/base'
import type { Model } from '../../lib/deploy'
import { type DetectorConfig, initialWeights, type Weights } from '../../lib/detector'
import { encodeSafetensors } from '../../lib/train'
import { Lcg } from '../detector/lcg'
import { drawnWeights, narrowDetector } from '../detector/support'

/** A model of drawn weights; the last convolutions keep the objectness near a half, so that there are detections. */
export function drawn(options: Partial<DetectorConfig>): Model {
  const detector = narrowDetector(options)
  return modelOf(detector, drawnWeights(detector, new Lcg(1)))
}

export function modelOf(detector: DetectorConfig, weights: Weights): Model {
  return {
    ...{ detector, weights, step: 0, optimizer: new Map(), provenance: {} },
    classes: Array.from({ length: detector.classes }, (_, i) => `class${i}`),
    sha256: sha256(encodeSafetensors(weights)),
  }
}

/** The shapes that every writer must know: odd widths, 1 and 80 classes, both upsamplings, with and without SPP, both sizes. */
export const MODELS: { readonly [name: string]: Model } = {
  'odd widths, 3 classes, 64x96': drawn({}),
  '1 class, nearest, 96x256': drawn({ classes: 1, upsample: 'nearest', spp: false, input: [96, 256] }),
  '80 classes, pruned neck, 192x512': drawn({ classes: 80, neck: [5, 3, 7], input: [192, 512] }),
}

export const untrained = (options: Partial<DetectorConfig> = {}): Model => {
  const detector = narrowDetector(options)
  return modelOf(detector, initialWeights(detector, 1))
}
