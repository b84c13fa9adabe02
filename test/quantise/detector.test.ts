import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { FILE_DEFAULTS, type Model, readMetadata, Session, writeModel } from '../../lib/deploy'
import { tensorFlowModel } from '../../lib/deploy/tensorflow/model'
import { Detector } from '../../lib/detector'
import { compile, savedModel, type Tensor, tf } from '../../lib/engine'
import {
  calibrate,
  calibrationOf,
  detectorOf,
  planOf,
  type Quantisation,
  QuantisedDetector,
} from '../../lib/quantise'
import { gridsOf } from '../../lib/quantise/options'
import { loadCheckpoint, saveCheckpoint } from '../../lib/train'
import { MODELS, OTHERS } from '../deploy/models'
import { folder, request, scenes, without } from '../deploy/support'

const ALL = { ...MODELS, ...OTHERS }
const first = Object.values(MODELS)[0]!

async function quantisationOf(model: Model, options: Partial<Quantisation> = {}): Promise<Quantisation> {
  const { sha256: _, ...calibration } = await calibrate(planOf(model), model.sha256, await scenes(), {
    ...{ cache: folder, frames: 2 },
  })
  return { for: 'onnxruntime', head: false, calibration, ...options }
}

const pixels = (model: Model, n = 2) =>
  tf.randomUniform([n, ...model.network.input, 3], 0, 1, 'float32', 1) as tf.Tensor4D

function logitsOf(detector: Detector, images: tf.Tensor4D): Float32Array[] {
  const run = compile((x: Tensor) => [...detector.forward(x as tf.Tensor4D, { training: false }).outputs])
  const found = run(images).map((map) => map.dataSync() as Float32Array)
  run.dispose()
  return found
}

const meanDifference = (a: ArrayLike<number>[], b: ArrayLike<number>[]): number => {
  const differences = a.flatMap((map, i) => Array.from(map, (value, j) => Math.abs(value - b[i]![j]!)))
  return differences.reduce((sum, value) => sum + value, 0) / differences.length
}

for (const [name, model] of Object.entries(ALL)) {
  test(`logits of ${name} are those of the graph from which its int8 file is made, and not those in float`, async () => {
    const quantisation = await quantisationOf(model)
    const place = mkdtempSync(join(folder, 'rounded-'))
    const grids = gridsOf(quantisation.calibration)
    const { nodes, signature } = tensorFlowModel(planOf(model), FILE_DEFAULTS, { grids })
    mkdirSync(join(place, 'variables'))
    writeFileSync(join(place, 'saved_model.pb'), savedModel(nodes, signature))
    const loaded = await tf.node.loadSavedModel(place)
    const images = pixels(model)
    const maps = loaded.predict({ images }) as { [name: string]: tf.Tensor }
    const inGraph = [...signature.outputs.keys()].map((name) => maps[name]!.dataSync())
    const detector = new QuantisedDetector(model.network, model.weights, quantisation)
    const found = logitsOf(detector, images)
    const float = logitsOf(new Detector(model.network, model.weights), images)
    const [rounding, cost] = [meanDifference(found, inGraph), meanDifference(found, float)]
    // Sums whose last bits differ may fall on either side of a half.
    assert.ok(cost > 0 && rounding <= cost / 20, `${rounding} beside ${cost}`)
  })
}

test(
  'its int8 .onnx file in ONNX Runtime is nearer to its logits than the network in float is',
  { skip: without('onnxruntime') },
  async () => {
    for (const [i, model] of Object.values(ALL).entries()) {
      const quantisation = await quantisationOf(model)
      const file = join(folder, `rounded-${i}.onnx`)
      const calibration = calibrationOf(quantisation.calibration)
      writeModel(model, file, request('onnx', { precision: 'int8', calibration }))
      const images = pixels(model)
      const session = await Session.open(file, 'onnxruntime', readMetadata(file))
      const maps = await session.run({ shape: images.shape, values: images.dataSync() as Float32Array })
      await session.close()
      const detector = new QuantisedDetector(model.network, model.weights, quantisation)
      const found = logitsOf(detector, images)
      const inFile = [...maps.values()].map(({ values }) => values)
      const float = logitsOf(new Detector(model.network, model.weights), images)
      const [rounding, cost] = [meanDifference(found, inFile), meanDifference(found, float)]
      // What remains is the bias, which the file rounds to 32 bits (steps of the input's scale times the kernel's) and the detector
      // does not: a value near a half falls on the other side, and every further convolution rounds what that has moved. Each
      // integer bias moved by at most 1 moves a file's own logits as far (0.01 to 0.74 of the difference to float; over 44
      // convolutions even images times 1 + 2e-7 move them by up to 0.57), with or without the runtime's integer kernels.
      assert.ok(rounding < cost, `${Object.keys(ALL)[i]}: ${rounding} beside ${cost}`)
    }
  },
)

test('all trained weights have gradients through the rounding, running statistics none', async () => {
  for (const model of Object.values(ALL)) {
    const detector = new QuantisedDetector(model.network, model.weights, await quantisationOf(model))
    const step = compile(
      (x: Tensor) => {
        const { grads } = tf.variableGrads(
          () =>
            tf.addN(
              detector.forward(x as tf.Tensor4D).outputs.map((map) => tf.mean(tf.square(map))),
            ) as tf.Scalar,
          [...detector.trained.values()],
        )
        return tf.stack(Object.values(grads).map((gradient) => tf.sum(tf.abs(gradient))))
      },
      { state: detector.state },
    )
    const sizes = [...step(pixels(model)).dataSync()]
    assert.equal(sizes.length, detector.trained.size)
    assert.ok(
      sizes.every((size) => Number.isFinite(size) && size > 0),
      String(sizes),
    )
    step.dispose()
    detector.dispose()
  }
})

test('a checkpoint keeps the scales, and gives the same detector again; a copy is one too', async () => {
  const quantisation = await quantisationOf(first, { for: 'tensorrt', head: true })
  const file = join(folder, 'rounded.json')
  const { network, weights, classes } = first
  const content = { network, weights, classes, step: 3, optimizer: new Map(), provenance: {} }
  saveCheckpoint(file, { ...content, quantisation })
  const checkpoint = loadCheckpoint(file)
  assert.deepEqual(checkpoint.quantisation, quantisation)
  const images = pixels(first)
  const expected = logitsOf(new QuantisedDetector(network, weights, quantisation), images)
  const again = detectorOf(checkpoint)
  assert.deepEqual(logitsOf(again, images), expected)
  assert.deepEqual(logitsOf(again.copy(), images), expected)
  assert.notDeepEqual(
    expected,
    logitsOf(new QuantisedDetector(network, weights, await quantisationOf(first)), images),
  )
  saveCheckpoint(file, content)
  assert.equal(loadCheckpoint(file).quantisation, undefined)
})

test('ranges of another network, and images of another size, are refused', async () => {
  const quantisation = await quantisationOf(Object.values(OTHERS)[0]!)
  assert.throws(
    () => new QuantisedDetector(first.network, first.weights, quantisation),
    /quantisation: expected a range of .*, found none; it was calibrated for another network/,
  )
  const detector = new QuantisedDetector(first.network, first.weights, await quantisationOf(first))
  assert.throws(
    () => detector.forward(tf.zeros([1, 96, 96, 3])),
    /images: expected \[n, 64, 96, 3\], as an int8 file takes them, found \[1,96,96,3\]/,
  )
})
