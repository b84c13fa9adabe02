import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Random } from '../../lib/base'
import {
  complexity,
  Detector,
  initialWeights,
  layersOf,
  type NetworkSpec,
  parseCfg,
  type Weights,
  yolov3,
  yolov3Spp,
  yolov3Tiny,
} from '../../lib/detector'
import { tf } from '../../lib/engine'
import { maskGroups, type PruningPlan, planPruning, prune } from '../../lib/slimming'
import { narrowDetector } from '../detector/support'

const NARROW = { input: [64, 96] as const, classes: 2, multiplier: 1 / 16 }

/** A network with everything that ties channels: shortcuts, halves of maps, depthwise and grouped convolutions. */
const GROUPED = parseCfg(`
[net]
width=64
height=48
channels=3

[convolutional]
batch_normalize=1
filters=12
size=3
stride=2
pad=1
activation=mish

# the second half of the channels
[route]
layers=-1
groups=2
group_id=1

[convolutional]
batch_normalize=1
filters=6
size=3
stride=1
pad=1
activation=swish

[route]
layers=-1,-3

# a convolution with a kernel for each channel
[convolutional]
batch_normalize=1
filters=18
groups=18
size=3
stride=2
pad=1
activation=relu

[convolutional]
batch_normalize=1
filters=16
size=1
stride=1
pad=1
activation=leaky

# and one of four groups
[convolutional]
batch_normalize=1
filters=16
groups=4
size=3
stride=1
pad=1
activation=leaky

[shortcut]
from=-2
activation=leaky

[maxpool]
size=2
stride=2

[convolutional]
filters=14
size=1
stride=1
pad=1
activation=linear

[yolo]
mask=0,1
anchors=4,6, 10,12
classes=2
num=2
`).network

const NETWORKS: readonly (readonly [string, NetworkSpec])[] = [
  ['yolov3', yolov3(NARROW)],
  ['yolov3-spp', yolov3Spp(NARROW)],
  ['yolov3-tiny', yolov3Tiny(NARROW)],
  ['darknet21 with deconvolutions', narrowDetector()],
  ['groups, depthwise convolutions and halves of maps', GROUPED],
]

/** Random weights of about the size that trained ones have. */
function drawn(network: NetworkSpec, seed: number, gamma: readonly [number, number] = [0.4, 0.8]): Weights {
  const ranges: { readonly [suffix: string]: readonly [number, number] } = {
    gamma,
    beta: [-0.3, 0.3],
    mean: [-0.1, 0.1],
    variance: [0.5, 1.5],
    bias: [-0.5, 0.5],
  }
  return new Map(
    [...initialWeights(network, seed)].map(([name, { shape, values }]) => {
      const range = ranges[name.slice(name.lastIndexOf('/') + 1)]
      const random = new Random('drawn', seed, name)
      return [name, { shape, values: range ? values.map(() => random.uniform(...range)) : values }]
    }),
  )
}

/** The weights with gamma = 0 in every channel that goes, and beta times a factor there. */
function silenced(
  network: NetworkSpec,
  weights: Weights,
  { kept, prunable }: PruningPlan,
  beta: number,
): Weights {
  const changed = new Map(weights)
  for (const { name, units } of maskGroups(network, prunable)) {
    const stays = new Set(kept[name])
    for (const [layer, byUnit] of units) {
      const gone = new Set(byUnit.flatMap((channels, unit) => (stays.has(unit) ? [] : channels)))
      for (const [suffix, factor] of [
        ['gamma', 0],
        ['beta', beta],
      ] as const) {
        const { shape, values } = changed.get(`${layer}/${suffix}`)!
        changed.set(`${layer}/${suffix}`, {
          shape,
          values: values.map((value, c) => (gone.has(c) ? factor * value : value)),
        })
      }
    }
  }
  return changed
}

function outputsOf(network: NetworkSpec, weights: Weights): Float32Array[] {
  const [height, width] = network.input
  const random = new Random('images', height, width)
  const pixels = Float32Array.from({ length: height * width * 3 }, () => random.next())
  const detector = new Detector(network, weights)
  try {
    return tf.tidy(() =>
      detector
        .forward(tf.tensor4d(pixels, [1, height, width, 3]), { training: false })
        .outputs.map((output) => Float32Array.from(output.dataSync())),
    )
  } finally {
    detector.dispose()
  }
}

function largestDifference(a: readonly Float32Array[], b: readonly Float32Array[]): number {
  return Math.max(...a.flatMap((values, i) => Array.from(values, (value, c) => Math.abs(value - b[i]![c]!))))
}

function parametersOf(weights: Weights): number {
  return [...weights]
    .filter(([name]) => !/\/(mean|variance)$/.test(name))
    .reduce((sum, [, { values }]) => sum + values.length, 0)
}

for (const [name, network] of NETWORKS) {
  describe(name, () => {
    const weights = drawn(network, 5)

    test('slimmed as a whole to half the MACs, channels without scale and shift change no output', () => {
      const plan = planPruning(network, weights, {
        ...{ prunable: 'all' as const, floor: 0, cap: 1, multiple: 1 },
        budget: { of: 'macs', percent: 50 },
      })
      const quiet = silenced(network, weights, plan, 0)
      const pruned = prune(network, quiet, plan)
      const { macs, parameters } = complexity(pruned.network)
      assert.ok(macs <= 0.5 * complexity(network).macs)
      assert.equal(parametersOf(pruned.weights), parameters)
      const expected = outputsOf(network, quiet)
      const difference = largestDifference(expected, outputsOf(pruned.network, pruned.weights))
      assert.ok(difference < 1e-5, `largest difference of outputs: expected below 1e-5, found ${difference}`)
      // The outputs depend on what was silenced, so the comparison says something.
      const effect = largestDifference(expected, outputsOf(network, weights))
      assert.ok(effect > 1e-3, `${effect}`)
    })

    test('heads keep their outputs, and every layer that is prunable has a group', () => {
      const grouped = new Set(maskGroups(network, 'all').flatMap(({ layers }) => layers))
      for (const { name: layer, head, batchNorm } of layersOf(network).layers)
        assert.equal(grouped.has(layer), !head && batchNorm, layer)
    })
  })
}

test('what a shortcut adds, a depthwise convolution passes on, or a route cuts in halves goes together', () => {
  const groups = maskGroups(GROUPED, 'all')
  const names = new Map(layersOf(GROUPED).layers.map(({ name }, i) => [i, name]))
  const told = groups.map(({ layers, channels }) => ({ layers, channels }))
  const [first, second, depthwise, narrow, grouped] = [0, 1, 2, 3, 4].map((i) => names.get(i)!)
  assert.deepEqual(told, [
    // Twelve channels in halves; the depthwise convolution sees the twelve behind the six of the second.
    { layers: [first, depthwise], channels: 6 },
    { layers: [second, depthwise], channels: 6 },
    // Four groups of four, tied, on both sides of the shortcut.
    { layers: [narrow, grouped], channels: 4 },
  ])
  const { units } = groups[0]!
  assert.deepEqual(units.get(first!)![0], [0, 6])
  assert.deepEqual(units.get(depthwise!)![0], [6, 12])
})

test('patterns choose layers, and one that fits none is refused with the names', () => {
  const network = narrowDetector()
  const chosen = maskGroups(network, ['neck/detect2/*', 'stem']).flatMap(({ layers }) => layers)
  assert.deepEqual(chosen, ['stem', ...[1, 2, 3, 4, 5].map((i) => `neck/detect2/${i}`)])
  assert.throws(
    () => maskGroups(network, ['nek/*']),
    /prunable: expected patterns of layers, found "nek\/\*", which fits none of stem, stage1\/down/,
  )
  // Of layers that are added up one alone cannot be chosen.
  assert.deepEqual(maskGroups(network, ['stage1/block1/expand']), [])
})

test('constants pass through every activation, shortcuts, routes, groups and pools on the way to the next layer', () => {
  // 1x1 convolutions alone: no padding, so the constants are exact everywhere.
  const activations = ['leaky', 'relu', 'mish', 'swish', 'logistic', 'linear']
  const conv = (activation: string, filters = 8, groups = 1) =>
    `[convolutional]\nbatch_normalize=1\nfilters=${filters}\ngroups=${groups}\nsize=1\nstride=1\npad=1\nactivation=${activation}\n`
  const network = parseCfg(`
[net]
width=32
height=32
channels=3
${activations.map((activation) => conv(activation)).join('')}
[maxpool]
size=3
stride=1
${conv('leaky')}
[shortcut]
from=-2
activation=mish
[route]
layers=-1
groups=2
group_id=1
${conv('leaky', 4)}
[route]
layers=-1,-3
${conv('swish', 12, 12)}
${conv('leaky', 12, 4)}
[upsample]
stride=2
[convolutional]
filters=7
size=1
stride=1
pad=1
activation=linear
[yolo]
mask=0
anchors=4,6
classes=2
num=1
`).network
  const weights = drawn(network, 7, [1.5, 2.5])
  const plan = planPruning(network, weights, { prunable: 'all', ratio: 0.5, floor: 0, cap: 1, multiple: 1 })
  const quiet = silenced(network, weights, plan, 1)
  const pruned = prune(network, quiet, plan)
  const expected = outputsOf(network, quiet)
  const difference = largestDifference(expected, outputsOf(pruned.network, pruned.weights))
  assert.ok(difference < 1e-5, `${difference}`)
  const without = prune(network, silenced(network, weights, plan, 0), plan)
  const effect = largestDifference(expected, outputsOf(without.network, without.weights))
  assert.ok(effect > 1e-3, `effect of the constants: expected above 0.001, found ${effect}`)
})
