import assert from 'node:assert/strict'
import { join } from 'node:path'
import { before, test } from 'node:test'
import type { Dataset } from '../../lib/data'
import { initialWeights } from '../../lib/detector'
import { trialSchema } from '../../lib/trial'
import { placeModel, tinyData, tinyTraining } from '../study/tiny'
import { temporary, tinyDetector, tinyWeights } from '../train/tiny'
import { runKilled, runUndisturbed, trainingNumbers } from './killed'

const cache = temporary()
let dataset: Dataset
before(async () => {
  dataset = await tinyData(cache)
})

test('a student with a stronger look that is killed ends with the bits of one that was not', async () => {
  const config = (runs: string) => {
    const training = tinyTraining(10)
    return trialSchema.parse({
      kind: 'distill',
      data: { hash: dataset.hash },
      start: placeModel(runs, '1'.repeat(64), { detector: tinyDetector(), weights: tinyWeights() }),
      teacher: placeModel(runs, '2'.repeat(64), {
        detector: tinyDetector(),
        weights: initialWeights(tinyDetector(), 2),
      }),
      terms: [{ method: 'class-kd', weight: { ratio: 0.5 } }],
      unlabelled: { batch: 2 },
      training: { ...training, recipe: { ...training.recipe, strong: { noise: false } } },
    })
  }
  const [runs, other] = [temporary(), join(temporary(), 'killed')]
  const whole = await runUndisturbed(runs, config(runs), cache)
  const { result, step } = await runKilled(other, config(other), cache, 3)
  assert.ok(step >= 3 && step < 10, `killed behind step ${step}`)
  assert.equal(result.metrics.weights, whole.metrics.weights)
  assert.deepEqual(result.metrics.gradients, whole.metrics.gradients)
  assert.deepEqual(trainingNumbers(result), trainingNumbers(whole))
})
