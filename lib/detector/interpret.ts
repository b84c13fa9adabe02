/** Runs a network over any type of value. */
import { sourcesOf } from './graph'
import {
  type Convolution,
  type Deconvolution,
  featureOfHead,
  IMAGES,
  type Layer,
  type MaxPool,
  type NetworkSpec,
  type Route,
  type Shortcut,
  type Upsample,
} from './spec'

/**
 * What a network's layers do to a value: tensors (a forward pass), shapes (counting, drawing), channels (pruning) or names
 * (files of other programs). Every operation is given its layer.
 */
export interface Operations<T> {
  /** Convolution, batch norm or bias, activation. */
  conv(x: T, layer: Convolution): T
  /** Transposed convolution, batch norm or bias, activation. */
  deconv(x: T, layer: Deconvolution): T
  /** The largest value of every window. */
  maxPool(x: T, layer: MaxPool): T
  /** Every cell repeated in both directions. */
  upsample(x: T, layer: Upsample): T
  /** The `groupId`-th of `groups` equal parts of the channels. */
  group(x: T, layer: Route): T
  /** Two or more values one behind the other along the channels. */
  concat(values: readonly T[], layer: Route): T
  /** Sum and activation: the channels of the first value. */
  add(values: readonly T[], layer: Shortcut): T
}

/** What the layers of a network have computed. */
export interface Interpreted<T> {
  /** What every yolo layer takes, in their order. */
  readonly outputs: T[]
  /** The features `detect1`, `detect2`, ... as far as the network names them: the maps in front of the heads. */
  readonly features: T[]
  readonly named: { readonly [name: string]: T }
  /** What every layer gives, by its name; a yolo layer what it takes. */
  readonly values: ReadonlyMap<string, T>
}

/**
 * Runs a network that `checkNetwork` has accepted: every layer once, in the order of the list. A route of one whole map is
 * that map.
 */
export function interpret<T>(network: NetworkSpec, ops: Operations<T>, images: T): Interpreted<T> {
  const values = new Map<string, T>([[IMAGES, images]])
  const outputs: T[] = []
  for (const layer of network.layers) {
    const taken = sourcesOf(layer).map((name) => values.get(name)!)
    const value = run(layer, ops, taken)
    if (layer.kind === 'yolo') outputs.push(value)
    values.set(layer.name, value)
  }
  const named = Object.fromEntries(
    Object.entries(network.features).map(([feature, layer]) => [feature, values.get(layer)!]),
  )
  const features = outputs.flatMap((_, head) => named[featureOfHead(head)] ?? [])
  return { outputs, features, named, values }
}

function run<T>(layer: Layer, ops: Operations<T>, taken: readonly T[]): T {
  const x = taken[0]!
  switch (layer.kind) {
    case 'convolution':
      return ops.conv(x, layer)
    case 'deconvolution':
      return ops.deconv(x, layer)
    case 'maxPool':
      return ops.maxPool(x, layer)
    case 'upsample':
      return ops.upsample(x, layer)
    case 'route': {
      const parts = layer.groups === 1 ? taken : taken.map((map) => ops.group(map, layer))
      return parts.length === 1 ? parts[0]! : ops.concat(parts, layer)
    }
    case 'shortcut':
      return ops.add(taken, layer)
    case 'yolo':
      return x
  }
}
