import assert from 'node:assert/strict'
import { test } from 'node:test'
import { complexity, initialWeights, type NetworkSpec } from '../../lib/detector'
import { tf } from '../../lib/engine'
import {
  LATENCY_TOLERANCE,
  type LatencyTable,
  latencyOf,
  measureLatency,
  planByLatency,
  planPruning,
} from '../../lib/slimming'
import { narrowDetector } from '../detector/support'

const NETWORK = narrowDetector()
const { layers } = NETWORK

/** A table by hand: a layer takes its inputs times its outputs, in thousandths of a millisecond. */
function tableByHand(): LatencyTable {
  const measured = measureLatency(NETWORK, { calls: 1, shares: [0.5, 1] })
  const byHand = [...measured.layers].map(([name, { in: inputs, out }]) => {
    const milliseconds = inputs.map((width) => out.map((channels) => (width * channels) / 1000))
    return [name, { in: inputs, out, milliseconds }] as const
  })
  const whole = byHand.reduce((sum, [, { milliseconds }]) => sum + milliseconds.at(-1)!.at(-1)!, 0)
  // The network as a whole takes twice its layers, and a call 0.5 ms.
  return { layers: new Map(byHand), call: 0.5, total: 0.5 + 2 * whole }
}

test('every layer with weights is measured at every width, and nothing is left behind', () => {
  const before = tf.memory().numTensors
  const seen: number[] = []
  const table = measureLatency(NETWORK, { calls: 2, shares: [0.5, 1], onProgress: (done) => seen.push(done) })
  assert.equal(tf.memory().numTensors, before)
  const weighted = layers.filter(({ kind }) => kind === 'convolution' || kind === 'deconvolution')
  assert.deepEqual(
    [...table.layers.keys()],
    weighted.map(({ name }) => name),
  )
  assert.equal(seen.length, weighted.length)
  for (const { in: inputs, out, milliseconds } of table.layers.values()) {
    assert.deepEqual([milliseconds.length, milliseconds[0]!.length], [inputs.length, out.length])
    assert.ok(milliseconds.flat().every((time) => time >= 0))
  }
  assert.ok(table.total > table.call && table.call > 0)
})

test('the time of a narrower network lies between the measured widths, and scales with the whole', () => {
  const table = tableByHand()
  assert.ok(Math.abs(latencyOf(NETWORK, table) - table.total) < 1e-9)
  const stem = layers.find(({ name }) => name === 'stem')!
  assert.ok(stem.kind === 'convolution')
  const narrower = {
    ...NETWORK,
    layers: layers.map((layer) => (layer === stem ? { ...stem, out: 3 } : layer)),
  }
  // stem: 3 inputs; down: from 4 inputs to 3; both linear between what was measured.
  const less = 3 * (stem.out - 3) + (stem.out - 3) * 6
  assert.ok(Math.abs(latencyOf(narrower, table) - (table.total - (2 * less) / 1000)) < 1e-9)
  const other = { ...NETWORK, layers: [{ ...stem, name: 'other' }] }
  assert.throws(
    () => latencyOf({ ...other, features: {} }, table),
    /expected a time of layer other in the table, found none/,
  )
})

test('a budget in milliseconds is planned by the table, and refused without one', () => {
  const weights = initialWeights(NETWORK, 1)
  const table = tableByHand()
  const budget = { of: 'milliseconds' as const, percent: 80 }
  const plan = planPruning(
    NETWORK,
    weights,
    { budget, prunable: 'all', floor: 0.2, cap: 1, multiple: 1 },
    table,
  )
  assert.ok(latencyOf(plan.network, table) <= 0.8 * table.total)
  assert.throws(
    () => planPruning(NETWORK, weights, { budget }),
    /expected a table of times for a budget in milliseconds, found none; see measureLatency/,
  )
})

test('a network for a budget in milliseconds was measured within the tolerance; what cannot be met is said in times', () => {
  const network = narrowDetector({ input: [192, 320] })
  const weights = initialWeights(network, 1)
  // New scales are all 1, and one threshold would take all or none.
  for (const [name, { values }] of weights)
    if (name.endsWith('/gamma')) values.set(values.map((_, c) => (c + 1) / values.length))
  const rules = { prunable: 'all' as const, floor: 0.1, cap: 1, multiple: 1 }
  assert.throws(
    () => planByLatency(network, weights, 1e-3, rules, { calls: 3, shares: [0.5, 1] }),
    /budget of .* milliseconds: the smallest network that floor = 0.1 allows has/,
  )
  // A device whose layers take times of their own, and that is slower in the whole than in its parts.
  const measure = (spec: NetworkSpec) => {
    const { macs } = complexity(spec)
    return 0.2 + macs / 1e6 + (spec.layers.length > 1 ? macs / 2e6 : 0)
  }
  const total = measure(network)
  for (const share of [0.3, 0.6, 0.9]) {
    const wanted = share * total
    const { plan, milliseconds } = planByLatency(network, weights, wanted, rules, { measure })
    assert.equal(milliseconds, measure(plan.network))
    assert.ok(Math.abs(milliseconds - wanted) <= LATENCY_TOLERANCE * wanted, `${milliseconds} for ${wanted}`)
  }
  assert.throws(
    () => planByLatency(network, weights, 2 * total, rules, { measure }),
    /expected a network within 10 % of it, found/,
  )
})
