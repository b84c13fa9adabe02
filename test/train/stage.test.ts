/** When a training ends, and which weights it leaves. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bestRow, findPlateau, stageOf, type ValidationRow, validationSchema } from '../../lib/train'

/** An evaluation every 10 steps. */
const rows = (...values: (number | [mAP50: number, AP: number])[]): ValidationRow[] =>
  values.map((value, i) => {
    const [mAP50, AP] = typeof value === 'number' ? [value, 0] : value
    return { step: 10 * (i + 1), mAP50, AP }
  })

test('the best evaluation has the largest mAP@0.5, then the larger AP, then the earlier step', () => {
  assert.equal(bestRow([]), undefined)
  assert.equal(bestRow(rows(0.1, 0.3, 0.2))?.step, 20)
  assert.equal(bestRow(rows([0.3, 0.1], [0.3, 0.2], [0.2, 0.9]))?.step, 20)
  assert.equal(bestRow(rows([0.3, 0.1], [0.3, 0.1]))?.step, 10)
})

test('without gain for `patience` steps the training has a plateau, at the first evaluation that shows it', () => {
  const rule = { patience: 20, gain: 0 }
  assert.equal(findPlateau([], rule), undefined)
  assert.equal(findPlateau(rows(0.5, 0.4), rule), undefined)
  const [first, ...others] = rows(0.5, 0.4, 0.5, 0.9)
  assert.deepEqual(findPlateau([first!, ...others], rule), { step: 30, gained: first })
  assert.equal(findPlateau(rows(0.5, 0.4, 0.6, 0.5, 0.61), rule), undefined)
  assert.equal(findPlateau(rows(0.5, 0.4, 0.3, 0.2), { patience: undefined, gain: 0 }), undefined)
})

test('a gain has to be above the last one by more than `gain`; several small ones add up', () => {
  const found = (patience: number, ...values: number[]) =>
    findPlateau(rows(...values), { patience, gain: 0.25 })?.step
  // 0.25 more is not more than 0.25.
  assert.equal(found(20, 0, 0.25, 0.25), 30)
  assert.equal(found(20, 0, 0.125, 0.375, 0.5, 0.75), undefined)
  assert.equal(found(20, 0, 0.5, 0.625, 0.75, 0.75), 40)
})

const PLATEAU = { kind: 'plateau', rate: 1, decay: 30, final: 0.01 } as const
const COSINE = { kind: 'cosine', rate: 1, final: 0.01 } as const
const validation = validationSchema.parse({ every: 10, patience: 20 })

test('a training runs to its last step, or to the one at which its evaluations say stop', () => {
  const stage = (...values: number[]) =>
    stageOf({ steps: 100, schedule: COSINE, validation }, rows(...values))
  assert.deepEqual(stage(0.1, 0.2, 0.3), { end: 100, plateau: undefined })
  assert.equal(stage(0.3, 0.2, 0.1).end, 30)
  assert.deepEqual(stageOf({ steps: 100, schedule: COSINE }, []), { end: 100, plateau: undefined })
})

test('with a plateau schedule they begin the decay, with which the training ends', () => {
  const stage = (...values: number[]) =>
    stageOf({ steps: 100, schedule: PLATEAU, validation }, rows(...values))
  assert.deepEqual(stage(0.1, 0.2, 0.3), { end: 100, decayFrom: 70 })
  const { end, decayFrom, plateau } = stage(0.3, 0.2, 0.1)
  assert.deepEqual([end, decayFrom, plateau?.step], [60, 30, 30])
  // Evaluations while the rate falls change nothing.
  assert.deepEqual(stage(0.3, 0.2, 0.1, 0.4, 0.1, 0.1), { end, decayFrom, plateau })
  // The last at which it can begin is 30 steps before the end, where it begins by itself.
  assert.deepEqual(stage(0, 0, 1, 2, 3, 2, 2).end, 100)
  assert.deepEqual(stage(0, 1, 2, 3, 4, 5, 5, 5), { end: 100, decayFrom: 70 })
  assert.deepEqual(stageOf({ steps: 30, schedule: PLATEAU }, []), { end: 30, decayFrom: 0 })
  assert.throws(
    () => stageOf({ steps: 29, schedule: PLATEAU }, []),
    /schedule\.decay: expected at most the training's 29 steps, found 30/,
  )
})
