import assert from 'node:assert/strict'
import { join } from 'node:path'
import { before, test } from 'node:test'
import type { Dataset } from '../../lib/data'
import { tinyData } from '../study/tiny'
import { temporary } from '../train/tiny'
import { runKilled, runUndisturbed, trainingNumbers } from './killed'
import { tinyDistillation } from './tiny'

const cache = temporary()
let dataset: Dataset
before(async () => {
  dataset = await tinyData(cache)
})

test('a student with a stronger look that is killed ends with the bits of one that was not', async () => {
  const config = (runs: string) =>
    tinyDistillation(runs, dataset, 10, {
      terms: [{ method: 'class-kd', weight: { ratio: 0.5 } }],
      unlabelled: { batch: 2 },
      recipe: { strong: { noise: false } },
    })
  const [runs, other] = [temporary(), join(temporary(), 'killed')]
  const whole = await runUndisturbed(runs, config(runs), cache)
  const { result, step } = await runKilled(other, config(other), cache, { step: 5 })
  assert.equal(step, 3)
  assert.equal(result.metrics.weights, whole.metrics.weights)
  assert.deepEqual(result.metrics.gradients, whole.metrics.gradients)
  assert.deepEqual(trainingNumbers(result), trainingNumbers(whole))
})
