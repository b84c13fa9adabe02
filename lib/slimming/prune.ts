import { interpret, type NetworkSpec, type Operations, SLOPE, type Weights } from '../detector'
import { maskGroups, narrowed } from './groups'
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
 * A pruned channel is taken to have gamma = 0, so it is the constant leaky(beta), and along a chain of additions the
 * sum of such constants. What the next convolution makes of a constant k, sum over (u, v) of kernel[u, v, c, :] * k_c,
 * is subtracted from the running mean behind it (added to the bias of a linear layer), so the network computes on.
 *
 * Exact for every pixel when the pruned channels have gamma = 0 and beta = 0. With beta other than 0 it is exact for
 * 1x1 convolutions and max pools; a 3x3 convolution pads its input with zeros, not with the constant, so the unpruned
 * network differs in the outermost row and column, and behind further 3x3 convolutions in as many more.
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
  const keptOf = new Map<string, readonly number[]>()
  const counts = new Map<string, number>()
  for (const { name, layers, channels } of maskGroups(network)) {
    const kept = plan.kept[name]
    const fits = (c: number, i: number) => Number.isInteger(c) && c > (kept?.[i - 1] ?? -1) && c < channels
    if (!kept || kept.length === 0 || !kept.every(fits)) {
      throw new Error(
        `pruning ${name}: expected ascending indices of its ${channels} channels, found ` +
          `${kept ? `[${kept}]` : 'none'}; the plan was made for another network`,
      )
    }
    counts.set(name, kept.length)
    for (const layer of layers) keptOf.set(layer, kept)
  }
  const pruned = new Map<string, WeightArray>()
  const weight = (name: string): WeightArray => {
    const found = weights.get(name)
    if (!found) throw new Error(`weight ${name}: expected in the weights to be pruned, found none`)
    return found
  }
  const convolve = (x: Channels, name: string, out: number): Channels => {
    const kernel = weight(`${name}/kernel`)
    if (kernel.shape[2] !== x.constant.length || kernel.shape[3] !== out) {
      throw new Error(
        `weight ${name}/kernel: expected shape [k, k, ${x.constant.length}, ${out}], found [${kernel.shape}]`,
      )
    }
    const kept = keptOf.get(name) ?? all(out)
    pruned.set(`${name}/kernel`, takeChannels(kernel, x.kept, kept))
    const shift = contribution(kernel, x.constant)
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
    const constant = Float64Array.from({ length: out }, (_, c) => leaky(beta?.[c] ?? 0))
    for (const c of kept) constant[c] = 0
    return { kept, constant }
  }
  const operations: Operations<Channels> = {
    conv: (x, { name, out }) => convolve(x, name, out),
    // Only the neck has deconvolutions, and its own channels are never pruned.
    deconv: (_, { name, out }) => {
      for (const [key, value] of weights) if (key.startsWith(`${name}/`)) pruned.set(key, value)
      return { kept: all(out), constant: new Float64Array(out) }
    },
    upsample: (x) => x,
    add: (values) =>
      values.reduce((a, b) => ({
        kept: a.kept,
        constant: a.constant.map((value, c) => value + b.constant[c]!),
      })),
    group: (_, { name }) => {
      throw new Error(`pruning ${name}: expected whole maps, found a group of channels`)
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
  }
  const { channels } = network
  interpret(network, operations, { kept: all(channels), constant: new Float64Array(channels) })
  return { network: narrowed(network, counts), weights: pruned }
}

const all = (channels: number) => Array.from({ length: channels }, (_, c) => c)

const leaky = (x: number) => (x > 0 ? x : SLOPE * x)

/** sum over u, v, c of kernel[u, v, c, o] * constant[c], for every o. */
function contribution({ shape, values }: WeightArray, constant: Float64Array): Float64Array {
  const [height, width, inputs, outputs] = shape as [number, number, number, number]
  const sums = new Float64Array(outputs)
  for (let c = 0; c < inputs; c++) {
    if (constant[c] === 0) continue
    for (let at = 0; at < height * width; at++) {
      const row = (at * inputs + c) * outputs
      for (let o = 0; o < outputs; o++) sums[o]! += values[row + o]! * constant[c]!
    }
  }
  return sums
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
