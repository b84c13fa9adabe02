import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Summary, tiles } from '../../lib/report'
import type { ArmNumbers, PairedDifference } from '../../lib/study'

/** A teacher and a chosen student, as far as tiles read them. */
function summaryWith(difference: PairedDifference, share = 0.46): Summary {
  const arm = (name: string, macs: number, mAP50: number, differences: object): ArmNumbers =>
    ({
      ...{ name, role: name === 'teacher' ? 'teacher' : 'method', macs, macsShare: macs / 100, steps: 0 },
      splits: {
        validation: {
          images: 9,
          seeds: [1],
          values: { mAP50: { value: mAP50, lower: 0, upper: 1 } },
          differences,
        },
      },
    }) as unknown as ArmNumbers
  return {
    arms: [
      arm('teacher', 100, 0.8, {}),
      arm('class-kd', 100 * share, 0.72, { teacher: { mAP50: difference } }),
    ],
    selection: { chosen: { name: 'class-kd', seed: 1, weights: '' } },
  } as unknown as Summary
}

test('the recommendation follows from the interval of student - teacher, and from the budget', () => {
  const of = (lower: number, upper: number, share?: number) => {
    const verdict = lower > 0 ? 'better' : upper < 0 ? 'worse' : 'no difference shown'
    const [kept, cost, recommended] = tiles(
      summaryWith({ difference: (lower + upper) / 2, lower, upper, verdict } as PairedDifference, share),
    )
    return [kept!.value, cost!.value, cost!.tone, recommended!.value, recommended!.tone]
  }
  const cost = ['90 %', '46 % of the operations', 'better']
  assert.deepEqual(of(0, 0.02), [...cost, 'take class-kd', 'better'])
  assert.deepEqual(of(-0.02, 0.01), [...cost, 'not shown', 'open'])
  assert.deepEqual(of(-0.02, -0.01), [...cost, 'do not take', 'worse'])
  // Too expensive, whatever it finds.
  assert.deepEqual(of(0.01, 0.02, 0.6), ['90 %', '60 % of the operations', 'worse', 'not shown', 'open'])
})

test('with fewer images or seeds than a verdict needs nothing is recommended', () => {
  const difference = { difference: 0.1, lower: 0.05, upper: 0.15, verdict: 'not shown', images: 49, seeds: 1 }
  const [, , recommended] = tiles(summaryWith(difference as PairedDifference))
  assert.equal(recommended!.value, 'not shown')
  assert.match(recommended!.detail, /1 seed, at least 2 needed; 49 images, at least 50 needed/)
})

test('without a student to recommend there are no tiles', () => {
  const summary = summaryWith({
    difference: 0,
    lower: 0,
    upper: 0,
    verdict: 'no difference shown',
  } as PairedDifference)
  assert.deepEqual(tiles({ ...summary, selection: undefined }), [])
  assert.deepEqual(tiles({ ...summary, arms: summary.arms.slice(1) }), [])
})
