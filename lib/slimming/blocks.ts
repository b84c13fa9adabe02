/** Slimming by whole residual blocks, instead of by channels. */
import { type Layer, layersOf, type NetworkSpec, sourcesOf, type Weights } from '../detector'
import { gammaOf } from './groups'
import type { Gammas } from './plan'

/** A shortcut that adds what some layers make of a map to that map: x + f(x). */
export interface ResidualBlock {
  /** Name of the shortcut. */
  readonly name: string
  /** The map that goes round the layers. */
  readonly around: string
  /** f, in the order of the forward pass. */
  readonly layers: readonly string[]
}

/** The residual blocks of a network, whose layers are a chain of convolutions that nobody else takes maps from. */
export function residualBlocks(network: NetworkSpec): readonly ResidualBlock[] {
  const byName = new Map(network.layers.map((layer) => [layer.name, layer]))
  const features = new Set(Object.values(network.features))
  const takers = new Map<string, number>()
  for (const layer of network.layers)
    for (const source of sourcesOf(layer)) takers.set(source, (takers.get(source) ?? 0) + 1)
  const chain = (end: string, around: string): string[] | undefined => {
    const layers: string[] = []
    for (let at = end; at !== around; ) {
      const layer = byName.get(at)
      if (layer?.kind !== 'convolution' || takers.get(at) !== 1 || features.has(at)) return undefined
      layers.unshift(at)
      at = layer.from
    }
    return layers.length > 0 ? layers : undefined
  }
  return network.layers.flatMap((layer): ResidualBlock[] => {
    if (layer.kind !== 'shortcut' || layer.from.length !== 2 || layer.activation !== 'linear') return []
    const [a, b] = layer.from as [string, string]
    for (const [around, end] of [
      [a, b],
      [b, a],
    ] as const) {
      const layers = chain(end, around)
      if (layers) return [{ name: layer.name, around, layers }]
    }
    return []
  })
}

/**
 * The blocks that matter least: those with the smallest mean |gamma| of the last layer with batch norm, of equal ones the first.
 *
 * @throws Error when the network has fewer blocks, or a scale is missing
 */
export function leastBlocks(network: NetworkSpec, gammas: Gammas, count: number): readonly string[] {
  const blocks = residualBlocks(network)
  if (count > blocks.length)
    throw new Error(
      `pruning blocks: expected at most the network's ${blocks.length} residual blocks, found ${count}`,
    )
  const normed = new Set(layersOf(network).layers.flatMap(({ name, batchNorm }) => (batchNorm ? [name] : [])))
  const scored = blocks.map(({ name, layers }) => {
    const last = layers.filter((layer) => normed.has(layer)).at(-1)
    const values = last === undefined ? undefined : gammas.get(gammaOf(last))?.values
    if (!values)
      throw new Error(
        `pruning blocks: ${name}: expected a layer with batch-norm scales in the weights, found none`,
      )
    return { name, score: Array.from(values, Math.abs).reduce((sum, size) => sum + size, 0) / values.length }
  })
  const kept = [...scored].sort((a, b) => a.score - b.score).slice(0, count)
  return scored.flatMap(({ name }) => (kept.some((block) => block.name === name) ? [name] : []))
}

/**
 * The network without some of its residual blocks: x + f(x) becomes x. Exact where f is 0, as with gamma = 0 and beta = 0 in
 * its last layer.
 *
 * @param names of blocks, as `residualBlocks` calls them
 * @throws Error naming a block that the network does not have
 */
export function withoutBlocks(
  network: NetworkSpec,
  weights: Weights,
  names: readonly string[],
): { readonly network: NetworkSpec; readonly weights: Weights } {
  const blocks = new Map(residualBlocks(network).map((block) => [block.name, block]))
  const instead = new Map<string, string>()
  const gone = new Set<string>()
  for (const name of names) {
    const block = blocks.get(name)
    if (!block)
      throw new Error(
        `pruning blocks: expected names among ${[...blocks.keys()].join(', ') || 'none'}, found "${name}"`,
      )
    instead.set(name, block.around)
    for (const layer of [name, ...block.layers]) gone.add(layer)
  }
  const source = (name: string): string => {
    const around = instead.get(name)
    return around === undefined ? name : source(around)
  }
  const layers = network.layers.flatMap((layer): Layer[] => {
    if (gone.has(layer.name)) return []
    return [
      typeof layer.from === 'string'
        ? ({ ...layer, from: source(layer.from) } as Layer)
        : ({ ...layer, from: layer.from.map(source) } as Layer),
    ]
  })
  const features = Object.fromEntries(
    Object.entries(network.features).map(([feature, layer]) => [feature, source(layer)]),
  )
  const staying = [...weights].filter(([name]) => !gone.has(name.slice(0, name.lastIndexOf('/'))))
  return { network: { ...network, layers, features }, weights: new Map(staying) }
}
