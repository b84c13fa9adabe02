/** Which channels may be pruned, and which of them must go together: both follow from the network's list of layers. */
import { z } from 'zod'
import { interpret, isDepthwise, layersOf, type NetworkSpec, type Operations, withWidths } from '../detector'

/**
 * Layers whose channels may be pruned: the backbone's, as published; of the whole network; or those whose name is in a list of
 * patterns, in which `*` stands for anything: `neck/detect1/*`.
 */
export const prunableSchema = z.union([z.enum(['backbone', 'all']), z.array(z.string().min(1)).min(1)])
/** Which layers may lose channels. */
export type Prunable = z.infer<typeof prunableSchema>

/** Units of the same layers; a unit is pruned as a whole or not at all. */
export interface MaskGroup {
  /** The first layer in the order of the forward pass: `stem`, `stage1/down`, `stage1/block1/reduce`, ... */
  readonly name: string
  readonly layers: readonly string[]
  /** Number of units: as a rule channel c of every layer is unit c. */
  readonly channels: number
  /**
   * Of each layer the channels of every unit. It is one channel, but for layers whose map is cut into equal parts later (a
   * route or a convolution with groups): there it is one of each part, so that the parts stay equal.
   */
  readonly units: ReadonlyMap<string, readonly (readonly number[])[]>
}

/** Sets that are joined, each known by its smallest member. */
class Union {
  private readonly parents: number[] = []

  add(): number {
    return this.parents.push(this.parents.length) - 1
  }

  find(member: number): number {
    let root = member
    while (this.parents[root] !== root) root = this.parents[root]!
    for (let at = member; at !== root; ) {
      const next = this.parents[at]!
      this.parents[at] = root
      at = next
    }
    return root
  }

  join(a: number, b: number): void {
    const [low, high] = [this.find(a), this.find(b)].sort((x, y) => x - y) as [number, number]
    this.parents[high] = low
  }
}

/** A channel that stays, whatever its scale. */
const FIXED = 0

/**
 * The mask groups of a network, in the order of the forward pass. Channels go together where a shortcut adds them up, where
 * a depthwise convolution makes one of the other, and where a route or a convolution with groups needs parts of one size.
 * A channel stays where a layer that makes it has no batch norm or is not `prunable`, where it is a head's output, and where a
 * shortcut adds maps of different widths.
 *
 * @throws Error when a pattern fits no layer
 */
export function maskGroups(network: NetworkSpec, prunable: Prunable = 'backbone'): readonly MaskGroup[] {
  const isPrunable = selector(network, prunable)
  const union = new Union()
  union.add()
  const made = new Map<string, readonly number[]>()
  const make = (layer: { name: string; part: string; out: number; batchNorm: boolean }) => {
    const channels = Array.from({ length: layer.out }, () => union.add())
    if (!layer.batchNorm || !isPrunable(layer.name, layer.part))
      for (const channel of channels) union.join(channel, FIXED)
    made.set(layer.name, channels)
    return channels
  }
  /** Channel i of every part goes with channel i of the others. */
  const tie = (channels: readonly number[], parts: number) => {
    const size = channels.length / parts
    for (const [c, channel] of channels.entries()) union.join(channel, channels[c % size]!)
  }
  const operations: Operations<readonly number[]> = {
    conv: (x, layer) => {
      const y = make(layer)
      if (layer.groups === 1) return y
      if (isDepthwise(layer.groups, x.length, y.length)) {
        for (const [c, channel] of x.entries()) union.join(channel, y[c]!)
      } else {
        tie(x, layer.groups)
        tie(y, layer.groups)
      }
      return y
    },
    deconv: (_, layer) => make(layer),
    add: ([first, ...others]) => {
      for (const other of others) {
        const isWhole = other.length === first!.length
        for (const [c, channel] of other.entries()) union.join(channel, isWhole ? first![c]! : FIXED)
        if (!isWhole) for (const channel of first!) union.join(channel, FIXED)
      }
      return first!
    },
    group: (x, { groups, groupId }) => {
      tie(x, groups)
      const size = x.length / groups
      return x.slice(groupId * size, (groupId + 1) * size)
    },
    concat: (values) => values.flat(),
    maxPool: (x) => x,
    upsample: (x) => x,
  }
  const images = Array.from({ length: network.channels }, () => FIXED)
  const { outputs } = interpret(network, operations, images)
  for (const output of outputs) for (const channel of output) union.join(channel, FIXED)
  return collect(made, union)
}

/** Units of the same layers are of one group. */
function collect(made: ReadonlyMap<string, readonly number[]>, union: Union): readonly MaskGroup[] {
  const fixed = union.find(FIXED)
  /** Of every unit, by its root, its channels in each of its layers. */
  const units = new Map<number, Map<string, number[]>>()
  for (const [layer, channels] of made) {
    for (const [c, channel] of channels.entries()) {
      const root = union.find(channel)
      if (root === fixed) continue
      const unit = units.get(root) ?? new Map<string, number[]>()
      units.set(root, unit.set(layer, [...(unit.get(layer) ?? []), c]))
    }
  }
  const byLayers = new Map<string, Map<string, number[]>[]>()
  for (const unit of units.values()) {
    const key = [...unit.keys()].join('+')
    byLayers.set(key, [...(byLayers.get(key) ?? []), unit])
  }
  const names = new Set<string>()
  return [...byLayers].map(([key, members]) => {
    const layers = [...members[0]!.keys()]
    // A layer of which only a part goes with others is the first of several groups.
    const name = names.has(layers[0]!) ? key : layers[0]!
    names.add(name)
    const ofLayer = layers.map((layer) => [layer, members.map((unit) => unit.get(layer)!)] as const)
    return { name, layers, channels: members.length, units: new Map(ofLayer) }
  })
}

function selector(network: NetworkSpec, prunable: Prunable): (name: string, part: string) => boolean {
  if (prunable === 'all') return () => true
  if (prunable === 'backbone') return (_, part) => part === 'backbone'
  const patterns = prunable.map((pattern) => {
    const literal = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
    const expression = new RegExp(`^${literal.join('.*')}$`)
    if (network.layers.some(({ name }) => expression.test(name))) return expression
    const names = network.layers.map(({ name }) => name).join(', ')
    throw new Error(`prunable: expected patterns of layers, found "${pattern}", which fits none of ${names}`)
  })
  return (name) => patterns.some((pattern) => pattern.test(name))
}

/** Names of the batch-norm scales that sparsity training shrinks: those of every layer in a mask group. */
export function prunableGammas(network: NetworkSpec, prunable: Prunable = 'backbone'): ReadonlySet<string> {
  const layers = new Set(maskGroups(network, prunable).flatMap((group) => group.layers))
  return new Set(
    layersOf(network)
      .layers.filter(({ name }) => layers.has(name))
      .map(({ name }) => gammaOf(name)),
  )
}

/** Name of a layer's batch-norm scales. */
export function gammaOf(layer: string): string {
  return `${layer}/gamma`
}

/** Which units of every mask group stay, by the group's name. */
export type Kept = { readonly [group: string]: readonly number[] }

/**
 * Which channels of a layer stay, in ascending order, by the layer's name; layers that are not pruned are not among them.
 *
 * @throws Error when `kept` is not of the network's mask groups
 */
export function keptChannels(
  network: NetworkSpec,
  kept: Kept,
  prunable: Prunable = 'backbone',
): ReadonlyMap<string, readonly number[]> {
  const groups = maskGroups(network, prunable)
  const unknown = Object.keys(kept).find((name) => !groups.some((group) => group.name === name))
  if (unknown !== undefined) {
    throw new Error(
      `pruning ${unknown}: expected a group of layers of this network, found none; the plan was made for another network`,
    )
  }
  const gone = new Map<string, Set<number>>()
  for (const { name, channels, units } of groups) {
    const staying = Object.hasOwn(kept, name) ? kept[name] : undefined
    const fits = (unit: number, i: number) =>
      Number.isInteger(unit) && unit > (staying?.[i - 1] ?? -1) && unit < channels
    if (!staying || staying.length === 0 || !staying.every(fits)) {
      throw new Error(
        `pruning ${name}: expected ascending indices of its ${channels} channels, found ` +
          `${staying ? `[${staying}]` : 'none'}; the plan was made for another network`,
      )
    }
    const stays = new Set(staying)
    for (const [layer, byUnit] of units) {
      const going = gone.get(layer) ?? new Set<number>()
      gone.set(layer, going)
      for (const [unit, ofUnit] of byUnit.entries())
        if (!stays.has(unit)) for (const c of ofUnit) going.add(c)
    }
  }
  const widths = new Map(layersOf(network).layers.map(({ name, out }) => [name, out]))
  return new Map(
    [...gone].map(([layer, going]) => [layer, all(widths.get(layer)!).filter((c) => !going.has(c))]),
  )
}

/** 0, 1, ... as many as there are channels. */
export const all = (channels: number): number[] => Array.from({ length: channels }, (_, c) => c)

/** The network without the channels that go. */
export function narrowed(network: NetworkSpec, kept: Kept, prunable: Prunable = 'backbone'): NetworkSpec {
  const channels = keptChannels(network, kept, prunable)
  return withWidths(network, new Map([...channels].map(([layer, staying]) => [layer, staying.length])))
}
