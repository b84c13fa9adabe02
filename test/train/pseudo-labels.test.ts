/** Images without labels that get boxes from a labeller. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { type Box, createLoader, type Dataset, type Sample } from '../../lib/data'
import { Detector, type Weights } from '../../lib/detector'
import { pixelTensor, tf } from '../../lib/engine'
import { assignTargets, targetTensors, yoloLoss } from '../../lib/losses'
import {
  type Labeller,
  loadCheckpoint,
  type TrainContext,
  type TrainOptions,
  type TrainProgress,
  train,
} from '../../lib/train'
import { assertClose } from '../losses/support'
import { hashOf, TINY_TRAINING, temporary, tinyDetector, tinyScenes, tinyWeights } from './tiny'

let data: Dataset
before(async () => {
  data = await tinyScenes(temporary())
})

/** Frames that have labels, to be withheld. */
const frames = () => data.splits.validation!

/** The frames' own boxes with weights that change with the step; `calls` are the steps at which they were made. */
function labeller(every?: number): Labeller & { readonly calls: number[]; readonly averages: Weights[] } {
  const [calls, averages]: [number[], Weights[]] = [[], []]
  return {
    calls,
    averages,
    every,
    label: async ({ step, averaged, signal, onProgress }) => {
      calls.push(step)
      if (averaged) averages.push(averaged.weights())
      onProgress?.(1, 1)
      signal?.throwIfAborted()
      return frames().map(({ boxes }) =>
        boxes!.map(({ x1, y1, x2, y2, label }): Box => ({ x1, y1, x2, y2, label, weight: 1 / (2 + step) })),
      )
    },
  }
}

async function trained(options: Partial<TrainOptions> = {}, context: Partial<TrainContext> = {}) {
  const detector = new Detector(tinyDetector(), tinyWeights())
  const directory = context.directory ?? temporary()
  try {
    const settings = { ...TINY_TRAINING, eager: true, steps: 5, ...options }
    const given = { classes: data.classes, ...context, directory }
    const summary = await train(detector, data.splits.train!, settings, given)
    return { summary, directory, hash: hashOf(detector.weights()) }
  } finally {
    detector.dispose()
  }
}

const withheld = (): Sample[] => frames().map((sample) => ({ ...sample, boxes: undefined }))
const unlabelled = (every?: number, samples: readonly Sample[] = withheld()) => {
  const own = labeller(every)
  return { samples, batch: 1, labeller: own, calls: own.calls, averages: own.averages }
}

test("every step learns the labels of the frames beside those of its batch, in the ground truth's loss", async () => {
  const beside = unlabelled()
  const { summary } = await trained({ steps: 1, unlabelled: beside })
  assert.deepEqual([summary.images, summary.distilled], [3, 0])
  const options = { input: [64, 96] as [number, number], augment: {}, seed: 1, shuffle: true, dropLast: true }
  const labelled = createLoader(data.splits.train!, { ...options, batch: 2 })
  const others = createLoader(frames(), { ...options, batch: 1 })
  const [first, second] = [await labelled.batchAt(0), await others.batchAt(0)]
  await Promise.all([labelled.close(), others.close()])
  const truths = [...first.truths, second.truths[0]!.map((box) => ({ ...box, weight: 0.5 }))]
  const detector = new Detector(tinyDetector(), tinyWeights())
  const total = tf.tidy(() => {
    const images = pixelTensor(Uint8Array.of(...first.images, ...second.images), [3, 64, 96, 3])
    const { outputs } = detector.forward(images, { training: true, updateStatistics: false })
    const targets = targetTensors(assignTargets(truths, detector.config, TINY_TRAINING.assign))
    return yoloLoss(outputs, targets, detector.config, {}, true).total.dataSync()[0]!
  })
  detector.dispose()
  assertClose([summary.last.total!], [total], 'total')
})

test('labels are made before the first step and renewed at intervals, by the average at that time', async () => {
  const once = unlabelled()
  await trained({ unlabelled: once })
  assert.deepEqual([once.calls, once.averages], [[0], []])
  const often = unlabelled(2)
  const directory = temporary()
  const interruption = new AbortController()
  const onProgress = ({ step, labelling }: TrainProgress) => {
    if (step === 2 && labelling) interruption.abort(new Error('stop'))
  }
  const context = { directory, onProgress, signal: interruption.signal }
  await assert.rejects(trained({ unlabelled: often, average: { decay: 0.5 } }, context), /stop/)
  assert.deepEqual(often.calls, [0, 2])
  const [start, later] = often.averages
  assert.equal(hashOf(start!), hashOf(tinyWeights()))
  const { optimizer, step } = loadCheckpoint(join(directory, 'checkpoint.json'))
  assert.equal(step, 2)
  for (const [name, { values }] of later!)
    assert.deepEqual(optimizer.get(`average/${name}`)!.values, values, name)
  assert.notEqual(hashOf(later!), hashOf(start!))
})

test('only the labels that the checkpoint names stay on disk', async () => {
  const { directory } = await trained({
    unlabelled: unlabelled(2),
    average: { decay: 0.5 },
    checkpointEvery: 1,
  })
  assert.deepEqual(
    readdirSync(directory).filter((name) => name.startsWith('labels')),
    ['labels-4.json'],
  )
})

test('the labels that the images have are never looked at', async () => {
  const [hidden, known] = [unlabelled(), unlabelled(undefined, frames())]
  assert.equal((await trained({ unlabelled: hidden })).hash, (await trained({ unlabelled: known })).hash)
})

test('an interruption changes no bit: between rounds, at one and in one', async () => {
  const options = () => ({ unlabelled: unlabelled(2), average: { decay: 0.5 } })
  const reference = await trained(options())
  for (const [isReached, calls] of [
    [({ step }) => step === 1, [2, 4]],
    [({ step }) => step === 3, [4]],
    [({ step, labelling }) => step === 2 && labelling, [2, 4]],
    [({ step, labelling }) => step === 0 && labelling, [0, 2, 4]],
  ] satisfies [(progress: { step: number; labelling?: object }) => unknown, number[]][]) {
    const directory = temporary()
    const interruption = new AbortController()
    const stopped = trained(options(), {
      directory,
      signal: interruption.signal,
      onProgress: (progress) => void (isReached(progress) && interruption.abort(new Error('stop'))),
    })
    await assert.rejects(stopped, /stop/)
    const rest = options()
    assert.equal((await trained(rest, { directory })).hash, reference.hash)
    assert.deepEqual(rest.unlabelled.calls, calls)
  }
})

test('labels that are damaged, or of other images, are refused', async () => {
  const directory = temporary()
  const interruption = new AbortController()
  const onProgress = ({ step }: { step: number }) => step === 1 && interruption.abort(new Error('stop'))
  await assert.rejects(
    trained({ unlabelled: unlabelled() }, { directory, onProgress, signal: interruption.signal }),
  )
  const file = join(directory, 'labels-0.json')
  writeFileSync(file, readFileSync(file, 'utf8').replace('0.5', '0.6'))
  await assert.rejects(
    trained({ unlabelled: unlabelled() }, { directory }),
    /labels-0\.json: expected SHA-256 [0-9a-f]{64} as the checkpoint says, found [0-9a-f]{64}/,
  )
  await assert.rejects(
    trained({ unlabelled: { ...unlabelled(), samples: withheld().slice(1) } }),
    /expected boxes of 2 images, found those of 3/,
  )
})
