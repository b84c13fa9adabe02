import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { tf } from '../../lib/engine'
import { checkDistillation, gradientNorms, lambdaForRatio, passingShare } from '../../lib/losses'
import { assertClose } from './support'

const a = tf.variable(tf.tensor1d([1, 2]))
const b = tf.variable(tf.scalar(3))
const frozen = tf.variable(tf.scalar(5), false)
const teacher = tf.variable(tf.tensor1d([0, 1]))
const variables = new Map([
  ['a', a as tf.Variable],
  ['b', b],
  ['frozen', frozen],
])
const teacherVariables = new Map([['teacher', teacher as tf.Variable]])
after(() => tf.dispose([a, b, frozen, teacher]))

// ground truth = a0^2 + a1^2 + 4 b: gradient (2, 4), 4, norm 6. distillation = 3 a0 - 4 a1 + teacher's sum, held
// constant: gradient (3, -4), 0, norm 5. Inner product 6 - 16 = -10, cosine -1/3.
const lossOf = () => {
  const groundTruth: tf.Scalar = tf.add(tf.sum(tf.square(a)), tf.mul(b, 4))
  const distillation: tf.Scalar = tf.add(tf.sum(tf.mul(a, tf.tensor1d([3, -4]))), tf.mul(frozen, 2))
  return {
    groundTruth,
    distillation,
    terms: { square: tf.sum(tf.square(a)) as tf.Scalar, pull: distillation },
  }
}

test('norms, ratio, cosine and sizes by hand', () => {
  const before = tf.memory().numTensors
  const report = checkDistillation({ lossOf, variables, teacherVariables })
  assertClose([report.losses.groundTruth, report.losses.distillation], [17, 5], 'losses')
  const { groundTruth, distillation, ratio, cosine } = report.norms
  assertClose([groundTruth, distillation, ratio, cosine], [6, 5, 5 / 6, -1 / 3], 'norms')
  assertClose([report.terms.square!.value, report.terms.square!.relative], [5, 5 / 17], 'square')
  assertClose([report.terms.pull!.relative], [5 / 17], 'pull')
  assert.deepEqual(report.unreachedStudent, ['b'])
  assert.deepEqual(report.reachedTeacher, [])
  assert.equal(report.passing, undefined)
  assert.deepEqual(gradientNorms(lossOf, [a, b, frozen]), report.norms)
  assert.equal(tf.memory().numTensors, before)
})

test('a teacher that learns is reported', () => {
  const leaking = () => ({
    groundTruth: tf.sum(tf.square(a)) as tf.Scalar,
    distillation: tf.sum(tf.squaredDifference(a, teacher)) as tf.Scalar,
  })
  const report = checkDistillation({ lossOf: leaking, variables: new Map([['a', a]]), teacherVariables })
  assert.deepEqual(report.reachedTeacher, ['teacher'])
  assert.deepEqual(report.unreachedStudent, [])
})

test('a gradient whose square is 0 in float32 still counts as one', () => {
  const faint = () => ({
    groundTruth: tf.sum(tf.square(a)) as tf.Scalar,
    distillation: tf.mul(tf.sum(tf.squaredDifference(a, teacher)), 1e-30) as tf.Scalar,
  })
  const report = checkDistillation({ lossOf: faint, variables: new Map([['a', a]]), teacherVariables })
  assert.deepEqual(report.reachedTeacher, ['teacher'])
  assert.deepEqual(report.unreachedStudent, [])
})

test('lambda for a ratio', () => {
  const { norms } = checkDistillation({ lossOf, variables })
  const lambda = lambdaForRatio(0.5, norms)
  assertClose([lambda], [0.6], 'lambda')
  const scaled = () => {
    const { groundTruth, distillation } = lossOf()
    return { groundTruth, distillation: tf.mul<tf.Scalar>(distillation, lambda) }
  }
  assertClose([gradientNorms(scaled, [a, b]).ratio], [0.5], 'ratio')
  assert.throws(
    () => lambdaForRatio(1, { groundTruth: 1, distillation: 0 }),
    /1 \(ground truth\) and 0 \(distillation\)/,
  )
  assert.throws(
    () => lambdaForRatio(1, { groundTruth: 0, distillation: 1 }),
    /gradients that are finite and not 0/,
  )
  assert.throws(() => lambdaForRatio(-1, { groundTruth: 1, distillation: 1 }), /ratio above 0/)
})

test('fraction of passing slots, counted by hand', () => {
  // Two cells, two anchors, one class: objectness at channels 4 and 10.
  const logits = new Array(24).fill(0)
  for (const [i, value] of [-1, 2, 3, 4].entries()) logits[(i >> 1) * 12 + (i & 1) * 6 + 4] = value
  const output = { outputs: [tf.tensor4d(logits, [1, 1, 2, 12])], features: [] }
  const config = {
    classes: 1,
    anchors: [
      [
        [1, 1],
        [2, 2],
      ],
    ] as [number, number][][],
  }
  assert.deepEqual(passingShare(output, config, 0.5), { overall: 0.75, perAnchor: [[0.5, 1]] })
  const report = checkDistillation({ lossOf, variables, teacher: output, config, threshold: 0.9 })
  assert.deepEqual(report.passing, { overall: 0.5, perAnchor: [[0.5, 0.5]] })
  assert.throws(
    () => checkDistillation({ lossOf, variables, teacher: output }),
    /teacher and config together/,
  )
  tf.dispose(output.outputs)
})
