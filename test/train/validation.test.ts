/** Evaluations while training: what they measure, what they leave, and that they change nothing else. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, describe, test } from 'node:test'
import type { Dataset, Sample } from '../../lib/data'
import { Detector, type Weights } from '../../lib/detector'
import { tf } from '../../lib/engine'
import { evaluateDetections } from '../../lib/evaluate'
import {
  loadCheckpoint,
  predict,
  type TrainContext,
  type TrainOptions,
  type TrainProgress,
  train,
  type ValidationRow,
  validationSchema,
} from '../../lib/train'
import { hashOf, TINY_TRAINING, temporary, tinyDetector, tinyScenes, tinyWeights } from './tiny'

let data: Dataset

/** Two images, on which the network is evaluated too, so that a few steps make it better and worse. */
const pair = () => data.splits.train!.slice(0, 2)
const OPTIONS: TrainOptions = {
  ...TINY_TRAINING,
  steps: 24,
  augment: false,
  schedule: { kind: 'cosine', rate: 0.022, final: 0.9 },
  validation: validationSchema.parse({ every: 8 }),
}

async function trained(options: Partial<TrainOptions> = {}, context: Partial<TrainContext> = {}) {
  const detector = new Detector(tinyDetector(), tinyWeights())
  const directory = context.directory ?? temporary()
  try {
    const settings = { ...OPTIONS, ...options }
    const given = { classes: data.classes, validationSamples: pair(), ...context, directory }
    const summary = await train(detector, pair(), settings, given)
    const left = detector.weights()
    return { summary, directory, left, hash: hashOf(left) }
  } finally {
    detector.dispose()
  }
}

const lines = (directory: string): ValidationRow[] =>
  readFileSync(join(directory, 'validation.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))

const bestFiles = (directory: string) =>
  readdirSync(directory).filter((name) => /^best-\d+\.json$/.test(name))

let reference: Awaited<ReturnType<typeof trained>>
/** Weights of a training without evaluations, after this many steps. */
const plain = new Map<number, string>()
before(async () => {
  data = await tinyScenes(temporary())
  reference = await trained()
  const onCheckpoint = (step: number, weights: Weights) => void plain.set(step, hashOf(weights))
  await trained({ validation: undefined, checkpointEvery: 8 }, { onCheckpoint })
})

test('the weights of the best evaluation remain, equal to those of a training without evaluations at that step', () => {
  const { directory, summary, hash } = reference
  const rows = lines(directory)
  assert.deepEqual(
    rows.map(({ step }) => step),
    [8, 16, 24],
  )
  const { kept, steps } = summary
  assert.equal(kept!.step, 16, 'the network gets better, and then worse')
  assert.deepEqual(kept, rows[1])
  assert.ok(rows.every(({ mAP50 }) => mAP50 <= kept!.mAP50))
  assert.equal(steps, 24)
  assert.equal(hash, plain.get(16))
  const { step, weights } = loadCheckpoint(join(directory, 'checkpoint.json'))
  assert.deepEqual([step, hashOf(weights)], [24, plain.get(24)])
  assert.deepEqual(bestFiles(directory), ['best-16.json'])
})

test('an evaluation during training gives the same numbers as one of the same weights alone', async () => {
  const detector = new Detector(tinyDetector(), reference.left)
  const { truths, detections } = await predict(detector, pair())
  detector.dispose()
  const { voc, coco } = evaluateDetections(truths, detections, { classes: data.classes })
  assert.deepEqual(reference.summary.kept, { step: 16, mAP50: voc.mAP, AP: coco.AP })
  assert.ok(voc.mAP! > 0)
})

test('the last weights remain if requested, and no file of the best is written', async () => {
  const { directory, summary, hash } = await trained({ validation: { ...OPTIONS.validation!, keep: 'last' } })
  assert.equal(hash, plain.get(24))
  assert.deepEqual(summary.kept, lines(reference.directory)[2])
  assert.deepEqual(bestFiles(directory), [])
})

test('the end is evaluated too, even if it is not a multiple', async () => {
  const { directory, summary } = await trained({ validation: { every: 16, keep: 'best', gain: 0 } })
  assert.deepEqual(
    lines(directory).map(({ step }) => step),
    [16, 24],
  )
  assert.equal(summary.kept!.step, 16)
})

describe('a training whose evaluations do not gain ends before its steps', () => {
  /** Nothing is a gain after the first evaluation. */
  const validation = validationSchema.parse({ every: 2, patience: 4, gain: 1 })

  test('at the evaluation that says so', async () => {
    const { directory, summary } = await trained({ eager: true, validation })
    assert.deepEqual([summary.steps, summary.images], [6, 12])
    const [first] = lines(directory)
    assert.deepEqual(summary.plateau, { step: 6, gained: first })
    const { step } = loadCheckpoint(join(directory, 'checkpoint.json'))
    assert.equal(step, 6)
  })

  test('with a plateau schedule after the decay that it begins', async () => {
    const schedule = { kind: 'plateau', rate: 0.02, decay: 3, final: 0.01 } as const
    const options = { schedule, warmUp: { steps: 0, from: 1 }, validation, eager: true }
    const { directory, summary } = await trained(options)
    assert.deepEqual([summary.steps, summary.plateau?.step], [9, 6])
    assert.deepEqual(
      lines(directory).map(({ step }) => step),
      [2, 4, 6, 8, 9],
    )
    const log = readFileSync(join(directory, 'log.jsonl'), 'utf8').trimEnd().split('\n')
    const rates = log.map((line) => (JSON.parse(line) as { rate: number }).rate / 0.02)
    // cos(pi / 3) = 1 / 2
    const expected = [...new Array(7).fill(1), 0.01 + (0.99 * 3) / 4, 0.01 + 0.99 / 4]
    assert.equal(rates.length, expected.length)
    for (const [i, rate] of rates.entries()) assert.ok(Math.abs(rate - expected[i]!) < 1e-12, `${i}: ${rate}`)

    // An interruption in the decay, and one at the evaluation that begins it.
    for (const at of [6, 8]) {
      const other = await interrupted(options, ({ step }) => step === at)
      const { hash, summary: again } = await trained(options, { directory: other })
      assert.equal(hash, hashOf(loadCheckpoint(join(directory, `best-${again.kept!.step}.json`)).weights))
      assert.deepEqual([again.steps, again.kept, again.plateau], [9, summary.kept, summary.plateau])
    }
  })
})

/** Trains until something is reported, stops there, and returns the folder. */
async function interrupted(
  options: Partial<TrainOptions>,
  isReached: (progress: TrainProgress) => boolean,
): Promise<string> {
  const directory = temporary()
  const interruption = new AbortController()
  const reason = new Error('stop')
  const onProgress = (progress: TrainProgress) => {
    if (isReached(progress)) interruption.abort(reason)
  }
  const stopped = trained(options, { directory, onProgress, signal: interruption.signal })
  await assert.rejects(stopped, (error) => error === reason)
  return directory
}

describe('an interruption changes no bit', () => {
  for (const [when, isReached, step] of [
    ['before an evaluation', ({ step }) => step === 15, 15],
    ['in an evaluation, which is done again', ({ step, evaluating }) => step === 16 && !!evaluating, 16],
    ['after the best evaluation', ({ step }) => step === 17, 17],
  ] satisfies [string, (progress: TrainProgress) => boolean, number][]) {
    test(when, async () => {
      const directory = await interrupted({ checkpointEvery: 5 }, isReached)
      assert.equal(loadCheckpoint(join(directory, 'checkpoint.json')).step, step)
      const { hash, summary } = await trained({ checkpointEvery: 5 }, { directory })
      assert.equal(hash, reference.hash)
      assert.deepEqual(summary.kept, reference.summary.kept)
      const rows = new Map(lines(directory).map((row) => [row.step, row]))
      assert.deepEqual([...rows.values()], lines(reference.directory))
      assert.deepEqual(bestFiles(directory), ['best-16.json'])
    })
  }

  test('nor does running it again after its end', async () => {
    const { directory, hash, summary } = reference
    const steps: number[] = []
    const onProgress = ({ step }: TrainProgress) => void steps.push(step)
    const again = await trained({}, { directory, onProgress })
    assert.deepEqual([steps, again.hash, again.summary.kept], [[], hash, summary.kept])
  })
})

test('progress reports the running evaluation and the last one', async () => {
  const seen: TrainProgress[] = []
  const { directory } = await trained(
    { steps: 10, eager: true },
    { onProgress: (progress) => void seen.push(progress) },
  )
  assert.deepEqual(
    seen.filter(({ evaluating }) => evaluating).map(({ step, evaluating }) => [step, evaluating]),
    [
      [8, { done: 2, total: 2 }],
      [10, { done: 2, total: 2 }],
    ],
  )
  assert.equal(seen.find(({ step }) => step === 8)!.evaluated, undefined)
  assert.deepEqual(seen.find(({ step }) => step === 9)!.evaluated, lines(directory)[0])
})

test('no tensor stays behind', async () => {
  const before = tf.memory().numTensors
  await trained({ steps: 4, validation: { every: 2, keep: 'best', gain: 0 } })
  assert.equal(tf.memory().numTensors, before)
})

test('images without objects, or none, are named', async () => {
  const empty = pair().map((sample) => ({ ...sample, boxes: [] }))
  await assert.rejects(
    trained({ eager: true, steps: 8 }, { validationSamples: empty }),
    /expected labelled objects in the validation images, found none/,
  )
  await assert.rejects(
    trained({ eager: true, steps: 8 }, { validationSamples: [] }),
    /expected images in the validation split, found none/,
  )
})

test("another rule's checkpoint is not continued, and damaged best weights are not taken", async () => {
  const { directory } = await trained({ eager: true, steps: 8 })
  await assert.rejects(
    trained({ eager: true, steps: 8, validation: { every: 4, keep: 'best', gain: 0 } }, { directory }),
    /checkpoint\.json: training\.validation\.rule: expected .*"every":4.* found .*"every":8/,
  )
  await assert.rejects(
    trained({ eager: true, steps: 8, validation: undefined }, { directory }),
    /training\.validation\.rule: expected none as in this training, found .*"every":8/,
  )
  const file = readdirSync(directory).find((name) => /^best-8\..*safetensors$/.test(name))!
  const bytes = readFileSync(join(directory, file))
  bytes[bytes.length - 1]! ^= 1
  writeFileSync(join(directory, file), bytes)
  await assert.rejects(trained({ eager: true, steps: 8 }, { directory }), /best-8\..*: expected SHA-256/)
})

test('a curve changes no weight, goes from before the first step to the last, and measures as many images as asked', async () => {
  const alone = await trained({ validation: undefined, curve: undefined })
  const { directory, hash, summary } = await trained({
    validation: undefined,
    curve: { every: 10, images: 1 },
  })
  assert.equal(hash, alone.hash)
  assert.equal(summary.kept, undefined, 'it decides nothing')
  const rows = lines(directory)
  assert.deepEqual(
    rows.map(({ step, images }) => [step, images]),
    [0, 10, 20, 24].map((step) => [step, 1]),
  )
  const { truths, detections } = await predictedBy(
    new Detector(tinyDetector(), tinyWeights()),
    pair().slice(1),
  )
  const { voc, coco } = evaluateDetections(truths, detections, { classes: data.classes })
  assert.deepEqual([rows[0]!.mAP50, rows[0]!.AP], [voc.mAP, coco.AP])
})

test('with a rule of its own a training has the evaluations of that rule alone', async () => {
  const { directory } = await trained({ curve: { every: 1, images: 1 } })
  assert.deepEqual(
    lines(directory).map(({ step }) => step),
    [8, 16, 24],
  )
})

async function predictedBy(detector: Detector, samples: readonly Sample[]) {
  try {
    return await predict(detector, samples)
  } finally {
    detector.dispose()
  }
}
