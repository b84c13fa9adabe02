import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  bestF1,
  bySize,
  confusionMatrix,
  detectionsOf,
  evaluateCoco,
  evaluateDetections,
  evaluateVoc,
  matchTable,
  precisionEnvelope,
  precisionRecall,
  truthsOf,
} from '../../lib/evaluate'
import { CASES, columns, makeCase } from './cases'

type Quad = [number, number, number, number]
const unit = (x: number): Quad => [x, 0, x + 10, 10]

test('confusion matrix: rows are truths, columns detections, the last of each the background', () => {
  const { truths, detections } = columns(
    1,
    2,
    [
      { image: 0, label: 0, box: unit(0) },
      { image: 0, label: 0, box: unit(20) },
      { image: 0, label: 1, box: unit(40) },
      { image: 0, label: 1, box: unit(60), difficult: 1 },
      { image: 0, label: 0, box: [100, 0, 200, 100], crowd: 1 },
    ],
    [
      { image: 0, label: 0, score: 0.9, box: unit(0) }, // right
      { image: 0, label: 1, score: 0.8, box: unit(20) }, // taken for class 1
      { image: 0, label: 1, score: 0.8, box: unit(300) }, // background
      { image: 0, label: 0, score: 0.2, box: unit(40) }, // below the working point
      { image: 0, label: 1, score: 0.7, box: unit(60) }, // absorbed by the difficult truth
      { image: 0, label: 1, score: 0.7, box: unit(110) }, // absorbed by the crowd
    ],
  )
  assert.deepEqual(confusionMatrix(truths, detections).counts, [
    [1, 1, 0],
    [0, 0, 1],
    [0, 1, 0],
  ])
  assert.deepEqual(confusionMatrix(truths, detections, { scoreThreshold: 0 }).counts, [
    [1, 1, 0],
    [1, 0, 0],
    [0, 1, 0],
  ])
})

test('confusion: the better overlap joins first, and of equal ones the right class', () => {
  const truth = [{ image: 0, label: 0, box: unit(0) }]
  const near = { image: 0, label: 1, score: 0.9, box: [0, 0, 10, 9] as Quad }
  const exact = { image: 0, label: 0, score: 0.5, box: unit(0) }
  const a = columns(1, 2, truth, [near, exact])
  assert.deepEqual(confusionMatrix(a.truths, a.detections).counts[0], [1, 0, 0])
  const b = columns(1, 2, truth, [{ ...near, box: unit(0) }, exact])
  assert.deepEqual(confusionMatrix(b.truths, b.detections).counts[0], [1, 0, 0])
})

test('confusion: one image with more pairs than are measured together', () => {
  // 500 truths in a row, each with a detection that is shifted by a pixel, and as many far away.
  const truths = Array.from({ length: 500 }, (_, i) => ({ image: 1, label: i % 2, box: unit(20 * i) }))
  const shifted = truths.map(({ label }, i) => ({ image: 1, label, score: 0.9, box: unit(20 * i + 1) }))
  const stray = truths.map(({ label }, i) => ({ image: 1, label, score: 0.5, box: unit(-20 * (i + 1)) }))
  const set = columns(3, 2, truths, [...stray, ...shifted])
  assert.deepEqual(confusionMatrix(set.truths, set.detections).counts, [
    [250, 0, 0],
    [0, 250, 0],
    [250, 250, 0],
  ])
})

test("by size: COCO's own sizes give COCO's numbers", () => {
  for (let number = 1; number < CASES; number += 7) {
    const { truths, detections } = makeCase(number)
    const coco = evaluateCoco(truths, detections)
    const [small, medium, large] = bySize(truths, detections, {
      sides: [
        ['small', 0, 32],
        ['medium', 32, 96],
        ['large', 96, 1e5],
      ],
    })
    const pairs = [
      [small!.AP, coco.APsmall],
      [medium!.AP, coco.APmedium],
      [large!.AP, coco.APlarge],
      [small!.AR, coco.ARsmall],
      [large!.AR, coco.ARlarge],
    ] as const
    for (const [found, expected] of pairs) assert.ok(Math.abs(found - expected) < 1e-12, `case ${number}`)
  }
})

test('by size by hand: one of two small truths found', () => {
  const { truths, detections } = columns(
    1,
    1,
    [
      { image: 0, label: 0, box: unit(0) },
      { image: 0, label: 0, box: unit(50) },
      { image: 0, label: 0, box: [100, 0, 150, 50] },
    ],
    [{ image: 0, label: 0, score: 1, box: unit(0) }],
  )
  const [tiny, small, medium] = bySize(truths, detections)
  assert.deepEqual([tiny!.name, tiny!.truths, tiny!.recall50], ['tiny', 2, 0.5])
  assert.deepEqual([small!.truths, small!.AP], [0, -1])
  assert.deepEqual([medium!.truths, medium!.AP50, medium!.recall50], [1, 0, 0])
})

test('precision-recall curve, its envelope and the best F1', () => {
  const { truths, detections } = columns(
    1,
    1,
    [0, 20, 40, 60].map((x) => ({ image: 0, label: 0, box: unit(x) })),
    [0, 100, 20, 40, 200].map((x, i) => ({ image: 0, label: 0, score: 0.9 - i / 10, box: unit(x) })),
  )
  const curve = precisionRecall(matchTable(truths, detections), 0)
  assert.deepEqual([...curve.precision], [1, 1 / 2, 2 / 3, 3 / 4, 3 / 5])
  assert.deepEqual([...curve.recall], [1 / 4, 1 / 4, 1 / 2, 3 / 4, 3 / 4])
  assert.deepEqual([...precisionEnvelope(curve.precision)], [1, 3 / 4, 3 / 4, 3 / 4, 3 / 5])
  const best = bestF1(curve)
  assert.equal(best?.f1, 0.75)
  assert.ok(Math.abs(best!.score - 0.6) < 1e-15)
  assert.throws(() => precisionRecall(matchTable(truths, detections), 1), /a label in 0..0/)
})

test('samples and lists of boxes become columns, and the summary is plain JSON', () => {
  const sample = (id: string, boxes: Parameters<typeof truthsOf>[0][number]['boxes']) => ({
    id,
    file: `/${id}.png`,
    width: 100,
    height: 50,
    boxes,
  })
  const truths = truthsOf(
    [
      sample('a', [{ x1: 0, y1: 0, x2: 10, y2: 10, label: 1 }]),
      sample('b', [{ x1: 0, y1: 0, x2: 4, y2: 4, label: 0, difficult: true, crowd: true, area: 12 }]),
    ],
    ['car', 'bus', 'light'],
  )
  assert.deepEqual([...truths.image, ...truths.label, ...truths.area!], [0, 1, 1, 0, 100, 12])
  assert.deepEqual([...truths.difficult!, ...truths.crowd!], [0, 1, 0, 1])
  assert.throws(() => truthsOf([sample('c', undefined)], 1), /sample 'c' is unlabelled/)

  const detections = detectionsOf([[{ x1: 0, y1: 0, x2: 10, y2: 10, label: 1, score: 0.5 }], []])
  const summary = evaluateDetections(truths, detections, { classes: ['car', 'bus', 'light'] })
  assert.deepEqual(JSON.parse(JSON.stringify(summary)), summary)
  assert.equal(summary.voc.mAP, 1)
  assert.ok(Math.abs(summary.voc.mAP11! - 1) < 1e-15)
  assert.deepEqual(
    summary.perClass.map(({ name, truths: count, ap }) => [name, count, ap]),
    [
      ['car', 0, null],
      ['bus', 1, 1],
      ['light', 0, null],
    ],
  )
  assert.equal(summary.perClass[1]!.best?.score, 0.5)
  assert.throws(
    () => evaluateDetections(truths, detections, { classes: ['car'] }),
    /expected names of 3 classes, found 1: car/,
  )
})

test('the summary repeats what the evaluators say', () => {
  for (let number = 0; number < CASES; number += 11) {
    const { truths, detections } = makeCase(number)
    const classes = Array.from({ length: truths.classes }, (_, i) => `${i}`)
    const summary = evaluateDetections(truths, detections, { classes })
    const voc = evaluateVoc(truths, detections).mAP
    assert.equal(summary.voc.mAP, Number.isNaN(voc) ? null : voc)
    assert.equal(summary.coco.ARmedium, evaluateCoco(truths, detections).ARmedium)
  }
})
