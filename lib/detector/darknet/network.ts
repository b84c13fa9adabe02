import { biasAdd, conv2d, leakyRelu, tf, upsampleNearest } from '../../engine'
import type { DecodeConfig } from '../decode'
import { STRIDES } from '../types'
import type { Convolution, DarknetCfg, DarknetLayer, Yolo } from './cfg'
import { fromDarknetKernel } from './kernels'
import { type ConvolutionWeights, checkWeights, convolutionsOf, type DarknetWeights } from './weights'

/**
 * Batch norm's epsilon when Darknet's weights are run: y = scale * (x - mean) / sqrt(variance + 1e-6) + bias, as OpenCV
 * reads them. Darknet's first version adds 1e-6 to the square root instead, a later one 1e-5 to the variance; the three
 * differ where a variance is near 1e-5 or less.
 */
export const DARKNET_EPSILON = 1e-6
const SLOPE = 0.1

interface Weighted {
  readonly kernel: tf.Variable
  readonly bias: tf.Variable
}

/** A network read from Darknet's files, for inference. It owns variables: dispose of it when done. */
export class DarknetNetwork {
  private readonly weights = new Map<number, Weighted>()

  /** @throws Error naming the layer whose weights have another number than the cfg asks for */
  constructor(
    readonly cfg: DarknetCfg,
    weights: DarknetWeights,
  ) {
    checkWeights(cfg, weights)
    convolutionsOf(cfg).forEach(({ index, layer }, i) => {
      this.weights.set(index, fold(layer, weights.convolutions[i]!))
    })
  }

  /** Every weight, batch norm folded in, so that a compiled function can hold them as state. */
  get state(): tf.Variable[] {
    return [...this.weights.values()].flatMap(({ kernel, bias }) => [kernel, bias])
  }

  /**
   * Runs the network. Call it inside tf.tidy or a compiled function.
   *
   * @param images [n, h, w, channels] in 0..1; any size that the routes allow (multiples of 32 for YOLOv3)
   * @returns the logits in front of every [yolo] section, in the order of the cfg:
   *   [n, h', w', anchors * (5 + classes)], anchor-major: tx ty tw th obj class...
   */
  forward(images: tf.Tensor4D): tf.Tensor4D[] {
    const maps: tf.Tensor4D[] = []
    const outputs: tf.Tensor4D[] = []
    this.cfg.layers.forEach((layer, index) => {
      const x = maps.at(-1) ?? images
      maps.push(this.run(layer, index, x, maps))
      if (layer.type === 'yolo') outputs.push(x)
    })
    return outputs
  }

  dispose(): void {
    tf.dispose(this.state)
    this.weights.clear()
  }

  private run(layer: DarknetLayer, index: number, x: tf.Tensor4D, maps: readonly tf.Tensor4D[]): tf.Tensor4D {
    switch (layer.type) {
      case 'convolutional': {
        const { kernel, bias } = this.weights.get(index)!
        const { size, stride, padding } = layer
        const y = conv2d(x, kernel as tf.Tensor as tf.Tensor4D, {
          stride,
          padding: stride === 1 && size === 2 * padding + 1 ? 'same' : padding,
        })
        const biased = biasAdd(y, bias as tf.Tensor as tf.Tensor1D)
        return layer.activation === 'leaky' ? leakyRelu(biased, SLOPE) : biased
      }
      case 'maxpool':
        return tf.maxPool(x, layer.size, layer.stride, 'same')
      case 'upsample':
        return upsampleNearest(x, layer.stride)
      case 'route': {
        const routed = layer.layers.map((from) => {
          const map = maps[from]!
          if (layer.groups === 1) return map
          const width = map.shape[3] / layer.groups
          return tf.slice(map, [0, 0, 0, layer.group * width], [-1, -1, -1, width])
        })
        return routed.length === 1 ? routed[0]! : tf.concat(routed, 3)
      }
      case 'shortcut':
        return tf.add(x, maps[layer.from]!)
      case 'yolo':
        return x
    }
  }
}

/** Batch norm with fixed statistics is a scale, which goes into the kernel, and a shift, which is a bias. */
function fold(layer: Convolution, { biases, norm, kernel }: ConvolutionWeights): Weighted {
  const { size, in: inputs, filters } = layer
  const own = fromDarknetKernel(kernel, layer)
  const shift = Float32Array.from(biases)
  if (norm) {
    const scales = norm.scales.map((scale, i) => scale / Math.sqrt(norm.variances[i]! + DARKNET_EPSILON))
    for (let i = 0; i < own.length; i++) own[i] = own[i]! * scales[i % filters]!
    for (let i = 0; i < filters; i++) shift[i] = shift[i]! - norm.means[i]! * scales[i]!
  }
  return tf.tidy(() => ({
    kernel: tf.variable(tf.tensor(own, [size, size, inputs, filters]), false),
    bias: tf.variable(tf.tensor(shift, [filters]), false),
  }))
}

/**
 * What `detect` and `decodeScale` need to know about the outputs of such a network.
 *
 * @throws Error unless the [yolo] sections stand at strides 32, 16, 8 (or the first of them) and agree in classes and
 *   scale_x_y
 */
export function decodingOf(cfg: DarknetCfg): DecodeConfig {
  const heads = cfg.layers.flatMap((layer, i) => (layer.type === 'yolo' ? [{ layer, i }] : []))
  const [first] = heads
  if (!first) throw new Error(`${cfg.file}: expected at least one [yolo] section, found none`)
  const describe = ({ classes, scaleXY }: Yolo) => `classes=${classes} scale_x_y=${scaleXY}`
  heads.forEach(({ layer, i }, scale) => {
    const stride = cfg.input.height / cfg.shapes[i]!.height
    if (stride !== STRIDES[scale] || describe(layer) !== describe(first.layer)) {
      throw new Error(
        `${cfg.file}:${cfg.lines[i]}: expected a [yolo] of stride ${STRIDES[scale] ?? 'none'} with ` +
          `${describe(first.layer)}, found stride ${stride} with ${describe(layer)}`,
      )
    }
  })
  const { classes, scaleXY } = first.layer
  return { anchors: heads.map(({ layer }) => layer.anchors), classes, scaleXY }
}
