import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Random } from '../../lib/base'
import type { Detections, Truths } from '../../lib/evaluate'
import { evaluateCoco } from '../../lib/evaluate'
import { shippedSweeps } from '../../lib/study'
import { metricTable } from '../../lib/study/metric'
import {
  imageResamples,
  imagesNeeded,
  interval,
  LEAST,
  leastResamples,
  pairedDifference,
  seedResamples,
  sharesInterval,
  tableValue,
  verdictOf,
  verdictText,
} from '../../lib/study/statistics'
import { allclose } from '../allclose'

// oracle/statistics.py: a bootstrap in numpy that repeats the drawn images.
const oracle = JSON.parse(readFileSync(join(__dirname, 'oracle/statistics.json'), 'utf8'))
const { options } = oracle

type Row = readonly number[]

function truthsOf(rows: readonly Row[], images: number, classes: number): Truths {
  return {
    images,
    classes,
    image: Int32Array.from(rows, (row) => row[0]!),
    label: Int32Array.from(rows, (row) => row[1]!),
    box: Float64Array.from(rows.flatMap((row) => row.slice(2, 6))),
  }
}

function detectionsOf(rows: readonly Row[]): Detections {
  return {
    image: Int32Array.from(rows, (row) => row[0]!),
    label: Int32Array.from(rows, (row) => row[1]!),
    box: Float64Array.from(rows.flatMap((row) => row.slice(2, 6))),
    score: Float64Array.from(rows, (row) => row[6]!),
  }
}

const truths = truthsOf(oracle.truths, oracle.images, oracle.classes)
const tablesOf = (arm: readonly (readonly Row[])[]) =>
  arm.map((rows) => metricTable({ truths, detections: detectionsOf(rows) }))
const [a, b] = [tablesOf(oracle.a), tablesOf(oracle.b)]

function assertClose(actual: object, expected: Record<string, number>): void {
  for (const [name, value] of Object.entries(expected)) {
    const found = (actual as Record<string, number>)[
      name === 'value' && 'difference' in actual ? 'difference' : name
    ]!
    allclose(found, value, { atol: 1e-12, what: name })
  }
}

test('resamples are those of the oracle', () => {
  assert.deepEqual([...imageResamples(oracle.images, options)[0]!], oracle.firstResample)
  assert.deepEqual([...seedResamples(2, options).at(-1)!], oracle.lastSeeds)
  assert.ok(
    imageResamples(7, options).every((weights) => weights.reduce((sum, weight) => sum + weight) === 7),
  )
  assert.ok(seedResamples(1, options).every(([seed]) => seed === 0))
})

test('intervals and paired differences equal the oracle', () => {
  assertClose(interval(a, options), oracle.interval)
  assertClose(interval(b.slice(0, 1), options), oracle.intervalOfOneSeed)
  const paired = pairedDifference(a, b, options)
  assertClose(paired, { ...oracle.paired, pValue: oracle.pairedP })
  assert.equal(verdictOf({ ...paired, images: 50 }), 'better')
  assert.ok(oracle.seedsP > 0.1 && oracle.seedsP < 1)
  assertClose(pairedDifference(a.slice(0, 1), a.slice(1), options), { pValue: oracle.seedsP })
  assert.deepEqual([paired.images, paired.seeds, paired.resamples, paired.confidence], [30, 2, 200, 0.9])
  assertClose(pairedDifference(a, b.slice(0, 1), options), oracle.againstFixed)
  const { imageDeviation, seedDeviation } = oracle
  assertClose(imagesNeeded(a, b, options), { imageDeviation, seedDeviation })
})

test('swapped arms give the mirrored interval', () => {
  const forward = pairedDifference(a, b, options)
  const backward = pairedDifference(b, a, options)
  assertClose(backward, { difference: -forward.difference, lower: -forward.upper, upper: -forward.lower })
  assert.equal(verdictOf({ ...backward, images: 50 }), 'worse')
  assert.equal(backward.pValue, forward.pValue)
})

test('an arm against itself: no width, no difference', () => {
  const { difference, lower, upper, pValue } = pairedDifference(a, a, options)
  assert.deepEqual({ difference, lower, upper, pValue }, { difference: 0, lower: 0, upper: 0, pValue: 1 })
})

test('a perfect arm and an empty one: 1 on every resample', () => {
  const rows = [0, 1, 2, 3].map((image) => [image, 0, 10, 10, 30, 30, 0.9])
  const all = truthsOf(rows, 4, 1)
  const perfect = metricTable({ truths: all, detections: detectionsOf(rows) })
  const empty = metricTable({ truths: all, detections: detectionsOf([]) })
  const { difference, lower, upper } = pairedDifference([perfect], [empty], { resamples: 50 })
  assert.deepEqual({ difference, lower, upper }, { difference: 1, lower: 1, upper: 1 })
  // One image alone differs, and 4 draws leave it out with probability (3 / 4)^4 = 0.32: nothing is shown.
  const three = metricTable({ truths: all, detections: detectionsOf(rows.slice(1)) })
  const unclear = pairedDifference([perfect], [three], { resamples: 400 })
  assert.deepEqual([unclear.difference, unclear.lower], [0.25, 0])
})

test('a verdict needs seeds and images enough, and lies where the interval does', () => {
  const enough = { images: LEAST.images, seeds: LEAST.seeds }
  assert.equal(verdictOf({ lower: 0.01, upper: 0.02, ...enough }), 'better')
  assert.equal(verdictOf({ lower: -0.02, upper: -0.01, ...enough }), 'worse')
  assert.equal(verdictOf({ lower: 0, upper: 0.02, ...enough }), 'no difference shown')
  const text = (basis: { images: number; seeds: number }) =>
    verdictText({ verdict: verdictOf({ lower: 0.01, upper: 0.02, ...basis }), ...basis })
  assert.equal(text({ ...enough, seeds: 1 }), 'not shown: 1 seed, at least 2 needed')
  assert.equal(text({ ...enough, images: 49 }), 'not shown: 49 images, at least 50 needed')
  assert.equal(
    text({ images: 49, seeds: 1 }),
    'not shown: 1 seed, at least 2 needed; 49 images, at least 50 needed',
  )
  // Of two models that were not trained by the comparison no seed is missing.
  assert.equal(text({ ...enough, seeds: 0 }), 'better')
  assert.equal(pairedDifference(a.slice(0, 1), b.slice(0, 1), { ...options, seeded: false }).seeds, 0)
})

test('p is below 1 - confidence where the interval does not hold 0, and nowhere else', () => {
  const random = new Random('p values')
  const counts = { shown: 0, open: 0 }
  for (let pair = 0; pair < 60; pair++) {
    const rows = Array.from({ length: 24 }, (_, i) => [i % 8, i % 2, 20 * i, 10, 20 * i + 15, 30])
    const found = (share: number) =>
      detectionsOf(rows.filter(() => random.next() < share).map((row) => [...row, random.next()]))
    const own = truthsOf(rows, 8, 2)
    const [one, other] = [0.9, 0.7].map((share) => metricTable({ truths: own, detections: found(share) }))
    const confidence = 0.5 + 0.45 * random.next()
    const { lower, upper, pValue } = pairedDifference([one!], [other!], {
      resamples: 60,
      confidence,
      seed: pair,
    })
    const isShown = lower > 0 || upper < 0
    counts[isShown ? 'shown' : 'open']++
    assert.equal(pValue < 1 - confidence, isShown, `${lower} to ${upper} at ${confidence}: p ${pValue}`)
  }
  assert.ok(counts.shown > 5 && counts.open > 5)
})

test('too few resamples for a confidence are refused', () => {
  assert.deepEqual([0.9, 0.95, 0.99].map(leastResamples), [20, 40, 200])
  assert.throws(
    () => pairedDifference(a, b, { resamples: 39 }),
    /expected at least 40 resamples for a confidence of 0\.95, found 39/,
  )
})

test('the results that come with the workbook say what the rule says', () => {
  for (const [name, { arms }] of shippedSweeps()) {
    for (const arm of arms) {
      for (const { differences } of Object.values(arm.splits)) {
        for (const [reference, metrics] of Object.entries(differences)) {
          const other = arms.find((candidate) => candidate.name === reference)!
          const isTrained = [arm, other].some(({ trials }) => trials.some(({ seed }) => seed !== undefined))
          for (const [metric, difference] of Object.entries(metrics)) {
            const seeds = isTrained ? difference.seeds : 0
            assert.equal(
              difference.verdict,
              verdictOf({ ...difference, seeds }),
              `${name}: ${arm.name} minus ${reference}, ${metric}`,
            )
          }
        }
      }
    }
  }
})

test('AP is COCO’s', () => {
  const detections = detectionsOf(oracle.a[0])
  const table = metricTable({ truths, detections }, 'AP')
  assert.ok(Math.abs(tableValue(table) - evaluateCoco(truths, detections).AP) < 1e-12)
  const { lower, value, upper } = interval([table], { resamples: 50 })
  assert.ok(lower < value && value < upper)
})

test('the number of images needed undoes the formula', () => {
  const { imageDeviation, needed, smallest } = imagesNeeded(a.slice(0, 1), b.slice(0, 1), {
    ...options,
    difference: 0.05,
    power: 0.5,
  })
  // z of power 0.5 is 0, of confidence 0.9 it is 1.645.
  assert.ok(Math.abs(smallest / imageDeviation - 1.645) < 0.01)
  assert.equal(needed.length, 1)
  assert.ok(Math.abs(needed[0]!.images! / ((30 * smallest ** 2) / 0.05 ** 2) - 1) < 0.01)
  // Two seeds that differ by 0.12 cannot show one point, with any number of images.
  const noisy = imagesNeeded(a, b, options)
  assert.equal(noisy.needed[0]!.images, undefined)
})

test('tables of different images are refused', () => {
  const fewer = metricTable({ truths: { ...truths, images: 31 }, detections: detectionsOf([]) })
  assert.throws(
    () => pairedDifference(a, [fewer]),
    /same images and truths, found 30 images with \d+ truths and 31/,
  )
  assert.throws(() => pairedDifference([...a, a[0]!], b), /one table per seed for both models, found 3 and 2/)
  assert.throws(() => interval([]), /at least one match table/)
})

test('a share of objects: its interval is that of numpy’s quantiles over the same resampled images', () => {
  // Image 0 has two objects, image 1 one, image 2 none.
  const objects = [
    { image: 0, value: 1 },
    { image: 0, value: 0 },
    { image: 1, value: 1 },
  ]
  const resamples = [
    [1, 1, 1],
    [3, 0, 0],
    [0, 2, 1],
    [0, 0, 3],
    [2, 1, 0],
  ].map((weights) => Int32Array.from(weights))
  // 2/3, 1/2, 1, none, 3/5: of [0.5, 0.6, 2/3, 1] numpy.quantile gives 0.525 at 1/12 and 11/12 -> 0.9166...
  const { value, lower, upper } = sharesInterval(objects, resamples, { confidence: 5 / 6 })
  assert.equal(value, 2 / 3)
  allclose(lower, 0.525, { atol: 1e-12 })
  allclose(upper, 2 / 3 + 0.75 / 3, { atol: 1e-12 })
})
