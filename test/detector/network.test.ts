import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Detector, initialWeights, layersOf, type Weights } from '../../lib/detector'
import { compile, tf } from '../../lib/engine'
import { assertClose, unpack } from '../losses/support'
import { Lcg } from './lcg'
import oracle from './oracle/network.json'
import { assertNear, drawnWeights, narrowDetector } from './support'

type Case = Omit<(typeof oracle.inference)[number], 'features' | 'stages'> & { readonly offset?: number }

function setUp(expected: Case) {
  const { classes, seed, images, offset = 0 } = expected
  const upsample = expected.upsample === 'deconv' ? 'deconv' : 'nearest'
  const network = narrowDetector({ classes, upsample, spp: expected.spp })
  const random = new Lcg(seed)
  const weights = [...drawnWeights(network, random)].map(([name, { shape, values }]) => {
    const shift = (i: number) => (name.endsWith('/beta') ? offset * (1 - 2 * (i % 2)) : 0)
    return [name, { shape, values: values.map((value, i) => value + shift(i)) }] as const
  })
  const detector = new Detector(network, new Map(weights))
  const shape: [number, number, number, number] = [images[0]!, images[1]!, images[2]!, 3]
  const values = random.uniform(shape[0] * shape[1] * shape[2] * 3, 0, 1)
  return { network, detector, random, images: tf.tensor4d(values, shape) }
}

const flat = (tensors: readonly tf.Tensor[]) => tensors.flatMap((tensor) => [...tensor.dataSync()])

for (const expected of oracle.inference) {
  const title = `${expected.upsample}, ${expected.spp ? 'SPP' : 'no SPP'}`
  test(`inference agrees with PyTorch in float64 (${title}), eager and compiled`, () => {
    const { detector, images } = setUp(expected)
    const [n, height, width] = images.shape
    const { outputs, features, named } = detector.forward(images, { training: false })
    const widths = detector.config.featureWidths
    const cells = [32, 16, 8].map((stride) => [n, height / stride, width / stride])
    assert.deepEqual(
      outputs.map((output) => output.shape),
      cells.map((size) => [...size, 3 * (5 + detector.config.classes)]),
    )
    assert.deepEqual(
      features.map((feature) => feature.shape),
      cells.map((size, i) => [...size, widths[i]]),
    )
    assertClose(flat(outputs), unpack(expected.outputs), 'outputs')
    assertClose(flat(features), unpack(expected.features), 'features')
    assertClose(flat([named.C3!, named.C4!, named.C5!]), unpack(expected.stages), 'stages')
    assert.deepEqual([named.detect1, named.detect2, named.detect3], features)
    const compiled = compile((x: tf.Tensor4D) => {
      const [coarse, middle, fine] = detector.forward(x, { training: false }).outputs
      return { coarse: coarse!, middle: middle!, fine: fine! }
    })
    const { coarse, middle, fine } = compiled(images)
    assertClose(flat([coarse, middle, fine]), unpack(expected.outputs), 'compiled outputs')
    compiled.dispose()
    detector.dispose()
  })
}

test('training: outputs, gradients and running statistics agree with PyTorch in float64', () => {
  const expected = oracle.training
  const { network, detector, random, images } = setUp(expected)
  let outputs: tf.Tensor[] = []
  const { value, grads } = tf.variableGrads(() => {
    const forward = detector.forward(images, { training: true })
    outputs = forward.outputs.map((output) => tf.keep(output))
    const terms = outputs.map((output) =>
      tf.sum(tf.mul(output, tf.tensor(random.uniform(output.size, -0.01, 0.01), output.shape))),
    )
    return tf.addN(terms) as tf.Scalar
  }, [...detector.trained.values()])
  assertNear(flat(outputs), unpack(expected.outputs), 'outputs')
  assertNear(value.dataSync(), [expected.scalar], 'scalar')
  const names = layersOf(network).layers.flatMap(({ name, batchNorm }) =>
    (!batchNorm ? ['kernel', 'bias'] : ['kernel', 'gamma', 'beta']).map((last) => `${name}/${last}`),
  )
  assert.deepEqual([...detector.trained.keys()], names)
  const gradients = unpack(expected.gradients)
  let at = 0
  for (const name of names) {
    const gradient = grads[detector.variable(name).name]!
    assertNear(gradient.dataSync(), gradients.subarray(at, at + gradient.size), `gradient of ${name}`)
    at += gradient.size
  }
  assert.equal(at, gradients.length)
  // Momentum 0.9 of the running value, unbiased variance.
  const running = layersOf(network).layers.flatMap(({ name, batchNorm }) =>
    !batchNorm ? [] : [detector.variable(`${name}/mean`), detector.variable(`${name}/variance`)],
  )
  assertNear(flat(running), unpack(expected.running), 'running statistics')
  detector.dispose()
})

test('images of another shape are refused', () => {
  const detector = Detector.create(narrowDetector(), 1)
  for (const shape of ['1,48,64,3', '1,64,63,3', '1,64,64,1', '64,64,3']) {
    const images = tf.zeros(shape.split(',').map(Number) as [number, number, number, number]) as tf.Tensor4D
    assert.throws(
      () => detector.forward(images, { training: false }),
      new RegExp(`multiples of 32, found \\[${shape}\\]`),
    )
  }
  detector.dispose()
})

test('forward and disposal leave no tensors behind', () => {
  const before = tf.memory().numTensors
  const detector = Detector.create(narrowDetector(), 3)
  assert.equal(tf.memory().numTensors, before + detector.state.length)
  const image = tf.zeros([1, 32, 32, 3]) as tf.Tensor4D
  for (const training of [false, true]) {
    tf.tidy(() => {
      detector.forward(image, { training })
    })
  }
  assert.equal(tf.memory().numTensors, before + detector.state.length + 1)
  image.dispose()
  detector.dispose()
  assert.equal(tf.memory().numTensors, before)
})

test('initial weights: deterministic, He-normal kernels, objectness biased to about 1 %', () => {
  const config = narrowDetector({ neck: [32, 16, 8] })
  const weights = initialWeights(config, 5)
  assert.deepEqual(initialWeights(config, 5).get('stem/kernel'), weights.get('stem/kernel'))
  assert.notDeepEqual(initialWeights(config, 6).get('stem/kernel'), weights.get('stem/kernel'))
  const kernel = weights.get('neck/detect1/2/kernel')!.values
  const variance = kernel.reduce((sum, value) => sum + value ** 2, 0) / kernel.length
  // 9216 draws: the sample variance has a relative standard deviation of 1.5 %.
  assert.ok(Math.abs((variance * 1.01 * 9 * 32) / 2 - 1) < 0.06, `variance ${variance}`)
  const bias = weights.get('head/1/output/bias')!.values
  assert.deepEqual(
    [...bias].map((value, i) => (value !== 0 ? i : -1)).filter((i) => i >= 0),
    [4, 12, 20],
  )
  assert.ok(Math.abs(1 / (1 + Math.exp(-bias[4]!)) - 0.01) < 1e-4)
})

test('weights: copies, restoring, and errors that name the weight', () => {
  const config = narrowDetector()
  const detector = Detector.create(config, 1)
  const weights = detector.weights()
  const other = Detector.create(config, 2)
  other.restore(weights)
  assert.deepEqual(other.weights(), weights)
  const count = tf.memory().numTensors
  const changed = (edit: (copy: Map<string, { shape: readonly number[]; values: Float32Array }>) => void) => {
    const copy = new Map(weights)
    edit(copy)
    return copy as Weights
  }
  assert.throws(
    () => other.restore(changed((copy) => copy.delete('stem/gamma'))),
    /weight stem\/gamma: expected shape \[4\], found none/,
  )
  assert.throws(
    () =>
      other.restore(changed((copy) => copy.set('stem/beta', { shape: [5], values: new Float32Array(5) }))),
    /weight stem\/beta: expected shape \[4\], found \[5\]/,
  )
  assert.throws(
    () =>
      other.restore(changed((copy) => copy.set('tail/bias', { shape: [1], values: new Float32Array(1) }))),
    /weight tail\/bias: the architecture has no such weight/,
  )
  assert.equal(tf.memory().numTensors, count)
  detector.dispose()
  other.dispose()
})
