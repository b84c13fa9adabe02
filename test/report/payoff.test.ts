import assert from 'node:assert/strict'
import { test } from 'node:test'
import { answerOf, payoffFigure, payoffs, payoffTable } from '../../lib/report'
import {
  type PairedDifference,
  type SweepFile,
  shippedSweeps,
  sweepSchema,
  type Verdict,
} from '../../lib/study'

const difference = (value: number, verdict: Verdict, seeds = 3): PairedDifference => ({
  ...{ difference: value, lower: value - 0.01, upper: value + 0.01, verdict, seeds },
  ...{ pValue: 0.5, resamples: 100, confidence: 0.95, images: 200 },
})

let results = 0

/** A sweep with two controls and a distilled arm that is 2 % cheaper than the dearer control. */
function result(options: {
  readonly labels?: { images?: number; missing?: number; wrongClass?: number }
  readonly chain?: true
  readonly unlabelled?: true
  readonly equalCompute: Verdict
  readonly seeds?: number
}): SweepFile {
  const { labels, chain, unlabelled, equalCompute, seeds } = options
  const trial = { seed: 1, hash: `${results++}`, weights: 'w', mAP50: 0.5, AP: 0.3 }
  const sweep = sweepSchema.parse({
    ...{
      name: 'made-up',
      question: '?',
      profile: 'default',
      seeds: [1, 2, 3],
      references: ['short', 'long'],
    },
    ...(labels && { labels }),
    ...(chain && {
      chain: { teacher: { steps: 1, rate: 1 }, sparse: { steps: 1, rate: 1, strength: 1 } },
    }),
    arms: [
      { name: 'short', start: 'pruned', steps: 10, rate: 1 },
      { name: 'long', start: 'pruned', steps: 17, rate: 1 },
      {
        ...{ name: 'distilled', start: 'pruned', steps: 10, rate: 1 },
        terms: [{ method: 'feature-mse', weight: 1 }],
        ...(unlabelled && { unlabelled: { batch: 4, source: 'train' } }),
      },
    ],
  })
  const arm = (
    name: string,
    steps: number,
    trainingMacs: number,
    against = {},
  ): SweepFile['arms'][number] => ({
    ...{ name, role: name === 'distilled' ? 'method' : 'control', steps, trainingMacs, seconds: 1, macs: 1 },
    ...{ terms: [], trials: [trial] },
    splits: { validation: { images: 200, seeds: [1], values: {}, differences: against, perClass: [] } },
  })
  return {
    ...{ format: 'sweep/2', sweep, command: '', provenance: { data: 'd' } },
    arms: [
      arm('short', 10, 60),
      arm('long', 17, 102),
      arm('distilled', 10, 100, {
        short: { mAP50: difference(0.03, 'better', seeds) },
        long: { mAP50: difference(0.01, equalCompute, seeds) },
        teacher: { mAP50: difference(-0.05, 'worse', seeds) },
      }),
    ],
  }
}

test('an arm is held against the control of as many steps, and against the cheapest that cost as much', () => {
  const [payoff, ...others] = payoffs([result({ equalCompute: 'better' })])
  assert.deepEqual(others, [], 'controls are no rows')
  assert.equal(payoff!.equalSteps?.difference, 0.03)
  assert.equal(payoff!.equalCompute?.difference, 0.01)
  assert.equal(payoff!.teacher?.difference, -0.05)
})

test('an arm that several sweeps share is one row', () => {
  const { arms, sweep, ...rest } = result({ equalCompute: 'better' })
  const first: SweepFile = { ...rest, sweep, arms }
  const second = { ...first, sweep: { ...sweep, name: 'another' } }
  assert.deepEqual(
    payoffs([first, second]).map((payoff) => payoff.sweep),
    ['made-up'],
  )
  const onTest = { ...second, sweep: { ...second.sweep, split: 'test' as const } }
  const measured = arms.map((arm) => ({ ...arm, splits: { test: arm.splits.validation } }))
  assert.deepEqual(
    payoffs([first, { ...onTest, arms: measured }]).map((payoff) => payoff.sweep),
    ['made-up', 'another'],
  )
})

test('a network of another size is no control', () => {
  const { arms, ...rest } = result({ equalCompute: 'better' })
  const larger = arms.map((arm) => (arm.name === 'short' ? { ...arm, macs: 2 } : arm))
  const [payoff] = payoffs([{ ...rest, arms: larger }])
  assert.equal(payoff!.equalSteps, undefined)
  assert.equal(payoff!.equalCompute?.difference, 0.01)
})

test('a control that its rule ended early was given the rest of its steps, too', () => {
  const { arms, ...rest } = result({ equalCompute: 'better' })
  const ended = arms.map((arm) => {
    const budget = { steps: arm.steps, trainingMacs: arm.trainingMacs }
    return arm.role === 'control' ? { ...arm, steps: 1, trainingMacs: 0.5 * arm.trainingMacs, budget } : arm
  })
  const [payoff] = payoffs([{ ...rest, arms: ended }])
  assert.equal(payoff!.equalSteps?.difference, 0.03)
  assert.equal(payoff!.equalCompute?.difference, 0.01)
})

test('the answer follows from the two intervals', () => {
  const answers = (['better', 'worse', 'no difference shown'] as const).map((equalCompute) =>
    answerOf(payoffs([result({ equalCompute })])[0]!),
  )
  assert.deepEqual(answers, ['pays', 'costs', 'only faster a step'])
  const [found] = payoffs([result({ equalCompute: 'no difference shown' })])
  assert.equal(answerOf({ ...found!, equalSteps: difference(0.001, 'no difference shown') }), 'not shown')
})

test('a sweep of one seed has no place on the map', () => {
  assert.deepEqual(payoffs([result({ equalCompute: 'better', seeds: 1 })]), [])
})

test('rows are ordered by labels, and a chain says that its teacher had no more of them', () => {
  const found = payoffs([
    result({ equalCompute: 'worse' }),
    result({ equalCompute: 'better', labels: { images: 300 }, chain: true, unlabelled: true }),
    result({ equalCompute: 'better', labels: { missing: 0.3 } }),
    result({ equalCompute: 'better', labels: { images: 100 } }),
  ])
  const rows = payoffTable(found).map((row) => [row['images with labels'], row['unlabelled frames'], row.so])
  assert.deepEqual(rows, [
    ['100', 'none', 'pays'],
    ['300, the teacher’s too', 'the others', 'pays'],
    ['all', 'none', 'costs'],
    ['all, some missing or wrong', 'none', 'pays'],
  ])
  const { data, layout } = payoffFigure(found)
  const [map] = data as { x: string[]; y: string[]; z: (number | null)[][] }[]
  assert.deepEqual(map!.x, ['alone,\nshort', 'frames,\nshort'])
  assert.equal(map!.y.length, 4)
  assert.equal(map!.z.flat().filter((answer) => answer !== null).length, 4)
  assert.equal((layout.annotations as unknown[]).length, 4)
})

test('a map without arms is no figure', () => {
  assert.deepEqual(payoffFigure(payoffs([])).data, [])
})

test('every shipped sweep that distils with seeds enough is on the map, in both metrics', () => {
  const shipped = [...shippedSweeps().values()]
  const distils = ({ arms }: SweepFile) => arms.some(({ role }) => role === 'method')
  const expected = shipped
    .filter((result) => result.sweep.seeds.length > 1 && distils(result))
    .map(({ sweep }) => sweep.name)
  for (const metric of ['mAP50', 'AP'] as const) {
    const found = new Set(payoffs(shipped, metric).map(({ sweep }) => sweep))
    assert.deepEqual([...found].sort(), expected.sort())
  }
})
