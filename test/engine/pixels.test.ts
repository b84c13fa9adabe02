import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compile, pixelTensor, type Tensor, tf, unitPixels } from '../../lib/engine'

const bytesOf = (count: number) => Uint8Array.from({ length: count }, (_, i) => (i * 37) % 256)

test('bytes become v / 255 on the device, in a graph and without one, whatever their number', () => {
  for (const shape of [
    [2, 4, 8, 3],
    [1, 3, 5, 3],
  ] as const) {
    const bytes = bytesOf(shape.reduce<number>((product, length) => product * length, 1))
    const images = pixelTensor(bytes, shape)
    const scale = compile((pixels: Tensor) => unitPixels(pixels as tf.Tensor4D), { name: 'scale' })
    const eager = tf.tidy(() => unitPixels(images).dataSync())
    // The second call feeds what the first has uploaded.
    for (let call = 0; call < 2; call++) {
      const result = scale(images)
      assert.deepEqual(result.shape, shape)
      assert.deepEqual(result.dataSync(), eager)
      result.dispose()
    }
    eager.forEach((value, i) => {
      assert.ok(Math.abs(value - bytes[i]! / 255) <= 2 ** -23, `${value} of ${bytes[i]}`)
    })
    assert.deepEqual(
      scale.graphs.map(({ fed }) => fed),
      [bytes.length],
    )
    scale.dispose()
    images.dispose()
  }
})

test('whole numbers are scaled alike, and values in 0..1 stay as they are', () => {
  tf.tidy(() => {
    const bytes = bytesOf(24)
    const whole = tf.tensor4d([...bytes], [1, 2, 4, 3], 'int32')
    const scaled = unitPixels(pixelTensor(bytes, [1, 2, 4, 3]))
    assert.deepEqual(unitPixels(whole).dataSync(), scaled.dataSync())
    assert.equal(unitPixels(scaled), scaled)
  })
})

test('bytes and float32 images of one shape have graphs of their own, and no tensor stays behind', () => {
  const before = tf.memory().numTensors
  const scale = compile((pixels: Tensor) => unitPixels(pixels as tf.Tensor4D))
  const bytes = pixelTensor(bytesOf(24), [1, 2, 4, 3])
  const floats = tf.ones([1, 2, 4, 3])
  const results = [scale(bytes), scale(floats)]
  assert.deepEqual(
    scale.graphs.map(({ fed }) => fed),
    [24, 96],
  )
  tf.dispose([bytes, floats, results])
  scale.dispose()
  assert.equal(tf.memory().numTensors, before)
})

test('a number of bytes that does not fit the shape is refused', () => {
  assert.throws(
    () => pixelTensor(new Uint8Array(23), [1, 2, 4, 3]),
    /expected bytes for \[1,2,4,3\], found 23/,
  )
})
