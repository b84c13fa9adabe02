import {
  type Activation,
  interpret,
  isDepthwise,
  type NetworkSpec,
  type Operations,
  SLOPE,
  type Weights,
} from '../detector'
import { all, keptChannels, narrowed } from './groups'
import type { PruningPlan } from './plan'

/** What is known of a value's channels when some of them are pruned. */
interface Channels {
  /** Indices, ascending, of those that stay. */
  readonly kept: readonly number[]
  /** One number for every channel of the unpruned network: the constant it is where it is pruned, 0 where it stays. */
  readonly constant: Float64Array
}

type WeightArray = { readonly shape: readonly number[]; readonly values: Float32Array }

/**
 * Removes channels from a network's weights.
 *
 * A pruned channel is taken to have gamma = 0, so it is the constant a(beta) with the layer's activation a, and behind a
 * shortcut a of the sum of such constants. What the next convolution makes of a constant k, sum over (u, v) of
 * kernel[u, v, c, :] * k_c, is subtracted from the running mean behind it (added to the bias of a layer without batch
 * norm), so the network computes on. Pools, upsampling, routes and groups carry constants as they are.
 *
 * Exact for every pixel when the pruned channels have gamma = 0 and beta = 0. With beta other than 0 it is exact for
 * 1x1 convolutions and pools; a 3x3 convolution pads its input with zeros, not with the constant, so the unpruned
 * network differs in the outermost row and column, and behind further 3x3 convolutions in as many more. A deconvolution
 * makes other constants of the stride^2 places within a cell; their mean goes on.
 *
 * @param network the unpruned architecture
 * @param weights its weights
 * @param plan from `planPruning` or a pruned structure that was read
 * @throws Error when plan, network and weights do not belong together
 */
export function prune(
  network: NetworkSpec,
  weights: Weights,
  plan: PruningPlan,
): { readonly network: NetworkSpec; readonly weights: Weights } {
  const keptOf = keptChannels(network, plan.kept, plan.prunable)
  const pruned = new Map<string, WeightArray>()
  const weight = (name: string): WeightArray => {
    const found = weights.get(name)
    if (!found) throw new Error(`weight ${name}: expected in the weights to be pruned, found none`)
    return found
  }
  const kernelOf = (name: string, shape: readonly number[]): WeightArray => {
    const kernel = weight(`${name}/kernel`)
    if (kernel.shape.length !== 4 || kernel.shape.slice(2).some((size, i) => size !== shape[i]))
      throw new Error(
        `weight ${name}/kernel: expected shape [k, k, ${shape.join(', ')}], found [${kernel.shape}]`,
      )
    return kernel
  }
  /** The layer's vectors for the channels that stay; `shift` is what the constants of the pruned inputs add. */
  const finish = (
    { name, out, activation }: { name: string; out: number; activation: Activation },
    kept: readonly number[],
    shift: Float64Array,
  ): Channels => {
    const vector = (suffix: string, change?: (value: number, channel: number) => number) => {
      const found = weights.get(`${name}/${suffix}`)
      if (!found) return undefined
      const values = Float32Array.from(kept, (c) => (change ? change(found.values[c]!, c) : found.values[c]!))
      pruned.set(`${name}/${suffix}`, { shape: [kept.length], values })
      return found.values
    }
    vector('gamma')
    vector('mean', (mean, c) => mean - shift[c]!)
    vector('variance')
    vector('bias', (bias, c) => bias + shift[c]!)
    const beta = vector('beta')
    return { kept, constant: constantsOf(out, kept, (c) => activated(beta?.[c] ?? 0, activation)) }
  }
  const operations: Operations<Channels> = {
    conv: (x, layer) => {
      const { name, groups, out } = layer
      const [inputs, kept] = [x.constant.length, keptOf.get(name) ?? all(out)]
      const kernel = kernelOf(name, [inputs / groups, out])
      // Parts of a map keep the same channels, so the first part's say which rows of the kernel stay.
      const rows = isDepthwise(groups, inputs, out) ? [0] : x.kept.filter((c) => c < inputs / groups)
      pruned.set(`${name}/kernel`, takeChannels(kernel, rows, kept))
      return finish(layer, kept, contribution(kernel, x.constant, groups))
    },
    deconv: (x, layer) => {
      const { name, out, stride } = layer
      const kept = keptOf.get(name) ?? all(out)
      const kernel = kernelOf(name, [out, x.constant.length])
      pruned.set(`${name}/kernel`, takeChannels(kernel, kept, x.kept))
      const sums = contribution(transposed(kernel), x.constant, 1)
      return finish(
        layer,
        kept,
        sums.map((sum) => sum / stride ** 2),
      )
    },
    add: ([first, ...others], { activation }) => {
      const sum = (c: number) =>
        others.reduce((total, { constant }) => total + (constant[c] ?? 0), first!.constant[c]!)
      const { kept, constant } = first!
      return { kept, constant: constantsOf(constant.length, kept, (c) => activated(sum(c), activation)) }
    },
    group: ({ kept, constant }, { groups, groupId }) => {
      const size = constant.length / groups
      const from = groupId * size
      return {
        kept: kept.filter((c) => c >= from && c < from + size).map((c) => c - from),
        constant: constant.slice(from, from + size),
      }
    },
    concat: (values) => {
      const kept: number[] = []
      const constant: number[] = []
      for (const value of values) {
        for (const c of value.kept) kept.push(c + constant.length)
        constant.push(...value.constant)
      }
      return { kept, constant: Float64Array.from(constant) }
    },
    maxPool: (x) => x,
    upsample: (x) => x,
  }
  const { channels } = network
  interpret(network, operations, { kept: all(channels), constant: new Float64Array(channels) })
  return { network: narrowed(network, plan.kept, plan.prunable), weights: pruned }
}

/** The constants of the channels that go, 0 for those that stay. */
function constantsOf(
  channels: number,
  kept: readonly number[],
  constant: (c: number) => number,
): Float64Array {
  const constants = Float64Array.from({ length: channels }, (_, c) => constant(c))
  for (const c of kept) constants[c] = 0
  return constants
}

function activated(x: number, activation: Activation): number {
  const sigmoid = 1 / (1 + Math.exp(-x))
  switch (activation) {
    case 'linear':
      return x
    case 'leaky':
      return x > 0 ? x : SLOPE * x
    case 'relu':
      return Math.max(x, 0)
    case 'mish':
      return x * Math.tanh(Math.log1p(Math.exp(x)))
    case 'swish':
      return x * sigmoid
    case 'logistic':
      return sigmoid
  }
}

/** sum over u, v and the inputs c of o's group of kernel[u, v, c, o] * constant[c], for every o. */
function contribution({ shape, values }: WeightArray, constant: Float64Array, groups: number): Float64Array {
  const [height, width, inputs, outputs] = shape as [number, number, number, number]
  const sums = new Float64Array(outputs)
  for (const [c, value] of constant.entries()) {
    if (value === 0) continue
    const group = Math.floor(c / inputs)
    const [from, to] = [(group * outputs) / groups, ((group + 1) * outputs) / groups]
    for (let at = 0; at < height * width; at++) {
      const row = (at * inputs + (c % inputs)) * outputs
      for (let o = from; o < to; o++) sums[o]! += values[row + o]! * value
    }
  }
  return sums
}

/** A kernel with its last two axes changed round. */
function transposed({ shape, values }: WeightArray): WeightArray {
  const [height, width, a, b] = shape as [number, number, number, number]
  const turned = new Float32Array(values.length)
  for (let at = 0; at < height * width; at++)
    for (let i = 0; i < a; i++)
      for (let j = 0; j < b; j++) turned[(at * b + j) * a + i] = values[(at * a + i) * b + j]!
  return { shape: [height, width, b, a], values: turned }
}

/** The rows and columns of a kernel [k, k, in, out] for some of its input and output channels. */
function takeChannels(
  { shape, values }: WeightArray,
  inputs: readonly number[],
  outputs: readonly number[],
): WeightArray {
  const [height, width, allInputs, allOutputs] = shape as [number, number, number, number]
  const taken = new Float32Array(height * width * inputs.length * outputs.length)
  let i = 0
  for (let at = 0; at < height * width; at++) {
    for (const c of inputs) {
      const row = (at * allInputs + c) * allOutputs
      for (const o of outputs) taken[i++] = values[row + o]!
    }
  }
  return { shape: [height, width, inputs.length, outputs.length], values: taken }
}
