import { describeLayer } from './graph'
import { shapesOf } from './shapes'
import { featureOfHead, type NetworkSpec, type Yolo } from './spec'

/**
 * What a network's outputs mean: all that losses, decoding and evaluation need to know of it. Lists by scale are in the order of
 * the yolo layers.
 */
export interface HeadConfig {
  /** [height, width] in pixels. */
  readonly input: readonly [number, number]
  readonly classes: number
  /** Pixels along both sides that a cell stands for. */
  readonly strides: readonly number[]
  /** [scale][anchor] = [width, height] in pixels. */
  readonly anchors: readonly (readonly (readonly [number, number])[])[]
  /** s in bx = (sigmoid(tx) * s - (s - 1) / 2 + cx) * stride. */
  readonly scaleXY: readonly number[]
  /** Channels of the maps in front of the heads, where the network names them. */
  readonly featureWidths: readonly number[]
}

/**
 * What a network's heads say.
 *
 * @throws Error when there are none, they differ in their classes, or their cells do not divide the input
 */
export function headsOf(network: NetworkSpec): HeadConfig {
  const { input, layers, features } = network
  const shapes = shapesOf(network)
  const heads = layers.filter((layer): layer is Yolo => layer.kind === 'yolo')
  const [first] = heads
  if (!first) throw new Error('network: expected at least one yolo layer, found none')
  const strides = heads.map((head) => {
    const { height, width, stride } = shapes.get(head.name)!
    if (height * stride !== input[0] || width * stride !== input[1])
      throw new Error(
        `network: ${describeLayer(network, head)}: expected an input of multiples of ${stride} pixels, found ` +
          `[${input}], of which it sees ${height}x${width} cells`,
      )
    if (head.classes !== first.classes)
      throw new Error(
        `network: ${describeLayer(network, head)}: expected ${first.classes} classes as of "${first.name}", found ${head.classes}`,
      )
    return stride
  })
  return {
    input,
    classes: first.classes,
    strides,
    anchors: heads.map(({ anchors }) => anchors),
    scaleXY: heads.map(({ scaleXY }) => scaleXY),
    featureWidths: heads.flatMap((_, i) => {
      const feature = features[featureOfHead(i)]
      return feature === undefined ? [] : [shapes.get(feature)!.channels]
    }),
  }
}

/** The largest number of pixels that a cell of any of the network's maps stands for: other inputs are multiples of it. */
export function coarsestStride(network: NetworkSpec): number {
  return Math.max(...[...shapesOf(network).values()].map(({ stride }) => stride))
}
