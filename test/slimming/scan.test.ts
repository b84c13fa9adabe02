import assert from 'node:assert/strict'
import { test } from 'node:test'
import { complexity, Detector, darknet21, type NetworkSpec, type Weights } from '../../lib/detector'
import {
  accuracyByRatio,
  gammaHistogram,
  maskGroups,
  planPruning,
  prunableGammas,
  sensitivityScan,
  sparsityStrength,
} from '../../lib/slimming'
import { oracleCases } from './support'

const { config, network, weights } = oracleCases()[0]!

/** Sum of |gamma| of what is left, which tells exactly which channels were taken. */
async function remaining(pruned: NetworkSpec, left: Weights): Promise<number> {
  new Detector(pruned, left).dispose()
  let sum = 0
  for (const name of prunableGammas(pruned))
    for (const value of left.get(name)!.values) sum += Math.abs(value)
  return sum
}

test('accuracy by ratio: the unpruned network first, then ever smaller ones', async () => {
  const seen: string[] = []
  const points = await accuracyByRatio(network, weights, remaining, {
    ratios: [0, 0.3, 0.6],
    shared: 'mean',
    multiple: 1,
    onProgress: (done, total) => seen.push(`${done}/${total}`),
  })
  assert.deepEqual(
    points.map(({ ratio }) => ratio),
    [0, 0.3, 0.6],
  )
  assert.deepEqual(seen, ['1/3', '2/3', '3/3'])
  const { macs, parameters } = complexity(network)
  assert.deepEqual(points[0], { ratio: 0, macs, parameters, score: await remaining(network, weights) })
  for (const [i, point] of points.slice(1).entries()) {
    assert.ok(point.macs < points[i]!.macs && point.score < points[i]!.score)
    const plan = planPruning(network, weights, { ratio: point.ratio, cap: 1, shared: 'mean', multiple: 1 })
    assert.equal(point.macs, complexity(plan.network).macs)
  }
})

test('the sensitivity scan takes the least |gamma| of one group and leaves the others whole', async () => {
  const points = await sensitivityScan(network, weights, remaining, { ratios: [0, 0.5] })
  assert.deepEqual(
    points.map(({ group, ratio }) => [group, ratio]),
    maskGroups(network).flatMap(({ name }) => [
      [name, 0],
      [name, 0.5],
    ]),
  )
  const whole = await remaining(network, weights)
  const stem = points[1]!
  assert.deepEqual([stem.kept, stem.channels], [3, 6])
  const sizes = Array.from(weights.get('stem/gamma')!.values, Math.abs).sort((a, b) => a - b)
  assert.ok(Math.abs(stem.score - (whole - sizes[0]! - sizes[1]! - sizes[2]!)) < 1e-5)
  const { macs } = complexity(darknet21({ ...config.backbone, in: [3, 8, 10, 8, 12] }, config))
  assert.equal(stem.macs, macs)
  await assert.rejects(
    sensitivityScan(network, weights, remaining, { groups: ['stage9/down'] }),
    /expected names among stem, .* found "stage9\/down"/,
  )
  await assert.rejects(sensitivityScan(network, weights, remaining, { ratios: [1] }), /\[0, 1\), found 1/)
})

test('a scan stops when it is told to', async () => {
  const controller = new AbortController()
  let evaluated = 0
  const scan = accuracyByRatio(
    network,
    weights,
    async () => {
      controller.abort(new Error('enough'))
      return ++evaluated
    },
    { signal: controller.signal },
  )
  await assert.rejects(scan, /enough/)
  assert.equal(evaluated, 1)
})

test('histograms of |gamma|: bins, layers and quantiles by hand', () => {
  const scales = new Map([
    ['a/gamma', { values: [0, -0.1, 0.25] }],
    ['b/gamma', { values: [0.5, -1] }],
    ['b/beta', { values: [7] }],
  ])
  const names = new Set(['a/gamma', 'b/gamma'])
  const histogram = gammaHistogram(scales, names, { bins: 4 })
  assert.deepEqual(histogram.edges, [0, 0.25, 0.5, 0.75, 1])
  assert.deepEqual(histogram.counts, [2, 1, 1, 1])
  assert.deepEqual([...histogram.byLayer], Object.entries({ a: [2, 1, 0, 0], b: [0, 0, 1, 1] }))
  // Sorted 0, 0.1, 0.25, 0.5, 1; 5 % lies at position 0.2, 95 % at 3.8.
  const expected = [0.02, 0.1, 0.25, 0.5, 0.9]
  for (const [i, value] of histogram.quantiles.entries()) assert.ok(Math.abs(value - expected[i]!) < 1e-12)
  assert.deepEqual(gammaHistogram(scales, names, { bins: 2, max: 0.5 }).counts, [2, 3])
  assert.throws(() => gammaHistogram(scales, new Set(['c/gamma'])), /c\/gamma: expected in the weights/)
  assert.throws(() => gammaHistogram(scales, names, { bins: 0 }), /bins = 0/)
})

test('sparsity strength: SGD with momentum moves a scale by the distance asked for', () => {
  const rates = Array.from({ length: 4000 }, (_, t) => 0.04 * (1 - t / 4000))
  const strength = sparsityStrength(0.8, rates, 0.9)
  let [gamma, momentum] = [1, 0]
  for (const rate of rates) {
    momentum = 0.9 * momentum + strength * Math.sign(gamma)
    gamma -= rate * momentum
  }
  assert.ok(Math.abs(gamma - 0.2) < 0.005, `${gamma}`)
  assert.throws(() => sparsityStrength(0.8, [], 0.9), /learning rates with a sum above 0/)
})
