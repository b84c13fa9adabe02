import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  adviceOn,
  DivergedError,
  describeGrowth,
  growthOf,
  type MeasuredStep,
} from '../../lib/train/divergence'

const SETTINGS = { rate: 0.5, clip: 35, precision: 'float32' }

/** Steps 7, 8, 9 .. with the terms' values. */
const steps = (values: { readonly [term: string]: readonly number[] }): MeasuredStep[] => {
  const [first = []] = Object.values(values)
  return first.map((_, i) => ({
    step: 7 + i,
    measurements: {
      total: 1,
      gradientNorm: 1,
      ...Object.fromEntries(Object.entries(values).map(([term, own]) => [term, own[i]!])),
    },
  }))
}

function diagnosed(values: Parameters<typeof steps>[0], settings = SETTINGS) {
  const all = steps(values)
  const [failed] = all.splice(-1)
  const grown = growthOf(all, failed!)
  return { grown, advice: adviceOn(grown, failed!, settings) }
}

test('the term that grew first comes first, with how much', () => {
  const { grown } = diagnosed({
    box: [1, 1.1, 1.2, 5, Number.NaN],
    objectness: [2, 2, 2, 2, 2],
    'feature-mse/stride8': [0.5, 2, 10, 40, Number.NaN],
  })
  assert.deepEqual(
    grown.map(({ term, since, factor }) => [term, since, factor]),
    [
      ['feature-mse/stride8', 8, 80],
      ['box', 10, 5],
    ],
  )
  assert.equal(describeGrowth(grown[0]!), 'feature-mse/stride8 came to 80 times what it was at step 7')
  // A term that begins with nothing has grown from where there is something.
  const [late] = diagnosed({ box: [0, 0, 2, 9, 9] }).grown
  assert.deepEqual([late?.from.step, late?.since, late?.factor], [9, 10, 4.5])
})

test('the advice fits what grew: lambda of a distillation, rate and clipping otherwise', () => {
  const nan = Number.NaN
  assert.match(
    diagnosed({ box: [1, 1, 4, nan], 'class-kd/stride32': [1, 3, 90, nan] }).advice,
    /^the distillation term class-kd\/stride32 grew first: give class-kd a smaller weight \(lambda\)/,
  )
  assert.match(
    diagnosed({ box: [1, 3, 90, nan], 'class-kd/stride32': [1, 1, 4, nan] }).advice,
    /^box grew first: lower the learning rate \(0\.5 at this step\), or clip gradients at less than 35$/,
  )
  // Of a distillation alone, at the very step.
  assert.match(
    diagnosed({ box: [1, 1], 'class-kd/stride32': [1, nan] }).advice,
    /^the distillation term class-kd\/stride32 grew first/,
  )
  assert.match(diagnosed({ box: [1, nan], 'class-kd/stride32': [1, nan] }).advice, /^lower the learning rate/)
  assert.match(
    diagnosed({ box: [1, 1] }, { ...SETTINGS, precision: 'float16' }).advice,
    /^its terms are finite, the update was not: lower .*, or train in float32 instead of float16$/,
  )
})

test('at the first step the rate is not at fault', () => {
  const failed = { step: 1, measurements: { total: Number.NaN, box: Number.NaN } }
  assert.match(adviceOn(growthOf([], failed), failed, SETTINGS), /^no weight had been changed yet/)
  const distilled = { step: 1, measurements: { box: 1, 'class-kd/stride32': Number.POSITIVE_INFINITY } }
  assert.match(adviceOn(growthOf([], distilled), distilled, SETTINGS), /give class-kd a smaller weight/)
})

test('the error says what, where, what grew and what to change', () => {
  const grown = [
    { term: 'box', since: 3, from: { step: 1, value: 2 }, to: { step: 4, value: 80 }, factor: 40 },
  ]
  const { message } = new DivergedError({
    ...{ step: 5, what: 'box is NaN', values: {}, grown, checkpoint: 4, advice: 'lower the rate' },
  })
  assert.equal(
    message,
    'training diverged: box is NaN at step 5 (box came to 40 times what it was at step 1); lower the rate',
  )
})
