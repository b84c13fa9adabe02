import { shapesOf } from './shapes'
import type { Layer, NetworkSpec } from './spec'

/**
 * The same network with other numbers of channels out of some convolutions and deconvolutions, by their names. A depthwise
 * convolution has as many groups as channels, before and after.
 */
export function withWidths(network: NetworkSpec, widths: ReadonlyMap<string, number>): NetworkSpec {
  const shapes = shapesOf(network)
  const layers = network.layers.map((layer): Layer => {
    const out = widths.get(layer.name)
    if (out === undefined || (layer.kind !== 'convolution' && layer.kind !== 'deconvolution')) return layer
    const isDepthwise =
      layer.kind === 'convolution' &&
      layer.groups === layer.out &&
      layer.groups === shapes.get(layer.from)?.channels
    return isDepthwise ? { ...layer, out, groups: out } : { ...layer, out }
  })
  return { ...network, layers }
}
