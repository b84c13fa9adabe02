import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { createLoader, type Dataset } from '../../lib/data'
import { Detector } from '../../lib/detector'
import { type Precision, pixelTensor, supportsPrecision, tf } from '../../lib/engine'
import { assignTargets } from '../../lib/losses'
import { createSlots, createStep, type Measurements, type StepOptions } from '../../lib/train'
import { assertClose } from '../losses/support'
import { TINY_TRAINING, temporary, tinyDetector, tinyScenes, tinyWeights } from './tiny'

let batch: Awaited<ReturnType<ReturnType<typeof createLoader>['batchAt']>>
before(async () => {
  const data: Dataset = await tinyScenes(temporary())
  const loader = createLoader(data.splits.train!, { input: [64, 96], batch: 2 })
  batch = await loader.batchAt(0)
  await loader.close()
})

interface Outcome {
  readonly measured: Measurements
  /** After one step from 0 momentum is the gradient, clipped and with decay. */
  readonly momentum: ReadonlyMap<string, Float32Array>
  readonly detector: Detector
}

/** One step on the batch, the gammas of the stem negative. */
function step(options: Partial<StepOptions> = {}, labelled = true): Outcome {
  const weights = tinyWeights()
  weights.get('stem/gamma')!.values.set([-0.5, 0.25, 0, -1])
  const detector = new Detector(tinyDetector(), weights)
  const slots = createSlots(detector.trained)
  const sgd = { momentum: 0.9, weightDecay: 0, clip: 1e9 }
  const settings = { loss: {}, sgd, precision: 'float32' as Precision, eager: true, ...options }
  const run = createStep(detector, slots, settings)
  const truths = labelled ? batch.truths : batch.truths.map(() => undefined)
  const measured = run.run({
    images: pixelTensor(batch.images, batch.shape),
    targets: assignTargets(truths, detector.config, TINY_TRAINING.assign),
    rate: 0.125,
    weights: settings.extra ? [3] : [],
  })
  run.sync()
  run.dispose()
  const momentum = new Map(slots.map((slot) => [slot.name, slot.momentum.dataSync<'float32'>()]))
  return { measured, momentum, detector }
}

test('Network Slimming adds s * sign(gamma) to the gradient of the chosen gammas, and to nothing else', () => {
  const plain = step()
  const sparse = step({ sparsity: { strength: 0.5, gammas: new Set(['stem/gamma']) } })
  for (const [name, gradient] of plain.momentum) {
    const other = sparse.momentum.get(name)!
    if (name !== 'stem/gamma') assert.deepEqual(other, gradient, name)
    else
      assertClose(
        other,
        [-0.5, 0.5, 0, -0.5].map((s, i) => gradient[i]! + s),
        name,
      )
  }
})

test('a step moves every trained weight against its gradient, by the rate', () => {
  const { momentum, detector } = step()
  const start = tinyWeights()
  for (const [name, gradient] of momentum) {
    if (name === 'stem/gamma') continue
    const { values } = start.get(name)!
    const expected = values.map((value, i) => value - 0.125 * gradient[i]!)
    assertClose(detector.variable(name).dataSync(), expected, name, 1e-4)
    assert.ok(
      gradient.some((value) => value !== 0),
      name,
    )
  }
})

test('gradientNorm is the length of all gradients, before they are clipped to it', () => {
  const { measured, momentum } = step()
  const squares = [...momentum.values()].reduce(
    (sum, gradient) => sum + gradient.reduce((own, value) => own + value * value, 0),
    0,
  )
  assertClose([measured.gradientNorm!], [Math.sqrt(squares)], 'gradientNorm')
  const clip = measured.gradientNorm! / 4
  const clipped = step({ sgd: { momentum: 0.9, weightDecay: 0, clip } })
  assertClose([clipped.measured.gradientNorm!], [measured.gradientNorm!], 'gradientNorm')
  for (const [name, gradient] of momentum) {
    assertClose(
      clipped.momentum.get(name)!,
      gradient.map((value) => value / 4),
      name,
    )
  }
})

test('images without labels alone give no loss and no gradient', () => {
  const { measured, momentum } = step({}, false)
  for (const [name, value] of Object.entries(measured)) assert.equal(value, 0, name)
  for (const [name, gradient] of momentum)
    assert.ok(
      gradient.every((value) => value === 0),
      name,
    )
})

test('an extra loss is added with the weight of the step, on labelled and unlabelled images alike', () => {
  const extra = {
    weights: 1,
    variables: new Map<string, tf.Variable>(),
    loss: ({ outputs }: { outputs: readonly tf.Tensor4D[] }, images: tf.Tensor4D, weights: tf.Tensor1D) => {
      assert.deepEqual(images.shape, [2, 64, 96, 3])
      const total = tf.mul<tf.Scalar>(tf.mean(outputs[0]!), weights.slice(0, 1).asScalar())
      return { total, terms: { mean: total } }
    },
  }
  const alone = step({ extra }, false)
  assert.equal(alone.measured.total, alone.measured.mean)
  assert.ok(alone.measured.gradientNorm! > 0)
  const [both, plain] = [step({ extra }), step()]
  assert.equal(both.measured.mean, alone.measured.mean)
  assertClose([both.measured.total!], [plain.measured.total! + alone.measured.mean!], 'total')
  // The gradient of the sum is the sum of the gradients.
  const name = 'head/1/output/bias'
  const sum = plain.momentum.get(name)!.map((value, i) => value + alone.momentum.get(name)![i]!)
  assertClose(both.momentum.get(name)!, sum, name)
})

for (const precision of ['bfloat16', 'float16'] as const) {
  const supported = supportsPrecision(precision)
  test(`${precision} gives about the losses of float32`, { skip: supported !== true && supported }, () => {
    const [low, full] = [step({ precision, eager: false }), step()]
    for (const name of ['total', 'box', 'objectness', 'class']) {
      const [found, expected] = [low.measured[name]!, full.measured[name]!]
      assert.ok(
        Math.abs(found - expected) <= 0.02 * expected,
        `${name}: expected about ${expected}, found ${found}`,
      )
    }
    // After the heads, batch norm over a handful of cells magnifies the rounding without bound.
    for (const name of ['head/1/output/bias', 'head/2/output/bias', 'head/3/output/bias']) {
      const [found, expected] = [low.momentum.get(name)!, full.momentum.get(name)!]
      const length = (values: Float32Array) => Math.hypot(...values)
      const distance = length(expected.map((value, i) => value - found[i]!))
      assert.ok(distance <= 0.05 * length(expected), `${name}: distance ${distance} from ${length(expected)}`)
    }
  })
}
