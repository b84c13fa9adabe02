import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  complexity,
  darknet21,
  layersOf,
  type NetworkSpec,
  STUDENT_WIDTHS,
  scaledWidths,
} from '../../lib/detector'
import { type Gammas, maskGroups, planPruning, prunableGammas } from '../../lib/slimming'
import { oracleCases } from './support'

test('gammas of stem, stage convolutions and both convolutions of each residual block are prunable', () => {
  const network = darknet21()
  const names = prunableGammas(network)
  assert.equal(names.size, 1 + 5 + 2 * 7)
  for (const layer of ['stem', 'stage1/down', 'stage4/block2/reduce', 'stage5/block1/expand']) {
    assert.ok(names.has(`${layer}/gamma`), layer)
  }
  assert.ok(![...names].some((name) => /^(neck|head)/.test(name)))
})

test('the layers that an addition joins share one mask', () => {
  const groups = maskGroups(darknet21())
  assert.deepEqual(
    groups.map(({ name, channels }) => [name, channels]),
    [
      ['stem', 32],
      ['stage1/down', 64],
      ['stage1/block1/reduce', 32],
      ['stage2/down', 128],
      ['stage2/block1/reduce', 64],
      ['stage3/down', 256],
      ['stage3/block1/reduce', 128],
      ['stage3/block2/reduce', 128],
      ['stage4/down', 512],
      ['stage4/block1/reduce', 256],
      ['stage4/block2/reduce', 256],
      ['stage5/down', 1024],
      ['stage5/block1/reduce', 512],
    ],
  )
  assert.deepEqual(groups[5]!.layers, ['stage3/down', 'stage3/block1/expand', 'stage3/block2/expand'])
})

test('the published widths come out of floor 5 %, cap 80 % and rounding up to even', () => {
  const network = darknet21()
  const groups = maskGroups(network)
  // Channels whose |gamma| is above 0.01: all where the cap must act, none where the floor must, else the published
  // number, once rounded up from one less.
  const above: { [group: string]: number } = {
    stem: 32,
    'stage1/down': 44,
    'stage1/block1/reduce': 32,
    'stage2/down': 83,
    'stage2/block1/reduce': 64,
    'stage3/down': 80,
    'stage3/block1/reduce': 128,
    'stage3/block2/reduce': 128,
    'stage4/down': 0,
    'stage4/block1/reduce': 121,
    'stage4/block2/reduce': 130,
    'stage5/down': 0,
    'stage5/block1/reduce': 0,
  }
  const gammas: Gammas = new Map(
    groups.flatMap(({ name, layers, channels }) =>
      layers.map((layer, member): [string, { values: number[] }] => {
        // In turn one member of the group is large and the others are small: a mean would come out below.
        const values = Array.from({ length: channels }, (_, c) =>
          c < above[name]! && c % layers.length === member ? 0.011 : 0.001,
        )
        return [`${layer}/gamma`, { values: values.map((value, c) => (c % 3 ? value : -value)) }]
      }),
    ),
  )
  const plan = planPruning(network, gammas, { threshold: 0.01 })
  assert.deepEqual(plan.network, darknet21(STUDENT_WIDTHS))
  const { macs, parameters } = complexity(plan.network)
  assert.deepEqual([macs, parameters], [3_909_417_216, 12_130_491])
  const mean = planPruning(network, gammas, { threshold: 0.01, shared: 'mean' })
  assert.equal(widthOf(mean.network, 'stage1/down'), 4)
})

test('channels, widths and counts equal the oracle for thresholds, ratios and budgets', () => {
  const cases = oracleCases()
  assert.equal(cases.length, 5)
  for (const { name, config, network, weights, options, expected } of cases) {
    const plan = planPruning(network, weights, options)
    assert.deepEqual(plan.kept, expected.kept, name)
    assert.deepEqual(plan.network, darknet21(expected.widths, config), name)
  }
})

/** A quarter of the published channels. */
function quarter(widths = scaledWidths(0.25).backbone): NetworkSpec {
  return darknet21(widths, { neck: scaledWidths(0.25).neck })
}

/** Channels out of a layer. */
const widthOf = (network: NetworkSpec, name: string): number =>
  layersOf(network).layers.find((layer) => layer.name === name)!.out

/** gamma = 1 / (1 + position in the network): a ranking of depths. */
function byDepth(network: NetworkSpec): Gammas {
  let position = 0
  return new Map(
    maskGroups(network).flatMap(({ layers, channels }) => {
      const values = Array.from({ length: channels }, () => 1 / ++position)
      return layers.map((layer): [string, { values: number[] }] => [`${layer}/gamma`, { values }])
    }),
  )
}

test('a budget gives the largest network within it', () => {
  const network = quarter()
  const whole = complexity(network)
  for (const [of, percent] of [
    ['macs', 46],
    ['parameters', 50],
  ] as const) {
    const gammas = byDepth(network)
    const rules = { floor: 0.1, cap: 1, multiple: 2 }
    const plan = planPruning(network, gammas, { budget: { of, percent }, ...rules })
    const limit = (whole[of] * percent) / 100
    assert.ok(complexity(plan.network)[of] <= limit)
    // The next weaker thresholds: until one more pair of channels stays, which must exceed the budget.
    const sizes = [...new Set([...gammas.values()].flatMap(({ values }) => Array.from(values)))]
    const weaker = sizes.filter((size) => size < plan.threshold).sort((a, b) => b - a)
    const next = weaker
      .map((threshold) => complexity(planPruning(network, gammas, { threshold, ...rules }).network)[of])
      .find((count) => count !== complexity(plan.network)[of])
    assert.ok(next !== undefined && next > limit, `${of}: ${next} against ${limit}`)
    const absolute = planPruning(network, gammas, { budget: { of, atMost: limit }, ...rules })
    assert.deepEqual(absolute, plan)
  }
})

test('bounds: nothing is pruned with cap 1 and threshold 0, ratio 1 leaves the floor', () => {
  const network = quarter()
  const gammas = byDepth(network)
  assert.deepEqual(planPruning(network, gammas, { threshold: 0, cap: 1 }).network, network)
  const floored = planPruning(network, gammas, { ratio: 1, floor: 0.4 }).network
  // 40 % of 8, 16, ..., 256, rounded up to even.
  assert.deepEqual(
    ['stem', 'stage1/down', 'stage2/down', 'stage3/down', 'stage4/down', 'stage5/down'].map((layer) =>
      widthOf(floored, layer),
    ),
    [4, 8, 14, 26, 52, 104],
  )
  // 0.07 * 100 = 7.000000000000001 in binary, which must stay 7.
  const { backbone } = scaledWidths(0.25)
  const hundreds = quarter({ ...backbone, mid: [100, 100, 100, 100, 100, 100, 100] })
  const least = planPruning(hundreds, byDepth(hundreds), { ratio: 1, floor: 0.07, multiple: 1 }).network
  assert.deepEqual(
    ['stage1/block1', 'stage5/block1'].map((block) => widthOf(least, `${block}/reduce`)),
    [7, 7],
  )
})

test('impossible budgets and malformed input are refused with what was expected', () => {
  const network = quarter()
  const gammas = byDepth(network)
  assert.throws(
    () => planPruning(network, gammas, { budget: { of: 'macs', percent: 5 }, floor: 0.4 }),
    /the smallest network that floor = 0.4 .* has \d+; raise the budget or lower the floor/,
  )
  assert.throws(() => planPruning(network, gammas, { ratio: 0.5, floor: 0.9, cap: 0.8 }), /floor <= cap/)
  assert.throws(
    () => planPruning(network, gammas, { ratio: 1.5 }),
    /at "ratio": expected a number of at most 1, found/,
  )
  assert.throws(() => planPruning(network, gammas, { threshold: Infinity }), /at "threshold": .*finite/)
  const both: object = { ratio: 0.5, threshold: 0.1 }
  assert.throws(
    () => planPruning(network, gammas, { ratio: 0.5, ...both }),
    /expected one of threshold, ratio and budget, found threshold and ratio/,
  )
  const misspelt: object = { flor: 0.4 }
  assert.throws(() => planPruning(network, gammas, { ratio: 0.5, ...misspelt }), /at "flor": unknown key/)
  const less = new Map(gammas)
  less.delete('stage1/down/gamma')
  assert.throws(() => planPruning(network, less, { ratio: 0.5 }), /stage1\/down\/gamma: expected 16 values/)
  const broken = new Map(gammas).set('stem/gamma', { values: new Array(8).fill(Number.NaN) })
  assert.throws(() => planPruning(network, broken, { ratio: 0.5 }), /stem\/gamma\[0\]: expected a finite/)
})
