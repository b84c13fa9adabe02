import { layersOf, type WeightedLayer } from './layers'
import type { NetworkSpec, Part } from './spec'

/**
 * Multiply-accumulate operations of one layer on one image: kernel^2 * in / groups * out * height * width of the output; a
 * deconvolution is counted on its input positions, as mmdetection does.
 */
export function layerMacs(layer: WeightedLayer): number {
  const [height, width] = layer.kind === 'deconvolution' ? layer.inputSize : layer.outputSize
  return layer.kernel ** 2 * (layer.in / layer.groups) * layer.out * height * width
}

/**
 * Trained parameters of one layer: kernel^2 * in / groups * out, and 2 * out (gamma and beta) or out (a bias). Running
 * statistics do not count.
 */
export function layerParameters(layer: WeightedLayer): number {
  return layer.kernel ** 2 * (layer.in / layer.groups) * layer.out + (layer.batchNorm ? 2 : 1) * layer.out
}

/** What one image costs in a network, and how many numbers it has. */
export interface Complexity {
  /** Multiply-accumulates of all convolutions for one image. One MAC is two floating-point operations. */
  readonly macs: number
  readonly macsByPart: { readonly [part in Part]: number }
  readonly parameters: number
  /**
   * The count under mmdetection's rules, which published tables call FLOPs: MACs + bias additions + 2 an element of
   * batch norm + 1 an element of an activation + the input elements of max pools; additions and concatenations are free.
   */
  readonly mmdet: number
}

/**
 * Counts a network's operations on one image of its input, and its parameters.
 *
 * @throws Error naming the key or the layer of what describes no network
 */
export function complexity(network: NetworkSpec): Complexity {
  const { layers, pools } = layersOf(network)
  const macsByPart = { backbone: 0, neck: 0, head: 0 }
  let parameters = 0
  let mmdet = pools.reduce((sum, pool) => sum + pool.elements, 0)
  for (const layer of layers) {
    const macs = layerMacs(layer)
    macsByPart[layer.part] += macs
    parameters += layerParameters(layer)
    const elements = layer.out * layer.outputSize[0] * layer.outputSize[1]
    mmdet += macs + elements * ((layer.batchNorm ? 2 : 1) + (layer.activation === 'linear' ? 0 : 1))
  }
  const macs = macsByPart.backbone + macsByPart.neck + macsByPart.head
  return { macs, macsByPart, parameters, mmdet }
}
