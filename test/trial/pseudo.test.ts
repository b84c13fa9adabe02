/** Pseudo-labels: the rules, and trials that learn from them. */
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { before, describe, test } from 'node:test'
import type { Dataset } from '../../lib/data'
import { complexity } from '../../lib/detector'
import { detectionsOf, type ScoredBox, truthsOf } from '../../lib/evaluate'
import { labellingPasses, readPseudo, runTrial, trialFolder, trialHash, trialSchema } from '../../lib/trial'
import { mergeViews } from '../../lib/trial/merge'
import { countThresholds, precisionThresholds, pseudoBoxes, viewsOf } from '../../lib/trial/pseudo'
import { tinyData } from '../study/tiny'
import { temporary, tinyDetector } from '../train/tiny'
import { runKilled, runUndisturbed, trainingNumbers } from './killed'
import { placeModels, tinyDistillation } from './tiny'

/** A box of side 10 at a place of its own. */
const at = (place: number, label: number, score: number, shift = 0): ScoredBox => {
  const x1 = 20 * place + shift
  return { x1, y1: 0, x2: x1 + 10, y2: 10, label, score }
}

describe('thresholds', () => {
  const sample = (boxes: readonly ScoredBox[]) => ({ id: '', file: '', width: 200, height: 10, boxes })

  test('by precision: the lowest score at which that fraction of the detections is right', () => {
    const truths = truthsOf([sample([at(0, 0, 1), at(1, 0, 1), at(2, 0, 1), at(3, 1, 1), at(4, 2, 1)])], 4)
    const detections = detectionsOf([
      [
        // Right, wrong, right, right (precision 1, 1/2, 2/3, 3/4), then two wrong ones.
        ...[at(0, 0, 0.9), at(7, 0, 0.8), at(1, 0, 0.7), at(2, 0, 0.6), at(7, 0, 0.5), at(8, 0, 0.4)],
        // Of two with the same score one is wrong.
        ...[at(3, 1, 0.5), at(7, 1, 0.5)],
        // Never right.
        at(8, 2, 0.9),
      ],
    ])
    const none = Number.POSITIVE_INFINITY
    assert.deepEqual(precisionThresholds(truths, detections, 0.75), [0.6, none, none, none])
    assert.deepEqual(precisionThresholds(truths, detections, 0.76), [0.9, none, none, none])
    assert.deepEqual(precisionThresholds(truths, detections, 0.5), [0.4, 0.5, none, none])
  })

  test('by count: as many objects per image as on the labelled images, times a factor', () => {
    // Class 0 has 2 in 2 images, class 1 one, class 2 none.
    const truths = truthsOf([sample([at(0, 0, 1), at(1, 0, 1)]), sample([at(2, 1, 1)])], 3)
    const found = [
      [at(0, 0, 0.9), at(1, 0, 0.3), at(2, 1, 0.2), at(3, 2, 0.9)],
      [at(0, 0, 0.8), at(1, 0, 0.7)],
      [at(2, 0, 0.6)],
      [],
    ]
    const none = Number.POSITIVE_INFINITY
    // Four images: 4 and 2 of them.
    assert.deepEqual(countThresholds(truths, found, 1), [0.6, 0, none])
    assert.deepEqual(countThresholds(truths, found, 0.5), [0.8, 0.2, none])
  })
})

test('detections are objects, ignored regions, or nothing', () => {
  const found = [at(0, 0, 0.8), at(1, 0, 0.5), at(2, 0, 0.3), at(3, 0, 0.2), at(4, 1, 0.9)]
  const thresholds = [0.5, Number.POSITIVE_INFINITY]
  const weights = (options: { ignore?: number; soft?: true }) =>
    pseudoBoxes(found, thresholds, options).map(({ x1, weight }) => [x1 / 20, weight])
  assert.deepEqual(weights({}), [
    [0, undefined],
    [1, undefined],
  ])
  assert.deepEqual(weights({ soft: true }), [
    [0, 0.8],
    [1, 0.5],
  ])
  assert.deepEqual(weights({ ignore: 0.6 }), [
    [0, undefined],
    [1, undefined],
    [2, 0],
  ])
  const [first] = pseudoBoxes(found, thresholds, {})
  assert.deepEqual(first, { x1: 0, y1: 0, x2: 10, y2: 10, label: 0 })
})

test('views are merged into their mean', () => {
  const [a, b] = [at(0, 0, 0.75), at(0, 0, 0.25, 2)]
  const [mean] = mergeViews([[a], [b]])
  // (0.75 * 0 + 0.25 * 2) / 1
  assert.deepEqual(mean, { x1: 0.5, y1: 0, x2: 10.5, y2: 10, label: 0, score: 0.5 })
  // Another class, another place, and a second box of the same view are objects of their own or none.
  const merged = mergeViews([
    [a, at(0, 1, 0.5)],
    [b, at(5, 0, 0.5)],
    [at(0, 0, 0.3), at(0, 0, 0.1)],
  ])
  assert.deepEqual(
    merged.map(({ label, score }) => [label, Math.round(score * 1e6)]),
    [
      [0, 433333],
      [1, 166667],
      [0, 166667],
    ],
  )
  // IoU 4 / 16 is not the same object.
  assert.equal(mergeViews([[a], [at(0, 0, 0.5, 6)]]).length, 2)
})

test('views are scales of the input, each mirrored too, and cost by their area', () => {
  const config = { input: [64, 96] as const, strides: [32, 16, 8] }
  assert.deepEqual(viewsOf(config), [{ input: [64, 96], flip: false }])
  assert.deepEqual(
    viewsOf(config, { flip: true, scales: [1, 1.5, 0.1] }).map(({ input: [h, w], flip }) => [h, w, flip]),
    [
      [64, 96, false],
      [64, 96, true],
      [96, 160, false],
      [96, 160, true],
      [32, 32, false],
      [32, 32, true],
    ],
  )
  const fine = viewsOf({ ...config, strides: [8, 16] }, { scales: [1.2] })
  assert.deepEqual(fine, [{ input: [80, 112], flip: false }])
  const counts = { teacher: config, frames: 10, labelled: 4, steps: 7 }
  assert.deepEqual(labellingPasses({ threshold: 0.5 }, undefined, counts), { teacher: 10, student: 0 })
  assert.deepEqual(labellingPasses({ threshold: { count: 1 }, renew: 7 }, undefined, counts), {
    teacher: 10,
    student: 0,
  })
  assert.deepEqual(labellingPasses({ threshold: { precision: 0.9 }, renew: 3 }, { flip: true }, counts), {
    teacher: 28,
    student: 56,
  })
  // 96 * 160 / (64 * 96)
  assert.equal(labellingPasses({ threshold: 0.5 }, { scales: [1.5] }, counts).teacher, 25)
})

const cache = temporary()
let dataset: Dataset
before(async () => {
  dataset = await tinyData(cache)
})

test('a trial on pseudo-labels alone learns from the frames, keeps a record, and counts what labelling costs', async () => {
  const runs = temporary()
  const config = tinyDistillation(runs, dataset, 2, {
    pseudo: { threshold: { count: 1 }, ignore: 0.5, soft: true },
    unlabelled: { batch: 3 },
    views: { flip: true },
  })
  const folder = join(runs, trialFolder(config))
  assert.match(basename(folder), /^pseudo-labels-/)
  const events: string[] = []
  const { metrics } = await runTrial(config, {
    ...{ folder, runs, dataset, checkpointEvery: 100, logEvery: 1 },
    onProgress: (event) => {
      if (event.phase === 'training' && event.progress.labelling) {
        const { done, total } = event.progress.labelling
        events.push(`${done}/${total}`)
      }
    },
  })
  assert.deepEqual(events, ['4/8', '8/8'])
  const [row, ...more] = readPseudo(folder)
  assert.deepEqual(more, [])
  assert.deepEqual([row!.step, row!.images, row!.thresholds.length], [0, 4, 8])
  assert.ok(row!.objects > 0)
  const { training, gradients } = metrics
  assert.equal(gradients, undefined)
  assert.equal(training!.images, 2 * (2 + 3))
  // The teacher sees the four frames twice.
  assert.equal(training!.macs, (3 * 10 + 8) * complexity(tinyDetector()).macs)
  assert.deepEqual(
    readdirSync(folder).filter((name) => /^(labels|checkpoint)/.test(name)),
    [],
  )
})

test('a mean teacher that is killed ends with the bits of one that was not', async () => {
  const config = (runs: string) =>
    tinyDistillation(runs, dataset, 10, {
      pseudo: { threshold: { precision: 0.01 }, ignore: 0.5, renew: 4 },
      unlabelled: { batch: 2 },
      terms: [{ method: 'class-kd', weight: 1, schedule: { start: 5 } }],
      recipe: { average: { decay: 0.5 }, strong: {} },
    })
  const [runs, others] = [temporary(), temporary()]
  const whole = await runUndisturbed(runs, config(runs), cache)
  assert.deepEqual(
    readPseudo(whole.folder).map(({ step }) => step),
    [0, 4, 8],
  )
  const deaths = [{ step: 5 }, { step: 8, in: 'labelling' }] as const
  for (const [i, death] of deaths.entries()) {
    const other = join(others, String(i))
    const { result, step } = await runKilled(other, config(other), cache, death)
    assert.equal(step, [3, 6][i])
    assert.equal(result.metrics.weights, whole.metrics.weights)
    assert.deepEqual(trainingNumbers(result), trainingNumbers(whole))
    assert.deepEqual(readPseudo(result.folder), readPseudo(whole.folder))
  }
})

test('keys that contradict each other are refused by name', () => {
  const runs = temporary()
  const refused = (rest: object, message: RegExp) =>
    assert.throws(() => tinyDistillation(runs, dataset, 4, { ...rest }), message)
  refused({}, /expected at least one, or pseudo-labels/)
  refused({ pseudo: { threshold: 0.5 } }, /expected unlabelled frames with it/)
  const unlabelled = { batch: 1 }
  refused({ pseudo: { threshold: 0.5, renew: 2 }, unlabelled }, /expected training\.recipe\.average/)
  refused({ terms: [{ method: 'class-kd', weight: 1 }], views: { scales: [0.5] } }, /expected no terms/)
  refused({ pseudo: { threshold: {} }, unlabelled }, /threshold/)
  refused({ terms: [{ method: 'class-kd', weight: 1 }], teacher: [placeModels(runs).teachers[0]] }, /teacher/)
})

test('an absent option does not change the hash', () => {
  const runs = temporary()
  const config = tinyDistillation(runs, dataset, 4, { terms: [{ method: 'class-kd', weight: 1 }] })
  for (const key of ['pseudo', 'views', 'unlabelled']) assert.ok(!(key in config))
  assert.equal(trialHash(trialSchema.parse(JSON.parse(JSON.stringify(config)))), trialHash(config))
})
