import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { z } from 'zod'
import { readJson } from '../../lib/base'
import { compile, type Tensor, tf } from '../../lib/engine'
import { fakeQuantise, fakeQuantiseKernel } from '../../lib/quantise'
import { rearrange } from '../../lib/quantise/fake'
import { kernelScales, roundEven } from '../../lib/quantise/grids'
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
  const scales = kernelScales({ kernel, out })
  const inFile = [...kernel].map((weight, i) =>
    Math.fround(roundEven(weight / scales[i % out]!) * scales[i % out]!),
  )
  assert.deepEqual(y, inFile)
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
