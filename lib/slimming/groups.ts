/** Which channels may be pruned, and which of them must go together: both follow from the network's list of layers. */
import { z } from 'zod'
import { interpret, layersOf, type NetworkSpec, type Operations, withWidths } from '../detector'

/**
 * Layers whose channels may be pruned: the backbone's, as published; of the whole network; or those whose name is in a list of
 * patterns, in which `*` stands for anything: `neck/detect1/*`.
 */
export const prunableSchema = z.union([z.enum(['backbone', 'all']), z.array(z.string().min(1)).min(1)])
export type Prunable = z.infer<typeof prunableSchema>

/** The units of some layers: what is pruned together or not at all. */
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

/** Whether every channel has a kernel of its own. */
export const isDepthwise = (groups: number, inputs: number, outputs: number): boolean =>
  groups === inputs && groups === outputs

/** Layers that share a unit are of one group. */
function collect(made: ReadonlyMap<string, readonly number[]>, union: Union): readonly MaskGroup[] {
  const rootsOf = (channels: readonly number[]) =>
    channels.map((channel) => union.find(channel)).filter((root) => root !== union.find(FIXED))
  const names = [...made.keys()]
  const layers = new Union()
  for (const _ of names) layers.add()
  const firstWith = new Map<number, number>()
  for (const [i, name] of names.entries())
    for (const root of rootsOf(made.get(name)!)) {
      const first = firstWith.get(root)
      if (first === undefined) firstWith.set(root, i)
      else layers.join(i, first)
    }
  return names.flatMap((name, i): MaskGroup[] => {
    const members = names.filter((_, j) => layers.find(j) === i)
    const roots = [...new Set(members.flatMap((member) => rootsOf(made.get(member)!)))]
    if (roots.length === 0) return []
    const unitOf = new Map(roots.map((root, unit) => [root, unit]))
    const units = members.map((member): [string, number[][]] => {
      const byUnit: number[][] = roots.map(() => [])
      for (const [c, channel] of made.get(member)!.entries()) {
        const unit = unitOf.get(union.find(channel))
        if (unit !== undefined) byUnit[unit]!.push(c)
      }
      return [member, byUnit]
    })
    return [{ name, layers: members, channels: roots.length, units: new Map(units) }]
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
  const widths = new Map(layersOf(network).layers.map(({ name, out }) => [name, out]))
  return new Map(
    groups.flatMap(({ name, channels, units }) => {
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
      return [...units].map(([layer, byUnit]): [string, readonly number[]] => {
        const gone = new Set(
          byUnit.flatMap((channelsOfUnit, unit) => (stays.has(unit) ? [] : channelsOfUnit)),
        )
        return [layer, all(widths.get(layer)!).filter((c) => !gone.has(c))]
      })
    }),
  )
}

/** 0, 1, ... as many as there are channels. */
export const all = (channels: number): number[] => Array.from({ length: channels }, (_, c) => c)

/** The network without the channels that go. */
export function narrowed(network: NetworkSpec, kept: Kept, prunable: Prunable = 'backbone'): NetworkSpec {
  const channels = keptChannels(network, kept, prunable)
  return withWidths(network, new Map([...channels].map(([layer, staying]) => [layer, staying.length])))
}
