import { type Layer, layersOf } from './layers'
import type { Part } from './operations'
import type { DetectorConfig } from './types'

/**
 * Multiply-accumulate operations of one layer on one image: kernel^2 * in * out * height * width of the output; a
 * deconvolution is counted on its input positions, as mmdetection does.
 */
export function layerMacs(layer: Layer): number {
  const [height, width] = layer.kind === 'deconv' ? layer.inputSize : layer.outputSize
  return layer.kernel ** 2 * layer.in * layer.out * height * width
}

/**
 * Trained parameters of one layer: kernel^2 * in * out, and 2 * out (gamma and beta) or out (a bias). Running statistics do
 * not count.
 */
export function layerParameters(layer: Layer): number {
  return layer.kernel ** 2 * layer.in * layer.out + (layer.kind === 'linear' ? 1 : 2) * layer.out
}

export interface Complexity {
  /** Multiply-accumulates of all convolutions for one image. One MAC is two floating-point operations. */
  readonly macs: number
  readonly macsByPart: { readonly [part in Part]: number }
  readonly parameters: number
  /**
   * The count under mmdetection's rules, which published tables call FLOPs: MACs + bias additions + 2 an element of
   * batch norm + 1 an element of LeakyReLU + the input elements of max pools; additions and concatenations are free.
   */
  readonly mmdet: number
}

/**
 * Counts a detector's operations on one image of `config.input`, and its parameters.
 *
 * @throws Error naming the key of a config that describes no network
 */
export function complexity(config: DetectorConfig): Complexity {
  const { layers, pools } = layersOf(config)
  const macsByPart = { backbone: 0, neck: 0, head: 0 }
  let parameters = 0
  let mmdet = pools.reduce((sum, pool) => sum + pool.elements, 0)
  for (const layer of layers) {
    const macs = layerMacs(layer)
    macsByPart[layer.part] += macs
    parameters += layerParameters(layer)
    const elements = layer.out * layer.outputSize[0] * layer.outputSize[1]
    mmdet += macs + elements * (layer.kind === 'linear' ? 1 : 3)
  }
  const macs = macsByPart.backbone + macsByPart.neck + macsByPart.head
  return { macs, macsByPart, parameters, mmdet }
}
