import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { z } from 'zod'
import { readJson } from '../../lib/base'
import { compile, type Tensor, tf } from '../../lib/engine'
import { fakeQuantise, fakeQuantiseKernel } from '../../lib/quantise'
import { channelScales, fakeQuantiseBias, rearrange } from '../../lib/quantise/fake'
import { kernelScales, roundEven, wholeBias } from '../../lib/quantise/grids'
import { assertClose, unpack } from '../losses/support'

const values = { x: z.string(), dy: z.string(), y: z.string(), dx: z.string() }
const oracle = z
  .object({
    shape: z.array(z.number()),
    activations: z.array(z.object({ scale: z.number(), zeroPoint: z.number(), ...values })),
    kernel: z.object({ shape: z.array(z.number()), ...values }),
  })
  .parse(readJson(join(__dirname, 'oracle/fake.json')))

/** Value and gradient of sum(f(x) * dy), in a recorded graph. */
function valueAndGradient(
  f: (x: tf.Tensor4D) => tf.Tensor,
  x: Float32Array,
  dy: Float32Array,
  shape: number[],
) {
  const run = compile((input: Tensor, weight: Tensor) => {
    const { value, grad } = tf.valueAndGrad((at: tf.Tensor) => tf.sum(tf.mul(f(at as tf.Tensor4D), weight)))(
      input,
    )
    return { y: f(input as tf.Tensor4D), dx: grad, value }
  })
  const [input, weight] = [tf.tensor(x, shape), tf.tensor(dy, shape)]
  const { y, dx } = run(input, weight)
  const found = { y: [...y.dataSync()], dx: [...dx.dataSync()] }
  run.dispose()
  return found
}

test("activations rounded to a grid, and their gradients, are PyTorch's", () => {
  for (const { scale, zeroPoint, x, dy, ...expected } of oracle.activations) {
    const grid = { scale: Math.fround(scale), zeroPoint }
    const { y, dx } = valueAndGradient((at) => fakeQuantise(at, grid), unpack(x), unpack(dy), oracle.shape)
    assertClose(y, unpack(expected.y), `values of scale ${scale}`)
    assert.deepEqual(dx, [...unpack(expected.dx)])
    assert.ok(dx.some((value) => value === 0) && dx.some((value) => value !== 0))
  }
})

test("kernels rounded by their channels' scales, and their gradients, are PyTorch's and those of a file", () => {
  const { shape, x, dy, ...expected } = oracle.kernel
  const kernel = unpack(x)
  const { y, dx } = valueAndGradient(fakeQuantiseKernel, kernel, unpack(dy), shape)
  assertClose(y, unpack(expected.y), 'values')
  assert.deepEqual(dx, [...unpack(expected.dx)])
  const out = shape[3]!
  const scales = kernelScales({ kernel, bias: new Float32Array(out), out })
  const inFile = [...kernel].map((weight, i) =>
    Math.fround(roundEven(weight / scales[i % out]!) * scales[i % out]!),
  )
  assert.deepEqual(y, inFile)
})

test('biases are rounded to the steps of a file, in which that of a channel next to 0 fits too, and gradients pass', () => {
  const kernel = Float32Array.of(1.27, 1e-9, 0.5, -2e-9)
  const bias = Float32Array.of(0.31366, -0.7)
  const dy = Float32Array.of(2, -3)
  const inputScale = Math.fround(0.02)
  const rounded = (x: tf.Tensor) => {
    const given = { bias: x as tf.Tensor1D, inputScale }
    return fakeQuantiseBias(given.bias, channelScales(tf.tensor4d(kernel, [1, 1, 2, 2]), given), inputScale)
  }
  const { y, dx } = valueAndGradient(rounded, bias, dy, [2])
  const { whole, scales } = wholeBias({ kernel, bias, out: 2 }, inputScale)
  assert.deepEqual(
    y,
    [...whole].map((steps, i) => Math.fround(steps * scales[i]!)),
  )
  assert.deepEqual(dx, [...dy])
  assert.deepEqual(
    y.map((value, i) => Math.abs(value - bias[i]!) <= scales[i]!),
    [true, true],
  )
  assert.ok(Math.abs(y[0]! - bias[0]!) > 0 && Math.abs(y[1]! - bias[1]!) < 1e-6)
})

test('values go to their places with zeros between, and gradients back', () => {
  const places = Int32Array.of(-1, 3, 1, -1, 0, 2)
  const { y, dx } = valueAndGradient(
    (x) =>
      tf
        .mul(
          rearrange(x, places, [2, 3]),
          tf.tensor2d([
            [1, 2, 3],
            [4, 5, 6],
          ]),
        )
        .sum() as tf.Tensor,
    Float32Array.of(10, 20, 30, 40),
    Float32Array.of(1, 1, 1, 1).map((value) => value / 4),
    [1, 1, 1, 4],
  )
  assert.deepEqual([y, dx], [[2 * 40 + 3 * 20 + 5 * 10 + 6 * 30], [5, 3, 6, 2]])
})
