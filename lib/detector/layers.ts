/** The network as a table: its layers with weights, and their shapes. */
import { checkNetwork } from './check'
import { shapesOf } from './shapes'
import type { Activation, NetworkSpec, Part, Yolo } from './spec'

/** A layer with weights, and its shapes. */
export interface WeightedLayer {
  readonly name: string
  readonly part: Part
  readonly kind: 'convolution' | 'deconvolution'
  readonly kernel: number
  readonly stride: number
  readonly groups: number
  readonly in: number
  readonly out: number
  /** Batch norm behind the kernel, or a bias. */
  readonly batchNorm: boolean
  readonly activation: Activation
  /** Of the input and of the output, in cells. */
  readonly inputSize: readonly [height: number, width: number]
  readonly outputSize: readonly [height: number, width: number]
  /** The head whose logits this layer gives. */
  readonly head?: Yolo
}

/** A max pool, which costs operations but has no weights. */
export interface Pool {
  readonly part: Part
  readonly size: number
  /** Of its input. */
  readonly elements: number
}

/**
 * The layers that cost something, in the order of the forward pass, with their shapes.
 *
 * @throws Error naming the key or the layer of what describes no network
 */
export function layersOf(network: NetworkSpec): { layers: WeightedLayer[]; pools: Pool[] } {
  const shapes = shapesOf(checkNetwork(network))
  const heads = new Map(
    network.layers.flatMap((layer) => (layer.kind === 'yolo' ? [[layer.from, layer] as const] : [])),
  )
  const layers: WeightedLayer[] = []
  const pools: Pool[] = []
  for (const layer of network.layers) {
    if (layer.kind === 'maxPool') {
      const x = shapes.get(layer.from)!
      pools.push({ part: layer.part, size: layer.size, elements: x.height * x.width * x.channels })
    }
    if (layer.kind !== 'convolution' && layer.kind !== 'deconvolution') continue
    const { name, part, kind, kernel, stride, out, batchNorm, activation } = layer
    const [x, y] = [shapes.get(layer.from)!, shapes.get(name)!]
    layers.push({
      ...{ name, part, kind, kernel, stride, in: x.channels, out, batchNorm, activation },
      groups: layer.kind === 'convolution' ? layer.groups : 1,
      inputSize: [x.height, x.width],
      outputSize: [y.height, y.width],
      head: heads.get(name),
    })
  }
  return { layers, pools }
}
