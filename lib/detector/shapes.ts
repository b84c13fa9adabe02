/** A network over shapes instead of tensors: what its layers give, and what its heads say. */
import { describeLayer } from './graph'
import { interpret, type Operations } from './interpret'
import type { Layer, NetworkSpec, Yolo } from './spec'

/** Of one image's map. */
export interface Shape {
  readonly height: number
  readonly width: number
  readonly channels: number
  /** How many pixels of the input one cell stands for, along both sides. */
  readonly stride: number
}

const text = ({ height, width, channels }: Shape) => `${height}x${width}x${channels}`

/**
 * The shapes that every layer gives for an input of [height, width], by the layers' names, and of the images, by IMAGES; of a
 * yolo layer that of its logits.
 *
 * @param place stands in error messages
 * @throws Error naming the layer whose shapes do not fit, what was expected and what was found
 */
export function shapesOf(
  network: NetworkSpec,
  [height, width]: readonly [number, number] = network.input,
  place = 'network',
): ReadonlyMap<string, Shape> {
  const fail = (layer: Layer, message: string): never => {
    throw new Error(`${place}: ${describeLayer(network, layer)}: ${message}`)
  }
  const images: Shape = { height, width, channels: network.channels, stride: 1 }
  const { values } = interpret(network, shapeOperations(fail), images)
  for (const layer of network.layers)
    if (layer.kind === 'yolo') checkYolo(layer, values.get(layer.name)!, fail)
  return values
}

type Fail = (layer: Layer, message: string) => never

function shapeOperations(fail: Fail): Operations<Shape> {
  /** Windows of `size` cells, `stride` apart, over a map with `padding` cells around it in all. */
  const slide = (x: Shape, layer: Layer, size: number, stride: number, padding: number): Shape => {
    const along = (length: number) => Math.floor((length + padding - size) / stride) + 1
    const y = { ...x, height: along(x.height), width: along(x.width), stride: x.stride * stride }
    if (y.height < 1 || y.width < 1)
      fail(layer, `expected a map that a window of ${size} fits into, found ${text(x)}`)
    return y
  }
  const enlarge = (x: Shape, factor: number): Shape => ({
    ...x,
    height: x.height * factor,
    width: x.width * factor,
    stride: x.stride / factor,
  })
  const checkSizes = (values: readonly Shape[], layer: Layer) => {
    const [first] = values
    if (values.some(({ height, width }) => height !== first!.height || width !== first!.width))
      fail(layer, `expected maps of one size, found ${values.map(text).join(', ')}`)
  }
  return {
    conv: (x, layer) => {
      const { kernel, stride, padding, groups, out } = layer
      if (x.channels % groups !== 0 || out % groups !== 0)
        fail(layer, `expected channels in ${groups} equal groups, found ${x.channels} in and ${out} out`)
      return { ...slide(x, layer, kernel, stride, 2 * padding), channels: out }
    },
    deconv: (x, layer) => {
      const { kernel, stride, out } = layer
      if (kernel < stride || (kernel - stride) % 2 !== 0)
        fail(
          layer,
          `expected a kernel as large as the stride, or larger by an even number, found kernel ${kernel} and stride ${stride}`,
        )
      return { ...enlarge(x, stride), channels: out }
    },
    maxPool: (x, layer) => {
      const { size, stride, padding } = layer
      if (padding >= 2 * size) fail(layer, `expected padding below twice the size ${size}, found ${padding}`)
      return slide(x, layer, size, stride, padding)
    },
    upsample: (x, { stride }) => enlarge(x, stride),
    group: (x, layer) => {
      const { groups, groupId } = layer
      if (groupId >= groups) fail(layer, `expected groupId below groups = ${groups}, found ${groupId}`)
      if (x.channels % groups !== 0)
        fail(layer, `expected channels in ${groups} equal groups, found ${text(x)}`)
      return { ...x, channels: x.channels / groups }
    },
    concat: (values, layer) => {
      checkSizes(values, layer)
      return { ...values[0]!, channels: values.reduce((sum, { channels }) => sum + channels, 0) }
    },
    add: (values, layer) => {
      checkSizes(values, layer)
      return values[0]!
    },
  }
}

function checkYolo(layer: Yolo, logits: Shape, fail: Fail): void {
  const { anchors, classes } = layer
  const needed = anchors.length * (5 + classes)
  if (logits.channels !== needed)
    fail(layer, `expected ${anchors.length} * (5 + ${classes}) = ${needed} channels, found ${text(logits)}`)
}
