import { parseDocument } from '../base'
import { checkGraph } from './graph'
import { shapesOf } from './shapes'
import { type NetworkSpec, networkSchema } from './spec'

/**
 * Holds a network against its schema and against itself: names, what each layer takes, and shapes.
 *
 * @param place a file's name, or another one for people
 * @throws Error naming the key, or the layer, with what was expected and what was found
 */
export function checkNetwork(network: unknown, place = 'network'): NetworkSpec {
  const spec = parseDocument(network, networkSchema, place)
  checkGraph(spec, place)
  shapesOf(spec, spec.input, place)
  return spec
}
