/** Which layers may be pruned, and which of them must keep the same channels. */
import { interpret, layersOf, type NetworkSpec, type Operations, withWidths } from '../detector'

/** Layers whose outputs are added up somewhere: channel c of each is pruned together or not at all. */
export interface MaskGroup {
  /** The first layer in the order of the forward pass: `stem`, `stage1/down`, `stage1/block1/reduce`, ... */
  readonly name: string
  readonly layers: readonly string[]
  readonly channels: number
}

/**
 * The mask groups of the backbone, in the order of the forward pass: the stem, every stage's stride-2 convolution with
 * the second convolutions of its residual blocks, and the first convolution of every block. Neck and head keep their
 * widths.
 */
export function maskGroups(network: NetworkSpec): readonly MaskGroup[] {
  interface Group {
    name: string
    layers: string[]
    channels: number
  }
  const groups = new Set<Group>()
  /** A map of the neck, the head, or several groups beside one another: nothing of it is pruned. */
  const free: Group = { name: 'none', layers: [], channels: 0 }
  const operations: Operations<Group> = {
    conv: (_, { name, part, out }) => {
      if (part !== 'backbone') return free
      const group = { name, layers: [name], channels: out }
      groups.add(group)
      return group
    },
    add: ([a, b], { name, part }) => {
      if (part !== 'backbone') return free
      if (!a || !b || a === free || b === free)
        throw new Error(`mask groups: ${name}: expected a sum of two maps of the backbone`)
      if (a !== b) {
        a.layers.push(...b.layers)
        groups.delete(b)
      }
      return a
    },
    deconv: () => free,
    upsample: (x) => x,
    maxPool: (x) => x,
    group: () => free,
    concat: () => free,
  }
  interpret(network, operations, free)
  return [...groups]
}

/** Names of the batch-norm scales that sparsity training shrinks: those of every layer in a mask group. */
export function prunableGammas(network: NetworkSpec): ReadonlySet<string> {
  const prunable = new Set(maskGroups(network).flatMap(({ layers }) => layers))
  return new Set(
    layersOf(network)
      .layers.filter(({ name }) => prunable.has(name))
      .map(({ name }) => gammaOf(name)),
  )
}

/** Name of a layer's batch-norm scales. */
export function gammaOf(layer: string): string {
  return `${layer}/gamma`
}

/** The network when every group has the given number of channels. */
export function narrowed(network: NetworkSpec, channels: ReadonlyMap<string, number>): NetworkSpec {
  const widths = maskGroups(network).flatMap(({ name, layers, channels: all }) =>
    layers.map((layer): [string, number] => [layer, channels.get(name) ?? all]),
  )
  return withWidths(network, new Map(widths))
}
