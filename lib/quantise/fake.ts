/** Fake quantisation: rounds as eight-bit arithmetic does, in float, and lets gradients through (Jacob et al. 2018, section 3). */
import { attribute, execute, gatherRows, type Tensor, tf } from '../engine'
import { boundsOf, type Grid, LARGEST_WEIGHT, PER_WEIGHT, perBias, SMALLEST_SCALE } from './grids'

/**
 * An activation rounded to a grid: y = (clamp(round(x / scale) + zeroPoint, 0, 255) - zeroPoint) * scale. The gradient is dy where
 * x lies between the grid's smallest and largest value, else 0 (the straight-through estimator, Bengio et al. 2013).
 */
export function fakeQuantise(x: tf.Tensor4D, grid: Grid): tf.Tensor4D {
  const { min, max } = boundsOf(grid)
  const attributes = () => [
    attribute.float('min', min),
    attribute.float('max', max),
    attribute.int('num_bits', 8),
    attribute.bool('narrow_range', false),
  ]
  const operation = tf.customGrad((input, save) => {
    const values = input as Tensor
    ;(save as (tensors: Tensor[]) => void)([values])
    return {
      value: execute('FakeQuantWithMinMaxArgs', attributes(), [values])[0]!,
      gradFunc: (dy: Tensor, saved: Tensor[]) =>
        execute('FakeQuantWithMinMaxArgsGradient', attributes(), [dy, saved[0]!])[0]!,
    }
  })
  return operation(x) as tf.Tensor4D
}

/**
 * The scale of every output channel of a kernel [height, width, in, out], as `kernelScales` has them: max |w| / 127, or what a bias
 * [out] needs where it is rounded in steps of `inputScale` times the scale. No gradient goes through it: that the scale follows the
 * largest weight is left out.
 */
export function channelScales(
  kernel: tf.Tensor4D,
  rounded?: { readonly bias: tf.Tensor1D; readonly inputScale: number },
): tf.Tensor1D {
  const largest = tf.maximum(tf.max(tf.abs(kernel), [0, 1, 2]), LARGEST_WEIGHT * SMALLEST_SCALE)
  const scales = tf.mul(largest, PER_WEIGHT)
  if (!rounded) return scales as tf.Tensor1D
  return tf.maximum(scales, tf.mul(tf.abs(rounded.bias), perBias(rounded.inputScale))) as tf.Tensor1D
}

/**
 * A kernel rounded to 255 values a channel: w' = round(w / scale) * scale, halves to the even number, as a file has it. No weight lies
 * outside, so the gradient is dy everywhere.
 *
 * @param kernel [height, width, in, out]
 * @param scales [out]
 */
export function fakeQuantiseKernel(kernel: tf.Tensor4D, scales = channelScales(kernel)): tf.Tensor4D {
  const operation = tf.customGrad((input) => {
    const whole = tf.round(tf.div(input as Tensor, scales))
    const inside = tf.clipByValue(whole, -LARGEST_WEIGHT, LARGEST_WEIGHT)
    return { value: tf.mul(inside, scales), gradFunc: (dy: Tensor) => dy }
  })
  return operation(kernel) as tf.Tensor4D
}

/**
 * A bias [out] rounded to whole steps, of which a file keeps 32 bits: b' = round(b / step) * step, step = `inputScale` * scale. The
 * gradient is dy everywhere.
 */
export function fakeQuantiseBias(bias: tf.Tensor1D, scales: tf.Tensor1D, inputScale: number): tf.Tensor1D {
  const operation = tf.customGrad((input) => {
    const steps = tf.mul(scales, inputScale)
    return {
      value: tf.mul(tf.round(tf.div(input as Tensor, steps)), steps),
      gradFunc: (dy: Tensor) => dy,
    }
  })
  return operation(bias) as tf.Tensor1D
}

/**
 * Values by number, in another order and with zeros between them: y[i] = x[places[i]], or 0 where places[i] is -1. Every value
 * goes to exactly one place.
 */
export function rearrange(x: Tensor, places: Int32Array, shape: readonly number[]): Tensor {
  const back = new Int32Array(x.size).fill(-1)
  places.forEach((from, to) => {
    if (from >= 0) back[from] = to
  })
  const operation = tf.customGrad((input) => ({
    value: tf.reshape(picked(input as Tensor, places), [...shape]),
    gradFunc: (dy: Tensor) => tf.reshape(picked(dy, back), x.shape),
  }))
  return operation(x)
}

/** Of all values in a row with a zero in front: the one behind each place. */
function picked(x: Tensor, places: Int32Array): Tensor {
  const row = tf.concat([tf.zeros([1, 1, 1]), tf.reshape(x, [1, x.size, 1])], 1) as tf.Tensor3D
  const indices = tf.tensor2d(
    places.map((place) => place + 1),
    [1, places.length],
    'int32',
  )
  return gatherRows(row, indices)
}
