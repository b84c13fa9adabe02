/** Networks beside darknet21 that oracle/general.py runs too: every kind of layer, and YOLOv3's own, narrowed. */
import {
  type Activation,
  type Convolution,
  type Deconvolution,
  type Layer,
  layersOf,
  type NetworkSpec,
  type Weights,
  type Yolo,
  yolov3,
  yolov3Spp,
  yolov3Tiny,
} from '../../lib/detector'
import type { Lcg } from './lcg'
import { drawnWeights } from './support'

const base = (name: string, from: string) => ({ name, part: 'backbone', from }) as const

function conv(
  name: string,
  from: string,
  out: number,
  kernel: number,
  more: Partial<Convolution> = {},
): Layer {
  const padding = Math.floor(kernel / 2)
  const own = { kernel, stride: 1, padding, groups: 1, out, batchNorm: true, activation: 'leaky' } as const
  return { kind: 'convolution', ...base(name, from), ...own, ...more }
}

function deconv(
  name: string,
  from: string,
  out: number,
  kernel: number,
  more: Partial<Deconvolution> = {},
): Layer {
  const own = { kernel, stride: 2, out, batchNorm: true, activation: 'leaky' } as const
  return { kind: 'deconvolution', ...base(name, from), ...own, ...more }
}

const pool = (name: string, from: string, size: number, stride: number, padding: number): Layer => ({
  ...{ kind: 'maxPool', ...base(name, from), size, stride, padding },
})

const route = (name: string, from: readonly string[], groups = 1, groupId = 0): Layer => ({
  ...{ kind: 'route', name, part: 'backbone', from, groups, groupId },
})

const sum = (name: string, from: readonly string[], activation: Activation): Layer => ({
  ...{ kind: 'shortcut', name, part: 'backbone', from, activation },
})

const LINEAR = { batchNorm: false, activation: 'linear' } as const
const CLASSES = 2

/** The convolution that gives the logits, and the yolo layer. */
function head(name: string, from: string, anchors: Yolo['anchors'], scaleXY: number, kernel = 1): Layer[] {
  const logits = `${name}/logits`
  return [
    conv(logits, from, anchors.length * (5 + CLASSES), kernel, LINEAR),
    { kind: 'yolo', name, part: 'head', from: logits, anchors, classes: CLASSES, scaleXY },
  ]
}

/** Every kind of layer and activation, and four heads, at strides 32, 16, 8 and 4. */
export const FORMS: NetworkSpec = {
  input: [64, 96],
  channels: 3,
  layers: [
    conv('mish', 'images', 8, 3, { stride: 2, activation: 'mish' }),
    conv('groups', 'mish', 8, 3, { groups: 2 }),
    conv('depthwise', 'groups', 16, 3, { stride: 2, groups: 8, batchNorm: false, activation: 'relu' }),
    pool('pool3', 'depthwise', 3, 2, 2),
    conv('swish', 'pool3', 16, 1, { activation: 'swish' }),
    sum('same', ['swish', 'pool3'], 'mish'),
    route('part', ['same'], 2, 1),
    conv('logistic', 'part', 24, 3, { activation: 'logistic' }),
    sum('wider', ['same', 'logistic'], 'linear'),
    sum('narrower', ['logistic', 'same'], 'leaky'),
    conv('five', 'narrower', 12, 5, { stride: 2 }),
    pool('pool2', 'five', 2, 2, 0),
    pool('pool1', 'pool2', 3, 1, 2),
    route('beside', ['pool1', 'pool2']),
    ...head(
      'coarse',
      'beside',
      [
        [40, 30],
        [30, 40],
        [60, 40],
      ],
      1,
    ),
    deconv('deconv4', 'pool2', 10, 4, { activation: 'mish' }),
    route('middle', ['deconv4', 'five']),
    ...head('second', 'middle', [[24, 18]], 1.2),
    deconv('deconv2', 'middle', 6, 2, LINEAR),
    deconv('deconv3', 'deconv2', 6, 3, { stride: 1 }),
    route('third', ['deconv3', 'wider']),
    ...head(
      'fine',
      'third',
      [
        [12, 10],
        [8, 14],
      ],
      2,
    ),
    { kind: 'upsample', ...base('up', 'five'), stride: 4 },
    route('parts', ['up', 'depthwise'], 2, 0),
    ...head('finest', 'parts', [[5, 6]], 1.1, 3),
  ],
  features: { detect1: 'beside', detect2: 'middle', detect3: 'third', detect4: 'parts' },
}

const narrow = { input: [96, 160] as const, classes: CLASSES, multiplier: 1 / 8 }

/** By name, with the seed of their weights and images. */
export const NETWORKS = {
  forms: { network: FORMS, seed: 31 },
  yolov3: { network: yolov3(narrow), seed: 37 },
  'yolov3-spp': { network: yolov3Spp(narrow), seed: 39 },
  'yolov3-tiny': { network: yolov3Tiny(narrow), seed: 37 },
} as const

export type NetworkName = keyof typeof NETWORKS

/** Weights whose betas, of even channels up and of odd ones down, keep what comes out of batch norm from the kinks at 0. */
export function offsetWeights(network: NetworkSpec, random: Lcg): Weights {
  return new Map(
    [...drawnWeights(network, random)].map(([name, { shape, values }]) => {
      const shift = (i: number) => (name.endsWith('/beta') ? 4 * (1 - 2 * (i % 2)) : 0)
      return [name, { shape, values: values.map((value, i) => value + shift(i)) }]
    }),
  )
}

/** Objects of two images, in pixels of the network's input. */
export const TRUTHS = [
  [
    { x1: 10, y1: 8, x2: 50, y2: 40, label: 0 },
    { x1: 52, y1: 30, x2: 90, y2: 60, label: 1 },
  ],
  [{ x1: 20, y1: 20, x2: 34, y2: 30, label: 1 }],
] as const

/** What the oracle needs of the networks, as JSON. */
export function describeNetworks(): object {
  return Object.fromEntries(
    Object.entries(NETWORKS).map(([name, { network, seed }]) => [
      name,
      { network, seed, truths: TRUTHS, layers: layersOf(network).layers },
    ]),
  )
}
