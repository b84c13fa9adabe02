import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { byClassAndSize, findTruths } from '../../lib/evaluate'
import { CASES, columns, LARGE, makeCase } from './cases'

type Row = [
  found: string,
  wrong: number[],
  groups: [label: number, size: string, truths: number, found: number][],
]

test('finds the truths that pycocotools 2.0.11 finds, on every random case, and recall by class and size is numpy’s', () => {
  const expected = JSON.parse(readFileSync(join(__dirname, 'oracle/recall.json'), 'utf8')) as Row[]
  assert.equal(expected.length, CASES + 1)
  expected.forEach(([marks, misses, groups], number) => {
    const { truths, detections } = makeCase(number < CASES ? number : LARGE)
    const { found, wrong } = findTruths(truths, detections, { minScore: 0.3 })
    assert.equal(found.join(''), marks, `case ${number}`)
    assert.deepEqual([...wrong], misses, `case ${number}`)
    const counted = byClassAndSize(truths).map(({ label, size, rows }) => [
      label,
      size,
      rows.length,
      rows.filter((row) => found[row] === 1).length,
    ])
    assert.deepEqual(counted, groups, `case ${number}`)
  })
})

test('a box counts from the score on, and at the overlap asked for', () => {
  const { truths, detections } = columns(
    1,
    1,
    [{ image: 0, label: 0, box: [0, 0, 10, 10] }],
    [{ image: 0, label: 0, score: 0.3, box: [0, 0, 10, 8] }],
  )
  const found = (minScore: number, iouThreshold?: number) =>
    findTruths(truths, detections, { minScore, iouThreshold }).found[0]
  assert.equal(found(0.3), 1)
  assert.equal(found(0.31), 0)
  assert.equal(found(0.3, 0.8), 1)
  assert.equal(found(0.3, 0.81), 0)
})
