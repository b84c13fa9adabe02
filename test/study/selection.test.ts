import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Candidate, select } from '../../lib/study/selection'

function candidate(name: string, macs: number, mAP50: readonly number[], lower: number): Candidate {
  const toTeacher = {
    difference: lower + 0.01,
    lower,
    upper: lower + 0.02,
    verdict: lower > 0 ? ('better' as const) : ('no difference shown' as const),
    pValue: 0.5,
    resamples: 1000,
    confidence: 0.95,
    images: 1000,
    seeds: mAP50.length,
  }
  return { name, macs, runs: mAP50.map((value, i) => ({ seed: i + 1, mAP50: value })), toTeacher }
}

test('a lower bound of at least 0 comes before a better mAP', () => {
  const { chosen, reason, table } = select(
    [
      candidate('best', 46, [0.75], -0.001),
      candidate('safe', 46, [0.72, 0.74], 0),
      candidate('lower', 46, [0.7], 0.01),
    ],
    100,
  )
  assert.equal(chosen?.candidate.name, 'safe')
  assert.equal(chosen?.seed, 2)
  assert.match(reason, /safe: of 3 students .* 2 had/)
  assert.deepEqual(
    table.map(({ name, macsShare, withinBudget, first }) => [name, macsShare, withinBudget, first]),
    [
      ['best', 0.46, true, false],
      ['safe', 0.46, true, true],
      ['lower', 0.46, true, true],
    ],
  )
  assert.equal(table[1]?.mAP50, 0.73)
})

test('without such a bound the best mAP within the budget decides', () => {
  const { chosen, reason } = select(
    [
      candidate('large', 50.1, [0.9], 0.1),
      candidate('first', 50, [0.7], -0.1),
      candidate('equal', 40, [0.7], -0.1),
    ],
    100,
  )
  assert.equal(chosen?.candidate.name, 'first')
  assert.match(reason, /none of 2 students/)
})

test('nothing within the budget, nothing chosen', () => {
  const { chosen, reason, table } = select([candidate('large', 51, [0.9], 0.1)], 100)
  assert.equal(chosen, undefined)
  assert.match(reason, /No student has at most 50 %/)
  assert.equal(table[0]?.withinBudget, false)
})
