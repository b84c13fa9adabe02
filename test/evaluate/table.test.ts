import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Random } from '../../lib/base'
import { nativeBackend } from '../../lib/engine'
import {
  COCO_AREA_RANGES,
  COCO_IOU_THRESHOLDS,
  classApFromTable,
  cocoTables,
  confusionMatrix,
  evaluateCoco,
  evaluateVoc,
  matchTable,
  meanApFromTable,
  mistakes,
  valuesOfResamples,
  vocTables,
} from '../../lib/evaluate'
import { CASES, type Case, columns, makeCase } from './cases'

const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length

test("with every image once the table reproduces VOC's and COCO's numbers", () => {
  for (let number = 0; number < CASES; number++) {
    const { truths, detections } = makeCase(number)
    const voc = matchTable(truths, detections, { iouThresholds: [0.5, 0.75] })
    for (const [iouThresholdIndex, iouThreshold] of [0.5, 0.75].entries()) {
      for (const interpolation of ['all', '11'] as const) {
        assert.equal(
          meanApFromTable(voc, undefined, { iouThresholdIndex, interpolation }),
          evaluateVoc(truths, detections, { iouThreshold, interpolation }).mAP,
        )
      }
    }
    const coco = matchTable(truths, detections, { rule: 'coco', iouThresholds: COCO_IOU_THRESHOLDS })
    const ones = new Int32Array(truths.images).fill(1)
    const aps = COCO_IOU_THRESHOLDS.map((_, i) => meanApFromTable(coco, ones, { iouThresholdIndex: i }))
    const { AP } = evaluateCoco(truths, detections)
    const found = Number.isNaN(aps[0]!) ? -1 : mean(aps)
    assert.ok(Math.abs(found - AP) < 1e-12, `case ${number}: expected ${AP}, found ${found}`)
  }
})

test("a table knows COCO's largest area, 1e10, and no native tensor stays behind", () => {
  const boxes = [0, 20].map((x): [number, number, number, number] => [x, 0, x + 10, 10])
  const { truths, detections } = columns(
    1,
    1,
    boxes.map((box, i) => ({ image: 0, label: 0, box, area: i === 0 ? 100 : 1e10 + 1 })),
    boxes.map((box) => ({ image: 0, label: 0, box, score: 1 })),
  )
  const { binding } = nativeBackend()
  const before = binding.getNumOfTensors()
  const { AP50 } = evaluateCoco(truths, detections)
  assert.equal(meanApFromTable(matchTable(truths, detections, { rule: 'coco' })), AP50)
  assert.ok(Math.abs(AP50 - 1) < 1e-12) // the larger truth is not expected, and its detection not counted
  evaluateVoc(truths, detections)
  mistakes(truths, detections)
  confusionMatrix(truths, detections)
  assert.equal(binding.getNumOfTensors(), before)
})

/** The case with every image as often as its weight says; copies of a detection stand side by side. */
function repeated({ truths, detections }: Case, weights: Int32Array): Case {
  const firstCopy = Array.from(weights, (_, i) => weights.subarray(0, i).reduce((sum, w) => sum + w, 0))
  const copies = <T extends { image: Int32Array; label: Int32Array; box: Float64Array }>(
    rows: T,
    extra: (i: number) => object,
  ) =>
    Array.from(rows.image).flatMap((image, i) =>
      Array.from({ length: weights[image]! }, (_, copy) => ({
        image: firstCopy[image]! + copy,
        label: rows.label[i]!,
        box: Array.from(rows.box.subarray(4 * i, 4 * i + 4)) as [number, number, number, number],
        ...extra(i),
      })),
    )
  return columns(
    weights.reduce((sum, w) => sum + w, 0),
    truths.classes,
    copies(truths, (i) => ({
      difficult: truths.difficult![i]!,
      crowd: truths.crowd![i]!,
      area: truths.area![i]!,
    })),
    copies(detections, (i) => ({ score: detections.score[i]! })) as unknown as Parameters<typeof columns>[3],
  )
}

test('weights are copies of images', () => {
  for (let number = 0; number < CASES; number++) {
    const original = makeCase(number)
    const weights = Int32Array.from({ length: original.truths.images }, (_, i) => (number + 2 * i) % 4)
    const copied = repeated(original, weights)
    const table = matchTable(original.truths, original.detections, { iouThresholds: [0.5, 0.8] })
    for (const interpolation of ['all', '11'] as const) {
      const found = meanApFromTable(table, weights, { iouThresholdIndex: 1, interpolation })
      const expected = evaluateVoc(copied.truths, copied.detections, { iouThreshold: 0.8, interpolation }).mAP
      assert.ok(
        Math.abs(found - expected) < 1e-12 || (Number.isNaN(found) && Number.isNaN(expected)),
        `case ${number}: expected ${expected}, found ${found}`,
      )
    }
    // COCO ranks equal scores by image, so that copies stand apart where scores tie.
    const tied = new Set(original.detections.score).size < original.detections.score.length
    if (tied) continue
    const coco = matchTable(original.truths, original.detections, { rule: 'coco' })
    const expected = evaluateCoco(copied.truths, copied.detections).AP50
    const found = meanApFromTable(coco, weights)
    assert.ok(Math.abs((Number.isNaN(found) ? -1 : found) - expected) < 1e-12, `case ${number}, COCO`)
  }
})

test('many resamples together have the values that each has alone, to the bit', () => {
  const random = new Random('resamples')
  const areas = [undefined, COCO_AREA_RANGES[1], COCO_AREA_RANGES[2]]
  for (let number = 0; number < CASES; number++) {
    const { truths, detections } = makeCase(number)
    const tables = [
      matchTable(truths, detections, { iouThresholds: [0.5, 0.75] }),
      ...areas.map((areaRange) =>
        matchTable(truths, detections, { rule: 'coco', iouThresholds: COCO_IOU_THRESHOLDS, areaRange }),
      ),
    ]
    const resamples = Array.from({ length: 6 }, () =>
      Int32Array.from({ length: truths.images }, () => random.integer(4)),
    )
    for (const table of tables) {
      const alone = resamples.map((weights) =>
        mean(
          table.iouThresholds.map((_, iouThresholdIndex) =>
            meanApFromTable(table, weights, { iouThresholdIndex }),
          ),
        ),
      )
      assert.deepEqual(valuesOfResamples(table, resamples), alone)
    }
  }
})

test('tables made from one matching are those that each threshold and each range of area has alone', () => {
  for (let number = 0; number < CASES; number++) {
    const { truths, detections } = makeCase(number)
    const ious = [0.5, 0.75]
    assert.deepEqual(
      vocTables(truths, detections, ious),
      ious.map((iou) => matchTable(truths, detections, { iouThresholds: [iou] })),
    )
    assert.deepEqual(
      cocoTables(truths, detections, COCO_AREA_RANGES),
      COCO_AREA_RANGES.map((areaRange) =>
        matchTable(truths, detections, { rule: 'coco', iouThresholds: COCO_IOU_THRESHOLDS, areaRange }),
      ),
    )
  }
})

test('wrong weights and thresholds are refused', () => {
  const { truths, detections } = columns(2, 1, [], [])
  const table = matchTable(truths, detections)
  assert.throws(() => meanApFromTable(table, new Int32Array(3)), /a weight for each of 2 images, found 3/)
  assert.throws(() => classApFromTable(table, undefined, { iouThresholdIndex: 1 }), /index in 0..0, found 1/)
})
