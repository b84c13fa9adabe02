/** The moving average of the weights. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { before, test } from 'node:test'
import type { Dataset } from '../../lib/data'
import { Detector, type Weights } from '../../lib/detector'
import { compile, tf } from '../../lib/engine'
import { evaluateDetections } from '../../lib/evaluate'
import {
  averageDecay,
  averageSchema,
  loadCheckpoint,
  predict,
  type TrainContext,
  type TrainOptions,
  train,
} from '../../lib/train'
import { updateAverage } from '../../lib/train/average'
import { assertClose } from '../losses/support'
import oracle from './oracle/average.json'
import { hashOf, TINY_TRAINING, temporary, tinyDetector, tinyScenes, tinyWeights } from './tiny'

test("the decay rises to its value as TensorFlow's does", () => {
  const at = (step: number) => averageDecay({ decay: 0.5 }, step)
  assert.deepEqual([0, 1, 8, 1e6].map(at), [0.1, 2 / 11, 0.5, 0.5])
  assert.deepEqual(averageSchema.parse({}), { decay: 0.999 })
  assert.throws(() => averageSchema.parse({ decay: 1 }), /less than 1/)
})

for (const eager of [false, true]) {
  test(`weights and statistics are averaged as PyTorch does, ${eager ? 'operation by operation' : 'in a graph'}`, () => {
    const names = ['gamma', 'beta', 'mean', 'variance'] as const
    const variables = (row: (typeof oracle.values)[number]) =>
      names.map((name) => tf.variable(tf.tensor1d(row[name])))
    const [averages, current] = [variables(oracle.values[0]!), variables(oracle.values[0]!)]
    const step = compile(
      (decay: tf.Tensor) => {
        updateAverage(averages, current, decay as tf.Scalar)
        return { decay: tf.mul(decay, 1) }
      },
      { state: [...averages, ...current], eager },
    )
    for (let t = 0; t < oracle.values.length - 1; t++) {
      for (const [i, name] of names.entries()) {
        tf.tidy(() => current[i]!.assign(tf.tensor1d(oracle.values[t + 1]![name])))
      }
      tf.dispose(step(tf.scalar(averageDecay(oracle, t))))
      step.sync()
      names.forEach((name, i) => {
        assertClose(averages[i]!.dataSync(), oracle.expected[t + 1]![name], `${name} after step ${t}`)
      })
    }
    step.dispose()
    tf.dispose([averages, current])
  })
}

let data: Dataset
before(async () => {
  data = await tinyScenes(temporary())
})

async function trained(options: Partial<TrainOptions> = {}, context: Partial<TrainContext> = {}) {
  const detector = new Detector(tinyDetector(), tinyWeights())
  const directory = context.directory ?? temporary()
  try {
    const settings = { ...TINY_TRAINING, steps: 6, ...options }
    const summary = await train(detector, data.splits.train!, settings, {
      classes: data.classes,
      validationSamples: data.splits.train!,
      ...context,
      directory,
    })
    const left = detector.weights()
    return { summary, directory, left, hash: hashOf(left) }
  } finally {
    detector.dispose()
  }
}

const AVERAGE = { decay: 0.25 }

test('a training leaves the average of its weights and statistics, and is itself the plain one', async () => {
  const [plain, weights]: [string[], Weights[]] = [[], []]
  const eager = { eager: true, checkpointEvery: 1 }
  await trained(eager, { onCheckpoint: (_, one) => void plain.push(hashOf(one)) })
  const { left, directory } = await trained(
    { ...eager, average: AVERAGE },
    { onCheckpoint: (_, one) => void weights.push(one) },
  )
  assert.deepEqual(weights.map(hashOf), plain)
  const checkpoint = loadCheckpoint(join(directory, 'checkpoint.json'))
  for (const [name, { values }] of left) {
    let expected = [...tinyWeights().get(name)!.values]
    for (const [t, one] of weights.entries()) {
      const decay = Math.min(0.25, (1 + t) / (10 + t))
      expected = expected.map((value, i) => decay * value + (1 - decay) * one.get(name)!.values[i]!)
    }
    assertClose(values, expected, name)
    assert.deepEqual(checkpoint.optimizer.get(`average/${name}`)!.values, values, name)
  }
})

test('in a graph it trains to the same bits as without the average', async () => {
  const [plain, averaged] = [await trained(), await trained({ average: AVERAGE })]
  const { weights } = loadCheckpoint(join(averaged.directory, 'checkpoint.json'))
  assert.equal(hashOf(weights), plain.hash)
  assert.notEqual(averaged.hash, plain.hash)
})

test('the average is evaluated along the way and kept as the best', async () => {
  const validation = { every: 2, keep: 'best', gain: 0 } as const
  const options = { average: AVERAGE, validation, augment: false as const, eager: true, steps: 20 }
  const { summary, left, directory } = await trained(options)
  const detector = new Detector(tinyDetector(), left)
  const { truths, detections } = await predict(detector, data.splits.train!, { eager: true })
  detector.dispose()
  const { voc, coco } = evaluateDetections(truths, detections, { classes: data.classes })
  const { mAP50, AP, step } = summary.kept!
  assert.deepEqual([mAP50, AP], [voc.mAP, coco.AP])
  assert.equal(hashOf(loadCheckpoint(join(directory, `best-${step}.json`)).weights), hashOf(left))
})

test('an interruption changes no bit, and another average is not continued', async () => {
  const options = { average: AVERAGE, eager: true }
  const reference = await trained(options)
  const directory = temporary()
  const interruption = new AbortController()
  const stopped = trained(options, {
    directory,
    signal: interruption.signal,
    onProgress: ({ step }) => step === 3 && interruption.abort(new Error('stop')),
  })
  await assert.rejects(stopped, /stop/)
  await assert.rejects(
    trained({ ...options, average: { decay: 0.5 } }, { directory }),
    /checkpoint\.json: training\.average: expected \{"decay":0\.5\} .* found \{"decay":0\.25\}/,
  )
  await assert.rejects(trained({ eager: true }, { directory }), /training\.average: expected none/)
  assert.equal((await trained(options, { directory })).hash, reference.hash)
})

test('no tensor stays behind', async () => {
  const before = tf.memory().numTensors
  await trained({ average: AVERAGE, steps: 2 })
  assert.equal(tf.memory().numTensors, before)
})
