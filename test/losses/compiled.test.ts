import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Random } from '../../lib/base'
import { compile, tf } from '../../lib/engine'
import {
  assignTargets,
  type DistillationTerm,
  distillationLoss,
  METHOD_NAMES,
  methodWeights,
  targetTensors,
  yoloLoss,
} from '../../lib/losses'
import { assertClose } from './support'

type Shape4 = [number, number, number, number]
const anchors: [number, number][][] = [[[24, 18]], [[10, 7]], [[5, 5]]]
const config = { input: [32, 64] as const, classes: 2, strides: [32, 16, 8], anchors, scaleXY: [2, 2, 2] }

test('all losses record into one graph, which follows new targets and new weights', () => {
  const random = new Random('compiled')
  const draw = (channels: number) =>
    [32, 16, 8].map((stride) => {
      const shape: Shape4 = [2, 32 / stride, 64 / stride, channels]
      const size = shape.reduce((product, side) => product * side)
      return tf.tensor4d(
        Float32Array.from({ length: size }, () => random.normal()),
        shape,
      )
    })
  const methods: DistillationTerm[] = METHOD_NAMES.map((method) => ({
    method,
    schedule: { ramp: 4 },
  }))
  const step = (...inputs: tf.Tensor[]) => {
    const maps = (from: number) => inputs.slice(from, from + 3) as tf.Tensor4D[]
    const loss = (...student: tf.Tensor[]) => {
      const logits = student.slice(0, 3) as tf.Tensor4D[]
      const { total } = distillationLoss(
        { outputs: logits, features: student.slice(3) as tf.Tensor4D[] },
        { outputs: maps(6), features: maps(9) },
        config,
        { methods, weights: inputs.slice(15) as tf.Scalar[] },
      )
      return tf.add<tf.Scalar>(total, yoloLoss(logits, inputs.slice(12, 15) as tf.Tensor5D[], config).total)
    }
    const { value, grads } = tf.valueAndGrads(loss)(inputs.slice(0, 6))
    return { value, ...Object.fromEntries(grads.map((gradient, i) => [`gradient ${i}`, gradient])) }
  }
  const compiled = compile(step, { name: 'losses' })
  const fixed = [...draw(7), ...draw(4), ...draw(7), ...draw(4)]
  const truths = [
    [[{ x1: 10, y1: 5, x2: 34, y2: 23, label: 1 }], undefined],
    [[], [{ x1: 40, y1: 3, x2: 50, y2: 11, label: 0 }]],
  ]
  const totals = new Set<number>()
  for (const [i, batch] of truths.entries()) {
    const weights = methodWeights(methods, i + 1).map((weight) => tf.scalar(weight))
    const inputs = [...fixed, ...targetTensors(assignTargets(batch, config)), ...weights]
    const expected: { [name: string]: tf.Tensor } = tf.tidy(() => step(...inputs))
    const found: { [name: string]: tf.Tensor } = compiled(...inputs)
    for (const [name, tensor] of Object.entries(expected)) {
      assertClose(found[name]!.dataSync(), tensor.dataSync(), `step ${i}: ${name}`)
    }
    totals.add(found.value!.dataSync()[0]!)
    tf.dispose([inputs.slice(fixed.length), expected, found])
  }
  assert.equal(compiled.graphs.length, 1)
  assert.equal(totals.size, 2)
  compiled.dispose()
  tf.dispose(fixed)
})
