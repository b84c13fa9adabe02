/** Truths that count with a weight: pseudo-labels. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Random } from '../../lib/base'
import type { Box } from '../../lib/data/types'
import { tf } from '../../lib/engine'
import { assignTargets, targetTensors, yoloLoss } from '../../lib/losses'
import { assertClose, denseTargets } from './support'

const CONFIG = {
  input: [64, 96] as [number, number],
  classes: 3,
  strides: [32, 16, 8],
  scaleXY: [1.1, 1.1, 1.1],
  anchors: [[[40, 30]], [[20, 14]], [[8, 8]]] as [number, number][][],
}
const ASSIGN = { multiAnchor: true, crossGrid: true, multiAnchorThreshold: 0.3 }
const sure: Box = { x1: 5, y1: 4, x2: 27, y2: 18, label: 1 }
const unsure: Box = { x1: 58, y1: 30, x2: 94, y2: 60, label: 2 }

const targetsOf = (boxes: readonly Box[]) => assignTargets([boxes], CONFIG, ASSIGN)

/** The values of all slots, one behind the other, scale by scale. */
const valuesOf = (boxes: readonly Box[]) => denseTargets(targetsOf(boxes)).flatMap(({ data }) => [...data])

test('a slot is positive by the weight of its truth', () => {
  const values = valuesOf([sure, { ...unsure, weight: 0.25 }])
  const count = { sure: 0, unsure: 0 }
  for (let i = 0; i < values.length; i += 7) {
    if (values[i] === 0) continue
    assert.equal(values[i + 1], 0)
    assert.equal(values[i], values[i + 6] === 1 ? 1 : 0.25)
    count[values[i + 6] === 1 ? 'sure' : 'unsure']++
  }
  assert.ok(count.sure > 0 && count.unsure > 1)
  assert.deepEqual(valuesOf([sure, { ...unsure, weight: 1 }]), valuesOf([sure, unsure]))
})

test('at weight 0 the slots that would be its own are neither positive nor negative, and others keep theirs', () => {
  const [ignoring, full, alone] = [[{ ...unsure, weight: 0 }], [unsure], []].map((boxes) =>
    valuesOf([sure, ...boxes]),
  ) as [number[], number[], number[]]
  for (let i = 0; i < ignoring.length; i += 7) {
    const values = ignoring.slice(i, i + 7)
    if (full[i + 6] === 2) assert.deepEqual(values, [0, 0, 0, 0, 0, 0, 0])
    else if (values[1] === 1) assert.deepEqual(values, alone.slice(i, i + 7))
  }
  // Slots claimed by both belong to the confident one, whichever comes first.
  const twin = { ...sure, label: 2, weight: 0 }
  assert.deepEqual(valuesOf([sure, twin]), valuesOf([sure]))
  assert.deepEqual(valuesOf([twin, sure]), valuesOf([sure]))
})

describe('the loss is linear in the weight, and so is its gradient', () => {
  const random = new Random('weighted')
  const logits = [2, 4, 8].map((side) => {
    const shape: [number, number, number, number] = [1, side, (side / 2) * 3, 8]
    return { shape, values: Float32Array.from({ length: side * (side / 2) * 3 * 8 }, () => random.normal()) }
  })
  const loss = (kind: 'giou' | 'iou' | 'xywh', boxes: readonly Box[], weighted: boolean) =>
    tf.tidy(() => {
      const targets = targetTensors(targetsOf(boxes))
      const outputs = logits.map(({ shape, values }) => tf.tensor4d(values, shape))
      const options = { box: kind, normalise: 'sum' } as const
      const compute = (...maps: tf.Tensor[]) =>
        yoloLoss(maps as tf.Tensor4D[], targets, CONFIG, options, weighted).total
      const { value, grads } = tf.valueAndGrads(compute)(outputs)
      return [...value.dataSync(), ...grads.flatMap((gradient) => [...gradient.dataSync()])]
    })
  for (const kind of ['giou', 'iou', 'xywh'] as const) {
    test(kind, () => {
      const full = loss(kind, [sure, unsure], false)
      const none = loss(kind, [sure, { ...unsure, weight: 0 }], false)
      assertClose(loss(kind, [sure, unsure], true), full, 'weight 1')
      assertClose(loss(kind, [sure, { ...unsure, weight: 0 }], true), none, 'weight 0')
      const part = loss(kind, [sure, { ...unsure, weight: 0.3 }], true)
      assertClose(
        part,
        full.map((value, i) => none[i]! + 0.3 * (value - none[i]!)),
        'weight 0.3',
      )
      assert.ok(Math.abs(full[0]! - none[0]!) > 0.1)
    })
  }
})

test('divided by the positives, each counts by its weight', () => {
  tf.tidy(() => {
    const outputs = [2, 4, 8].map((side) => tf.zeros<tf.Rank.R4>([1, side, (side / 2) * 3, 8]))
    const boxes = [sure, { ...unsure, weight: 0.5 }]
    const positives = valuesOf(boxes).reduce((sum, value, i) => (i % 7 === 0 ? sum + value : sum), 0)
    const total = (normalise: 'sum' | 'positive') =>
      yoloLoss(outputs, targetTensors(targetsOf(boxes)), CONFIG, { normalise }, true).total.dataSync()[0]!
    assertClose([total('positive')], [total('sum') / positives], 'total')
  })
})
