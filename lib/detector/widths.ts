import { shapesOf } from './shapes'
import type { Layer, NetworkSpec } from './spec'

/** Whether every channel has a kernel of its own, and goes with its own output alone. */
export const isDepthwise = (groups: number, inputs: number, outputs: number): boolean =>
  groups > 1 && groups === inputs && groups === outputs

/**
 * The same network with other numbers of channels out of some convolutions and deconvolutions, by their names. A depthwise
 * convolution has as many groups as channels, before and after.
 */
export function withWidths(network: NetworkSpec, widths: ReadonlyMap<string, number>): NetworkSpec {
  const shapes = shapesOf(network)
  const layers = network.layers.map((layer): Layer => {
    const out = widths.get(layer.name)
    if (out === undefined || (layer.kind !== 'convolution' && layer.kind !== 'deconvolution')) return layer
    const inputs = shapes.get(layer.from)!.channels
    return layer.kind === 'convolution' && isDepthwise(layer.groups, inputs, layer.out)
      ? { ...layer, out, groups: out }
      : { ...layer, out }
  })
  return { ...network, layers }
}
