import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  batchNormTraining,
  biasAdd,
  compile,
  conv2d,
  conv2dTranspose,
  gatherRows,
  leakyRelu,
  softmaxDivergence,
  type Tensor,
  tf,
  topK,
  upsampleNearest,
} from '../../lib/engine'
import { allclose, largest } from '../allclose'
import { Lcg } from '../detector/lcg'
import { unpack } from '../losses/support'
import oracle from './oracle/ops.json'

type Operation = (x: tf.Tensor4D, ...others: Tensor[]) => tf.Tensor4D
const vector = (tensor: Tensor | undefined) => tensor as tf.Tensor1D
const kernel = (tensor: Tensor | undefined) => tensor as tf.Tensor4D
const darknet: Operation = (x, k) => conv2d(x, kernel(k), { stride: 2, padding: 1 })
const normalise: Operation = (x, gamma, beta) =>
  batchNormTraining(x, vector(gamma), vector(beta), { epsilon: 1e-5 })

const CASES: readonly [string, Exclude<keyof typeof oracle, 'statistics'>, Operation][] = [
  ['conv2d with padding 1 and stride 2 on even sizes', 'darknet_even', darknet],
  ['conv2d with padding 1 and stride 2 on odd sizes', 'darknet_odd', darknet],
  ['conv2d with padding "same"', 'same', (x, k) => conv2d(x, kernel(k))],
  ['conv2d with padding 1 and stride 1', 'same', (x, k) => conv2d(x, kernel(k), { padding: 1 })],
  ['conv2dTranspose', 'transpose', (x, k) => conv2dTranspose(x, kernel(k), 2)],
  ['biasAdd', 'bias', (x, b) => biasAdd(x, vector(b))],
  ['leakyRelu', 'leaky', (x) => leakyRelu(x, 0.1)],
  ['upsampleNearest', 'nearest', (x) => upsampleNearest(x, 2)],
  ['batchNormTraining', 'batch_norm', normalise],
]

/** Within 1e-5 relative, with the rounding of float32 allowed for where terms of the largest element's size cancel. */
function agrees(found: Tensor, packed: string, what: string): void {
  const expected = unpack(packed)
  allclose(found.dataSync(), expected, { rtol: 1e-5, atol: 1e-6 * largest(expected), what })
}

function draw(random: Lcg, shape: readonly number[]): Tensor {
  return tf.tensor(
    random.uniform(
      shape.reduce((product, length) => product * length, 1),
      -1,
      1,
    ),
    [...shape],
  )
}

for (const [title, name, operation] of CASES) {
  test(`${title}: values and gradients agree with PyTorch, eager and compiled`, () => {
    const expected = oracle[name]
    const random = new Lcg(expected.seed)
    const inputs = [expected.x, ...expected.others].map((shape) => draw(random, shape))
    const values = operation(inputs[0] as tf.Tensor4D, ...inputs.slice(1))
    const coefficients = draw(random, values.shape)
    const scalar = (...[x, ...others]: Tensor[]) =>
      tf.sum(tf.mul(operation(x as tf.Tensor4D, ...others), coefficients)) as tf.Scalar
    const gradient = (...tensors: Tensor[]) =>
      Object.fromEntries(
        tf
          .grads(scalar)(tensors)
          .map((tensor, i) => [`input${i}`, tensor]),
      )
    agrees(values, expected.y, 'values')
    const compiled = compile(gradient)
    for (const found of [gradient(...inputs), compiled(...inputs)]) {
      expected.gradients.forEach((packed, i) => {
        agrees(found[`input${i}`]!, packed, `gradient ${i}`)
      })
    }
    compiled.dispose()
  })
}

test("batchNormTraining reports the batch's mean and unbiased variance", () => {
  const { seed, x: shape } = oracle.batch_norm
  const x = draw(new Lcg(seed), shape) as tf.Tensor4D
  let calls = 0
  const onStatistics = (mean: tf.Tensor1D, variance: tf.Tensor1D) => {
    calls++
    agrees(mean, oracle.statistics.mean, 'mean')
    agrees(variance, oracle.statistics.variance, 'variance')
  }
  batchNormTraining(x, tf.ones([6]), tf.zeros([6]), { epsilon: 1e-5, onStatistics })
  assert.equal(calls, 1)
})

test('batchNormTraining: the gradient agrees with finite differences', () => {
  const { seed, x: shape } = oracle.batch_norm
  const random = new Lcg(seed)
  const x = draw(random, shape) as tf.Tensor4D
  const [gamma, beta, direction] = [draw(random, [6]), draw(random, [6]), draw(random, shape)]
  const weights = draw(random, shape)
  const loss = (at: Tensor) => tf.sum(tf.mul(tf.square(normalise(at as tf.Tensor4D, gamma, beta)), weights))
  const slope = tf.sum(tf.mul(tf.grad(loss)(x), direction)).dataSync()[0]!
  const step = 2 ** -8
  const along = (distance: number) => loss(tf.add(x, tf.mul(direction, distance))).dataSync()[0]!
  // Richardson's extrapolation of two central differences: an error of order step^4.
  const central = (h: number) => (along(h) - along(-h)) / (2 * h)
  const numeric = (4 * central(step) - central(2 * step)) / 3
  allclose(numeric, slope, { rtol: 1e-3 })
})

test('conv2d names both shapes when they disagree', () => {
  assert.throws(
    () => conv2d(tf.zeros([1, 4, 4, 3]), tf.zeros([1, 1, 2, 5])),
    /expected x \[n, h, w, 2\] for a kernel \[1,1,2,5\], found x \[1,4,4,3\]/,
  )
})

test('topK sorts in descending order and takes equal values by ascending index', () => {
  const { values, indices } = topK(
    tf.tensor2d([
      [1, 5, 2, 5, 0],
      [3, 3, 3, 4, 3],
    ]),
    3,
  )
  assert.deepEqual(values.arraySync(), [
    [5, 5, 2],
    [4, 3, 3],
  ])
  assert.deepEqual(indices.arraySync(), [
    [1, 3, 2],
    [3, 0, 1],
  ])
  const ties = topK(tf.fill([1, 5000], 0.5), 5000).indices.dataSync()
  assert.deepEqual(
    [...ties],
    Array.from({ length: 5000 }, (_, i) => i),
  )
})

test('gatherRows picks rows within every image', () => {
  const x = tf.tensor3d([
    [
      [1, 2],
      [3, 4],
    ],
    [
      [5, 6],
      [7, 8],
    ],
  ])
  const indices = tf.tensor2d(
    [
      [1, 1, 0],
      [0, 1, 1],
    ],
    [2, 3],
    'int32',
  )
  assert.deepEqual(gatherRows(x, indices).arraySync(), [
    [
      [3, 4],
      [3, 4],
      [1, 2],
    ],
    [
      [5, 6],
      [7, 8],
      [7, 8],
    ],
  ])
})

test('softmaxDivergence: by hand, with logits of 80 and of any size, in a graph too', () => {
  const student = tf.tensor2d([
    [0, 0],
    [80, -80],
    [3e38, -3e38],
  ])
  const teacher = tf.tensor2d([
    [Math.log(3), 0],
    [-80, 80],
    [-3e38, 3e38],
  ])
  // Softmax of the teacher's first row: 3/4, 1/4. The third row's divergence is more than float32 holds.
  const kl = 0.75 * Math.log(1.5) + 0.25 * Math.log(0.5)
  const weights = tf.tensor2d([[10], [1], [0]])
  const compiled = compile((s: tf.Tensor2D, t: tf.Tensor2D) => ({ ...softmaxDivergence(s, t, 1, weights) }))
  for (const found of [softmaxDivergence(student, teacher, 1, weights), compiled(student, teacher)]) {
    allclose(found.divergence.dataSync(), [10 * kl + 160], { rtol: 1e-5, what: 'divergence' })
    allclose(found.differences.dataSync(), [-2.5, 2.5, 1, -1, 0, 0], { rtol: 1e-5, atol: 2.5e-6 })
  }
  compiled.dispose()
  assert.equal(softmaxDivergence(student, teacher, 1).divergence.dataSync()[0], Number.POSITIVE_INFINITY)
  // Two channels whose logits differ by d = log(3) / T: KL is d^2 / 8 for small d.
  const [s, t] = [student, teacher].map((logits) => tf.slice(logits, 0, 1) as tf.Tensor2D) as [
    tf.Tensor2D,
    tf.Tensor2D,
  ]
  const { divergence } = softmaxDivergence(s, t, 1e4)
  allclose(divergence.dataSync(), [(Math.log(3) / 1e4) ** 2 / 8], { rtol: 1e-5, what: 'a high temperature' })
})

test('operations leave no tensors behind, forward and backward', () => {
  const x = tf.ones([1, 4, 4, 3]) as tf.Tensor4D
  const k = tf.ones([3, 3, 3, 3]) as tf.Tensor4D
  const before = tf.memory().numTensors
  tf.tidy(() => {
    tf.grads((a, b) => tf.sum(leakyRelu(darknet(a as tf.Tensor4D, b), 0.1)))([x, k])
    tf.grads((a, g) => tf.sum(normalise(a as tf.Tensor4D, g, tf.zeros([3]))))([x, tf.ones([3])])
    softmaxDivergence(tf.ones([2, 3]), tf.zeros([2, 3]), 2)
  })
  assert.equal(tf.memory().numTensors, before)
})

test('leakyRelu refuses a slope whose output does not tell the sign of its input', () => {
  assert.throws(() => leakyRelu(tf.ones([1, 1, 1, 1]), 0), /leakyRelu: expected alpha above 0, found 0/)
})
