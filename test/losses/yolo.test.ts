import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Box } from '../../lib/data/types'
import { tf } from '../../lib/engine'
import { assignTargets, targetTensors, type YoloLossOptions, yoloLoss } from '../../lib/losses'
import oracle from './oracle/yolo.json'
import { assertClose, unpack } from './support'

const ANCHORS = oracle.anchors as [number, number][][]
const BATCHES = oracle.batches as { [name: string]: (Box[] | null)[] }
const LOGITS = oracle.logits as { [name: string]: { shape: number[]; data: string }[] }

type Shape4 = [number, number, number, number]

test('values and gradients equal the float64 oracle for every switch', () => {
  assert.equal(oracle.cases.length, 14)
  for (const [i, expected] of oracle.cases.entries()) {
    tf.tidy(() => {
      const name = `case ${i} (${expected.batch}, ${expected.kind}, ${expected.normalise})`
      const config = {
        input: expected.input as [number, number],
        classes: expected.classes,
        anchors: ANCHORS,
        strides: [32, 16, 8],
        scaleXY: [0, 1, 2].map(() => expected.scale_xy),
      }
      const switches = expected.assign as { multi_anchor?: boolean; cross_grid?: boolean }
      const targets = targetTensors(
        assignTargets(
          BATCHES[expected.batch]!.map((truths) => truths ?? undefined),
          config,
          { multiAnchor: switches.multi_anchor ?? false, crossGrid: switches.cross_grid ?? false },
        ),
      )
      const options: YoloLossOptions = {
        box: expected.kind as 'giou' | 'iou' | 'xywh',
        normalise: expected.normalise as 'sum' | 'image' | 'positive',
        smoothing: expected.smoothing,
        boxWeight: expected.weights[0]!,
        objectnessWeight: expected.weights[1]!,
        classWeight: expected.weights[2]!,
      }
      const logits = LOGITS[expected.logits]!.map(({ shape, data }) =>
        tf.tensor4d(unpack(data), shape as Shape4),
      )
      const loss = (...outputs: tf.Tensor[]) => yoloLoss(outputs as tf.Tensor4D[], targets, config, options)
      const { terms } = loss(...logits)
      assert.deepEqual(Object.keys(terms).sort(), Object.keys(expected.terms).sort())
      for (const [term, value] of Object.entries(expected.terms)) {
        assertClose(terms[term]!.dataSync(), [value as number], `${name} ${term}`)
      }
      const { value, grads } = tf.valueAndGrads((...outputs) => loss(...outputs).total)(logits)
      assertClose(value.dataSync(), [expected.total], `${name} total`)
      for (const [s, gradient] of grads.entries()) {
        assertClose(gradient.dataSync(), unpack(expected.gradients[s]!), `${name} gradient ${s}`)
      }
    })
  }
})

const one = {
  input: [32, 32] as const,
  classes: 4,
  anchors: [[[8, 8]], [], []] as [number, number][][],
  strides: [32, 16, 8],
  scaleXY: [2, 2, 2],
}

/** One cell with one anchor of 8x8; the logits are given. */
function single(logits: number[], truth: Box, options: YoloLossOptions = {}) {
  return tf.tidy(() => {
    const targets = targetTensors(assignTargets([[truth]], one))
    const outputs = [
      tf.tensor4d(logits, [1, 1, 1, 9]),
      tf.zeros([1, 2, 2, 0]),
      tf.zeros([1, 4, 4, 0]),
    ] as tf.Tensor4D[]
    const { terms, total } = yoloLoss(outputs, targets, one, options)
    const values = Object.fromEntries(
      Object.entries(terms).map(([name, term]) => [name, term.dataSync()[0]!]),
    )
    return { ...values, total: total.dataSync()[0]! } as { [name: string]: number }
  })
}

// With logits 0 the box is the anchor in the middle of the cell, (12, 12)-(20, 20). Truth (14, 12)-(22, 20): intersection
// 6 * 8 = 48, union 80, hull 10 * 8 = 80: IoU = GIoU = 0.6. Truth (22, 12)-(30, 20): apart, union 128, hull 18 * 8 = 144.
test('hand-computed terms of one slot', () => {
  const zeros = new Array(9).fill(0)
  const overlapping = single(zeros, { x1: 14, y1: 12, x2: 22, y2: 20, label: 1 })
  assertClose([overlapping.box!], [0.4], 'box')
  assertClose([overlapping.objectness!], [Math.LN2], 'objectness')
  assertClose([overlapping.class!], [4 * Math.LN2], 'class')
  assertClose([overlapping.total!], [0.4 + 5 * Math.LN2], 'total')
  const apart: Box = { x1: 22, y1: 12, x2: 30, y2: 20, label: 1 }
  assertClose([single(zeros, apart).box!], [1 + 16 / 144], 'GIoU of boxes apart')
  assertClose([single(zeros, apart, { box: 'iou' }).box!], [1], 'IoU of boxes apart')
  // Centre (26, 16): frac (0.8125, 0.5), targets (0.65625, 0.5); BCE at logit 0 is log 2 whatever the target.
  // Size 8 x 8 = anchor, so the target of twh is 0: with tw = 0.5, th = -1 the term is 2 * (0.25 + 1).
  const offsets = single([0, 0, 0.5, -1, 0, 0, 0, 0, 0], apart, { box: 'xywh' })
  assertClose([offsets.xy!], [4 * Math.LN2], 'xy')
  assertClose([offsets.wh!], [2.5], 'wh')
})

test('no finite logit gives NaN', () => {
  const truth: Box = { x1: 14, y1: 12, x2: 22, y2: 20, label: 1 }
  for (const box of ['giou', 'iou', 'xywh'] as const) {
    for (const extreme of [80, 1000, 1e15]) {
      for (const channel of [0, 1, 2, 3, 4, 5, 6]) {
        for (const sign of [1, -1]) {
          const logits = new Array(9).fill(0)
          logits[channel] = sign * extreme
          const gradients = tf.tidy(() => {
            const config = {
              ...one,
              anchors: [
                [
                  [8, 8],
                  [9, 8],
                ],
                [],
                [],
              ] as [number, number][][],
            }
            const targets = targetTensors(assignTargets([[truth]], config)) // one positive, one ignored slot
            const rest = [tf.zeros([1, 2, 2, 0]), tf.zeros([1, 4, 4, 0])] as tf.Tensor4D[]
            const f = (x: tf.Tensor) => yoloLoss([x as tf.Tensor4D, ...rest], targets, config, { box }).total
            const { value, grad } = tf.valueAndGrad(f)(tf.tensor4d([...logits, ...logits], [1, 1, 1, 18]))
            return [value.dataSync()[0]!, ...grad.dataSync()]
          })
          assert.ok(
            gradients.every(Number.isFinite),
            `${box}, channel ${channel} = ${sign * extreme}: ${gradients}`,
          )
        }
      }
    }
  }
})

test('the largest logits and boxes may overflow, but give no NaN', () => {
  for (const box of ['giou', 'iou', 'xywh'] as const) {
    for (const truth of [
      { x1: -1e9, y1: -1e9, x2: 1e9, y2: 1e9, label: 1 },
      { x1: 14, y1: 12, x2: 14.0001, y2: 20, label: 1 },
    ]) {
      for (const size of [80, 1e20, 3.4e38]) {
        for (const flip of [1, -1]) {
          const logits = Array.from({ length: 9 }, (_, i) => (i % 2 === 0 ? size : -size) * flip)
          const values = single(logits, truth, { box })
          assert.ok(!Object.values(values).some(Number.isNaN), `${box} at ${size}: ${JSON.stringify(values)}`)
        }
      }
    }
  }
})

test('an unknown box loss is refused', () => {
  const truth: Box = { x1: 14, y1: 12, x2: 22, y2: 20, label: 1 }
  const options: object = { box: 'ciou' }
  assert.throws(
    () => single(new Array(9).fill(0), truth, options),
    /yoloLoss options: at "box": expected one of giou, iou, xywh, found "ciou"/,
  )
})

test('an image without labels adds nothing, and its logits get no gradient', () => {
  tf.tidy(() => {
    const config = {
      input: [32, 32] as const,
      classes: 2,
      anchors: ANCHORS,
      strides: [32, 16, 8],
      scaleXY: [2, 2, 2],
    }
    const truth: Box = { x1: 4, y1: 6, x2: 20, y2: 16, label: 1 }
    const shapes: Shape4[] = [32, 16, 8].map((stride): Shape4 => [2, 32 / stride, 32 / stride, 21])
    const logits = shapes.map((shape, s) => tf.randomNormal(shape, 0, 1, 'float32', s) as tf.Tensor4D)
    for (const normalise of ['sum', 'image', 'positive'] as const) {
      const both = targetTensors(assignTargets([[truth], undefined], config))
      const alone = targetTensors(assignTargets([[truth]], config))
      const { value, grads } = tf.valueAndGrads(
        (...x) => yoloLoss(x as tf.Tensor4D[], both, config, { normalise }).total,
      )(logits)
      const first = logits.map((x) => tf.slice(x, 0, 1))
      const expected = yoloLoss(first, alone, config, { normalise }).total
      assertClose(value.dataSync(), expected.dataSync(), normalise)
      for (const gradient of grads) {
        const values = gradient.dataSync()
        assert.ok(values.slice(values.length / 2).every((v) => v === 0))
        assert.ok(values.slice(0, values.length / 2).some((v) => v !== 0))
      }
    }
  })
})

test('it leaves no tensors behind but its result', () => {
  const config = {
    input: [32, 32] as const,
    classes: 2,
    anchors: ANCHORS,
    strides: [32, 16, 8],
    scaleXY: [2, 2, 2],
  }
  const run = () =>
    tf
      .tidy(() => {
        const logits = [1, 2, 4].map((side) => tf.zeros([1, side, side, 21]) as tf.Tensor4D)
        return yoloLoss(logits, targetTensors(assignTargets([[]], config)), config).total
      })
      .dispose()
  run()
  const before = tf.memory().numTensors
  run()
  assert.equal(tf.memory().numTensors, before)
})

test('shapes that disagree are an error with both shapes', () => {
  tf.tidy(() => {
    const config = {
      input: [32, 32] as const,
      classes: 2,
      anchors: ANCHORS,
      strides: [32, 16, 8],
      scaleXY: [2, 2, 2],
    }
    const targets = targetTensors(assignTargets([[]], config))
    const logits = (channels: number) =>
      [1, 2, 4].map((side) => tf.zeros([1, side, side, channels]) as tf.Tensor4D)
    assert.throws(
      () => yoloLoss(logits(39), targets, config),
      /stride 32: expected logits .*found \[1,1,1,39\]/,
    )
    const two = targetTensors(assignTargets([[], []], config))
    assert.throws(
      () => yoloLoss(logits(21), two, config),
      /expected targets \[1,1,1,3,7\].*found \[2,1,1,3,7\]/,
    )
    assert.throws(() => yoloLoss(logits(21).slice(1), targets, config), /found 2 outputs and 3 targets/)
  })
})
