import assert from 'node:assert/strict'
import { join } from 'node:path'
import { before, test } from 'node:test'
import type { Dataset } from '../../lib/data'
import { readMetadata, writeModel } from '../../lib/deploy'
import { calibrationOf, detectorOf, QuantisedDetector } from '../../lib/quantise'
import {
  loadModel,
  readTrial,
  refTo,
  type TrialConfig,
  trialFolder,
  trialHash,
  trialSchema,
} from '../../lib/trial'
import { request } from '../deploy/support'
import { tinyData, tinyTraining } from '../study/tiny'
import { hashOf, temporary } from '../train/tiny'
import { runKilled, runUndisturbed, trainingNumbers } from './killed'
import { placeModels, tinyDistillation } from './tiny'

const QUANTISE = { frames: 4, for: 'onnxruntime', head: false } as const
const cache = temporary()
let dataset: Dataset
before(async () => {
  dataset = await tinyData(cache)
})

test('an int8 network that is distilled, killed and gone on with ends with the bits of one that was not', async () => {
  const config = (runs: string) =>
    tinyDistillation(runs, dataset, 8, {
      terms: [{ method: 'feature-mse', weight: { ratio: 1 } }],
      recipe: { average: { decay: 0.5 }, validation: { every: 5 } },
      quantise: QUANTISE,
    })
  const [runs, other] = [temporary(), join(temporary(), 'killed')]
  const whole = await runUndisturbed(runs, config(runs), cache)
  const { result, step } = await runKilled(other, config(other), cache, { step: 5 })
  assert.equal(step, 3)
  assert.deepEqual(trainingNumbers(result), trainingNumbers(whole))
  const [model, again] = [runs, other].map((folder) => loadModel(refTo(whole.config), folder)) as [
    ReturnType<typeof loadModel>,
    ReturnType<typeof loadModel>,
  ]
  assert.equal(hashOf(model.weights), hashOf(again.weights))
  assert.deepEqual(model.quantisation, again.quantisation)
  // Running statistics and scales are those of the model that it started from.
  const start = loadModel({ trial: '1'.repeat(64) }, runs)
  assert.equal(model.quantisation?.calibration.checkpoint, start.sha256)
  for (const [name, { values }] of start.weights) {
    const isStatistic = /\/(mean|variance)$/.test(name)
    assert.equal(model.weights.get(name)!.values.join() === values.join(), isStatistic, name)
  }
})

test('with no steps a network is quantised as it is, is measured so, and has an int8 file with these scales', async () => {
  const runs = temporary()
  const { start } = placeModels(runs)
  const common = { data: { hash: dataset.hash }, start }
  const config = trialSchema.parse({
    ...{ kind: 'control', ...common, quantise: 'int8' },
    training: tinyTraining(0),
  })
  const { metrics } = await runUndisturbed(runs, config, cache)
  assert.deepEqual([metrics.training?.steps, metrics.training?.macs], [0, 0])
  const model = loadModel(refTo(config), runs)
  assert.equal(hashOf(model.weights), hashOf(loadModel(start, runs).weights))
  assert.ok(detectorOf(model) instanceof QuantisedDetector)
  const measuring = trialSchema.parse({
    ...{ kind: 'evaluate', ...common, start: refTo(config) },
    ...{ split: 'validation', batch: 8, precision: 'float32' },
  })
  const { evaluation } = (await runUndisturbed(runs, measuring, cache)).metrics
  const { secondsPerImage: _, ...measured } = evaluation
  const { secondsPerImage: __, ...own } = metrics.evaluation
  assert.deepEqual(measured, own)
  const float = await runUndisturbed(runs, trialSchema.parse({ ...measuring, start }), cache)
  const detections = (config: TrialConfig) =>
    readTrial(join(runs, trialFolder(config)))?.metrics.evaluation.voc
  assert.ok(detections(measuring) && float.metrics.evaluation.voc)
  const file = join(runs, 'model.onnx')
  const calibration = calibrationOf(model.quantisation!.calibration)
  writeModel(model, file, request('onnx', { precision: 'int8', calibration }))
  assert.equal(readMetadata(file).calibration, calibration.sha256)
})

test('what cannot be quantised is refused before anything runs', () => {
  const [start, hash] = [{ trial: '1'.repeat(64) }, { hash: dataset.hash }]
  const problem = (change: object, steps = 2, recipe: object = {}) => {
    const training = tinyTraining(steps)
    const config = {
      ...{ kind: 'control', data: hash, start, quantise: 'int8', ...change },
      training: { ...training, recipe: { ...training.recipe, ...recipe } },
    }
    const { error } = trialSchema.safeParse(config)
    return error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ') ?? 'none'
  }
  assert.equal(problem({}), 'none')
  assert.equal(problem({ quantise: { head: true, for: 'tensorrt', frames: 10 } }), 'none')
  assert.match(
    problem({ fresh: true }),
    /^quantise: expected a trained network to quantise, found fresh weights$/,
  )
  assert.match(
    problem({}, 2, { precision: 'bfloat16' }),
    /^training\.recipe\.precision: expected float32 with quantise/,
  )
  assert.match(problem({ quantise: undefined }, 0), /^training\.steps: expected at least one/)
  assert.match(problem({ quantise: 'int4' }), /^quantise: /)
  assert.match(problem({ quantise: { frames: 0 } }), /^quantise(\.frames)?: /)
})

test('the two ways to write the options are one trial, and no options the trial that there was', () => {
  const training = tinyTraining(2)
  const of = (more: object) =>
    trialHash(
      trialSchema.parse({
        kind: 'control',
        data: { hash: 'x' },
        start: { trial: '1'.repeat(64) },
        training,
        ...more,
      }),
    )
  assert.equal(of({ quantise: 'int8' }), of({ quantise: { frames: 128, for: 'onnxruntime', head: false } }))
  assert.notEqual(of({ quantise: 'int8' }), of({}))
  assert.equal(of({ quantise: undefined }), of({}))
})
