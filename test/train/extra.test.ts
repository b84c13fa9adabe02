/** A distillation loss that counts only at some steps. */
import assert from 'node:assert/strict'
import { cpSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, describe, test } from 'node:test'
import type { Dataset } from '../../lib/data'
import { Detector } from '../../lib/detector'
import { tf } from '../../lib/engine'
import { loadCheckpoint, type TrainContext, type TrainOptions, train } from '../../lib/train'
import { hashOf, TINY_TRAINING, temporary, tinyDetector, tinyScenes, tinyWeights } from './tiny'

let data: Dataset
before(async () => {
  data = await tinyScenes(temporary())
})

/** Means of the outputs squared, with an adapter's factor; `calls` counts its forward passes or recordings. */
function teacherLoss(isOn: (step: number) => boolean) {
  const factor = tf.tidy(() => tf.variable(tf.ones([1, 1, 1, 1])))
  let calls = 0
  return {
    factor,
    calls: () => calls,
    extra: {
      weights: 1,
      variables: new Map([['factor', factor]]),
      loss: ({ outputs }: { outputs: readonly tf.Tensor4D[] }, _: tf.Tensor4D, weights: tf.Tensor1D) => {
        calls++
        const mean = tf.addN(outputs.map((output) => tf.mean(tf.square(tf.mul(output, factor)))))
        const total = tf.mul<tf.Scalar>(mean, weights.slice(0, 1).asScalar())
        return { total, terms: { teacher: total } }
      },
      weightsAt: (step: number) => [isOn(step) ? 0.5 : 0],
    },
  }
}

async function trained(
  isOn: ((step: number) => boolean) | undefined,
  options: Partial<TrainOptions> = {},
  context: Partial<TrainContext> = {},
) {
  const detector = new Detector(tinyDetector(), tinyWeights())
  const loss = isOn && teacherLoss(isOn)
  const directory = context.directory ?? temporary()
  try {
    const summary = await train(
      detector,
      data.splits.train!,
      { ...TINY_TRAINING, extra: loss?.extra, ...options },
      { classes: data.classes, ...context, directory },
    )
    const lines = readFileSync(join(directory, 'log.jsonl'), 'utf8').trimEnd().split('\n')
    const log = lines.map((line) => {
      const { time: _, imagesPerSecond: __, ...row } = JSON.parse(line) as { [name: string]: number }
      return row
    })
    const factor = loss?.factor.dataSync()[0]
    return { hash: hashOf(detector.weights()), summary, directory, log, factor, calls: loss?.calls() }
  } finally {
    detector.dispose()
    loss?.factor.dispose()
  }
}

/** Trains until a step has been done, and no further. */
async function begun(
  isOn: (step: number) => boolean,
  until: number,
  options: Partial<TrainOptions>,
): Promise<string> {
  const directory = temporary()
  const interruption = new AbortController()
  const onProgress = ({ step }: { step: number }) => step === until && interruption.abort(new Error('stop'))
  const context = { directory, signal: interruption.signal, onProgress }
  await assert.rejects(trained(isOn, options, context), /stop/)
  return directory
}

const untilTwo = (step: number) => step < 2
const fromTwo = (step: number) => step >= 2

for (const eager of [false, true]) {
  test(`${eager ? 'eagerly' : 'as graphs'}: from its stop on, losses and weights are those of a plain training`, async () => {
    const directory = await begun(untilTwo, 2, { eager })
    const copy = temporary()
    cpSync(directory, copy, { recursive: true })
    const stopped = await trained(untilTwo, { eager }, { directory })
    const plain = await trained(undefined, { eager }, { directory: copy })
    assert.equal(stopped.hash, plain.hash)
    assert.deepEqual(stopped.log, plain.log)
    assert.deepEqual(
      stopped.log.map((row) => 'teacher' in row),
      [true, true, false, false],
    )
    // Its own variables stay unchanged, and are kept.
    const { optimizer } = loadCheckpoint(join(directory, 'checkpoint.json'))
    assert.equal(optimizer.get('extra/factor')!.values[0], stopped.factor)
    assert.notEqual(stopped.factor, 1)
    assert.equal(stopped.calls, 0)
  })
}

test('until its start it is a plain training', async () => {
  const [plain, late] = [await trained(undefined), await trained(fromTwo)]
  assert.deepEqual(late.log.slice(0, 2), plain.log.slice(0, 2))
  assert.notEqual(late.hash, plain.hash)
  const never = await trained(() => false)
  assert.equal(never.hash, plain.hash)
  assert.deepEqual([never.summary.images, never.summary.distilled, never.calls, never.factor], [8, 0, 0, 1])
})

describe('the loss is computed at the steps at which it counts, and at no others', () => {
  for (const [name, isOn, count] of [
    ['until its stop', untilTwo, 2],
    ['from its start', fromTwo, 2],
    ['on, off and on again', (step: number) => step % 2 === 0, 2],
  ] as const) {
    test(name, async () => {
      const { calls, summary } = await trained(isOn, { eager: true })
      assert.equal(calls, count)
      assert.deepEqual([summary.images, summary.distilled], [4 * 2, count * 2])
    })
  }
})

test('an interruption anywhere changes no bit, and no count', async () => {
  const eager = { eager: true }
  for (const isOn of [untilTwo, fromTwo]) {
    const reference = await trained(isOn, eager)
    for (const until of [1, 2, 3]) {
      const directory = await begun(isOn, until, eager)
      const { hash, summary, log, factor } = await trained(isOn, eager, { directory })
      assert.deepEqual([hash, log, factor], [reference.hash, reference.log, reference.factor])
      assert.deepEqual([summary.images, summary.distilled], [8, 4])
    }
  }
})

test('images without labels are seen while it counts: after it a step is the plain one', async () => {
  const unlabelled = { samples: data.splits.unlabelled!, batch: 3 }
  const options = { unlabelled, eager: true }
  const isOn = (step: number) => step !== 1 && step !== 2
  const { summary, hash } = await trained(isOn, options)
  assert.deepEqual([summary.images, summary.distilled], [4 * 2 + 2 * 3, 2 * (2 + 3)])
  // The last step has the unlabelled batch of its number, even if the training was interrupted before it.
  for (const until of [1, 3]) {
    const directory = await begun(isOn, until, options)
    assert.equal((await trained(isOn, options, { directory })).hash, hash)
  }
  const never = await trained(() => false, options)
  assert.equal(never.hash, (await trained(undefined, { eager: true })).hash)
  assert.equal(never.summary.images, 4 * 2)
})
