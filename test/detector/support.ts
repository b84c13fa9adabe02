import assert from 'node:assert/strict'
import {
  type Darknet21Config,
  darknet21,
  layersOf,
  type NetworkSpec,
  PUBLISHED_OPTIONS,
  type Weights,
  weightShapes,
} from '../../lib/detector'
import type { Lcg } from './lcg'

/** A network of a few thousand weights; the same widths as in oracle/network.py. */
export function narrowConfig(options: Partial<Darknet21Config> = {}): Darknet21Config {
  const backbone = { in: [4, 6, 8, 10, 12], out: [6, 8, 10, 12, 14], mid: [3, 4, 5, 6, 7, 5, 3] }
  return { ...PUBLISHED_OPTIONS, backbone, neck: [8, 6, 4], input: [64, 96], classes: 3, ...options }
}

/** The same as a list of layers. */
export function narrowDetector(options: Partial<Darknet21Config> = {}): NetworkSpec {
  const config = narrowConfig(options)
  return darknet21(config.backbone, config)
}

/** Weights that oracle/network.py draws too, in the same order. */
export function drawnWeights(network: NetworkSpec, random: Lcg): Weights {
  const weights = new Map<string, { shape: number[]; values: Float32Array }>()
  for (const layer of layersOf(network).layers) {
    const bound = Math.sqrt(
      (6 * layer.groups) / (layer.in * (layer.kind === 'deconvolution' ? 1 : layer.kernel ** 2)),
    )
    const ranges: { readonly [name: string]: readonly [number, number] } = {
      kernel: [-bound, bound],
      bias: [-1, 1],
      gamma: [0.5, 1],
      beta: [-0.3, 0.3],
      mean: [-0.2, 0.2],
      variance: [0.5, 1.5],
    }
    for (const [name, shape] of weightShapes(layer)) {
      const size = shape.reduce((product, length) => product * length, 1)
      const [low, high] = ranges[name]!
      weights.set(`${layer.name}/${name}`, { shape, values: random.uniform(size, low, high) })
    }
  }
  return weights
}

/**
 * Asserts |actual - expected| <= 1e-4 * |expected| in the Euclidean norm: for training, where batch norm over few cells
 * amplifies the rounding of single elements (PyTorch's own float32 no less).
 */
export function assertNear(actual: ArrayLike<number>, expected: ArrayLike<number>, what: string): void {
  assert.equal(actual.length, expected.length, `${what}: number of values`)
  const norm = (value: (i: number) => number) => {
    let sum = 0
    for (let i = 0; i < expected.length; i++) sum += value(i) ** 2
    return Math.sqrt(sum)
  }
  const distance = norm((i) => actual[i]! - expected[i]!)
  const length = norm((i) => expected[i]!)
  assert.ok(distance <= 1e-4 * length, `${what}: distance ${distance} from a vector of length ${length}`)
}
