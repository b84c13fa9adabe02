import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, describe, test } from 'node:test'
import type { Dataset } from '../../lib/data'
import { Detector, initialWeights } from '../../lib/detector'
import { type Precision, supportsPrecision } from '../../lib/engine'
import { createDistillation, loadProfile, runTrial, type Term, trialSchema } from '../../lib/study'
import { type TrainOptions, train } from '../../lib/train'
import { hashOf, TINY_TRAINING, temporary, tinyDetector } from '../train/tiny'
import { placeModel, tinyData, tinyTraining } from './tiny'

let dataset: Dataset
before(async () => {
  dataset = await tinyData(temporary())
})

const wide = tinyDetector({ neck: [10, 6, 6] })
const narrow = tinyDetector()
const TERMS: readonly Term[] = [
  { method: 'output-kd', weight: 10 },
  { method: 'feature-mse', weight: 2 },
]

/** Distils with the teacher's outputs from a cache, or without one. */
async function distilled(cache: string | undefined, terms: readonly Term[], changes: Partial<TrainOptions>) {
  const options = { ...TINY_TRAINING, ...changes }
  const { precision, batch, unlabelled } = options
  const teacher = new Detector(wide, initialWeights(wide, 5))
  const student = new Detector(narrow, initialWeights(narrow, 6))
  const perStep = batch + (unlabelled?.batch ?? 0)
  const keep = cache === undefined ? undefined : { folder: cache, limit: 1e9, precision, batch: perStep }
  const distillation = createDistillation(student, teacher, terms, 1, keep)
  const extra = { ...distillation, weightsAt: () => terms.map((_, i) => 2 - i) }
  const context = { directory: temporary(), classes: dataset.classes }
  const { frozen, last } = await train(student, dataset.splits.train!, { ...options, extra }, context)
  const weights = hashOf(student.weights())
  distillation.dispose()
  for (const detector of [teacher, student]) detector.dispose()
  return { weights, last, frozen }
}

describe('a training comes to the same bits with the teacher read from disk', () => {
  const check = async (terms: readonly Term[], options: Partial<TrainOptions>) => {
    const plain = await distilled(undefined, terms, options)
    const cached = await distilled(temporary(), terms, options)
    assert.equal(plain.frozen, undefined)
    assert.equal(cached.weights, plain.weights)
    assert.deepEqual(cached.last, plain.last)
    return cached.frozen!
  }

  test('from the second epoch on without augmentation, with unlabelled frames', async () => {
    const unlabelled = { samples: dataset.splits.unlabelled!, batch: 2 }
    const { found, computed } = await check(TERMS, { steps: 7, augment: false, unlabelled })
    // Two frames of one step may have been computed before, each beside another: the step is computed again.
    assert.ok(computed >= 12 && found > 0 && found + computed === 28, `${found} found, ${computed} computed`)
  })

  const low = supportsPrecision('bfloat16')
  test('bfloat16, two views', { skip: low === true ? false : low }, async () => {
    const options = { steps: 9, views: 2, precision: 'bfloat16' as Precision }
    assert.deepEqual(await check(TERMS.slice(0, 1), options), { found: 6, computed: 12, damaged: 0 })
  })
})

test('another trial with the same seed finds every view, and says so', async () => {
  const cache = temporary()
  const trial = async (teacherCache?: { folder: string; limit: number }) => {
    const runs = join(temporary(), 'trials')
    const config = trialSchema.parse({
      kind: 'distill',
      data: { hash: dataset.hash },
      teacher: placeModel(runs, '8'.repeat(64), { detector: wide, weights: initialWeights(wide, 5) }),
      start: placeModel(runs, '9'.repeat(64), { detector: narrow, weights: initialWeights(narrow, 6) }),
      training: tinyTraining(2),
      terms: [{ method: 'class-kd', weight: { ratio: 0.3 } }],
    })
    const folder = join(runs, 'trial')
    const context = { folder, runs, dataset, checkpointEvery: 100, logEvery: 1, teacherCache }
    const { metrics } = await runTrial(config, context)
    const log = readFileSync(join(folder, 'log.jsonl'), 'utf8')
    return { ...metrics, log: log.replace(/"(time|imagesPerSecond)":[^,]*,/g, '') }
  }
  const plain = await trial()
  assert.equal(plain.training!.teacherOutputs, undefined)
  for (const found of [0, 4]) {
    const { weights, log, gradients, training } = await trial({ folder: cache, limit: 1e9 })
    assert.deepEqual(
      { weights, log, gradients },
      { weights: plain.weights, log: plain.log, gradients: plain.gradients },
    )
    assert.deepEqual(training!.teacherOutputs, { found, computed: 4 - found, damaged: 0 })
    assert.equal(training!.macs, plain.training!.macs)
  }
})

test('is off in the shipped profiles', () => {
  for (const name of ['smoke', 'default', 'paper']) assert.equal(loadProfile(name).teacherCache, undefined)
})
