import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Random } from '../../lib/base'
import {
  complexity,
  Detector,
  darknet21,
  initialWeights,
  type NetworkSpec,
  type Weights,
} from '../../lib/detector'
import { tf } from '../../lib/engine'
import { maskGroups, type PruningPlan, planPruning, prune } from '../../lib/slimming'
import oracle from './oracle/prune.json'
import { oracleCases, unpack } from './support'

const WIDTHS = { in: [8, 12, 16, 10, 12], out: [12, 16, 10, 12, 14], mid: [6, 8, 8, 10, 8, 8, 6] }
const OPTIONS = { input: [64, 96] as const, classes: 2, neck: [8, 6, 6] as const }
const TINY = darknet21(WIDTHS, OPTIONS)

/** Random weights whose gammas, betas and statistics are those of a trained network in kind. */
function trainedWeights(config: NetworkSpec): Weights {
  return new Map(
    [...initialWeights(config, 3)].map(([name, { shape, values }]) => {
      const random = new Random('trained', name)
      if (/^head\/\d\/output\/kernel$/.test(name)) return [name, { shape, values: values.map((v) => 30 * v) }]
      const draw: { [suffix: string]: () => number } = {
        gamma: () => random.uniform(0.5, 1.5),
        beta: () => random.uniform(-1, 1),
        mean: () => random.uniform(-0.3, 0.3),
        variance: () => random.uniform(0.5, 2),
        bias: () => random.uniform(-1, 1),
      }
      const suffix = name.slice(name.lastIndexOf('/') + 1)
      const value = draw[suffix]
      return [name, { shape, values: value ? values.map(value) : values }]
    }),
  )
}

/** The weights with gamma = 0, and beta times a factor, where the plan prunes. */
function silenced(config: NetworkSpec, weights: Weights, plan: PruningPlan, beta = 1): Weights {
  const changed = new Map(weights)
  for (const { name, layers } of maskGroups(config)) {
    const kept = new Set(plan.kept[name])
    for (const layer of layers) {
      for (const [suffix, factor] of [
        ['gamma', 0],
        ['beta', beta],
      ] as const) {
        const { shape, values } = weights.get(`${layer}/${suffix}`)!
        changed.set(`${layer}/${suffix}`, {
          shape,
          values: values.map((value, c) => (kept.has(c) ? value : value * factor)),
        })
      }
    }
  }
  return changed
}

function imagesOf(height: number, width: number): Float32Array {
  const random = new Random('images', height, width)
  return Float32Array.from({ length: height * width * 3 }, () => random.next())
}

interface Map2D {
  readonly shape: readonly number[]
  readonly values: Float32Array
}

/** The raw outputs of the three scales. */
function outputsOf(
  config: NetworkSpec,
  weights: Weights,
  [height, width]: readonly [number, number],
  pixels = imagesOf(height, width),
): Map2D[] {
  const detector = new Detector(config, weights)
  try {
    return tf.tidy(() => {
      const images = tf.tensor4d(pixels, [1, height, width, 3])
      const { outputs } = detector.forward(images, { training: false })
      return outputs.map((output) => ({
        shape: output.shape,
        values: Float32Array.from(output.dataSync()),
      }))
    })
  } finally {
    detector.dispose()
  }
}

/** Asserts that two networks' outputs are equal, or that they differ by more than a limit. */
function assertDifference(difference: number, what: 'below' | 'above', limit: number): void {
  assert.ok(
    what === 'below' ? difference < limit : difference > limit,
    `largest difference of outputs: expected ${what} ${limit}, found ${difference}`,
  )
}

/** Largest |a - b| over the cells at least `margin` pixels from every border. */
function largestDifference(a: readonly Map2D[], b: readonly Map2D[], margin = 0): number {
  let largest = 0
  for (const [s, { shape, values }] of a.entries()) {
    const [, height, width, channels] = shape as [number, number, number, number]
    const border = margin / (32 >> s)
    assert.deepEqual(shape, b[s]!.shape)
    for (let y = Math.ceil(border); y < height - border; y++) {
      for (let x = Math.ceil(border); x < width - border; x++) {
        for (let c = 0; c < channels; c++) {
          const i = (y * width + x) * channels + c
          largest = Math.max(largest, Math.abs(values[i]! - b[s]!.values[i]!))
        }
      }
    }
  }
  return largest
}

test('pruning channels with gamma = 0 and beta = 0 changes no output', () => {
  const before = tf.memory().numTensors
  const weights = trainedWeights(TINY)
  const plan = planPruning(TINY, weights, { ratio: 0.5 })
  const quiet = silenced(TINY, weights, plan, 0)
  const pruned = prune(TINY, quiet, plan)
  assert.ok(complexity(pruned.network).macs < 0.5 * complexity(TINY).macs)
  const expected = outputsOf(TINY, quiet, TINY.input)
  assertDifference(
    largestDifference(expected, outputsOf(pruned.network, pruned.weights, TINY.input)),
    'below',
    1e-5,
  )
  // The outputs differ from one another, so the comparison says something.
  assertDifference(largestDifference(expected, outputsOf(TINY, weights, TINY.input)), 'above', 0.1)
  assert.equal(tf.memory().numTensors, before)
})

test('constants of channels with gamma = 0 are carried on through additions and concatenations', () => {
  // Away from the border by the radius of the receptive field, without SPP, whose pools reach over the whole picture.
  const config = darknet21(WIDTHS, { ...OPTIONS, spp: false })
  const size = [640, 640] as const
  const weights = trainedWeights(config)
  const plan = planPruning(config, weights, { ratio: 0.5 })
  const quiet = silenced(config, weights, plan)
  const pruned = prune(config, quiet, plan)
  const expected = outputsOf(config, quiet, size)
  const found = outputsOf(pruned.network, pruned.weights, size)
  assertDifference(largestDifference(expected, found, 256), 'below', 1e-5)
  // Zeros are padded, not constants: the border differs.
  assertDifference(largestDifference(expected, found), 'above', 1e-3)
})

test('pruned networks compute what the oracle computes with padded constants, and have its counts', () => {
  const images = unpack(oracle.images)
  for (const { name, config, network, weights, options, expected } of oracleCases()) {
    const plan = planPruning(network, weights, options)
    const pruned = prune(network, weights, plan)
    assert.deepEqual(pruned.network, darknet21(expected.widths, config), name)
    const { macs, parameters } = complexity(pruned.network)
    assert.deepEqual({ macs, parameters }, expected.counts, name)
    const trained = [...pruned.weights].filter(([key]) => !/mean|variance/.test(key))
    assert.equal(
      trained.reduce((sum, [, { values }]) => sum + values.length, 0),
      parameters,
      name,
    )
    const found = outputsOf(pruned.network, pruned.weights, config.input, images)
    for (const [s, { shape, values }] of found.entries()) {
      const output = { shape, values: unpack(expected.outputs[s]!) }
      const largest = output.values.reduce((size, value) => Math.max(size, Math.abs(value)), 0)
      const difference = largestDifference([output], [{ shape, values }])
      assert.ok(difference < 2e-5 * largest, `${name}, scale ${s}: ${difference} of ${largest}`)
    }
  }
})

test('weights or a plan of another network are refused by name', () => {
  const weights = trainedWeights(TINY)
  const plan = planPruning(TINY, weights, { ratio: 0.5 })
  const less = new Map(weights)
  less.delete('stage2/down/kernel')
  assert.throws(() => prune(TINY, less, plan), /weight stage2\/down\/kernel: expected .* found none/)
  const { stem: _, ...kept } = plan.kept
  assert.throws(() => prune(TINY, weights, { ...plan, kept }), /pruning stem: .* 8 channels, found none/)
  for (const stem of [[0, 8], [-1, 0], [0, 0], [1, 0], [0.5], []]) {
    assert.throws(
      () => prune(TINY, weights, { ...plan, kept: { ...plan.kept, stem } }),
      new RegExp(`pruning stem: expected ascending indices of its 8 channels, found \\[${stem}\\]`),
    )
  }
})
