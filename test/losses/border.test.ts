import assert from 'node:assert/strict'
import { test } from 'node:test'
import { tf } from '../../lib/engine'
import {
  assignTargets,
  METHODS,
  methodNamed,
  methodWeights,
  passingShare,
  scheduleFactor,
  targetTensors,
  yoloLoss,
} from '../../lib/losses'

const anchor: [number, number] = [8, 8]
const config = {
  input: [32, 32] as const,
  classes: 2,
  strides: [32, 16, 8],
  anchors: [[anchor], [anchor], [anchor]],
  scaleXY: [2, 2, 2],
}

test('wrong options of assignment and loss are refused by name', () => {
  assert.throws(() => assignTargets([[]], config, { ignoreThreshold: 1.5 }), {
    message: 'assignTargets options: at "ignoreThreshold": expected a number of at most 1, found 1.5',
  })
  const misspelt: object = { multiAnchors: true }
  assert.throws(() => assignTargets([[]], config, misspelt), {
    message: 'assignTargets options: at "multiAnchors": unknown key',
  })
  tf.tidy(() => {
    const targets = targetTensors(assignTargets([[]], config))
    const logits = [1, 2, 4].map((side) => tf.zeros([1, side, side, 7]) as tf.Tensor4D)
    const loss = (options: object) => () => yoloLoss(logits, targets, config, options)
    assert.throws(
      loss({ smoothing: 2 }),
      /yoloLoss options: at "smoothing": expected a number of at most 1, found 2/,
    )
    assert.throws(loss({ boxWeight: -1 }), /at "boxWeight": expected a number of at least 0, found -1/)
    assert.throws(
      loss({ normalise: 'mean' }),
      /at "normalise": expected one of sum, image, positive, found "mean"/,
    )
  })
})

test("a method's own options are refused by name, and so are those of another method", () => {
  tf.tidy(() => {
    const maps = [1, 2, 4].map((side) => tf.zeros([1, side, side, 7]) as tf.Tensor4D)
    const output = { outputs: maps, features: maps }
    for (const { name } of METHODS) {
      const loss = (options: object) => () => methodNamed(name).loss(output, output, config, options)
      assert.throws(loss({ colour: 1 }), { message: `${name} options: at "colour": unknown key` })
      for (const key of Object.keys(methodNamed(name).options.shape)) {
        assert.throws(loss({ [key]: -1 }), (error: Error) =>
          error.message.startsWith(`${name} options: at "${key}": expected`),
        )
      }
      loss({ method: name, weight: { ratio: 1 }, schedule: { stop: 3 } })() // a whole term is as good
    }
    assert.throws(
      () => methodNamed('class-kd').loss(output, output, config, { threshold: 0.5 }),
      /class-kd options: at "threshold": unknown key/,
    )
    assert.throws(
      () => passingShare(output, config, 2),
      /threshold of the objectness: expected a number of at most 1/,
    )
  })
})

test('weights and schedules of a combination are refused by name', () => {
  assert.throws(
    () => methodWeights([{ method: 'dist', weight: -1 }], 0),
    /weight of dist: expected a number of at least 0, found -1/,
  )
  assert.throws(
    () => methodWeights([{ method: 'dist', weight: Number.NaN }], 0),
    /weight of dist: .* found NaN/,
  )
  assert.throws(
    () => scheduleFactor(0, { ramp: -1 }),
    /schedule of a distillation loss: at "ramp": expected a number of at least 0/,
  )
})
