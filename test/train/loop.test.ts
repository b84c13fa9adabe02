import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, describe, test } from 'node:test'
import type { Dataset, Sample } from '../../lib/data'
import { Detector } from '../../lib/detector'
import { tf } from '../../lib/engine'
import {
  loadCheckpoint,
  saveCheckpoint,
  type TrainContext,
  type TrainOptions,
  type TrainSummary,
  train,
  withoutTraining,
} from '../../lib/train'
import { assertNear } from '../detector/support'
import { hashOf, TINY_TRAINING, temporary, tinyDetector, tinyScenes, tinyWeights } from './tiny'

let data: Dataset
before(async () => {
  data = await tinyScenes(temporary())
})

interface Outcome {
  readonly hash: string
  readonly summary: TrainSummary
  readonly directory: string
}

async function trained(
  options: Partial<TrainOptions> = {},
  context: Partial<TrainContext> = {},
  samples: readonly Sample[] = data.splits.train!,
): Promise<Outcome> {
  const detector = new Detector(tinyDetector(), tinyWeights())
  const directory = context.directory ?? temporary()
  try {
    const summary = await train(
      detector,
      samples,
      { ...TINY_TRAINING, ...options },
      { classes: data.classes, ...context, directory },
    )
    return { hash: hashOf(detector.weights()), summary, directory }
  } finally {
    detector.dispose()
  }
}

const logOf = (directory: string): { readonly [name: string]: number }[] =>
  readFileSync(join(directory, 'log.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))

test('the same seed gives the same weights, bit for bit, whoever prepares the batches; another seed others', async () => {
  const { hash } = await trained({ eager: true })
  assert.equal((await trained({ eager: true })).hash, hash)
  assert.equal((await trained({ eager: true, workers: 1 })).hash, hash)
  assert.notEqual((await trained({ eager: true, seed: 2 })).hash, hash)
})

describe('the same weights, bit for bit, as without an interruption', () => {
  let reference: Outcome
  before(async () => {
    reference = await trained()
  })

  test('where a signal stopped it, which writes a checkpoint', async () => {
    const directory = temporary()
    const interruption = new AbortController()
    const reason = new Error('stop')
    const stopped = trained(
      {},
      {
        directory,
        signal: interruption.signal,
        onProgress: ({ step }) => {
          if (step === 2) interruption.abort(reason)
        },
      },
    )
    await assert.rejects(stopped, (error) => error === reason)
    assert.equal(loadCheckpoint(join(directory, 'checkpoint.json')).step, 2)
    const steps: number[] = []
    const { hash, summary } = await trained({}, { directory, onProgress: ({ step }) => steps.push(step) })
    assert.deepEqual(steps, [3, 4])
    assert.equal(hash, reference.hash)
    assert.deepEqual(summary.last, reference.summary.last)
    assert.equal(summary.images, 8)
    assert.deepEqual(
      logOf(directory).map(({ step, total }) => [step, total]),
      logOf(reference.directory).map(({ step, total }) => [step, total]),
    )
  })

  test('when it is asked for again after its end, without another step', async () => {
    const steps: number[] = []
    const { hash, summary } = await trained(
      {},
      { directory: reference.directory, onProgress: ({ step }) => steps.push(step) },
    )
    assert.deepEqual(steps, [])
    assert.equal(hash, reference.hash)
    assert.deepEqual(summary.last, reference.summary.last)
    assert.equal(summary.seconds, reference.summary.seconds)
  })
})

test('operation by operation a step gives the very same losses as in a graph, and the same weights within rounding', async () => {
  // Forward passes are bit-equal; of the backward pass TensorFlow's optimiser reorders some products.
  const [graph, eager] = [await trained({ steps: 1 }), await trained({ steps: 1, eager: true })]
  const { gradientNorm, ...losses } = eager.summary.last
  const { gradientNorm: expectedNorm, ...expected } = graph.summary.last
  assert.deepEqual(losses, expected)
  assertNear([gradientNorm!], [expectedNorm!], 'gradient norm')
  const read = ({ directory }: Outcome) => loadCheckpoint(join(directory, 'checkpoint.json'))
  const reference = read(graph)
  const found = read(eager)
  for (const [name, { values }] of reference.weights)
    assertNear(found.weights.get(name)!.values, values, name)
  for (const [name, { values }] of reference.optimizer) {
    const other = found.optimizer.get(name)!.values
    assertNear(other, values, name)
  }
})

test('a training that is stopped before it begins leaves a checkpoint of its start', async () => {
  const directory = temporary()
  const signal = AbortSignal.abort(new Error('not now'))
  await assert.rejects(trained({}, { directory, signal }), /not now/)
  const { step, weights } = loadCheckpoint(join(directory, 'checkpoint.json'))
  assert.equal(step, 0)
  assert.equal(hashOf(weights), hashOf(tinyWeights()))
})

test("another training's checkpoint is not continued", async () => {
  const { directory } = await trained({ steps: 1, eager: true })
  const refused = (change: Partial<TrainOptions>, message: RegExp) =>
    assert.rejects(trained({ steps: 1, ...change }, { directory }), message)
  await refused(
    { seed: 2 },
    /checkpoint\.json: training\.random: expected \{"seed":2,"step":1\} .*, found \{"seed":1,"step":1\}; remove/,
  )
  await refused({ steps: 2 }, /training\.steps: expected 2 as in this training, found 1/)
  await refused({ batch: 1 }, /training\.batch: expected 1 /)
  await refused(
    { schedule: { kind: 'cosine', rate: 0.01, final: 0.01 } },
    /training\.schedule: .*"rate":0\.02/,
  )
  await refused({ warmUp: { steps: 3, from: 0.1 } }, /training\.warmUp: /)
  await refused({ sgd: { ...TINY_TRAINING.sgd, momentum: 0.8 } }, /training\.sgd: .*"momentum":0\.8/)
  const path = join(directory, 'checkpoint.json')
  saveCheckpoint(path, withoutTraining(loadCheckpoint(path)))
  await refused({}, /training\.random: expected .* found none/)
})

test('checkpoints are written as often as asked, and hold weights, momentum and the trained tensors of the extra loss', async () => {
  const kernel = tf.variable(tf.ones([1, 1, 8, 2]))
  const seen: number[] = []
  const directory = temporary()
  const path = join(directory, 'checkpoint.json')
  const onProgress = ({ step }: { step: number }) => {
    // Called before the step's checkpoint is written.
    if (step > 1) seen.push(existsSync(path) ? loadCheckpoint(path).step : -1)
  }
  const extra = {
    weights: 1,
    variables: new Map([['adapter1/kernel', kernel]]),
    loss: (student: { features: readonly tf.Tensor4D[] }, _: tf.Tensor4D, weights: tf.Tensor1D) => {
      const hint = tf.mean(
        tf.square(tf.conv2d(student.features[0]!, kernel as tf.Tensor as tf.Tensor4D, 1, 'same')),
      )
      const total = tf.mul<tf.Scalar>(hint, weights.slice(0, 1).asScalar())
      return { total, terms: { hint: total } }
    },
    weightsAt: (step: number) => [step === 0 ? 0 : 2],
  }
  await trained(
    { checkpointEvery: 2, extra, eager: true },
    { directory, onProgress, provenance: { trial: 'this' } },
  )
  assert.deepEqual(seen, [-1, 2, 2])
  const { step, weights, optimizer, training, provenance } = loadCheckpoint(path)
  assert.equal(step, 4)
  assert.deepEqual([...weights.keys()], [...tinyWeights().keys()])
  const names = [...tinyWeights().keys()].filter((name) => !/\/(mean|variance)$/.test(name))
  assert.deepEqual(
    [...optimizer.keys()].sort(),
    [...names, 'adapter1/kernel']
      .map((name) => `momentum/${name}`)
      .concat('extra/adapter1/kernel')
      .sort(),
  )
  assert.deepEqual([...optimizer.get('extra/adapter1/kernel')!.values], [...kernel.dataSync()])
  assert.ok(
    kernel.dataSync().some((value) => value !== 1),
    'the adapter was trained',
  )
  assert.deepEqual(provenance, { trial: 'this' })
  const { steps: all, batch, schedule, warmUp, sgd } = TINY_TRAINING
  const { seconds, last, ...state } = training!
  assert.deepEqual(state, { steps: all, batch, schedule, warmUp, sgd, random: { seed: 1, step: 4 } })
  assert.ok(seconds > 0 && last.hint! > 0)
  const model = withoutTraining(loadCheckpoint(path))
  assert.deepEqual([model.training, model.optimizer.size, model.weights], [undefined, 0, weights])
  const log = logOf(directory)
  // At the first step its weight is 0, so that it is not computed.
  assert.equal(log[0]!.hint, undefined)
  assert.ok(log.slice(1).every(({ hint }) => hint! > 0))
  kernel.dispose()
})

test('the log has a line of JSON for every logEvery steps and the last', async () => {
  const { directory, summary } = await trained({ steps: 5, logEvery: 2, eager: true })
  const log = logOf(directory)
  assert.deepEqual(
    log.map(({ step }) => step),
    [2, 4, 5],
  )
  for (const line of log) {
    const { total, box, objectness, class: classes, gradientNorm, imagesPerSecond } = line
    for (const value of [total, box, objectness, classes, gradientNorm, imagesPerSecond])
      assert.ok(value! > 0 && Number.isFinite(value))
    assert.ok(Math.abs(total! - (box! + objectness! + classes!)) < 1e-4 * total!)
  }
  // Step 2 is the second, number 1: half the warm-up, and 1/5 of the cosine.
  const rate = 0.55 * 0.02 * (0.01 + (0.99 * (1 + Math.cos(Math.PI / 5))) / 2)
  assert.ok(Math.abs(log[0]!.rate! - rate) < 1e-12)
  const { level: _, time: __, step: ___, rate: ____, imagesPerSecond: _____, ...last } = log.at(-1)!
  assert.deepEqual(last, summary.last)
})

test('a loss that is not finite ends the training and names the step; the checkpoint before it stays', async () => {
  const directory = temporary()
  const schedule = { kind: 'cosine', rate: 1e30, final: 1 } as const
  const warmUp = { steps: 0, from: 1 }
  await assert.rejects(
    trained({ schedule, warmUp, checkpointEvery: 1, eager: true }, { directory }),
    /^Diverged: training diverged: \w+ is (NaN|-?Infinity) at step 2.*; .*lower the learning rate \(1e\+30 at this step\)/,
  )
  assert.equal(loadCheckpoint(join(directory, 'checkpoint.json')).step, 1)
})

test('weights that an update has made infinite are no checkpoint, and no model', async () => {
  const directory = temporary()
  // Larger than a float32: the first step's losses are finite, what it leaves is not.
  const schedule = { kind: 'cosine', rate: 1e39, final: 1 } as const
  const warmUp = { steps: 0, from: 1 }
  await assert.rejects(
    trained({ steps: 1, schedule, warmUp, eager: true }, { directory }),
    /^Diverged: training diverged: weight \S+ is not finite at step 1; its terms are finite, the update was not: lower /,
  )
  assert.ok(!existsSync(join(directory, 'checkpoint.json')))
})

test('too few images are named', async () => {
  await assert.rejects(
    trained({ batch: 8 }),
    /expected at least 8 samples, found 6; .* make the batch smaller/,
  )
})

describe('tensors do not pile up', () => {
  for (const eager of [false, true]) {
    test(eager ? 'operation by operation' : 'in a graph', async () => {
      const detector = new Detector(tinyDetector(), tinyWeights())
      const counts: number[] = []
      const start = tf.memory().numTensors
      await train(
        detector,
        data.splits.train!,
        { ...TINY_TRAINING, steps: 5, eager, checkpointEvery: 2 },
        {
          classes: data.classes,
          directory: temporary(),
          onProgress: () => counts.push(tf.memory().numTensors),
        },
      )
      assert.deepEqual(new Set(counts.slice(1)).size, 1, `numbers of tensors: ${counts}`)
      assert.equal(tf.memory().numTensors, start)
      detector.dispose()
    })
  }
})

test('a few images are learnt by heart', async () => {
  const totals: number[] = []
  await trained(
    {
      steps: 60,
      augment: false,
      schedule: { kind: 'cosine', rate: 0.05, final: 0.1 },
    },
    { onProgress: ({ measurements }) => totals.push(measurements.total!) },
    data.splits.train!.slice(0, 2),
  )
  assert.ok(totals.at(-1)! < totals[0]! / 3, `the loss went from ${totals[0]} to ${totals.at(-1)}`)
})

describe('images without labels', () => {
  /** Means of the outputs squared, over the images that the loss is given. */
  const extra = (weight: number) => ({
    weights: 1,
    variables: new Map<string, tf.Variable>(),
    loss: ({ outputs }: { outputs: readonly tf.Tensor4D[] }, _: tf.Tensor4D, weights: tf.Tensor1D) => {
      const mean = tf.addN(outputs.map((output) => tf.mean(tf.square(output))))
      const total = tf.mul<tf.Scalar>(mean, weights.slice(0, 1).asScalar())
      return { total, terms: { teacher: total } }
    },
    weightsAt: () => [weight],
  })
  const others = (boxes: Sample['boxes']) => ({
    samples: data.splits.validation!.map((sample) => ({ ...sample, boxes: boxes && sample.boxes })),
    batch: 1,
  })

  test('their labels are never looked at', async () => {
    const [without, withLabels] = [others(undefined), others([])]
    assert.ok(withLabels.samples.some(({ boxes }) => boxes?.length))
    const first = await trained({ unlabelled: without, extra: extra(0.5), eager: true })
    const second = await trained({ unlabelled: withLabels, extra: extra(0.5), eager: true })
    assert.equal(first.hash, second.hash)
    assert.equal(first.summary.images, 4 * 3)
  })

  test('they teach through the extra loss', async () => {
    const first = await trained({ unlabelled: others(undefined), extra: extra(0.5), eager: true })
    const second = await trained({ extra: extra(0.5), eager: true })
    assert.notEqual(first.hash, second.hash)
  })

  test('at multi-scale they have the size of the labelled ones', async () => {
    const { summary } = await trained({
      augment: { multiScale: { from: [32, 32], to: [96, 96] } },
      unlabelled: others(undefined),
      extra: extra(0.5),
      eager: true,
    })
    assert.ok(summary.last.teacher! > 0)
  })
})
