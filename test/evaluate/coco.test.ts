import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { evaluateCoco } from '../../lib/evaluate'
import { allclose } from '../allclose'
import { CASES, columns, LARGE, makeCase } from './cases'

type Row = [stats: number[], perClass: [ap: number, ar: number][]]
type Quad = [number, number, number, number]

const close = (found: number, expected: number, what: string) =>
  allclose(found, expected, { atol: 1e-12, what })

test('equals pycocotools 2.0.11 within 1e-12 on every random case', () => {
  const expected = JSON.parse(readFileSync(join(__dirname, 'oracle/coco.json'), 'utf8')) as Row[]
  assert.equal(expected.length, CASES + 1)
  expected.forEach(([stats, perClass], number) => {
    const { truths, detections } = makeCase(number < CASES ? number : LARGE)
    const result = evaluateCoco(truths, detections)
    stats.forEach((value, i) => {
      close(result.stats[i]!, value, `case ${number}, ${result.names[i]}`)
    })
    assert.equal(result.perClass.length, perClass.length)
    perClass.forEach(([ap, ar], label) => {
      close(result.perClass[label]!.AP, ap, `case ${number}, class ${label}, AP`)
      close(result.perClass[label]!.AR100, ar, `case ${number}, class ${label}, AR100`)
    })
  })
})

const unit = (x: number): Quad => [x, 0, x + 10, 10]

test('names, order and undefined numbers', () => {
  const nothing = columns(3, 2, [], [])
  const result = evaluateCoco(nothing.truths, nothing.detections)
  assert.deepEqual(result.stats, new Array(12).fill(-1))
  assert.equal(
    result.names.join(' '),
    'AP AP50 AP75 APsmall APmedium APlarge AR1 AR10 AR100 ARsmall ARmedium ARlarge',
  )
  const missed = columns(
    1,
    2,
    [{ image: 0, label: 0, box: unit(0) }],
    [{ image: 0, label: 1, score: 1, box: unit(0) }],
  )
  const zero = evaluateCoco(missed.truths, missed.detections)
  assert.deepEqual(zero.stats, [0, 0, 0, 0, -1, -1, 0, 0, 0, 0, -1, -1])
  assert.equal(zero.perClass[1]!.AP, -1)
})

test('of equal IoUs the last truth is taken, so a later detection finds the first', () => {
  // The second detection overlaps truth 0 alone. Had the first taken truth 0, it would have nothing.
  const { truths, detections } = columns(
    1,
    1,
    [
      { image: 0, label: 0, box: [0, 0, 10, 10] },
      { image: 0, label: 0, box: [5, 0, 15, 10] },
    ],
    [
      { image: 0, label: 0, score: 0.9, box: [2.5, 0, 12.5, 10] },
      { image: 0, label: 0, score: 0.8, box: [0, 0, 9, 10] },
    ],
  )
  close(evaluateCoco(truths, detections).AP50, 1, 'AP50')
})

test('a crowd absorbs any number, its overlap divided by the detection', () => {
  const { truths, detections } = columns(
    1,
    1,
    [
      { image: 0, label: 0, box: [0, 0, 100, 100], crowd: 1 },
      { image: 0, label: 0, box: [200, 0, 210, 10] },
    ],
    [
      { image: 0, label: 0, score: 0.9, box: [0, 0, 10, 10] },
      { image: 0, label: 0, score: 0.8, box: [20, 0, 30, 10] },
      { image: 0, label: 0, score: 0.7, box: [200, 0, 210, 10] },
    ],
  )
  const result = evaluateCoco(truths, detections)
  close(result.AP, 1, 'AP')
  assert.equal(result.perClass[0]!.truths, 1)
})

test('area limits are inclusive at both ends', () => {
  const box: Quad = [0, 0, 32, 32] // 1024 square pixels: small and medium
  const { truths, detections } = columns(
    1,
    1,
    [{ image: 0, label: 0, box }],
    [{ image: 0, label: 0, score: 1, box }],
  )
  const result = evaluateCoco(truths, detections)
  close(result.APsmall, 1, 'APsmall')
  close(result.APmedium, 1, 'APmedium')
  assert.equal(result.APlarge, -1)
})

test('stated sizes decide where the corners round: 100.3 + 32 - 100.3 is not 32', () => {
  const box: Quad = [100.3, 0, 100.3 + 32, 32]
  assert.notEqual(box[2] - box[0], 32)
  const { truths, detections } = columns(1, 1, [{ image: 0, label: 0, box, area: 1024 }], [])
  const stated = {
    ...detections,
    image: new Int32Array(1),
    label: new Int32Array(1),
    score: new Float64Array([1]),
    box: new Float64Array([500.3, 0, 500.3 + 32, 32]), // hits nothing
    size: new Float64Array([32, 32]),
  }
  const hit = { ...stated, score: new Float64Array([0.5]), box: new Float64Array(box) }
  const both = {
    image: new Int32Array(2),
    label: new Int32Array(2),
    score: new Float64Array([1, 0.5]),
    box: new Float64Array([...stated.box, ...hit.box]),
    size: new Float64Array([32, 32, 32, 32]),
  }
  // The false positive of exactly 1024 counts in both ranges: precision 1 / 2.
  close(evaluateCoco(truths, both).APsmall, 0.5, 'APsmall')
  close(evaluateCoco(truths, both).APmedium, 0.5, 'APmedium')
})

test('the best 100 of an image and class count, the best 1 and 10 for AR', () => {
  const miss = (i: number) => ({ image: 0, label: 0, score: 1 - i / 1000, box: unit(1000 + 20 * i) })
  const misses = Array.from({ length: 100 }, (_, i) => miss(i))
  const hit = { image: 0, label: 0, score: 0.5, box: unit(0) }
  const truth = [{ image: 0, label: 0, box: unit(0) }]
  const late = columns(1, 1, truth, [...misses, hit])
  assert.equal(evaluateCoco(late.truths, late.detections).AP, 0)
  const tenth = columns(1, 1, truth, [...misses.slice(0, 9), hit])
  const result = evaluateCoco(tenth.truths, tenth.detections)
  assert.deepEqual([result.AR1, result.AR10, result.AR100], [0, 1, 1])
  close(result.AP50, 0.1, 'AP50')
  const fewer = evaluateCoco(tenth.truths, tenth.detections, { maxDetections: [1, 5, 9] })
  assert.equal(fewer.AP, 0)
})

test('NaN scores and limits out of order are refused', () => {
  const { truths, detections } = columns(1, 1, [], [{ image: 0, label: 0, score: Number.NaN, box: unit(0) }])
  assert.throws(() => evaluateCoco(truths, detections), /detections row 0: score is NaN/)
  const empty = columns(1, 1, [], [])
  assert.throws(
    () => evaluateCoco(empty.truths, empty.detections, { maxDetections: [10, 1, 100] }),
    /evaluateCoco options: at "maxDetections": expected ascending limits, found \[10,1,100\]/,
  )
})
