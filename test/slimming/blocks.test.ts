import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  complexity,
  Detector,
  initialWeights,
  type NetworkSpec,
  type Weights,
  yolov3,
} from '../../lib/detector'
import { tf } from '../../lib/engine'
import { leastBlocks, residualBlocks, withoutBlocks } from '../../lib/slimming'
import { narrowDetector } from '../detector/support'

const NETWORK = narrowDetector()

/** The weights with other scales and shifts of some layers. */
function withScales(weights: Weights, layers: readonly string[], gamma: number): Weights {
  const changed = new Map(weights)
  for (const layer of layers)
    for (const [suffix, value] of [
      ['gamma', gamma],
      ['beta', 0],
    ] as const) {
      const { shape, values } = weights.get(`${layer}/${suffix}`)!
      changed.set(`${layer}/${suffix}`, { shape, values: values.map(() => value) })
    }
  return changed
}

function outputsOf(network: NetworkSpec, weights: Weights): Float32Array[] {
  const detector = new Detector(network, weights)
  try {
    return tf.tidy(() =>
      detector
        .forward(tf.randomUniform([1, ...network.input, 3], 0, 1, 'float32', 3) as tf.Tensor4D, {
          training: false,
        })
        .outputs.map((output) => Float32Array.from(output.dataSync())),
    )
  } finally {
    detector.dispose()
  }
}

test('the residual blocks of a network are its shortcuts around convolutions', () => {
  assert.deepEqual(
    residualBlocks(NETWORK).map(({ layers }) => layers),
    [
      'stage1/block1',
      'stage2/block1',
      'stage3/block1',
      'stage3/block2',
      'stage4/block1',
      'stage4/block2',
      'stage5/block1',
    ].map((block) => [`${block}/reduce`, `${block}/expand`]),
  )
  assert.equal(residualBlocks(yolov3({ input: [64, 96], classes: 2, multiplier: 1 / 16 })).length, 23)
})

test('blocks without scales and shifts go without a change of any output', () => {
  const blocks = residualBlocks(NETWORK)
  const [, second, third] = blocks.map(({ layers }) => layers.at(-1)!)
  const weights = withScales(initialWeights(NETWORK, 1), [second!, third!], 0)
  const names = leastBlocks(NETWORK, weights, 2)
  assert.deepEqual(names, [blocks[1]!.name, blocks[2]!.name])
  const less = withoutBlocks(NETWORK, weights, names)
  assert.deepEqual(outputsOf(less.network, less.weights), outputsOf(NETWORK, weights))
  assert.ok(complexity(less.network).macs < complexity(NETWORK).macs)
  assert.equal(less.network.layers.length, NETWORK.layers.length - 6)
})

test('a feature that a block gave is the map that went round it', () => {
  const last = residualBlocks(NETWORK).at(-1)!
  assert.equal(NETWORK.features.C5, last.name)
  const { network } = withoutBlocks(NETWORK, initialWeights(NETWORK, 1), [last.name])
  assert.equal(network.features.C5, last.around)
})

test('too many blocks, unknown ones and missing scales are refused by name', () => {
  const weights = initialWeights(NETWORK, 1)
  assert.throws(
    () => leastBlocks(NETWORK, weights, 8),
    /expected at most the network's 7 residual blocks, found 8/,
  )
  assert.throws(
    () => withoutBlocks(NETWORK, weights, ['neck']),
    /expected names among stage1\/block1.*, found "neck"/,
  )
  const less = new Map(weights)
  less.delete('stage1/block1/expand/gamma')
  assert.throws(
    () => leastBlocks(NETWORK, less, 1),
    /expected a layer with batch-norm scales in the weights, found none/,
  )
})
