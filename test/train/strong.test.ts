/** A stronger look for the student: what it sees, what the distillation loss sees. */
import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { createLoader, type Dataset } from '../../lib/data'
import { Detector } from '../../lib/detector'
import { pixelTensor, tf, unitPixels } from '../../lib/engine'
import { assignTargets, targetTensors, yoloLoss } from '../../lib/losses'
import { type TrainContext, type TrainOptions, train } from '../../lib/train'
import { assertClose } from '../losses/support'
import { hashOf, TINY_TRAINING, temporary, tinyDetector, tinyScenes, tinyWeights } from './tiny'

const OFF = { colour: false, grey: 0, blur: false, noise: false, cutouts: false } as const

let data: Dataset
before(async () => {
  data = await tinyScenes(temporary())
})

async function trained(options: Partial<TrainOptions> = {}, context: Partial<TrainContext> = {}) {
  const detector = new Detector(tinyDetector(), tinyWeights())
  try {
    const settings = { ...TINY_TRAINING, eager: true, ...options }
    const given = { classes: data.classes, directory: temporary(), ...context }
    const summary = await train(detector, data.splits.train!, settings, given)
    return { summary, hash: hashOf(detector.weights()) }
  } finally {
    detector.dispose()
  }
}

/** The images that the loss gets, and the mean of the student's outputs on its own. */
function watching(seen: Float32Array[]) {
  return {
    weights: 1,
    variables: new Map<string, tf.Variable>(),
    loss: ({ outputs }: { outputs: readonly tf.Tensor4D[] }, images: tf.Tensor4D, weights: tf.Tensor1D) => {
      seen.push(images.dataSync<'float32'>().slice())
      const total = tf.mul<tf.Scalar>(tf.mean(outputs[0]!), weights.slice(0, 1).asScalar())
      return { total, terms: { output: total } }
    },
    weightsAt: () => [2],
  }
}

test('the student learns from the stronger look, and the distillation loss sees the plain one of the same images', async () => {
  const seen: Float32Array[] = []
  const unlabelled = { samples: data.splits.unlabelled!, batch: 1 }
  const { summary } = await trained({ steps: 1, strong: {}, extra: watching(seen), unlabelled })
  const options = {
    input: [64, 96] as [number, number],
    augment: {},
    strong: {},
    seed: 1,
    shuffle: true,
    dropLast: true,
  }
  const labelled = createLoader(data.splits.train!, { ...options, batch: 2 })
  const others = createLoader(data.splits.unlabelled!, { ...options, batch: 1 })
  const [first, second] = [await labelled.batchAt(0), await others.batchAt(0)]
  await Promise.all([labelled.close(), others.close()])
  const pixels = pixelTensor(Uint8Array.of(...first.images, ...second.images), [3, 64, 96, 3])
  assert.deepEqual(
    seen,
    tf.tidy(() => [unitPixels(pixels).dataSync()]),
  )
  pixels.dispose()

  const detector = new Detector(tinyDetector(), tinyWeights())
  const [output, truth] = tf.tidy(() => {
    const images = pixelTensor(Uint8Array.of(...first.strong!, ...second.strong!), [3, 64, 96, 3])
    const { outputs } = detector.forward(images, { training: true, updateStatistics: false })
    const targets = targetTensors(
      assignTargets([...first.truths, undefined], detector.config, TINY_TRAINING.assign),
    )
    const { total } = yoloLoss(outputs, targets, detector.config, {})
    return [2 * tf.mean(outputs[0]!).dataSync()[0]!, total.dataSync()[0]!]
  })
  detector.dispose()
  assertClose([summary.last.output!], [output!], 'output')
  assertClose([summary.last.total!], [output! + truth!], 'total')
})

test('a look that changes nothing gives the bits of a training without one', async () => {
  const [plain, strong] = [await trained({ eager: false }), await trained({ eager: false, strong: OFF })]
  assert.equal(strong.hash, plain.hash)
  assert.notEqual((await trained({ strong: {} })).hash, (await trained()).hash)
})

test('a step without distillation does not use the plain look, and an interruption changes no bit', async () => {
  const seen: Float32Array[] = []
  const options = {
    strong: {},
    extra: { ...watching(seen), weightsAt: (step: number) => [step < 2 ? 1 : 0] },
  }
  const reference = await trained(options)
  assert.equal(seen.length, 2)
  for (const until of [1, 3]) {
    const directory = temporary()
    const interruption = new AbortController()
    const onProgress = ({ step }: { step: number }) => step === until && interruption.abort(new Error('stop'))
    await assert.rejects(trained(options, { directory, onProgress, signal: interruption.signal }), /stop/)
    assert.equal((await trained(options, { directory })).hash, reference.hash)
  }
})
