import type { Layer, NetworkSpec } from './spec'

/** The same network with other numbers of channels out of some convolutions and deconvolutions, by their names. */
export function withWidths(network: NetworkSpec, widths: ReadonlyMap<string, number>): NetworkSpec {
  const layers = network.layers.map((layer): Layer => {
    const out = widths.get(layer.name)
    return out !== undefined && (layer.kind === 'convolution' || layer.kind === 'deconvolution')
      ? { ...layer, out }
      : layer
  })
  return { ...network, layers }
}
