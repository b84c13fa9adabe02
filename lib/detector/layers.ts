/** The detector as a table: every layer's shapes, found by running the network over shapes instead of tensors. */
import { network } from './network'
import type { Operations, Part } from './operations'
import { checkConfig } from './schema'
import type { DetectorConfig } from './types'

/** A layer with weights: a convolution or deconvolution with batch norm, or a linear one with bias. */
export interface Layer {
  readonly name: string
  readonly part: Part
  readonly kind: 'conv' | 'deconv' | 'linear'
  readonly kernel: number
  readonly stride: number
  readonly in: number
  readonly out: number
  /** Of the input and of the output, in cells. */
  readonly inputSize: readonly [height: number, width: number]
  readonly outputSize: readonly [height: number, width: number]
}

interface Shape {
  readonly height: number
  readonly width: number
  readonly channels: number
}

/** A max pool, which costs operations but has no weights. */
export interface Pool {
  readonly part: Part
  readonly size: number
  readonly elements: number
}

/**
 * All layers in the order of the forward pass.
 *
 * @throws Error naming the key of a config that describes no network
 */
export function layersOf(config: DetectorConfig): { layers: Layer[]; pools: Pool[] } {
  checkConfig(config)
  const [height, width] = config.input
  const layers: Layer[] = []
  const pools: Pool[] = []
  const add = (x: Shape, layer: Omit<Layer, 'in' | 'inputSize' | 'outputSize'>, factor: number): Shape => {
    const y = { height: x.height * factor, width: x.width * factor, channels: layer.out }
    layers.push({ ...layer, in: x.channels, inputSize: [x.height, x.width], outputSize: [y.height, y.width] })
    return y
  }
  const shapes: Operations<Shape> = {
    conv: (x, spec) => add(x, { ...spec, kind: 'conv' }, 1 / spec.stride),
    deconv: (x, spec) => add(x, { ...spec, kind: 'deconv', kernel: 2, stride: 2 }, 2),
    linear: (x, spec) => add(x, { ...spec, kind: 'linear', kernel: 1, stride: 1 }, 1),
    nearest: (x) => ({ ...x, height: x.height * 2, width: x.width * 2 }),
    add: (a) => a,
    concat: (values) => ({ ...values[0]!, channels: values.reduce((sum, value) => sum + value.channels, 0) }),
    maxPool: (x, size) => {
      pools.push({ part: 'neck', size, elements: x.height * x.width * x.channels })
      return x
    },
  }
  network(shapes, { height, width, channels: 3 }, config)
  return { layers, pools }
}
