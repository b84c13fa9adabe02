import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { evaluateVoc } from '../../lib/evaluate'
import { CASES, columns, LARGE, makeCase } from './cases'

type Row = [
  all: number | null,
  eleven: number | null,
  plusOne: number | null,
  at75: number | null,
  aps: (number | null)[],
]

const orNull = (value: number) => (Number.isNaN(value) ? null : value)

test('equals an independent VOC script to the last bit on every random case', () => {
  const expected = JSON.parse(readFileSync(join(__dirname, 'oracle/voc.json'), 'utf8')) as Row[]
  assert.equal(expected.length, CASES + 1)
  expected.forEach(([all, eleven, plusOne, at75, aps], number) => {
    const { truths, detections } = makeCase(number < CASES ? number : LARGE)
    const result = evaluateVoc(truths, detections)
    assert.deepEqual(
      [
        orNull(result.mAP),
        orNull(evaluateVoc(truths, detections, { interpolation: '11' }).mAP),
        orNull(evaluateVoc(truths, detections, { plusOne: true }).mAP),
        orNull(evaluateVoc(truths, detections, { iouThreshold: 0.75 }).mAP),
        result.perClass.map((row) => orNull(row.ap)),
      ],
      [all, eleven, plusOne, at75, aps],
      `case ${number}`,
    )
  })
})

const unit = (x: number): [number, number, number, number] => [x, 0, x + 10, 10]

test('average precision by hand: hit, miss, hit over three truths', () => {
  const { truths, detections } = columns(
    1,
    1,
    [0, 20, 40].map((x) => ({ image: 0, label: 0, box: unit(x) })),
    [
      { image: 0, label: 0, score: 0.9, box: unit(0) },
      { image: 0, label: 0, score: 0.8, box: unit(100) },
      { image: 0, label: 0, score: 0.7, box: unit(20) },
    ],
  )
  const all = evaluateVoc(truths, detections)
  assert.ok(Math.abs(all.mAP - (1 / 3 + (1 / 3) * (2 / 3))) < 1e-15) // 5 / 9
  assert.deepEqual([...all.perClass[0]!.precision], [1, 1 / 2, 2 / 3])
  assert.deepEqual([...all.perClass[0]!.recall], [1 / 3, 1 / 3, 2 / 3])
  // Recalls 0 .. 0.3 see precision 1, 0.4 .. 0.6 see 2 / 3.
  const eleven = evaluateVoc(truths, detections, { interpolation: '11' })
  assert.ok(Math.abs(eleven.mAP - (4 + 3 * (2 / 3)) / 11) < 1e-15)
})

test('IoU of exactly the threshold matches; the +1 form counts end pixels', () => {
  // 10 x 10 against 20 x 10: IoU 0.5 without +1; with it (11 * 11) / (21 * 11) = 0.524 both match at 0.5,
  const { truths, detections } = columns(
    1,
    1,
    [{ image: 0, label: 0, box: [0, 0, 10, 10] }],
    [{ image: 0, label: 0, score: 1, box: [0, 0, 20, 10] }],
  )
  assert.equal(evaluateVoc(truths, detections).mAP, 1)
  assert.equal(evaluateVoc(truths, detections, { iouThreshold: 0.51 }).mAP, 0)
  assert.equal(evaluateVoc(truths, detections, { iouThreshold: 0.51, plusOne: true }).mAP, 1)
})

test('a second hit is a false positive, a difficult truth absorbs any number', () => {
  const hits = [0.9, 0.8, 0.7].map((score) => ({ image: 0, label: 0, score, box: unit(0) }))
  const other = { image: 0, label: 0, score: 0.6, box: unit(40) }
  const plain = columns(
    1,
    1,
    [unit(0), unit(40)].map((box) => ({ image: 0, label: 0, box })),
    [...hits, other],
  )
  assert.ok(Math.abs(evaluateVoc(plain.truths, plain.detections).mAP - (0.5 + 0.5 * 0.5)) < 1e-15)
  const difficult = columns(
    1,
    1,
    [
      { image: 0, label: 0, box: unit(0), difficult: 1 },
      { image: 0, label: 0, box: unit(40) },
    ],
    [...hits, other],
  )
  const result = evaluateVoc(difficult.truths, difficult.detections)
  assert.equal(result.mAP, 1)
  assert.deepEqual([result.perClass[0]!.truths, result.perClass[0]!.detections], [1, 4])
  assert.equal(result.perClass[0]!.precision.length, 1)
})

test('a detection looks only at its best truth, the first on equal IoU', () => {
  // Both truths overlap the second detection equally; the first truth is already taken, the other stays free.
  const { truths, detections } = columns(
    1,
    1,
    [
      { image: 0, label: 0, box: [0, 0, 10, 10] },
      { image: 0, label: 0, box: [0, 0, 10, 10] },
    ],
    [
      { image: 0, label: 0, score: 0.9, box: [0, 0, 10, 10] },
      { image: 0, label: 0, score: 0.8, box: [0, 0, 10, 10] },
    ],
  )
  assert.equal(evaluateVoc(truths, detections).mAP, 0.5)
})

test('ties in score keep list order over the whole set', () => {
  const truth = [{ image: 1, label: 0, box: unit(0) }]
  const miss = { image: 0, label: 0, score: 0.5, box: unit(0) }
  const hit = { image: 1, label: 0, score: 0.5, box: unit(0) }
  const first = columns(2, 1, truth, [hit, miss])
  const last = columns(2, 1, truth, [miss, hit])
  assert.equal(evaluateVoc(first.truths, first.detections).mAP, 1)
  assert.equal(evaluateVoc(last.truths, last.detections).mAP, 0.5)
})

test('nothing detected, nothing to detect, classes absent on one side', () => {
  const nothing = columns(2, 2, [], [])
  assert.ok(Number.isNaN(evaluateVoc(nothing.truths, nothing.detections).mAP))
  const missed = columns(1, 1, [{ image: 0, label: 0, box: unit(0) }], [])
  assert.equal(evaluateVoc(missed.truths, missed.detections).mAP, 0)
  const uneven = columns(
    1,
    3,
    [
      { image: 0, label: 0, box: unit(0) },
      { image: 0, label: 1, box: unit(20) },
    ],
    [
      { image: 0, label: 0, score: 1, box: unit(0) },
      { image: 0, label: 2, score: 1, box: unit(20) },
    ],
  )
  const result = evaluateVoc(uneven.truths, uneven.detections)
  assert.equal(result.mAP, 0.5) // class 2 has no truth and is left out
  assert.deepEqual(
    result.perClass.map((row) => row.ap),
    [1, 0, Number.NaN],
  )
})

test('boxes of zero area match nothing', () => {
  const { truths, detections } = columns(
    1,
    1,
    [{ image: 0, label: 0, box: [5, 5, 5, 5] }],
    [{ image: 0, label: 0, score: 1, box: [5, 5, 5, 5] }],
  )
  assert.equal(evaluateVoc(truths, detections).mAP, 0)
  assert.equal(evaluateVoc(truths, detections, { plusOne: true }).mAP, 1) // one pixel in the devkit's form
})

test('malformed columns are refused with the row', () => {
  const make = (score: number, box: [number, number, number, number], image = 0, label = 0) =>
    columns(
      1,
      1,
      [],
      [
        { image: 0, label: 0, score: 1, box: unit(0) },
        { image, label, score, box },
      ],
    )
  const refusal = (input: ReturnType<typeof make>, pattern: RegExp) =>
    assert.throws(() => evaluateVoc(input.truths, input.detections), pattern)
  refusal(make(Number.NaN, unit(0)), /detections row 1: score is NaN/)
  refusal(make(1, [0, 0, Number.NaN, 1]), /detections row 1: expected finite corners/)
  refusal(make(1, [5, 0, 4, 1]), /x1 <= x2/)
  refusal(make(1, unit(0), 1), /expected an image in 0..0, found 1/)
  refusal(make(1, unit(0), 0, 3), /expected a label in 0..0, found 3/)
  const short = make(1, unit(0))
  assert.throws(
    () => evaluateVoc(short.truths, { ...short.detections, score: new Float64Array(1) }),
    /detections.score: expected 2 values, found 1/,
  )
})
