/** What a network's layers do to tensors, in training and in inference. */
import {
  batchNormTraining,
  biasAdd,
  conv2dTranspose,
  groupedConv2d,
  leakyRelu,
  tf,
  upsampleNearest,
} from '../engine'
import type { Operations } from './interpret'
import type { Activation, Convolution, Deconvolution, MaxPool, Shortcut } from './spec'

/** Batch norm's epsilon. */
export const BATCH_NORM_EPSILON = 1e-5
/** Share of the running statistics that stays at every step. */
export const STATISTICS_MOMENTUM = 0.9
/** LeakyReLU: x above 0, SLOPE * x below. */
export const SLOPE = 0.1

/** Where the layers find their weights. */
export interface Weighted {
  /** By name, `<layer>/<kernel|gamma|beta|mean|variance|bias>`. */
  variable(name: string): tf.Variable
  /** Whether a layer gives logits. */
  givesLogits(layer: string): boolean
}

const vector = (weights: Weighted, name: string) => weights.variable(name) as tf.Tensor as tf.Tensor1D
const kernelOf = (weights: Weighted, layer: string) =>
  weights.variable(`${layer}/kernel`) as tf.Tensor as tf.Tensor4D

/** The batch's statistics by the names of the running ones; the caller disposes of them. */
export type Statistics = Map<string, tf.Tensor1D>

/** Batch norm with the batch's own statistics, which are added to `statistics` where it is given. */
export function trainingOperations(
  weights: Weighted,
  statistics: Statistics | undefined,
): Operations<tf.Tensor4D> {
  const finish = (x: tf.Tensor4D, { name, batchNorm, activation }: Convolution | Deconvolution) => {
    if (!batchNorm) return activate(biasAdd(x, vector(weights, `${name}/bias`)), activation)
    const y = batchNormTraining(x, vector(weights, `${name}/gamma`), vector(weights, `${name}/beta`), {
      epsilon: BATCH_NORM_EPSILON,
      onStatistics: (mean, variance) => {
        statistics?.set(`${name}/mean`, tf.keep(mean.clone()))
        statistics?.set(`${name}/variance`, tf.keep(variance.clone()))
      },
    })
    return activate(y, activation)
  }
  return {
    ...weightless,
    conv: (x, layer) => finish(convolve(x, kernelOf(weights, layer.name), layer, weights), layer),
    deconv: (x, layer) => finish(conv2dTranspose(x, kernelOf(weights, layer.name), layer.stride), layer),
  }
}

/** Batch norm with fixed statistics is a scale and a shift: the scale goes into the kernel, the shift is a bias. */
export function inferenceOperations(weights: Weighted): Operations<tf.Tensor4D> {
  const folded = ({ name, batchNorm }: Convolution | Deconvolution, kernelShape: readonly number[]) => {
    const kernel = kernelOf(weights, name)
    if (!batchNorm) return { kernel, shift: vector(weights, `${name}/bias`) }
    const deviation = tf.sqrt(tf.add(vector(weights, `${name}/variance`), BATCH_NORM_EPSILON))
    const scale = tf.div(vector(weights, `${name}/gamma`), deviation)
    const shift = tf.sub(
      vector(weights, `${name}/beta`),
      tf.mul(vector(weights, `${name}/mean`), scale),
    ) as tf.Tensor1D
    return { kernel: tf.mul(kernel, tf.reshape(scale, [...kernelShape])) as tf.Tensor4D, shift }
  }
  return {
    ...weightless,
    conv: (x, layer) => {
      const { kernel, shift } = folded(layer, [1, 1, 1, layer.out])
      return activate(biasAdd(convolve(x, kernel, layer, weights), shift), layer.activation)
    },
    deconv: (x, layer) => {
      const { kernel, shift } = folded(layer, [1, 1, layer.out, 1])
      return activate(biasAdd(conv2dTranspose(x, kernel, layer.stride), shift), layer.activation)
    },
  }
}

/** What is the same in both. */
const weightless: Omit<Operations<tf.Tensor4D>, 'conv' | 'deconv'> = {
  maxPool: (x, layer) => maxPool(x, layer, poolWindows([x.shape[1], x.shape[2]], layer)),
  upsample: (x, { stride }) => upsampleNearest(x, stride),
  group: (x, { groups, groupId }) => {
    const width = x.shape[3] / groups
    return tf.slice(x, [0, 0, 0, groupId * width], [-1, -1, -1, width])
  },
  concat: (values) => tf.concat([...values], 3),
  add: (values, layer) => sum(values, layer),
}

/** Darknet pads (kernel - 1) / 2 on every side; with stride 1 that is TensorFlow's 'same', which has faster kernels. */
function convolve(x: tf.Tensor4D, kernel: tf.Tensor4D, layer: Convolution, weights: Weighted): tf.Tensor4D {
  const { name, kernel: size, stride, padding, groups } = layer
  return groupedConv2d(x, kernel, groups, {
    stride,
    padding: stride === 1 && size === 2 * padding + 1 ? 'same' : padding,
    // The logits' last bits decide between neighbouring boxes, and the layer is cheap: always float32.
    float32: weights.givesLogits(name),
  })
}

/** The activation behind a convolution. */
export function activate(x: tf.Tensor4D, activation: Activation): tf.Tensor4D {
  switch (activation) {
    case 'linear':
      return x
    case 'leaky':
      return leakyRelu(x, SLOPE)
    case 'relu':
      return tf.relu(x)
    case 'mish':
      return tf.mul(x, tf.tanh(tf.softplus(x)))
    case 'swish':
      return tf.mul(x, tf.sigmoid(x))
    case 'logistic':
      return tf.sigmoid(x)
  }
}

/** How a max pool's windows lie on a map. */
export interface PoolWindows {
  /** Rows and columns of windows. */
  readonly count: readonly [rows: number, columns: number]
  /** Cells beyond the map that they reach into, which count for nothing. */
  readonly padding: readonly [top: number, bottom: number, left: number, right: number]
  /** Whether they are those of TensorFlow's 'SAME', which has faster kernels. */
  readonly isSame: boolean
}

/** Darknet's windows on a map of so many rows and columns. */
export function poolWindows(
  [height, width]: readonly [number, number],
  { size, stride, padding }: Pick<MaxPool, 'size' | 'stride' | 'padding'>,
): PoolWindows {
  const before = padding >> 1
  const along = (length: number) => {
    const count = Math.floor((length + padding - size) / stride) + 1
    const same = Math.ceil(length / stride)
    const around = Math.max(0, (same - 1) * stride + size - length)
    const after = Math.max(0, (count - 1) * stride + size - length - before)
    return { count, after, isSame: count === same && before === around >> 1 }
  }
  const [rows, columns] = [along(height), along(width)]
  return {
    count: [rows.count, columns.count],
    padding: [before, rows.after, before, columns.after],
    isSame: rows.isSame && columns.isSame,
  }
}

/** The largest value of every window. */
export function maxPool(
  x: tf.Tensor4D,
  { size, stride }: Pick<MaxPool, 'size' | 'stride'>,
  { padding: [top, bottom, left, right], isSame }: Pick<PoolWindows, 'padding' | 'isSame'>,
): tf.Tensor4D {
  if (isSame) return tf.maxPool(x, size, stride, 'same')
  const around: [number, number][] = [
    [0, 0],
    [top, bottom],
    [left, right],
    [0, 0],
  ]
  const isReached = top + bottom + left + right > 0
  return tf.maxPool(isReached ? tf.pad(x, around, LOWEST) : x, size, stride, 'valid')
}

/** Below every value that a map holds, in every precision: a cell of this value is never the largest of a window. */
export const LOWEST = Number.NEGATIVE_INFINITY

function sum(values: readonly tf.Tensor4D[], { activation }: Shortcut): tf.Tensor4D {
  const fit = (x: tf.Tensor4D, channels: number): tf.Tensor4D => {
    const own = x.shape[3]
    if (own === channels) return x
    if (own > channels) return tf.slice(x, [0, 0, 0, 0], [-1, -1, -1, channels])
    return tf.pad(x, [
      [0, 0],
      [0, 0],
      [0, 0],
      [0, channels - own],
    ])
  }
  const total = values.reduce((x, other) => tf.add(x, fit(other, x.shape[3])))
  return activate(total, activation)
}
