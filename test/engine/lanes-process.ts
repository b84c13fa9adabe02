/**
 * A network with every kind of layer, forward and backward, compiled in the precision that the process is told: prints as JSON
 * how far that is from the same one by one in float32, and what the process computes with. lanes.test.ts starts it.
 *
 * The activations are smooth, for a gradient jumps where rounding changes an input's sign.
 */
import {
  batchNormTraining,
  biasAdd,
  compile,
  conv2d,
  conv2dTranspose,
  deviceInfo,
  leakyRelu,
  type Precision,
  tf,
  upsampleNearest,
} from '../../lib/engine'

const [, , precision = 'float32'] = process.argv
const BATCH = 4
const SLOPE = 1

const random = (shape: number[], seed: number, scale = 1, mean = 0) =>
  tf.randomNormal(shape, mean, scale, 'float32', seed)
// The first half of the batch is far from the second, so that the mean of a half is not that of the whole.
const images = tf.concat([
  random([BATCH / 2, 96, 128, 16], 1, 1, -2),
  random([BATCH / 2, 96, 128, 16], 2, 3, 4),
]) as tf.Tensor4D
const weigh = random([BATCH, 96, 128, 5], 3) as tf.Tensor4D

const SHAPES: { readonly [name: string]: readonly number[] } = {
  first: [3, 3, 16, 16],
  residual: [1, 1, 16, 16],
  down: [3, 3, 16, 32],
  pooled: [1, 1, 64, 32],
  up: [2, 2, 16, 32],
  last: [1, 1, 64, 5],
  bias: [5],
}
const CHANNELS = { first: 16, residual: 16, down: 32, pooled: 32, up: 16 } as const

const parameters = new Map<string, tf.Tensor>()
for (const [i, [name, shape]] of Object.entries(SHAPES).entries())
  parameters.set(name, random([...shape], 10 + i, 0.2))
for (const [i, [name, channels]] of Object.entries(CHANNELS).entries()) {
  parameters.set(`${name}/gamma`, random([channels], 30 + i, 0.2, 1))
  parameters.set(`${name}/beta`, random([channels], 50 + i, 0.5))
}
const names = [...parameters.keys()]

function values(x: tf.Tensor4D, scale: tf.Tensor4D, given: readonly tf.Tensor[]) {
  const results: { [name: string]: tf.Tensor } = {}
  const loss = (...all: tf.Tensor[]) => {
    const [input, ...tensors] = all as [tf.Tensor4D, ...tf.Tensor[]]
    const of = <T extends tf.Tensor>(name: string) => tensors[names.indexOf(name)] as T
    const normed = (name: string, image: tf.Tensor4D) => {
      const onStatistics = (mean: tf.Tensor, variance: tf.Tensor) => {
        // Not the outputs themselves: a node whose outputs are returned as they are is not cut.
        results[`${name}/mean`] = tf.keep(tf.mul(mean, 2))
        results[`${name}/variance`] = tf.keep(tf.mul(variance, 2))
      }
      const y = batchNormTraining(image, of(`${name}/gamma`), of(`${name}/beta`), {
        epsilon: 1e-5,
        onStatistics,
      })
      return leakyRelu(y, SLOPE)
    }
    const first = normed('first', conv2d(input, of('first')))
    const residual = tf.add<tf.Tensor4D>(first, normed('residual', conv2d(first, of('residual'))))
    const down = normed('down', conv2d(residual, of('down'), { stride: 2, padding: 1 }))
    const pool = tf.maxPool(down, 5, 1, 'same')
    const pooled = normed('pooled', conv2d(tf.concat([pool, down], 3), of('pooled')))
    const up = normed('up', conv2dTranspose(pooled, of('up'), 2))
    const joined = tf.concat([up, residual, upsampleNearest(pooled, 2)], 3)
    const y = biasAdd(conv2d(joined, of('last'), { float32: true }), of('bias'))
    results.y = tf.keep(y.clone())
    return tf.mean(tf.mul(y, scale)) as tf.Scalar
  }
  const { value, grads } = tf.valueAndGrads(loss)([x, ...given])
  return {
    ...results,
    loss: value,
    dx: grads[0]!,
    ...Object.fromEntries(names.map((name, i) => [`d ${name}`, grads[i + 1]!])),
  }
}

const norm = (numbers: ArrayLike<number>) =>
  Math.sqrt(Array.from(numbers).reduce((sum, value) => sum + value * value, 0))

/** By name: how far the values are from the expected ones, and how large those are. */
const compare = (
  found: { readonly [name: string]: tf.Tensor },
  expected: { readonly [name: string]: tf.Tensor },
) =>
  Object.fromEntries(
    Object.entries(expected).map(([name, values]) => {
      const [a, b] = [found[name]!.dataSync(), values.dataSync()]
      return [name, { distance: norm(a.map((value, i) => value - b[i]!)), length: norm(b) }]
    }),
  )

const tensors = [...parameters.values()]
const compiled = compile(values, { precision: precision as Precision, name: 'network' })
const { threads, lanes } = deviceInfo()
const differences = compare(compiled(images, weigh, tensors), values(images, weigh, tensors))
process.stdout.write(JSON.stringify({ threads, lanes, differences }))
