import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkNetwork, complexity, Detector, headsOf, layersOf, type NetworkSpec } from '../../lib/detector'
import { compile, tf } from '../../lib/engine'
import { assignTargets, targetTensors, yoloLoss } from '../../lib/losses'
import { createSlots, createStep } from '../../lib/train'
import { assertClose, unpack } from '../losses/support'
import { FORMS, NETWORKS, type NetworkName, offsetWeights, TRUTHS } from './general'
import { Lcg } from './lcg'
import oracle from './oracle/general.json'

const names = Object.keys(NETWORKS) as NetworkName[]
const flat = (tensors: readonly tf.Tensor[]) => tensors.flatMap((tensor) => [...tensor.dataSync()])

/** A network with the oracle's weights and images; the generator as the oracle leaves it. */
function setUp(name: NetworkName) {
  const { network, seed } = NETWORKS[name]
  const random = new Lcg(seed)
  const detector = new Detector(network, offsetWeights(network, random))
  const [height, width] = network.input
  const images = tf.tensor4d(random.uniform(2 * height * width * 3, -1, 1), [2, height, width, 3])
  return { network, seed, random, detector, images }
}

for (const name of names) {
  test(`${name}: inference agrees with PyTorch in float64`, () => {
    const { detector, images } = setUp(name)
    const { outputs } = detector.forward(images, { training: false })
    // Up to 75 convolutions in float32, one behind the other.
    assertClose(flat(outputs), unpack(oracle[name].inference), 'logits', 2e-5)
    images.dispose()
    detector.dispose()
  })

  test(`${name}: loss and gradients of a training step agree with PyTorch in float64`, () => {
    const { network, seed, random, detector, images } = setUp(name)
    const expected: { readonly [term: string]: number | undefined } = oracle[name].terms
    const found: { [term: string]: number } = {}
    const lossOf = () => {
      const { outputs } = detector.forward(images, { training: true, updateStatistics: false })
      if (name === 'forms') {
        // Its heads differ in anchors and scale_x_y, which the oracle's loss does not know.
        const terms = outputs.map((output) =>
          tf.sum(tf.mul(output, tf.tensor(random.uniform(output.size, -0.01, 0.01), output.shape))),
        )
        return { total: tf.addN(terms) as tf.Scalar, terms: { sum: tf.addN(terms) as tf.Scalar } }
      }
      const targets = targetTensors(assignTargets(TRUTHS, detector.config))
      return yoloLoss(outputs, targets, detector.config)
    }
    const { grads } = tf.variableGrads(() => {
      const { total, terms } = lossOf()
      for (const [term, value] of Object.entries(terms)) found[term] = value.dataSync()[0]!
      return total
    }, [...detector.trained.values()])
    assert.deepEqual(Object.keys(found).sort(), Object.keys(expected).sort())
    for (const [term, value] of Object.entries(found)) {
      const distance = Math.abs(value - expected[term]!)
      assert.ok(distance <= 1e-4 * Math.abs(expected[term]!), `${term}: ${value}, expected ${expected[term]}`)
    }
    const vectors = new Lcg(seed + 1000)
    const trained = [...detector.trained]
    assert.equal(trained.length, oracle[name].gradients.length)
    // In front of batch norm some gradients are 0 but for rounding, so a layer's are measured together.
    const layerOf = (weight: string) => weight.replace(/\/\w+$/, '')
    const lengths = new Map<string, number>()
    trained.forEach(([weight], i) => {
      const layer = layerOf(weight)
      lengths.set(layer, Math.hypot(lengths.get(layer) ?? 0, oracle[name].gradients[i]![0]!))
    })
    trained.forEach(([weight, variable], i) => {
      const gradient = grads[variable.name]!.dataSync<'float32'>()
      const [norm, ...products] = oracle[name].gradients[i]!
      const limit = 1e-4 * lengths.get(layerOf(weight))!
      const own = Math.sqrt(gradient.reduce((sum, value) => sum + value ** 2, 0))
      assert.ok(Math.abs(own - norm!) <= limit, `${weight}: norm ${own}, expected ${norm}`)
      for (const product of products) {
        const vector = vectors.uniform(gradient.length, -1, 1)
        const value = gradient.reduce((sum, value, j) => sum + value * vector[j]!, 0)
        assert.ok(Math.abs(value - product) <= limit, `${weight}: ${value}, expected ${product}`)
      }
    })
    assert.equal(layersOf(network).layers.length, lengths.size)
    tf.dispose([grads, images])
    detector.dispose()
  })

  test(`${name}: twenty compiled training steps bring the loss down`, () => {
    const { network, images } = setUp(name)
    const detector = Detector.create(network, 1)
    const slots = createSlots(detector.trained)
    const sgd = { momentum: 0.9, weightDecay: 5e-4, clip: 35 }
    const step = createStep(detector, slots, { loss: {}, sgd, precision: 'float32', eager: false })
    const targets = assignTargets(TRUTHS, detector.config, { multiAnchor: true })
    const losses = Array.from(
      { length: 20 },
      () => step.run({ images, targets, rate: 0.01, weights: [] }).total!,
    )
    const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
    const thirds = [losses.slice(0, 5), losses.slice(7, 13), losses.slice(15)].map(mean)
    assert.ok(
      losses.every(Number.isFinite) && thirds[1]! < thirds[0]! && thirds[2]! < thirds[1]!,
      losses.join(' '),
    )
    assert.ok(thirds[2]! < 0.7 * thirds[0]!, losses.join(' '))
    step.dispose()
    tf.dispose([images, slots.map(({ momentum }) => momentum)])
    detector.dispose()
  })
}

test('every kind of layer computes the same compiled, training statistics included', () => {
  const { detector, images } = setUp('forms')
  const eager = flat(detector.forward(images, { training: false }).outputs)
  const compiled = compile((x: tf.Tensor4D) =>
    Object.fromEntries(
      detector
        .forward(x, { training: false })
        .outputs.map((output, i): [string, tf.Tensor4D] => [`${i}`, output]),
    ),
  )
  const outputs: { readonly [name: string]: tf.Tensor } = compiled(images)
  assertClose(flat(Object.values(outputs)), eager, 'compiled logits')
  compiled.dispose()
  const before = detector.weights().get('groups/mean')!.values
  tf.tidy(() => void detector.forward(images, { training: true }))
  assert.notDeepEqual(detector.weights().get('groups/mean')!.values, before)
  detector.dispose()
})

test('strides, anchors and scales come from the heads, as many as there are', () => {
  const { strides, scaleXY, anchors, featureWidths } = headsOf(FORMS)
  assert.deepEqual(strides, [32, 16, 8, 4])
  assert.deepEqual(scaleXY, [1, 1.2, 2, 1.1])
  assert.deepEqual(
    anchors.map((scale) => scale.length),
    [3, 1, 2, 1],
  )
  assert.deepEqual(featureWidths, [24, 22, 22, 14])
  const { scales } = assignTargets([[{ x1: 3, y1: 3, x2: 8, y2: 9, label: 0 }]], headsOf(FORMS))
  assert.deepEqual(
    scales.map(({ shape }) => shape),
    [
      [1, 2, 3, 3],
      [1, 4, 6, 1],
      [1, 8, 12, 2],
      [1, 16, 24, 1],
    ],
  )
})

test('groups and biases are counted: kernel^2 * in / groups * out a cell', () => {
  const { layers } = layersOf(FORMS)
  const of = (name: string) =>
    complexity({ ...FORMS, layers: FORMS.layers.filter((layer) => layer.name !== name) })
  assert.throws(() => of('mish'), /layer 0 "groups" .* found "mish", which is none of the layers/)
  const parameters = (name: string) => {
    const { kernel, in: inputs, groups, out, batchNorm } = layers.find((layer) => layer.name === name)!
    return [kernel ** 2 * (inputs / groups) * out, batchNorm ? 2 * out : out]
  }
  assert.deepEqual(parameters('groups'), [9 * 4 * 8, 16])
  assert.deepEqual(parameters('depthwise'), [9 * 16, 16])
  const detector = Detector.create(FORMS, 1)
  const trained = [...detector.trained.values()].reduce((sum, { size }) => sum + size, 0)
  assert.equal(complexity(FORMS).parameters, trained)
  detector.dispose()
})

test('what describes no network is refused with the layer, the reason, and what was found', () => {
  const change = (name: string, more: object): unknown => ({
    ...FORMS,
    layers: FORMS.layers.map((layer) => (layer.name === name ? { ...layer, ...more } : layer)),
  })
  const refused = (network: unknown, message: RegExp) =>
    assert.throws(() => checkNetwork(network, 'net.json'), message)
  assert.deepEqual(checkNetwork(FORMS), FORMS)
  refused(
    change('mish', { kind: 'dense' }),
    /net\.json: at "layers\[0\]\.kind": expected one of convolution, .* found "dense"/,
  )
  refused(change('mish', { out: 0 }), /at "layers\[0\]\.out": expected a number above 0, found 0/)
  refused(change('mish', { padded: 1 }), /at "layers\[0\]\.padded": unknown key/)
  refused(change('mish', { name: 'a b' }), /at "layers\[0\]\.name": expected letters, digits/)
  refused(
    change('mish', { name: 'images' }),
    /layer 0 "images" \(convolution\): expected a name of its own, found "images" twice/,
  )
  refused(
    change('swish', { name: 'mish' }),
    /layer 4 "mish" \(convolution\): expected a name of its own, found "mish" twice/,
  )
  refused(
    change('groups', { from: 'swish' }),
    /net\.json: layer 1 "groups" \(convolution\): expected to take the map of an earlier layer or "images", found "swish", which comes no earlier/,
  )
  refused(change('groups', { from: 'groups' }), /found "groups", which comes no earlier/)
  refused(change('groups', { from: 'conv7' }), /found "conv7", which is none of the layers/)
  refused(
    change('second/logits', { from: 'coarse' }),
    /found "coarse", a yolo layer, whose output is decoded boxes/,
  )
  refused(change('groups', { groups: 3 }), /expected channels in 3 equal groups, found 8 in and 8 out/)
  refused(change('part', { groupId: 2 }), /"part" \(route\): expected groupId below groups = 2, found 2/)
  refused(
    change('beside', { from: ['pool1', 'five'] }),
    /"beside" \(route\): expected maps of one size, found 2x3x12, 4x6x12/,
  )
  refused(
    change('same', { from: ['swish', 'mish'] }),
    /"same" \(shortcut\): expected maps of one size, found 8x12x16, 32x48x8/,
  )
  refused(
    change('deconv4', { kernel: 3 }),
    /"deconv4" \(deconvolution\): expected a kernel as large as the stride, or larger by an even number, found kernel 3 and stride 2/,
  )
  refused(
    change('five', { kernel: 17, padding: 0 }),
    /"five" \(convolution\): expected a map that a window of 17 fits into, found 8x12x24/,
  )
  refused(
    change('pool2', { padding: 4 }),
    /"pool2" \(maxPool\): expected padding below twice the size 2, found 4/,
  )
  refused(
    change('coarse', { classes: 3 }),
    /"coarse" \(yolo\): expected 3 \* \(5 \+ 3\) = 24 channels, found 2x3x21/,
  )
  refused(
    { ...FORMS, features: { C3: 'nowhere' } },
    /features\.C3: expected the name of a layer with a map, found "nowhere"/,
  )
  const other = change('fine', { classes: 1 }) as NetworkSpec
  const logits = other.layers.map((layer) => (layer.name === 'fine/logits' ? { ...layer, out: 12 } : layer))
  assert.throws(
    () => headsOf({ ...other, layers: logits as NetworkSpec['layers'] }),
    /expected 2 classes as of "coarse", found 1/,
  )
})
