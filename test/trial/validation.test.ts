import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { before, test } from 'node:test'
import type { Dataset } from '../../lib/data'
import { loadModel, readValidation, refTo, runTrial, trialFolder, trialSchema } from '../../lib/trial'
import { tinyData, tinyTraining } from '../study/tiny'
import { temporary, tinyConfig } from '../train/tiny'
import { runKilled, runUndisturbed, trainingNumbers } from './killed'

const cache = temporary()
let dataset: Dataset
before(async () => {
  dataset = await tinyData(cache)
})

function trial(steps: number, recipe: object) {
  const training = tinyTraining(steps)
  return trialSchema.parse({
    kind: 'teacher',
    data: { hash: dataset.hash },
    detector: tinyConfig(),
    training: { ...training, recipe: { ...training.recipe, ...recipe } },
  })
}

test('a trial that evaluates along the way leaves the best model, records its step, and keeps the curve', async () => {
  const config = trial(12, { validation: { every: 4 } })
  const runs = temporary()
  const folder = join(runs, trialFolder(config))
  // Seen and measured are the same images, so that there is something to measure after a few steps.
  const train = dataset.splits.train!.slice(0, 2)
  const seen = { ...dataset, splits: { ...dataset.splits, train, validation: train } }
  const { metrics } = await runTrial(config, { folder, runs, dataset: seen, checkpointEvery: 5, logEvery: 1 })
  const rows = readValidation(folder)
  assert.deepEqual(
    rows.map(({ step }) => step),
    [4, 8, 12],
  )
  const { kept, steps, plateau } = metrics.training!
  assert.deepEqual([steps, plateau], [12, undefined])
  assert.deepEqual(
    kept,
    rows.find(({ step }) => step === kept!.step),
  )
  const { voc, coco } = metrics.evaluation
  assert.deepEqual([kept!.mAP50, kept!.AP], [voc.mAP, coco.AP])
  assert.equal(Math.max(...rows.map(({ mAP50 }) => mAP50)), voc.mAP)
  assert.equal(loadModel(refTo(config), runs).step, kept!.step)
  const files = readdirSync(folder).filter((name) => /^(best|checkpoint)/.test(name))
  assert.deepEqual(files, [])
})

test('a trial with a plateau schedule that is killed ends with the bits of one that was not', async () => {
  // No evaluation but the first is a gain of more than 1: step 8 says stop, and the rate falls until step 14.
  const config = trial(40, {
    schedule: { kind: 'plateau', decay: 6 },
    validation: { every: 2, patience: 6, gain: 1 },
  })
  const [runs, others] = [temporary(), temporary()]
  const whole = await runUndisturbed(runs, config, cache)
  assert.equal(whole.metrics.training!.steps, 14)
  assert.equal(whole.metrics.training!.plateau!.step, 8)
  const deaths = [{ step: 5 }, { step: 8, in: 'evaluating' }, { step: 11 }] as const
  for (const [i, death] of deaths.entries()) {
    const { result, step } = await runKilled(join(others, String(i)), config, cache, death)
    assert.equal(step, [3, 6, 9][i])
    assert.equal(result.metrics.weights, whole.metrics.weights)
    assert.deepEqual(trainingNumbers(result), trainingNumbers(whole))
    assert.deepEqual(readValidation(result.folder), readValidation(whole.folder))
  }
})

test('the settings that a recipe accepts', () => {
  assert.deepEqual(
    trial(1, { validation: { every: 5 } }),
    trial(1, { validation: { every: 5, keep: 'best', gain: 0 } }),
  )
  assert.throws(() => trial(1, { validation: {} }), /every/)
  assert.throws(() => trial(1, { schedule: { kind: 'plateau' } }), /decay/)
  assert.throws(() => trial(1, { schedule: 'plateau' }), /schedule/)
})
