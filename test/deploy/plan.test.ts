import assert from 'node:assert/strict'
import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { writeModel } from '../../lib/deploy'
import { toFloat16 } from '../../lib/deploy/float16'
import { Detector } from '../../lib/detector'
import { compile, type Tensor, tf } from '../../lib/engine'
import { boundsOf, gridOf, kernelScales, roundEven, symmetricGridOf } from '../../lib/quantise/grids'
import { loadShipped } from '../../lib/trial'
import { assertClose } from '../losses/support'
import { MODELS, OTHERS } from './models'
import { folder, request } from './support'

/** Logits of the library, and of a SavedModel that TensorFlow's C library loads. */
async function both(model: (typeof MODELS)[string]): Promise<[number[], number[]]> {
  const place = join(mkdtempSync(join(folder, 'saved-')), 'saved_model')
  const { outputs } = writeModel(model, place, request('saved-model'))
  const loaded = await tf.node.loadSavedModel(place)
  const detector = new Detector(model.network, model.weights)
  const forward = compile((images: Tensor) => [
    ...detector.forward(images as tf.Tensor4D, { training: false }).outputs,
  ])
  const images = tf.randomUniform([2, ...model.network.input, 3], 0, 1, 'float32', 1) as Tensor
  const found = loaded.predict({ images }) as { [name: string]: tf.Tensor }
  const results = [forward(images), outputs.map((name) => found[name]!)].map((maps) =>
    maps.flatMap((map) => [...map.dataSync()]),
  ) as [number[], number[]]
  loaded.dispose()
  forward.dispose()
  detector.dispose()
  return results
}

for (const [name, model] of Object.entries(MODELS)) {
  test(`a SavedModel of ${name} gives the library's logits bit for bit, at batch 2`, async () => {
    const [expected, found] = await both(model)
    assert.deepEqual(found, expected)
  })
}

for (const [name, model] of Object.entries(OTHERS)) {
  test(`a SavedModel of ${name} gives the library's logits within rounding`, async () => {
    const [expected, found] = await both(model)
    assertClose(found, expected, 'logits', 1e-5)
  })
}

for (const name of ['default-teacher', 'default-student']) {
  test(`a SavedModel of the shipped ${name} gives the library's logits bit for bit`, async () => {
    const [expected, found] = await both(loadShipped(name))
    assert.deepEqual(found, expected)
  })
}

test('float16: to the nearest, halves to the even one; small numbers, and none that is too large', () => {
  const bits = (value: number) => toFloat16(Float32Array.of(value))[0]
  // Known encodings of IEEE 754 binary16.
  const known: [number, number][] = [
    [0, 0],
    [1, 0x3c00],
    [-2, 0xc000],
    [65504, 0x7bff],
    [0.1, 0x2e66],
    [2 ** -14, 0x0400],
    [2 ** -24, 0x0001],
    [2 ** -25, 0x0000],
    [1.5 * 2 ** -24, 0x0002],
    [2 ** -26, 0x0000],
    [1 + 2 ** -11, 0x3c00],
    [1 + 3 * 2 ** -11, 0x3c02],
    [65519, 0x7bff],
  ]
  assert.deepEqual(
    known.map(([value]) => bits(value)),
    known.map(([, expected]) => expected),
  )
  assert.throws(() => bits(65520), /float16: expected at most 65504, found 65520/)
})

test('a grid of eight bits holds 0 and its range; around 0 it is 128', () => {
  assert.deepEqual(gridOf({ min: -1, max: 4.1 }), { scale: Math.fround(5.1 / 255), zeroPoint: 50 })
  assert.equal(gridOf({ min: 0.5, max: 1 }).zeroPoint, 0)
  assert.deepEqual(symmetricGridOf({ min: -2.54, max: 1 }), { scale: Math.fround(0.02), zeroPoint: 128 })
  const { min, max } = boundsOf(gridOf({ min: -1, max: 4.1 }))
  assert.ok(Math.abs(min + 1) < 0.01 && Math.abs(max - 4.1) < 0.01)
  assert.deepEqual([0.5, 1.5, 2.5, -0.5, -1.5, 1.2].map(roundEven), [0, 2, 2, -0, -2, 1])
  const kernel = Float32Array.of(1.27, -2, 0.5, 2.54)
  assert.deepEqual(
    [...kernelScales({ kernel, bias: Float32Array.of(1, 1), out: 2 })],
    [1.27 / 127, 2.54 / 127].map(Math.fround),
  )
})
