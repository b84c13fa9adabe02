/** Which layers may be pruned, and which of them must keep the same channels. */
import { type BackboneWidths, type DetectorConfig, layersOf } from '../detector'
import { darknet21 } from '../detector/network'
import type { Operations } from '../detector/operations'

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
export function maskGroups(config: DetectorConfig): readonly MaskGroup[] {
  interface Group {
    name: string
    layers: string[]
    channels: number
  }
  const groups = new Set<Group>()
  const none = (): never => {
    throw new Error('mask groups: expected a backbone of convolutions and additions only')
  }
  const operations: Operations<Group> = {
    conv: (_, { name, out }) => {
      const group = { name, layers: [name], channels: out }
      groups.add(group)
      return group
    },
    add: (a, b) => {
      if (a !== b) {
        a.layers.push(...b.layers)
        groups.delete(b)
      }
      return a
    },
    deconv: none,
    nearest: none,
    linear: none,
    concat: none,
    maxPool: none,
  }
  darknet21(operations, { name: 'images', layers: [], channels: 3 }, config.backbone)
  return [...groups]
}

/** Names of the batch-norm scales that sparsity training shrinks: those of every layer in a mask group. */
export function prunableGammas(config: DetectorConfig): ReadonlySet<string> {
  const prunable = new Set(maskGroups(config).flatMap(({ layers }) => layers))
  return new Set(
    layersOf(config)
      .layers.filter(({ name }) => prunable.has(name))
      .map(({ name }) => gammaOf(name)),
  )
}

/** Name of a layer's batch-norm scales. */
export function gammaOf(layer: string): string {
  return `${layer}/gamma`
}

/** The backbone's widths when every group has the given number of channels. */
export function widthsOf(channels: ReadonlyMap<string, number>): BackboneWidths {
  const of = (pattern: RegExp) =>
    [...channels].filter(([name]) => pattern.test(name)).map(([, width]) => width)
  const out = of(/\/down$/)
  return { in: [...of(/^stem$/), ...out.slice(0, -1)], out, mid: of(/\/reduce$/) }
}
