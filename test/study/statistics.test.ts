import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Detections, Truths } from '../../lib/evaluate'
import { evaluateCoco } from '../../lib/evaluate'
import { metricTable } from '../../lib/study/metric'
import {
  imageResamples,
  imagesNeeded,
  interval,
  pairedDifference,
  seedResamples,
  tableValue,
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
  assert.equal(paired.verdict, 'better')
  assert.deepEqual([paired.images, paired.seeds, paired.resamples, paired.confidence], [30, 2, 200, 0.9])
  assertClose(pairedDifference(a, b.slice(0, 1), options), oracle.againstFixed)
  const { imageDeviation, seedDeviation } = oracle
  assertClose(imagesNeeded(a, b, options), { imageDeviation, seedDeviation })
})

test('swapped arms give the mirrored interval', () => {
  const forward = pairedDifference(a, b, options)
  const backward = pairedDifference(b, a, options)
  assertClose(backward, { difference: -forward.difference, lower: -forward.upper, upper: -forward.lower })
  assert.equal(backward.verdict, 'worse')
  assert.equal(backward.pValue, forward.pValue)
})

test('an arm against itself: no width, no difference', () => {
  const { difference, lower, upper, verdict, pValue } = pairedDifference(a, a, options)
  assert.deepEqual(
    { difference, lower, upper, verdict, pValue },
    {
      difference: 0,
      lower: 0,
      upper: 0,
      verdict: 'no difference shown',
      pValue: 1,
    },
  )
})

test('a perfect arm and an empty one: 1 on every resample', () => {
  const rows = [0, 1, 2, 3].map((image) => [image, 0, 10, 10, 30, 30, 0.9])
  const all = truthsOf(rows, 4, 1)
  const perfect = metricTable({ truths: all, detections: detectionsOf(rows) })
  const empty = metricTable({ truths: all, detections: detectionsOf([]) })
  const { difference, lower, upper, verdict } = pairedDifference([perfect], [empty], { resamples: 50 })
  assert.deepEqual(
    { difference, lower, upper, verdict },
    { difference: 1, lower: 1, upper: 1, verdict: 'better' },
  )
  // One image alone differs, and 4 draws leave it out with probability (3 / 4)^4 = 0.32: nothing is shown.
  const three = metricTable({ truths: all, detections: detectionsOf(rows.slice(1)) })
  const unclear = pairedDifference([perfect], [three], { resamples: 400 })
  assert.deepEqual([unclear.difference, unclear.lower, unclear.verdict], [0.25, 0, 'no difference shown'])
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
  assert.throws(() => pairedDifference([...a, a[0]!], b), /one table a seed for both models, found 3 and 2/)
  assert.throws(() => interval([]), /at least one match table/)
})
