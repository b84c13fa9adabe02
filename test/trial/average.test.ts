import assert from 'node:assert/strict'
import { join } from 'node:path'
import { before, test } from 'node:test'
import type { Dataset } from '../../lib/data'
import { initialWeights } from '../../lib/detector'
import { loadModel, refTo, trialSchema } from '../../lib/trial'
import { placeModel, tinyData, tinyTraining } from '../study/tiny'
import { hashOf, temporary, tinyDetector, tinyWeights } from '../train/tiny'
import { runKilled, runUndisturbed, trainingNumbers } from './killed'

const cache = temporary()
let dataset: Dataset
before(async () => {
  dataset = await tinyData(cache)
})

test('a distillation with averaged weights that is killed ends with the bits of one that was not', async () => {
  const config = (runs: string) => {
    const training = tinyTraining(12)
    return trialSchema.parse({
      kind: 'distill',
      data: { hash: dataset.hash },
      start: placeModel(runs, '1'.repeat(64), { detector: tinyDetector(), weights: tinyWeights() }),
      teacher: placeModel(runs, '2'.repeat(64), {
        detector: tinyDetector(),
        weights: initialWeights(tinyDetector(), 2),
      }),
      terms: [{ method: 'output-kd', weight: 1 }],
      training: {
        ...training,
        recipe: { ...training.recipe, average: { decay: 0.5 }, validation: { every: 5 } },
      },
    })
  }
  const [runs, other] = [temporary(), join(temporary(), 'killed')]
  const whole = await runUndisturbed(runs, config(runs), cache)
  const { result, step } = await runKilled(other, config(other), cache, 6)
  assert.ok(step >= 6 && step < 12, `killed behind step ${step}`)
  assert.equal(result.metrics.weights, whole.metrics.weights)
  assert.deepEqual(trainingNumbers(result), trainingNumbers(whole))
  assert.equal(
    hashOf(loadModel(refTo(whole.config), runs).weights),
    hashOf(loadModel(refTo(whole.config), other).weights),
  )
})
