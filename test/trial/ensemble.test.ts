/** Several teachers, or one in mirrored views, treated as one. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { Random } from '../../lib/base'
import type { Dataset } from '../../lib/data'
import {
  complexity,
  Detector,
  type DetectorOutput,
  decodeScale,
  headsOf,
  initialWeights,
} from '../../lib/detector'
import { tf } from '../../lib/engine'
import { modelsOf, runTrial, trialFolder } from '../../lib/trial'
import { ensembleOf, flipOutput, meanOutput } from '../../lib/trial/ensemble'
import { assertClose } from '../losses/support'
import { tinyData } from '../study/tiny'
import { temporary, tinyDetector, tinyWeights } from '../train/tiny'
import { placeModels, tinyDistillation } from './tiny'

const CONFIG = tinyDetector({ scaleXY: 1.1 })

/** Random logits and features of the network's shapes. */
function output(seed: number, size = 1): DetectorOutput {
  const random = new Random('ensemble', seed)
  const map = (height: number, width: number, channels: number) => {
    const values = Float32Array.from({ length: height * width * channels }, () => size * random.normal())
    return tf.tensor4d(values, [1, height, width, channels])
  }
  const shapes = [
    [2, 3],
    [4, 6],
    [8, 12],
  ] as const
  return {
    outputs: shapes.map(([h, w]) => map(h, w, 3 * 13)),
    features: shapes.map(([h, w]) => map(h, w, 4)),
  }
}

test('the output on the mirrored image is the mirrored output on the image', () => {
  tf.tidy(() => {
    const said = output(1)
    const mirrored = flipOutput(said, 8)
    for (const scale of [0, 1, 2]) {
      const [here, there] = [said, mirrored].map(({ outputs }) =>
        decodeScale(outputs[scale]!, scale, headsOf(CONFIG)),
      )
      const [, height, width] = said.outputs[scale]!.shape
      const boxes = here!.boxes.arraySync()[0]!
      const expected: number[][] = []
      for (let row = 0; row < height; row++)
        for (let column = 0; column < width; column++)
          for (let anchor = 0; anchor < 3; anchor++) {
            const [x1, y1, x2, y2] = boxes[(row * width + (width - 1 - column)) * 3 + anchor]!
            expected.push([96 - x2!, y1!, 96 - x1!, y2!])
          }
      assertClose(there!.boxes.dataSync(), expected.flat(), `boxes of scale ${scale}`)
      assertClose(
        there!.objectness.dataSync(),
        tf.reverse(tf.reshape(here!.objectness, [height, width, 3]), 1).dataSync(),
        'objectness',
      )
    }
    const twice = flipOutput(mirrored, 8)
    for (const [s, logits] of twice.outputs.entries())
      assert.deepEqual(logits.dataSync(), said.outputs[s]!.dataSync())
    assert.throws(() => flipOutput(said, 7), /expected logits of 5 \+ 7 a box/)
  })
})

test('the mean is that of probabilities, of log sizes and of features, however sure the logits are', () => {
  tf.tidy(() => {
    for (const size of [1, 30]) {
      const all = [output(2, size), output(3, size), output(4, size)]
      const mean = meanOutput(all, 8)
      for (const scale of [0, 1, 2]) {
        const logits = all.map(({ outputs }) => outputs[scale]!.dataSync())
        const found = mean.outputs[scale]!.dataSync()
        found.forEach((value, i) => {
          const values = logits.map((one) => one[i]!)
          const isSize = [2, 3].includes(i % 13)
          const average = (list: number[]) => list.reduce((sum, v) => sum + v, 0) / 3
          // In float64, from the smaller of the two probabilities, so that nothing cancels.
          const [yes, no] = [
            average(values.map((v) => 1 / (1 + Math.exp(-v)))),
            average(values.map((v) => 1 / (1 + Math.exp(v)))),
          ]
          const expected = isSize ? average(values) : Math.log(yes / no)
          assert.ok(
            Math.abs(value - expected) < 1e-5 * Math.max(1, Math.abs(expected)),
            `${i}: ${value}, ${expected}`,
          )
        })
        const features = all.map(({ features }) => features[scale]!)
        assertClose(mean.features[scale]!.dataSync(), tf.div(tf.addN(features), 3).dataSync(), 'features')
      }
    }
  })
})

test('a teacher in mirrored views gives the same output for an image and, mirrored, for its mirror image', () => {
  const teacher = new Detector(CONFIG, initialWeights(CONFIG, 3))
  const both = ensembleOf([teacher], { flip: true })
  tf.tidy(() => {
    const random = new Random('image')
    const images = tf.tensor4d(
      Float32Array.from({ length: 64 * 96 * 3 }, () => random.next()),
      [1, 64, 96, 3],
    )
    const said = both.forward(images, { training: false })
    const mirrored = flipOutput(both.forward(tf.reverse4d(images, 2), { training: false }), 8)
    for (const scale of [0, 1, 2]) {
      assertClose(mirrored.outputs[scale]!.dataSync(), said.outputs[scale]!.dataSync(), 'logits', 1e-4)
      assertClose(mirrored.features[scale]!.dataSync(), said.features[scale]!.dataSync(), 'features', 1e-4)
    }
  })
  assert.equal(ensembleOf([teacher]), teacher, 'one in the plain view is itself')
  const other = new Detector(tinyDetector(), tinyWeights())
  assert.throws(
    () => ensembleOf([teacher, other]),
    /expected several with the same \[classes, strides, anchors, scaleXY, featureWidths\]/,
  )
  assert.throws(() => ensembleOf([]), /expected at least one, found none/)
  teacher.dispose()
  other.dispose()
})

const cache = temporary()
let dataset: Dataset
before(async () => {
  dataset = await tinyData(cache)
})

test('a student of two teachers in two views learns from both, whose passes are counted', async () => {
  const runs = temporary()
  const { start, teachers } = placeModels(runs)
  const run = async (rest: object) => {
    const config = tinyDistillation(runs, dataset, 2, { terms: [{ method: 'class-kd', weight: 1 }], ...rest })
    const folder = join(runs, trialFolder(config))
    const { metrics } = await runTrial(config, { folder, runs, dataset, checkpointEvery: 100, logEvery: 1 })
    return { config, metrics }
  }
  const [one, two, four] = [
    await run({}),
    await run({ teacher: [...teachers] }),
    await run({ teacher: [...teachers], views: { flip: true } }),
  ]
  assert.deepEqual(modelsOf(two.config), [start, ...teachers])
  const { macs } = complexity(tinyDetector())
  for (const [{ metrics }, passes] of [
    [one, 1],
    [two, 2],
    [four, 4],
  ] as const)
    assert.equal(metrics.training!.macs, 4 * (3 + passes) * macs)
  assert.equal(new Set([one, two, four].map(({ metrics }) => metrics.weights)).size, 3)
})
