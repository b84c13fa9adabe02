/** Small models with odd widths, and frames for them. */

import { sha256 } from '../../lib/base'
import type { Model } from '../../lib/deploy'
import {
  type Convolution,
  type Darknet21Config,
  headsOf,
  type NetworkSpec,
  type Weights,
  yolov3Tiny,
} from '../../lib/detector'
import { encodeSafetensors } from '../../lib/train'
import { Lcg } from '../detector/lcg'
import { drawnWeights, narrowDetector } from '../detector/support'

/** A model of drawn weights; the last convolutions keep the objectness near a half, so that there are detections. */
export function drawn(options: Partial<Darknet21Config>): Model {
  return drawnOf(narrowDetector(options))
}

/** The same of any network. */
export const drawnOf = (network: NetworkSpec): Model => modelOf(network, drawnWeights(network, new Lcg(1)))

export function modelOf(network: NetworkSpec, weights: Weights): Model {
  return {
    ...{ network, weights, step: 0, optimizer: new Map(), provenance: {} },
    classes: Array.from({ length: headsOf(network).classes }, (_, i) => `class${i}`),
    sha256: sha256(encodeSafetensors(weights)),
  }
}

/** The shapes that every writer must know: odd widths, 1 and 80 classes, both upsamplings, with and without SPP, both sizes. */
export const MODELS: { readonly [name: string]: Model } = {
  'odd widths, 3 classes, 64x96': drawn({}),
  '1 class, nearest, 96x256': drawn({ classes: 1, upsample: 'nearest', spp: false, input: [96, 256] }),
  '80 classes, pruned neck, 192x512': drawn({ classes: 80, neck: [5, 3, 7], input: [192, 512] }),
}

const conv = (name: string, from: string, out: number, more: Partial<Convolution> = {}): Convolution => {
  const { kernel = 3 } = more
  const common = { kind: 'convolution', name, part: 'backbone', from, out, kernel } as const
  return {
    ...common,
    stride: 1,
    padding: (kernel - 1) / 2,
    groups: 1,
    batchNorm: true,
    activation: 'leaky',
    ...more,
  }
}

const anchors = [
  [12, 14],
  [30, 22],
] as const

/** What Darknet's newer networks have: groups, depthwise, every activation, pools with stride, parts of maps, unequal shortcuts. */
const LAYERS: NetworkSpec = {
  input: [64, 96],
  channels: 3,
  features: {},
  layers: [
    conv('stem', 'images', 8, { stride: 2, activation: 'mish' }),
    conv('grouped', 'stem', 12, { groups: 2, activation: 'swish' }),
    conv('depthwise', 'grouped', 12, { groups: 12, stride: 2, activation: 'relu' }),
    conv('pointwise', 'depthwise', 10, { kernel: 1, activation: 'logistic' }),
    { kind: 'route', name: 'half', part: 'backbone', from: ['pointwise'], groups: 2, groupId: 1 },
    conv('narrow', 'half', 6, { batchNorm: false, activation: 'linear' }),
    {
      ...{ kind: 'shortcut', name: 'short', part: 'backbone', activation: 'relu' },
      from: ['depthwise', 'narrow', 'pointwise'],
    },
    { kind: 'shortcut', name: 'cut', part: 'backbone', activation: 'linear', from: ['narrow', 'short'] },
    { kind: 'maxPool', name: 'pool2', part: 'backbone', from: 'cut', size: 2, stride: 2, padding: 1 },
    { kind: 'maxPool', name: 'pool3', part: 'backbone', from: 'pool2', size: 3, stride: 1, padding: 2 },
    { kind: 'maxPool', name: 'pool2s1', part: 'backbone', from: 'pool3', size: 2, stride: 1, padding: 1 },
    conv('logitsA', 'pool2s1', 14, { kernel: 1, batchNorm: false, activation: 'linear' }),
    { kind: 'yolo', name: 'yoloA', part: 'head', from: 'logitsA', anchors, classes: 2, scaleXY: 1.05 },
    {
      ...{ kind: 'deconvolution', name: 'up4', part: 'neck', from: 'pool2s1', kernel: 4, stride: 2, out: 5 },
      ...{ batchNorm: true, activation: 'leaky' },
    },
    { kind: 'upsample', name: 'up', part: 'neck', from: 'pool2s1', stride: 2 },
    { kind: 'route', name: 'joined', part: 'neck', from: ['up4', 'up', 'short'], groups: 1, groupId: 0 },
    conv('wide', 'joined', 9, { kernel: 5, activation: 'mish' }),
    conv('logitsB', 'wide', 14, { kernel: 1, batchNorm: false, activation: 'linear' }),
    { kind: 'yolo', name: 'yoloB', part: 'head', from: 'logitsB', anchors, classes: 2, scaleXY: 1.2 },
  ],
}

/** A max pool whose windows reach over the upper edge, where TensorFlow's 'SAME' does not, over numbers below 0 alone. */
const POOL: NetworkSpec = {
  input: [64, 96],
  channels: 3,
  features: {},
  layers: [
    conv('stem', 'images', 8, { stride: 2 }),
    conv('below', 'stem', 8, { kernel: 1, batchNorm: false, activation: 'linear' }),
    { kind: 'maxPool', name: 'halved', part: 'backbone', from: 'below', size: 3, stride: 2, padding: 2 },
    conv('logits', 'halved', 26, { kernel: 1, batchNorm: false, activation: 'linear' }),
    { kind: 'yolo', name: 'yolo', part: 'head', from: 'logits', anchors, classes: 8, scaleXY: 1 },
  ],
}

/** A model of it. */
export function pool(): Model {
  const weights = new Map(drawnWeights(POOL, new Lcg(1)))
  weights.set('below/bias', { shape: [8], values: Float32Array.from({ length: 8 }, (_, i) => -40 - i / 8) })
  return modelOf(POOL, weights)
}

/** Two more networks: the list above, and YOLOv3-tiny. */
export const OTHERS: { readonly [name: string]: Model } = {
  'groups, mish, unequal shortcuts, 4x4 deconvolution': drawnOf(LAYERS),
  'YOLOv3-tiny': drawnOf(yolov3Tiny({ input: [96, 160], classes: 2, multiplier: 1 / 8 })),
}
