/** What refers to what in a network. */
import { IMAGES, type Layer, type NetworkSpec } from './spec'

/** The names of the maps that a layer takes. */
export function sourcesOf({ from }: Layer): readonly string[] {
  return typeof from === 'string' ? [from] : from
}

/** "layer 12 "neck/up2" (deconvolution)", as errors speak of it. */
export function describeLayer({ layers }: NetworkSpec, layer: Layer): string {
  return `layer ${layers.indexOf(layer)} "${layer.name}" (${layer.kind})`
}

/**
 * Checks that every name is there once, and every layer takes maps of earlier ones.
 *
 * @throws Error naming the layer, what was expected and what was found
 */
export function checkGraph(network: NetworkSpec, place: string): void {
  const { layers, features } = network
  const before = new Map<string, Layer | undefined>([[IMAGES, undefined]])
  for (const layer of layers) {
    const fail = (message: string): never => {
      throw new Error(`${place}: ${describeLayer(network, layer)}: ${message}`)
    }
    for (const source of sourcesOf(layer)) {
      if (!before.has(source)) {
        const later = layers.some(({ name }) => name === source)
        fail(
          `expected to take the map of an earlier layer or "${IMAGES}", found "${source}", ` +
            (later ? 'which comes no earlier' : 'which is none of the layers'),
        )
      }
      if (before.get(source)?.kind === 'yolo')
        fail(`expected to take a map, found "${source}", a yolo layer, whose output is decoded boxes`)
    }
    if (before.has(layer.name)) fail(`expected a name of its own, found "${layer.name}" twice`)
    before.set(layer.name, layer)
  }
  for (const [feature, layer] of Object.entries(features)) {
    if (!before.get(layer) || before.get(layer)?.kind === 'yolo')
      throw new Error(
        `${place}: features.${feature}: expected the name of a layer with a map, found "${layer}"`,
      )
  }
}

/** A layer and all that its map depends on, by name; the images among them. */
export function ancestorsOf({ layers }: NetworkSpec, name: string): ReadonlySet<string> {
  const found = new Set([name])
  for (const layer of [...layers].reverse())
    if (found.has(layer.name)) for (const source of sourcesOf(layer)) found.add(source)
  return found
}
