import assert from 'node:assert/strict'
import { test } from 'node:test'
import { carveValidation, sequenceOf } from '../../lib/data/split'
import type { Sample } from '../../lib/data/types'

const sample = (id: string): Sample => ({ id, file: `/${id}.jpg`, width: 8, height: 8, boxes: [] })
const frames = (town: string, count: number) =>
  Array.from({ length: count }, (_, i) => sample(`${town}_${String(60 * i).padStart(6, '0')}`))

test('a sequence is an id without the number at its end', () => {
  assert.deepEqual(sequenceOf('train/Town01_011940'), { sequence: 'train/Town01_', frame: 11940 })
  assert.deepEqual(sequenceOf('street'), { sequence: 'street', frame: 0 })
})

test('a few sequences each give one block of consecutive frames', () => {
  const samples = [...frames('Town01', 100), ...frames('Town02', 40)]
  const { train, validation } = carveValidation(samples, 0.15)
  assert.equal(train.length + validation.length, 140)
  for (const [town, expected] of [
    ['Town01', 15],
    ['Town02', 6],
  ] as const) {
    const numbers = validation
      .filter(({ id }) => id.startsWith(town))
      .map(({ id }) => sequenceOf(id).frame / 60)
    assert.equal(numbers.length, expected)
    assert.equal(numbers.at(-1)! - numbers[0]!, expected - 1)
  }
})

test('of many sequences, whole ones are taken', () => {
  const samples = Array.from({ length: 40 }, (_, i) =>
    frames(`video${String.fromCharCode(97 + (i % 26))}${i}`, 5),
  ).flat()
  const { train, validation } = carveValidation(samples, 0.15)
  assert.equal(validation.length, 30)
  const videos = new Set(validation.map(({ id }) => sequenceOf(id).sequence))
  assert.equal(videos.size, 6)
  assert.ok(train.every(({ id }) => !videos.has(sequenceOf(id).sequence)))
})

test('the split does not depend on the order of the samples', () => {
  const samples = frames('Town01', 50)
  const ids = (list: readonly Sample[]) => list.map(({ id }) => id).sort()
  const one = carveValidation(samples, 0.2)
  const other = carveValidation([...samples].reverse(), 0.2)
  assert.deepEqual(ids(one.validation), ids(other.validation))
  assert.throws(() => carveValidation(samples, 1), /expected a fraction between 0 and 1, found 1/)
})
