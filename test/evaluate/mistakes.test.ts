import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { MISTAKE_KINDS, mistakes, worstImages } from '../../lib/evaluate'
import { allclose } from '../allclose'
import { CASES, columns, makeCase } from './cases'

/** tidecv's order: class, localisation, both, duplicate, background, missed. */
type Row = [
  ap: number,
  kinds: [count: number, cost: number][],
  special: [positives: number, negatives: number],
]

const close = (found: number, expected: number, what: string) =>
  allclose(found, expected, { atol: 1e-12, what })

test('counts and costs equal tidecv on every random case', () => {
  const expected = JSON.parse(readFileSync(join(__dirname, 'oracle/tide.json'), 'utf8')) as Row[]
  assert.equal(expected.length, CASES)
  expected.forEach(([ap, kinds, [positives, negatives]], number) => {
    const { truths, detections } = makeCase(number)
    const result = mistakes(truths, detections)
    // Where no class has anything, tidecv's mean is put at 1 (see the script) and this one is undefined.
    close(Number.isNaN(result.mAP) ? 1 : result.mAP, ap, `case ${number}, AP`)
    MISTAKE_KINDS.forEach((kind, i) => {
      assert.equal(result.kinds[kind].count, kinds[i]![0], `case ${number}, ${kind}`)
      close(result.kinds[kind].cost, kinds[i]![1], `case ${number}, ${kind}`)
    })
    close(result.falsePositives, positives, `case ${number}, false positives`)
    close(result.falseNegatives, negatives, `case ${number}, false negatives`)
  })
})

test('one mistake of each kind, with the rows concerned', () => {
  const { truths, detections } = columns(
    2,
    2,
    [
      { image: 0, label: 0, box: [0, 0, 10, 10] },
      { image: 0, label: 0, box: [50, 0, 60, 10] },
      { image: 0, label: 1, box: [100, 0, 110, 10] },
      { image: 1, label: 1, box: [0, 0, 10, 10] },
    ],
    [
      { image: 0, label: 0, score: 0.9, box: [0, 0, 10, 10] }, // hit
      { image: 0, label: 0, score: 0.8, box: [0, 0, 10, 9] }, // duplicate of it
      { image: 0, label: 0, score: 0.7, box: [50, 0, 60, 4] }, // IoU 0.4: localisation
      { image: 0, label: 0, score: 0.6, box: [100, 0, 110, 10] }, // class
      { image: 0, label: 0, score: 0.5, box: [100, 0, 110, 3] }, // IoU 0.3 with the other class: both
      { image: 0, label: 1, score: 0.4, box: [200, 0, 210, 10] }, // background
    ],
  )
  const result = mistakes(truths, detections)
  assert.deepEqual(
    result.list.map(({ kind, image, detection, truth }) => [kind, image, detection, truth]),
    [
      ['duplicate', 0, 1, 0],
      ['localisation', 0, 2, 1],
      ['class', 0, 3, 2],
      ['both', 0, 4, undefined],
      ['background', 0, 5, undefined],
      ['missed', 1, undefined, 3],
    ],
  )
  // The wrong class costs the most to class 1: with it mended one of its two truths is found.
  assert.ok(result.kinds.class.cost > 0.2)
  const worst = worstImages(result, detections, { minScore: 0.45 })
  assert.deepEqual(
    worst.map(({ image, mistakes: list }) => [image, list.length]),
    [
      [0, 4],
      [1, 1],
    ],
  )
})

test('an empty set has no mAP and no cost', () => {
  const { truths, detections } = columns(1, 1, [], [])
  const result = mistakes(truths, detections)
  assert.ok(Number.isNaN(result.mAP))
  assert.equal(result.falseNegatives, 0)
  assert.deepEqual(result.kinds.missed, { count: 0, cost: 0 })
})
