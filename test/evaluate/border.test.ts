import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  boxesOfImage,
  bySize,
  classApFromTable,
  confusionMatrix,
  type Detections,
  drawDetections,
  evaluateCoco,
  evaluateVoc,
  FALSE_POSITIVE,
  IGNORED,
  matchTable,
  mistakes,
  precisionRecall,
  TRUE_POSITIVE,
  type Truths,
  worstImages,
} from '../../lib/evaluate'
import { columns } from './cases'

const box = (x: number): [number, number, number, number] => [x, 0, x + 10, 10]
const { truths, detections } = columns(
  1,
  2,
  [
    { image: 0, label: 0, box: box(0) },
    { image: 0, label: 1, box: box(40), difficult: 1 },
  ],
  [
    { image: 0, label: 0, score: 0.9, box: box(0) },
    { image: 0, label: 0, score: 0.8, box: box(80) },
    { image: 0, label: 1, score: 0.7, box: box(40) },
  ],
)
const table = matchTable(truths, detections)

/** Options as a script without types may give them. */
const untyped = (options: object) => options as { [key: string]: never }

test("a match table's flags say what became of each detection", () => {
  assert.deepEqual([...table.flag], [TRUE_POSITIVE, FALSE_POSITIVE, IGNORED])
})

test('wrong options are refused by name', () => {
  const voc = (options: object) => () => evaluateVoc(truths, detections, untyped(options))
  const found = 'evaluateVoc options: at'
  assert.throws(voc({ iouThreshold: 1.5 }), {
    message: `${found} "iouThreshold": expected a number of at most 1, found 1.5`,
  })
  assert.throws(voc({ iouThreshold: Number.NaN }), {
    message: `${found} "iouThreshold": expected a number, found NaN`,
  })
  assert.throws(voc({ interpolation: '12' }), {
    message: `${found} "interpolation": expected one of all, 11, found "12"`,
  })
  assert.throws(voc({ plusOne: 1 }), { message: `${found} "plusOne": expected true or false, found 1` })
  assert.throws(voc({ threshold: 0.5 }), { message: `${found} "threshold": unknown key` })

  const coco = (options: object) => () => evaluateCoco(truths, detections, untyped(options))
  assert.throws(
    coco({ maxDetections: [0, 10, 100] }),
    /at "maxDetections\[0\]": expected a number of at least 1, found 0/,
  )
  assert.throws(coco({ iouThresholds: [] }), /at "iouThresholds": expected at least 1 entry, found \[\]/)
  assert.throws(
    coco({ iouThresholds: [0.5, 2] }),
    /at "iouThresholds\[1\]": expected a number of at most 1, found 2/,
  )
  const reversed = [
    [0, 1e10],
    [0, 1024],
    [9216, 1024],
    [9216, 1e10],
  ]
  assert.throws(
    coco({ areaRanges: reversed }),
    /at "areaRanges\[2\]": expected a lower limit .*found \[9216,1024\]/,
  )

  const match = (options: object) => () => matchTable(truths, detections, untyped(options))
  assert.throws(
    match({ rule: 'kitti' }),
    /matchTable options: at "rule": expected one of voc, coco, found "kitti"/,
  )
  assert.throws(match({ maxDetections: 0 }), /at "maxDetections": expected a number of at least 1, found 0/)
  assert.throws(
    () => classApFromTable(table, undefined, untyped({ interpolation: '12' })),
    /at "interpolation": expected one of all, 11, 101, found "12"/,
  )
  assert.throws(() => precisionRecall(table, 2), /expected a label in 0\.\.1 .*found 2 and 0/)

  assert.throws(
    () => mistakes(truths, detections, { foreground: 0.1, background: 0.5 }),
    /mistakes options: expected background <= foreground/,
  )
  assert.throws(
    () => mistakes(truths, detections, { maxDetections: 0.5 }),
    /at "maxDetections": expected a whole number/,
  )
  const made = mistakes(truths, detections)
  assert.throws(() => worstImages(made, detections, { count: -1 }), /worstImages options: at "count"/)
  assert.throws(
    () => confusionMatrix(truths, detections, { iouThreshold: -0.1 }),
    /confusionMatrix options: at "iouThreshold": expected a number of at least 0, found -0\.1/,
  )
  assert.throws(
    () => bySize(truths, detections, { sides: [['odd', 9, 3]] }),
    /bySize options: at "sides\[0\]": expected a name, a lower limit/,
  )
  assert.throws(
    () => boxesOfImage(truths, detections, made, 1),
    /boxesOfImage: expected an image in 0\.\.0, found 1/,
  )
})

test('a width of 0 is refused before anything is drawn', async () => {
  const image = { width: 1, height: 1, pixels: new Uint8Array(3) }
  await assert.rejects(
    drawDetections(image, [], [], { width: 0 }),
    /drawDetections options: at "width": expected a number above 0, found 0/,
  )
})

test('columns that are missing or not typed arrays are refused by name', () => {
  const evaluate = (change: { truths?: object; detections?: object }) => () =>
    evaluateVoc(
      { ...truths, ...change.truths } as Truths,
      { ...detections, ...change.detections } as Detections,
    )
  assert.throws(evaluate({ truths: { label: undefined } }), {
    name: 'TypeError',
    message: 'truths.label: expected an Int32Array, found no such column',
  })
  assert.throws(evaluate({ detections: { score: [0.9, 0.8, 0.7] } }), {
    name: 'TypeError',
    message:
      'detections.score: expected a Float64Array, found a plain array; Float64Array.from(values) makes one',
  })
  assert.throws(
    evaluate({ detections: { box: Float32Array.from(detections.box) } }),
    /detections\.box: expected a Float64Array, found Float32Array; Float64Array\.from/,
  )
  assert.throws(
    evaluate({ truths: { difficult: [0, 1] } }),
    /truths\.difficult: expected a Uint8Array, found a plain array/,
  )
  assert.throws(
    evaluate({ truths: { images: undefined } }),
    /truths\.images: expected a whole number of at least 0, found none/,
  )
  assert.throws(
    evaluate({ truths: { classes: 1.5 } }),
    /truths\.classes: expected a whole number of at least 1, found 1\.5/,
  )
  assert.throws(
    () => classApFromTable(table, [1] as unknown as Int32Array),
    /imageWeights: expected an Int32Array, found a plain array/,
  )
})
