import assert from 'node:assert/strict'
import { join } from 'node:path'
import { before, test } from 'node:test'
import type { Dataset } from '../../lib/data'
import { loadModel, refTo } from '../../lib/trial'
import { tinyData } from '../study/tiny'
import { hashOf, temporary } from '../train/tiny'
import { runKilled, runUndisturbed, trainingNumbers } from './killed'
import { tinyDistillation } from './tiny'

const cache = temporary()
let dataset: Dataset
before(async () => {
  dataset = await tinyData(cache)
})

test('a distillation with averaged weights that is killed ends with the bits of one that was not', async () => {
  const config = (runs: string) =>
    tinyDistillation(runs, dataset, 12, {
      terms: [{ method: 'output-kd', weight: 1 }],
      recipe: { average: { decay: 0.5 }, validation: { every: 5 } },
    })
  const [runs, other] = [temporary(), join(temporary(), 'killed')]
  const whole = await runUndisturbed(runs, config(runs), cache)
  const { result, step } = await runKilled(other, config(other), cache, { step: 8 })
  assert.equal(step, 6)
  assert.equal(result.metrics.weights, whole.metrics.weights)
  assert.deepEqual(trainingNumbers(result), trainingNumbers(whole))
  assert.equal(
    hashOf(loadModel(refTo(whole.config), runs).weights),
    hashOf(loadModel(refTo(whole.config), other).weights),
  )
})
