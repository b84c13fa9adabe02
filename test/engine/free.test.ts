import assert from 'node:assert/strict'
import { test } from 'node:test'
import { freeArrays, pixelTensor, tf, unitPixels } from '../../lib/engine'

const MANY = 50_000_000

test('arrays are freed at once, without a collection of garbage', () => {
  const arrays = [new Uint8Array(MANY).fill(1), new Uint8Array(MANY).fill(2)]
  const before = process.memoryUsage().arrayBuffers
  freeArrays(arrays)
  assert.deepEqual(
    arrays.map(({ length }) => length),
    [0, 0],
  )
  assert.ok(before - process.memoryUsage().arrayBuffers >= 2 * MANY)
})

test('memory that threads share stays', () => {
  const shared = new Uint8Array(new SharedArrayBuffer(8)).fill(3)
  freeArrays([shared])
  assert.deepEqual([...shared], [3, 3, 3, 3, 3, 3, 3, 3])
})

test('what was computed from an array outlives it', () => {
  const bytes = Uint8Array.from({ length: 64 * 64 * 3 }, (_, i) => i % 256)
  const expected = Float32Array.from(bytes, (value) => Math.fround(value * Math.fround(1 / 255)))
  const pixels = pixelTensor(bytes, [1, 64, 64, 3])
  const scaled = unitPixels(pixels)
  pixels.dispose()
  freeArrays([bytes])
  assert.deepEqual(scaled.dataSync(), expected)
  tf.dispose(scaled)
})
