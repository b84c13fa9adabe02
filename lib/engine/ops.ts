/**
 * Fused, differentiable operations that tfjs lacks or builds from many small ones. Layout NHWC, float32.
 *
 * Each is one native kernel forward and one per gradient, on the CPU (oneDNN) and on CUDA (cuDNN). `compile` can record
 * all of them.
 */
import { deviceInfo } from './device'
import { attribute, execute, type Tensor, tf } from './native'
import { inFloat32 } from './precision'

type Padding = 'same' | 'valid'

/** Options of a convolution. */
export interface Conv2dOptions {
  readonly stride?: number
  /** 'same' and 'valid' as in TensorFlow, or that many zeros on every side (Darknet). */
  readonly padding?: Padding | number
  /** Keeps this convolution and its gradients in float32 when the graph is compiled in a lower precision. */
  readonly float32?: boolean
}

/** Zeros before and after, along both sides. */
type Margins = readonly [top: number, bottom: number, left: number, right: number]

function convolutionAttributes(stride: number, around: Padding | Margins) {
  const padding =
    typeof around === 'string'
      ? [attribute.string('padding', around.toUpperCase())]
      : [attribute.string('padding', 'EXPLICIT'), attribute.int('explicit_paddings', [0, 0, ...around, 0, 0])]
  return [
    attribute.type('T', 'float32'),
    attribute.int('strides', [1, stride, stride, 1]),
    attribute.bool('use_cudnn_on_gpu', true),
    ...padding,
    attribute.string('data_format', 'NHWC'),
    attribute.int('dilations', [1, 1, 1, 1]),
  ]
}

/** `padding` zeros before an image and, after it, as many as the last window reaches. */
function marginsFor(x: tf.Tensor4D, kernel: number, stride: number, padding: number): Padding | Margins {
  if (padding === 0) return 'valid'
  const [, height, width] = x.shape
  const behind = (size: number) => {
    const windows = Math.floor((size + 2 * padding - kernel) / stride) + 1
    return Math.max(0, (windows - 1) * stride + kernel - size - padding)
  }
  return [padding, behind(height), padding, behind(width)]
}

/** The gradients of a convolution with respect to its image and its kernel. */
function convolutionGradients(
  [image, kernel, dy]: readonly [Tensor, Tensor, Tensor],
  stride: number,
  around: Padding | Margins,
): [Tensor, Tensor] {
  if (typeof around === 'string') {
    const attributes = () => convolutionAttributes(stride, around)
    const sizes = ({ shape }: Tensor) => tf.tensor1d(shape, 'int32')
    return [
      execute('Conv2DBackpropInput', attributes(), [sizes(image), kernel, dy])[0]!,
      execute('Conv2DBackpropFilter', attributes(), [image, sizes(kernel), dy])[0]!,
    ]
  }
  // With explicit padding these kernels, unlike the convolution's own, bypass oneDNN: 3 to 40 times slower than this copy.
  const [top, bottom, left, right] = around
  const padded = tf.pad(image as tf.Tensor4D, [
    [0, 0],
    [top, bottom],
    [left, right],
    [0, 0],
  ])
  const [dPadded, dKernel] = convolutionGradients([padded, kernel, dy], stride, 'valid')
  return [tf.slice(dPadded, [0, top, left, 0], image.shape), dKernel]
}

/**
 * 2-D convolution y[n,i,j,o] = sum_{u,v,c} x[n, i*stride+u-p, j*stride+v-p, c] * kernel[u,v,c,o], without bias.
 *
 * @param x [n, h, w, in]
 * @param kernel [kh, kw, in, out]
 * @returns [n, h', w', out]
 */
export function conv2d(x: tf.Tensor4D, kernel: tf.Tensor4D, options: Conv2dOptions = {}): tf.Tensor4D {
  const { stride = 1, padding = 'same', float32 = false } = options
  if (x.shape[3] !== kernel.shape[2]) {
    throw new Error(
      `conv2d: expected x [n, h, w, ${kernel.shape[2]}] for a kernel [${kernel.shape}], found x [${x.shape}]`,
    )
  }
  const around = typeof padding === 'number' ? marginsFor(x, kernel.shape[0], stride, padding) : padding
  const run = <T>(body: () => T): T => (float32 ? inFloat32(body) : body())
  const operation = tf.customGrad((input, weights, save) => {
    const image = input as Tensor
    const filter = weights as Tensor
    ;(save as (tensors: Tensor[]) => void)([image, filter])
    const attributes = convolutionAttributes(stride, around)
    return {
      value: run(() => execute('Conv2D', attributes, [image, filter])[0]!),
      gradFunc: (dy: Tensor, saved: Tensor[]) => {
        const [savedImage, savedFilter] = saved as [Tensor, Tensor]
        return run(() => convolutionGradients([savedImage, savedFilter, dy], stride, around))
      },
    }
  })
  return operation(x, kernel) as tf.Tensor4D
}

/**
 * The same with the channels in and out cut into `groups` equal parts, each of which sees its own alone. TensorFlow has no
 * gradient of it on a CPU, so every group is a convolution of its own; where each group sees one channel, all are one depthwise
 * convolution.
 *
 * @param x [n, h, w, in]
 * @param kernel [kh, kw, in / groups, out]
 * @returns [n, h', w', out]
 */
export function groupedConv2d(
  x: tf.Tensor4D,
  kernel: tf.Tensor4D,
  groups: number,
  options: Conv2dOptions = {},
): tf.Tensor4D {
  const [rows, columns, seen, out] = kernel.shape
  if (groups === 1) return conv2d(x, kernel, options)
  if (x.shape[3] !== seen * groups || out % groups !== 0) {
    throw new Error(
      `groupedConv2d: expected x [n, h, w, ${seen * groups}] and filters in ${groups} equal groups for a kernel ` +
        `[${kernel.shape}], found x [${x.shape}]`,
    )
  }
  const { stride = 1, padding = 'same' } = options
  if (seen === 1) {
    const around: [number, number] = typeof padding === 'number' ? [padding, padding] : [0, 0]
    const padded = around[0] > 0 ? tf.pad(x, [[0, 0], around, around, [0, 0]]) : x
    const filter = tf.reshape(kernel, [rows, columns, groups, out / groups]) as tf.Tensor4D
    return tf.depthwiseConv2d(padded, filter, stride, typeof padding === 'number' ? 'valid' : padding)
  }
  const [maps, kernels] = [tf.split(x, groups, 3), tf.split(kernel, groups, 3)]
  return tf.concat(
    maps.map((map, group) => conv2d(map as tf.Tensor4D, kernels[group] as tf.Tensor4D, options)),
    3,
  )
}

/**
 * Transposed 2-D convolution by a factor of `stride`, the gradient of `conv2d` with respect to its input.
 *
 * @param x [n, h, w, in]
 * @param kernel [k, k, out, in]
 * @returns [n, h * stride, w * stride, out]
 */
export function conv2dTranspose(x: tf.Tensor4D, kernel: tf.Tensor4D, stride: number): tf.Tensor4D {
  const [n, h, w] = x.shape
  const attributes = () => convolutionAttributes(stride, 'same')
  const operation = tf.customGrad((input, weights, save) => {
    const image = input as Tensor
    const filter = weights as Tensor
    ;(save as (tensors: Tensor[]) => void)([image, filter])
    const size = tf.tensor1d([n, h * stride, w * stride, filter.shape[2]!], 'int32')
    return {
      value: execute('Conv2DBackpropInput', attributes(), [size, filter, image])[0]!,
      gradFunc: (dy: Tensor, saved: Tensor[]) => {
        const [savedImage, savedFilter] = saved as [Tensor, Tensor]
        const filterSize = tf.tensor1d(savedFilter.shape, 'int32')
        return [
          execute('Conv2D', attributes(), [dy, savedFilter])[0]!,
          execute('Conv2DBackpropFilter', attributes(), [dy, filterSize, savedImage])[0]!,
        ]
      },
    }
  })
  return operation(x, kernel) as tf.Tensor4D
}

/** Options of batch norm in training. */
export interface BatchNormOptions {
  readonly epsilon: number
  /**
   * Called during the forward pass with the batch's mean and unbiased variance per channel. The tensors live only
   * during the call.
   */
  readonly onStatistics?: (mean: tf.Tensor1D, variance: tf.Tensor1D) => void
}

function batchNormAttributes(epsilon: number, training: boolean) {
  return [
    attribute.type('T', 'float32'),
    attribute.type('U', 'float32'),
    attribute.float('epsilon', epsilon),
    attribute.string('data_format', 'NHWC'),
    attribute.bool('is_training', training),
  ]
}

/**
 * Batch normalisation with the batch's own statistics: y = gamma * (x - mean) / sqrt(var + eps) + beta, mean and
 * (biased) variance over n, h, w. Ioffe & Szegedy 2015, algorithm 1.
 *
 * @param x [n, h, w, c]; gamma, beta [c]
 */
export function batchNormTraining(
  x: tf.Tensor4D,
  gamma: tf.Tensor1D,
  beta: tf.Tensor1D,
  options: BatchNormOptions,
): tf.Tensor4D {
  const { epsilon, onStatistics } = options
  const operation = tf.customGrad((input, scale, offset, save) => {
    const image = input as Tensor
    const [gammaIn, betaIn] = [scale as Tensor, offset as Tensor]
    const attributes = [...batchNormAttributes(epsilon, true), attribute.float('exponential_avg_factor', 1)]
    const empty = tf.tensor1d([], 'float32')
    const inputs = [image, gammaIn, betaIn, empty, empty]
    const [y, mean, variance, reserve1, reserve2, reserve3] = execute(
      'FusedBatchNormV3',
      attributes,
      inputs,
      6,
    )
    onStatistics?.(mean as tf.Tensor1D, variance as tf.Tensor1D)
    ;(save as (tensors: Tensor[]) => void)([image, gammaIn, reserve1!, reserve2!, reserve3!])
    return {
      value: y!,
      gradFunc: (dy: Tensor, saved: Tensor[]) => {
        const [savedImage, savedGamma, ...reserves] = saved as [Tensor, Tensor, ...Tensor[]]
        const [dx, dGamma, dBeta] = execute(
          'FusedBatchNormGradV3',
          batchNormAttributes(epsilon, true),
          [dy, savedImage, savedGamma, ...reserves],
          5,
        )
        return [dx!, dGamma!, dBeta!]
      },
    }
  })
  return operation(x, gamma, beta) as tf.Tensor4D
}

/**
 * Repeats every pixel `factor` times along both sides: y[n,i,j,c] = x[n, floor(i / factor), floor(j / factor), c]. On CUDA
 * TensorFlow's own gradient sums in any order; this one, dx = the sum of the pixel's copies, in a fixed one.
 *
 * @param x [n, h, w, c]
 * @returns [n, h * factor, w * factor, c]
 */
export function upsampleNearest(x: tf.Tensor4D, factor: number): tf.Tensor4D {
  const [n, h, w, c] = x.shape
  const operation = tf.customGrad((input) => ({
    value: tf.image.resizeNearestNeighbor(input as tf.Tensor4D, [h * factor, w * factor]),
    gradFunc: (dy: Tensor) => tf.sum(tf.reshape(dy, [n, h, factor, w, factor, c]), [2, 4]),
  }))
  return operation(x) as tf.Tensor4D
}

/** Half the sum of all squares, sum(x^2) / 2, as a scalar. Passes no gradient. */
export function l2Loss(x: Tensor): tf.Scalar {
  return execute('L2Loss', [attribute.type('T', 'float32')], [x])[0] as tf.Scalar
}

/** Adds a bias per channel: y[..., c] = x[..., c] + bias[c]. */
export function biasAdd(x: tf.Tensor4D, bias: tf.Tensor1D): tf.Tensor4D {
  const attributes = () => [attribute.type('T', 'float32'), attribute.string('data_format', 'NHWC')]
  const operation = tf.customGrad((input, offset) => ({
    value: execute('BiasAdd', attributes(), [input as Tensor, offset as Tensor])[0]!,
    gradFunc: (dy: Tensor) => [dy, execute('BiasAddGrad', attributes(), [dy])[0]!],
  }))
  return operation(x, bias) as tf.Tensor4D
}

/**
 * Leaky rectifier y = x for x > 0, alpha * x otherwise.
 *
 * @param alpha above 0: y then has the sign of x, so the gradient can be computed from y, and y overwrites x where
 *   nothing else needs it; a training step keeps two activations a layer instead of three
 */
export function leakyRelu(x: tf.Tensor4D, alpha: number): tf.Tensor4D {
  if (!(alpha > 0)) throw new RangeError(`leakyRelu: expected alpha above 0, found ${alpha}`)
  const attributes = () => [attribute.type('T', 'float32'), attribute.float('alpha', alpha)]
  const operation = tf.customGrad((input, save) => {
    const value = execute('LeakyRelu', attributes(), [input as Tensor])[0]!
    ;(save as (tensors: Tensor[]) => void)([value])
    return {
      value,
      gradFunc: (dy: Tensor, saved: Tensor[]) => execute('LeakyReluGrad', attributes(), [dy, saved[0]!])[0]!,
    }
  })
  return operation(x) as tf.Tensor4D
}

/**
 * The k largest of every row, in descending order, equal values by ascending index. No gradient goes through it.
 *
 * The k largest of every row, in descending order, equal values by ascending index. Passes no gradient.
 * @returns values [n, k] and indices int32 [n, k]
 */
export function topK(values: tf.Tensor2D, k: number): { values: tf.Tensor2D; indices: tf.Tensor2D } {
  const attributes = [attribute.bool('sorted', true), attribute.type('T', 'float32')]
  const [top, indices] = execute('TopKV2', attributes, [values, tf.scalar(k, 'int32')], 2)
  return { values: top as tf.Tensor2D, indices: indices as tf.Tensor2D }
}

/**
 * Picks rows within every image: y[i, j, :] = x[i, indices[i, j], :]. tfjs's own gather reads the indices back to check
 * them in JavaScript; this one stays on the device. Passes no gradient.
 *
 * @param x [n, slots, c]; indices int32 [n, k]
 * @returns [n, k, c]
 */
export function gatherRows(x: tf.Tensor3D, indices: tf.Tensor2D): tf.Tensor3D {
  const attributes = [
    attribute.int('batch_dims', 1),
    attribute.type('Tparams', 'float32'),
    attribute.type('Tindices', 'int32'),
    attribute.type('Taxis', 'int32'),
  ]
  return execute('GatherV2', attributes, [x, indices, tf.scalar(1, 'int32')])[0] as tf.Tensor3D
}

/**
 * Looks up the rows of a table: y[..., :] = table[index[...], :], on the device. Passes no gradient.
 *
 * @param table [k, c]; index int32 of any shape, 0 .. k - 1
 * @returns [...index, c]
 */
export function lookUp(table: tf.Tensor2D, index: Tensor): Tensor {
  const attributes = [
    attribute.int('batch_dims', 0),
    attribute.type('Tparams', 'float32'),
    attribute.type('Tindices', 'int32'),
    attribute.type('Taxis', 'int32'),
  ]
  return execute('GatherV2', attributes, [table, index, tf.scalar(0, 'int32')])[0]!
}

/** What NMS leaves of every image. */
export interface NonMaxSuppressionResult {
  /** [n, limit, 4] as given; zeros past `counts`. */
  readonly boxes: tf.Tensor3D
  /** [n, limit] in descending order; zeros past `counts`. */
  readonly scores: tf.Tensor2D
  /** Class indices as float32 [n, limit]. */
  readonly labels: tf.Tensor2D
  /** Detections of each image, int32 [n]. */
  readonly counts: tf.Tensor1D
}

/** Beyond this, float32 cannot tell all ranks apart. */
const LARGEST_RANK = 2 ** 24

/**
 * The ranks of sorted values at the places where these were before: `total` for an image's first, one less for each that follows.
 *
 * @param places [n * total] where the values were, image by image
 */
function ranksOf(places: Tensor, n: number, total: number): Tensor {
  if (deviceInfo().device === 'GPU') {
    const ranks = tf.tile(tf.range(total, 0, -1, 'float32'), [n])
    return tf.scatterND(tf.reshape(places, [n * total, 1]), ranks, [n * total])
  }
  // Scattering single numbers takes a CPU longer than all of the NMS itself; a card would have to ask the host for this instead.
  const positions = execute('InvertPermutation', [attribute.type('T', 'int32')], [places])[0]!
  const lasts = tf.tensor1d(Int32Array.from({ length: n }, (_, image) => (image + 1) * total))
  return tf.cast(tf.sub(tf.reshape(lasts, [n, 1]), tf.reshape(positions, [n, total])), 'float32')
}

/**
 * Class-wise greedy NMS over a batch on the device. In every image and class, boxes are kept by descending score, and those
 * whose IoU with a kept one is strictly above `iouThreshold` are dropped. The best `limit` of all classes together remain.
 * Equal scores are taken by ascending slot, then by ascending class. Scores <= 0 never count.
 *
 * TensorFlow's CombinedNonMaxSuppression takes equal scores in any order, so it gets ranks instead: scores are sorted
 * (stably), numbered from the last, and looked up again by the ranks it returns.
 *
 * @param boxes [n, slots, 4] two corners; scores [n, slots, classes]
 */
export function nonMaxSuppression(
  boxes: tf.Tensor3D,
  scores: tf.Tensor3D,
  limit: number,
  iouThreshold: number,
): NonMaxSuppressionResult {
  const [n, slots, classes] = scores.shape
  const total = slots * classes
  if (total > LARGEST_RANK) {
    throw new Error(`nonMaxSuppression: expected at most ${LARGEST_RANK} scores an image, found ${total}`)
  }
  const flat = tf.reshape(scores, [n, total]) as tf.Tensor2D
  const { values: sorted, indices: order } = topK(flat, total)
  const firstOfImage = tf.range(0, n * total, total, 'int32')
  const places = tf.reshape(tf.add(order, tf.reshape(firstOfImage, [n, 1])), [n * total])
  const numbered = tf.reshape(ranksOf(places, n, total), [n, slots, classes])
  const counting = tf.cast(tf.greater(scores, 0), 'float32')

  const attributes = [attribute.bool('pad_per_class', false), attribute.bool('clip_boxes', false)]
  const inputs = [
    tf.expandDims(boxes, 2),
    tf.mul(numbered, counting),
    tf.scalar(limit, 'int32'),
    tf.scalar(limit, 'int32'),
    tf.scalar(iouThreshold),
    tf.scalar(0),
  ]
  const [kept, keptRanks, labels, counts] = execute('CombinedNonMaxSuppression', attributes, inputs, 4)
  const present = tf.cast(tf.greater(keptRanks!, 0), 'float32')
  const from = tf.cast(tf.minimum(tf.sub(total, keptRanks!), total - 1), 'int32') as tf.Tensor2D
  const keptScores = tf.squeeze(gatherRows(tf.expandDims(sorted, 2) as tf.Tensor3D, from), [2])
  return {
    boxes: kept as tf.Tensor3D,
    scores: tf.mul(keptScores, present) as tf.Tensor2D,
    labels: labels as tf.Tensor2D,
    counts: counts as tf.Tensor1D,
  }
}
