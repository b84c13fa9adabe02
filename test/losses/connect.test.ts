import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Detector, headsOf, type NetworkSpec, withClasses, yolov3, yolov3Tiny } from '../../lib/detector'
import { tf } from '../../lib/engine'
import {
  connect,
  createVariables,
  distillationLoss,
  type FeatureLink,
  featureMse,
  METHODS,
  outputKd,
} from '../../lib/losses'

const options = { input: [64, 96], classes: 2, multiplier: 1 / 16 } as const
const teacher = yolov3(options)
const tiny = yolov3Tiny(options)
/** The tiny network with the teacher's anchors at both of its strides. */
const student = withClasses(
  tiny,
  2,
  headsOf(teacher).anchors.map((anchors) => ({ anchors, scaleXY: 1 })),
)

const output = (network: NetworkSpec, seed: number, images: tf.Tensor4D) => {
  const detector = Detector.create(network, seed)
  const said = detector.forward(images, { training: false })
  detector.dispose()
  return said
}
const pictures = () => tf.randomUniform<tf.Rank.R4>([2, 64, 96, 3], 0, 1, 'float32', 7)

test('a network is connected with itself as without a connection, for every method', () => {
  tf.tidy(() => {
    const images = pictures()
    const [s, t] = [output(teacher, 1, images), output(teacher, 2, images)]
    for (const { name: method } of METHODS) {
      const methods = [{ method, weight: 1 }]
      const config = headsOf(teacher)
      const plain = distillationLoss(s, t, config, { methods })
      const connections = [connect({ method }, teacher, teacher)]
      const connected = distillationLoss(s, t, config, { methods, connections })
      assert.deepEqual(Object.keys(connected.terms), Object.keys(plain.terms), method)
      assert.equal(connected.total.dataSync()[0], plain.total.dataSync()[0], method)
    }
  })
})

test('scales of both are paired by stride where the term leaves the others out', () => {
  tf.tidy(() => {
    const images = pictures()
    const [s, t] = [output(student, 1, images), output(teacher, 2, images)]
    const { config, apply } = connect({ method: 'output-kd', scales: 'shared' }, student, teacher)
    assert.deepEqual(config.strides, [32, 16])
    const compared = apply(s, t)
    const found = outputKd.loss(compared.student, compared.teacher, config).total
    const alone = { outputs: t.outputs.slice(0, 2), features: [] }
    assert.equal(found.dataSync()[0], outputKd.loss(s, alone, headsOf(student)).total.dataSync()[0])

    const reversed = connect({ method: 'output-kd', scales: 'shared' }, teacher, student)
    assert.deepEqual(reversed.config.strides, [32, 16])
    assert.deepEqual(reversed.config.anchors, headsOf(student).anchors)
  })
})

test('what methods on outputs miss is named before anything runs', () => {
  const refused = (own: NetworkSpec, other: NetworkSpec, scales?: 'shared') => {
    try {
      connect({ method: 'class-kd', scales }, own, other)
    } catch (error) {
      assert.ok(error instanceof Error)
      return error.message
    }
    throw new Error('expected a complaint')
  }
  assert.match(
    refused(student, teacher),
    /class-kd: expected outputs of the same strides, found student \[32,16\] and teacher \[32,16,8\]: stride 8, which only the teacher has; "scales: shared"/,
  )
  assert.match(
    refused(tiny, teacher, 'shared'),
    /anchors at stride 32: student \[\[81,82\],\[135,169\],\[344,319\]\], teacher \[\[116,90\],/,
  )
  assert.match(
    refused(withClasses(student, 3), teacher, 'shared'),
    /found classes: student 3, teacher 2; make/,
  )
  assert.match(
    refused({ ...student, input: [80, 96] }, { ...teacher, input: [64, 64] }, 'shared'),
    /expected the student's input in multiples of 32 pixels, .* found \[80,96\]/,
  )
})

test('features of other widths have adapters, of other strides the mean over the finer cells, with its gradient', () => {
  const term = { method: 'feature-mse', features: ['C5', ['C4', 'C5']] satisfies FeatureLink[] } as const
  const { config, widths, apply } = connect(term, student, teacher)
  assert.deepEqual(config.featureNames, ['C5', 'C4-C5'])
  tf.tidy(() => {
    const shape = (network: NetworkSpec, name: string) => output(network, 1, pictures()).named[name]!.shape
    const [own, other] = [shape(student, 'C4'), shape(teacher, 'C5')]
    assert.deepEqual(own.slice(1, 3), [4, 6])
    assert.deepEqual(other.slice(1, 3), [2, 3])
    assert.deepEqual(widths, { student: [shape(student, 'C5')[3], own[3]], teacher: [other[3], other[3]] })
    const variables = createVariables(
      ['feature-mse'],
      { featureWidths: widths.student },
      { featureWidths: widths.teacher },
      1,
    )['feature-mse']!
    assert.ok(variables.has('adapter2/kernel'))

    // A map whose cell (y, x) is 10 y + x in every channel: squares of two by two have means 10 * 2Y + 2X + 5.5.
    const ramp = tf.buffer<tf.Rank.R4, 'float32'>(own as [number, number, number, number])
    for (let n = 0; n < own[0]; n++)
      for (let y = 0; y < own[1]; y++)
        for (let x = 0; x < own[2]; x++) for (let c = 0; c < own[3]; c++) ramp.set(10 * y + x, n, y, x, c)
    const t = {
      outputs: [],
      features: [],
      named: { C5: tf.zeros<tf.Rank.R4>(other as [number, number, number, number]) },
    }
    const c5 = tf.zeros<tf.Rank.R4>(shape(student, 'C5') as [number, number, number, number])
    const meanOf = (c4: tf.Tensor4D) =>
      apply({ outputs: [], features: [], named: { C4: c4, C5: c5 } }, t).student.features[1]!
    const coarse = meanOf(ramp.toTensor())
    assert.deepEqual(coarse.shape, [own[0], 2, 3, own[3]])
    const values = tf.slice(coarse, [0, 0, 0, 0], [1, 2, 3, 1]).dataSync()
    assert.deepEqual([...values], [5.5, 7.5, 9.5, 25.5, 27.5, 29.5])
    // d sum(mean^2) / d cell = 2 * mean / 4.
    const slope = tf.grad((x) => tf.sum(tf.square(meanOf(x as tf.Tensor4D))))(ramp.toTensor())
    const first = tf.slice(slope, [0, 0, 0, 0], [1, 2, 2, 1]).dataSync()
    assert.deepEqual([...first], [2.75, 2.75, 2.75, 2.75])

    const images = pictures()
    const compared = apply(output(student, 1, images), output(teacher, 2, images))
    const { terms } = featureMse.loss(compared.student, compared.teacher, config, {}, variables)
    assert.deepEqual(Object.keys(terms), ['C5', 'C4-C5'])
    for (const value of Object.values(terms)) assert.ok(Number.isFinite(value.dataSync()[0]))
  })
})

test('features that are not there, or given twice, are refused with those that are', () => {
  const to = (features: readonly (string | [string, string])[]) =>
    connect({ method: 'feature-mse', features }, student, teacher)
  assert.throws(
    () => to(['C9']),
    /feature-mse: features: expected one of the student's \(C3, C4, C5, detect1, detect2\), found "C9"/,
  )
  assert.throws(() => to([['C5', 'detect4']]), /one of the teacher's \(.*detect3\), found "detect4"/)
  assert.throws(() => to(['C5', 'C5']), /expected every pair once, found C5 twice/)
  tf.tidy(() => {
    const s = output(teacher, 1, pictures())
    const methods = [{ method: 'feature-mse', weight: 1, features: ['C5'] } as const]
    assert.throws(
      () => distillationLoss(s, s, headsOf(teacher), { methods }),
      /"feature-mse" says what it compares: expected connections from connect, found none/,
    )
  })
})
