/** A network as TensorFlow's graph nodes, from which a SavedModel, a TF.js graph model and a TFLite file are made. */
import { type Activation, LOWEST, SLOPE } from '../../detector'
import {
  type Attribute,
  attribute,
  type Constant,
  DTYPE,
  firstOutput,
  type GraphNode,
  type NodeOutput,
} from '../../engine'
import type { BodyFormat, Of } from '../../quantise/body'
import { boundsOf, type Grid, kernelScales, LARGEST_WEIGHT } from '../../quantise/grids'
import type { Convolution, Pool, Step } from '../../quantise/plan'
import { toFloat16 } from '../float16'
import type { Detections, HeadFormat, SuppressionSizes, Values } from '../format'

export interface GraphOptions {
  /** Convolution, bias and LeakyReLU as one node, as TF.js runs them fastest; TensorFlow itself fuses when it loads a graph. */
  readonly fused?: boolean
  /** Kernels and biases are stored as float16 and computed with as float32. */
  readonly halfWeights?: boolean
}

const float = attribute.type('T', 'float32')

/** Writes nodes; a value is one of a node's outputs. */
export class TensorFlowGraph implements BodyFormat<NodeOutput>, HeadFormat<NodeOutput> {
  readonly nodes: GraphNode[] = []
  readonly quantisesInFront = true

  constructor(private readonly options: GraphOptions = {}) {}

  node(
    name: string,
    operation: string,
    inputs: readonly NodeOutput[],
    attributes: readonly Attribute[],
  ): NodeOutput {
    const used = this.nodes.some((node) => node.name === name)
    const unique = used ? `${name}_${this.nodes.length}` : name
    this.nodes.push({ name: unique, operation, inputs, attributes })
    return firstOutput(unique)
  }

  constant(name: string, constant: Constant): NodeOutput {
    const { node } = this.node(name, 'Const', [], [])
    this.nodes[this.nodes.length - 1] = { ...this.nodes.at(-1)!, constant }
    return firstOutput(node)
  }

  floats(name: string, shape: readonly number[], values: Float32Array): NodeOutput {
    return this.constant(name, { dtype: DTYPE.float32, shape, bytes: bytesOf(values) })
  }

  integers(name: string, values: number | readonly number[]): NodeOutput {
    const list = typeof values === 'number' ? [values] : values
    const shape = typeof values === 'number' ? [] : [list.length]
    return this.constant(name, { dtype: DTYPE.int32, shape, bytes: bytesOf(Int32Array.from(list)) })
  }

  /** Pixels 0..255 as 0..1. */
  scaledPixels(images: NodeOutput): NodeOutput {
    const types = [
      attribute.type('SrcT', 'uint8'),
      attribute.type('DstT', 'float32'),
      attribute.bool('Truncate', false),
    ]
    const pixels = this.node('images/float', 'Cast', [images], types)
    return this.node('images/scaled', 'RealDiv', [pixels, this.scalar('images/255', 255)], [float])
  }

  conv(x: NodeOutput, step: Convolution, quantised: boolean): NodeOutput {
    if (step.groups === 1 || step.groups === step.in) return this.convolution(x, step, quantised)
    // As the library computes them: TensorFlow has no convolution in groups on every device.
    const parts = groupsOf(step).map((part, i) => {
      const { name, shape } = part
      const slice = { kind: 'slice', name: `${name}/images`, from: [], begin: i * part.in } as const
      const [h, w] = shape
      return this.convolution(this.slice(x, { ...slice, shape: [h, w, part.in] }), part, quantised)
    })
    return this.joined(`${step.name}/groups`, parts, 3)
  }

  activate(x: NodeOutput, activation: Activation, name: string): NodeOutput {
    const of = (operation: string) => this.node(`${name}/${operation.toLowerCase()}`, operation, [x], [float])
    switch (activation) {
      case 'linear':
        return x
      case 'leaky':
        return this.leaky(x, name)
      case 'relu':
        return of('Relu')
      case 'logistic':
        return of('Sigmoid')
      case 'swish':
        return this.node(name, 'Mul', [x, of('Sigmoid')], [float])
      case 'mish': {
        const tanh = this.node(`${name}/tanh`, 'Tanh', [of('Softplus')], [float])
        return this.node(name, 'Mul', [x, tanh], [float])
      }
    }
  }

  depthToSpace(x: NodeOutput, { name, block }: Of<'depthToSpace'>): NodeOutput {
    const attributes = [float, attribute.int('block_size', block), attribute.string('data_format', 'NHWC')]
    return this.node(name, 'DepthToSpace', [x], attributes)
  }

  nearest(x: NodeOutput, { name, shape: [h, w] }: Of<'nearest'>): NodeOutput {
    const attributes = [
      float,
      attribute.bool('align_corners', false),
      attribute.bool('half_pixel_centers', false),
    ]
    return this.node(name, 'ResizeNearestNeighbor', [x, this.integers(`${name}/size`, [h, w])], attributes)
  }

  slice(x: NodeOutput, { name, begin, shape }: Of<'slice'>): NodeOutput {
    const [from, size] = [
      [0, 0, 0, begin],
      [-1, -1, -1, shape[2]],
    ].map((list) => this.integers(`${name}/at`, list))
    return this.node(name, 'Slice', [x, from!, size!], [float, attribute.type('Index', 'int32')])
  }

  widen(x: NodeOutput, { name, by }: Of<'widen'>): NodeOutput {
    return this.padded(name, x, [0, 0, 0, 0, 0, 0, 0, by], 0)
  }

  residual(a: NodeOutput, b: NodeOutput, { name }: Step): NodeOutput {
    return this.node(name, 'AddV2', [a, b], [float])
  }

  concat(values: readonly NodeOutput[], { name }: Step): NodeOutput {
    return this.joined(name, values, 3)
  }

  maxPool(x: NodeOutput, { name, size, stride, padding, isSame }: Pool): NodeOutput {
    const attributes = [
      float,
      attribute.int('ksize', [1, size, size, 1]),
      attribute.int('strides', [1, stride, stride, 1]),
      attribute.string('padding', isSame ? 'SAME' : 'VALID'),
      attribute.string('data_format', 'NHWC'),
    ]
    const isReached = !isSame && padding.some((cells) => cells > 0)
    const around = isReached ? this.padded(`${name}/around`, x, [0, 0, ...padding, 0, 0], LOWEST) : x
    return this.node(name, 'MaxPool', [around], attributes)
  }

  quantise(x: NodeOutput, grid: Grid, name: string): NodeOutput {
    const { min, max } = boundsOf(grid)
    const attributes = [
      attribute.float('min', min),
      attribute.float('max', max),
      attribute.int('num_bits', 8),
      attribute.bool('narrow_range', false),
    ]
    return this.node(`${name}/rounded`, 'FakeQuantWithMinMaxArgs', [x], attributes)
  }

  floating(logits: NodeOutput): NodeOutput {
    return logits
  }

  slots(logits: NodeOutput, slots: number, width: number): NodeOutput {
    return this.reshaped('head/slots', logits, [-1, slots, width])
  }

  columns(x: NodeOutput, begin: number, width: number): NodeOutput {
    const [from, size] = [
      this.integers('head/begin', [0, 0, begin]),
      this.integers('head/size', [-1, -1, width]),
    ]
    return this.node('head/columns', 'Slice', [x, from, size], [float, attribute.type('Index', 'int32')])
  }

  sigmoid(x: NodeOutput): NodeOutput {
    return this.node('head/sigmoid', 'Sigmoid', [x], [float])
  }

  exp(x: NodeOutput): NodeOutput {
    return this.node('head/exp', 'Exp', [x], [float])
  }

  atMost(x: NodeOutput, limit: number): NodeOutput {
    return this.node('head/minimum', 'Minimum', [x, this.scalar('head/limit', limit)], [float])
  }

  add(a: NodeOutput, b: NodeOutput | Values): NodeOutput {
    return this.node('head/add', 'AddV2', [a, this.operand(b)], [float])
  }

  subtract(a: NodeOutput, b: NodeOutput): NodeOutput {
    return this.node('head/subtract', 'Sub', [a, b], [float])
  }

  multiply(a: NodeOutput, b: NodeOutput | Values): NodeOutput {
    return this.node('head/multiply', 'Mul', [a, this.operand(b)], [float])
  }

  join(values: readonly NodeOutput[], axis: 1 | 2): NodeOutput {
    return this.joined('head/join', values, axis)
  }

  above(x: NodeOutput, threshold: number, orEqual: boolean): NodeOutput {
    const limit = this.scalar('head/threshold', threshold)
    const holds = this.node('head/above', orEqual ? 'GreaterEqual' : 'Greater', [x, limit], [float])
    return this.cast(holds, 'bool', 'float32')
  }

  largest(x: NodeOutput, count: number): NodeOutput {
    return this.sorted(
      this.node('head/flat', 'Squeeze', [x], [float, attribute.int('squeeze_dims', [2])]),
      count,
    ).indices
  }

  pick(x: NodeOutput, chosen: NodeOutput): NodeOutput {
    const attributes = [
      attribute.int('batch_dims', 1),
      attribute.type('Tparams', 'float32'),
      attribute.type('Tindices', 'int32'),
      attribute.type('Taxis', 'int32'),
    ]
    return this.node('head/pick', 'GatherV2', [x, chosen, this.integers('head/axis', 1)], attributes)
  }

  /**
   * TensorFlow's own kernel takes equal scores in any order, so it is given ranks, as `nonMaxSuppression` does: `order` holds the
   * places by score, its inverse the position of every place.
   */
  suppress(
    boxes: NodeOutput,
    scores: NodeOutput,
    { slots, classes, limit, iou }: SuppressionSizes,
  ): Detections<NodeOutput> {
    const total = slots * classes
    const { values: sorted, indices: order } = this.sorted(
      this.reshaped('nms/flat', scores, [-1, total]),
      total,
    )
    const descending = this.node('nms/descending', 'Neg', [order], [attribute.type('T', 'int32')])
    const positions = this.cast(this.sorted(descending, total, 'int32').indices, 'int32', 'float32')
    const ranks = this.subtract(this.scalar('nms/total', total), positions)
    const numbered = this.multiply(
      this.reshaped('nms/ranks', ranks, [-1, slots, classes]),
      this.above(scores, 0, false),
    )
    const axis = this.integers('nms/axis', 2)
    const expanded = this.node(
      'nms/boxes',
      'ExpandDims',
      [boxes, axis],
      [float, attribute.type('Tdim', 'int32')],
    )
    const most = this.integers('nms/limit', limit)
    const kernel = this.node(
      'nms/kernel',
      'CombinedNonMaxSuppression',
      [expanded, numbered, most, most, this.scalar('nms/iou', iou), this.scalar('nms/zero', 0)],
      [attribute.bool('pad_per_class', false), attribute.bool('clip_boxes', false)],
    )
    const output = (index: number): NodeOutput => ({ node: kernel.node, index })
    const behind = this.subtract(this.scalar('nms/total', total), output(1))
    const from = this.cast(this.atMost(behind, total - 1), 'float32', 'int32')
    const column = this.node(
      'nms/sorted',
      'ExpandDims',
      [sorted, axis],
      [float, attribute.type('Tdim', 'int32')],
    )
    const found = this.reshaped('nms/found', this.pick(column, from), [-1, limit])
    return {
      boxes: output(0),
      scores: this.multiply(found, this.above(output(1), 0, false)),
      labels: output(2),
      counts: output(3),
    }
  }

  /** Of one group, or of as many as there are channels: depthwise. */
  private convolution(x: NodeOutput, step: Convolution, quantised: boolean): NodeOutput {
    if (step.groups > 1) return this.depthwise(x, step)
    const { name, size, stride, padding, isSame, in: inputs, out } = step
    const stored = this.weights(`${name}/kernel`, [size, size, inputs, out], step.kernel)
    const kernel = quantised ? this.roundedKernel(stored, step) : stored
    const bias = this.weights(`${name}/bias`, [out], step.bias)
    const isValid = padding.every((cells) => cells === 0)
    const around =
      isSame || isValid
        ? [attribute.string('padding', isSame ? 'SAME' : 'VALID')]
        : [
            attribute.string('padding', 'EXPLICIT'),
            attribute.int('explicit_paddings', [0, 0, ...padding, 0, 0]),
          ]
    const attributes = [...slidingAttributes(stride), ...around]
    if (this.options.fused) {
      const fusing = [attribute.int('num_args', 1), attribute.strings('fused_ops', ['BiasAdd'])]
      return this.node(name, '_FusedConv2D', [x, kernel, bias], [...attributes, ...fusing])
    }
    const cudnn = attribute.bool('use_cudnn_on_gpu', true)
    return this.biased(name, this.node(`${name}/conv`, 'Conv2D', [x, kernel], [...attributes, cudnn]), bias)
  }

  /** Its kernel stays in float: the converter of TFLite files takes one scale for all of it. */
  private depthwise(x: NodeOutput, step: Convolution): NodeOutput {
    const { name, size, stride, padding, isSame, in: inputs, out } = step
    const kernel = this.weights(`${name}/kernel`, [size, size, inputs, out / inputs], step.kernel)
    const isReached = !isSame && padding.some((cells) => cells > 0)
    const around = isReached ? this.padded(`${name}/around`, x, [0, 0, ...padding, 0, 0], 0) : x
    const attributes = [...slidingAttributes(stride), attribute.string('padding', isSame ? 'SAME' : 'VALID')]
    const product = this.node(`${name}/conv`, 'DepthwiseConv2dNative', [around, kernel], attributes)
    return this.biased(name, product, this.weights(`${name}/bias`, [out], step.bias))
  }

  private biased(name: string, product: NodeOutput, bias: NodeOutput): NodeOutput {
    const format = attribute.string('data_format', 'NHWC')
    return this.node(`${name}/sum`, 'BiasAdd', [product, bias], [float, format])
  }

  private leaky(x: NodeOutput, name: string): NodeOutput {
    const at = this.nodes.findIndex((node) => node.name === x.node)
    const before = this.nodes[at]!
    if (before.operation !== '_FusedConv2D')
      return this.node(name, 'LeakyRelu', [x], [float, attribute.float('alpha', SLOPE)])
    this.nodes[at] = {
      ...before,
      attributes: [
        ...before.attributes.filter((given) => given.name !== 'fused_ops'),
        attribute.strings('fused_ops', ['BiasAdd', 'LeakyRelu']),
        attribute.float('leakyrelu_alpha', SLOPE),
      ],
    }
    return x
  }

  /** @param around before and behind, along n, h, w, c */
  private padded(name: string, x: NodeOutput, around: readonly number[], value: number): NodeOutput {
    const bytes = bytesOf(Int32Array.from(around))
    const margins = this.constant(`${name}/margins`, { dtype: DTYPE.int32, shape: [4, 2], bytes })
    const attributes = [float, attribute.type('Tpaddings', 'int32')]
    return this.node(name, 'PadV2', [x, margins, this.scalar(`${name}/value`, value)], attributes)
  }

  private roundedKernel(kernel: NodeOutput, step: Convolution): NodeOutput {
    const scales = kernelScales(step)
    const bound = (sign: number, name: string) =>
      this.floats(
        `${step.name}/${name}`,
        [step.out],
        scales.map((scale) => sign * LARGEST_WEIGHT * scale),
      )
    return this.node(
      `${step.name}/kernel/rounded`,
      'FakeQuantWithMinMaxVarsPerChannel',
      [kernel, bound(-1, 'lowest'), bound(1, 'highest')],
      [attribute.int('num_bits', 8), attribute.bool('narrow_range', true)],
    )
  }

  private weights(name: string, shape: readonly number[], values: Float32Array): NodeOutput {
    if (!this.options.halfWeights) return this.floats(name, shape, values)
    const half = { dtype: DTYPE.float16, shape, bytes: bytesOf(toFloat16(values)) }
    return this.cast(this.constant(`${name}/half`, half), 'float16', 'float32', name)
  }

  private sorted(x: NodeOutput, count: number, type: 'float32' | 'int32' = 'float32') {
    const attributes = [attribute.bool('sorted', true), attribute.type('T', type)]
    const { node } = this.node('head/sorted', 'TopKV2', [x, this.integers('head/count', count)], attributes)
    return { values: firstOutput(node), indices: { node, index: 1 } }
  }

  private cast(
    x: NodeOutput,
    from: keyof typeof DTYPE,
    to: keyof typeof DTYPE,
    name = 'head/cast',
  ): NodeOutput {
    const attributes = [
      attribute.type('SrcT', from),
      attribute.type('DstT', to),
      attribute.bool('Truncate', false),
    ]
    return this.node(name, 'Cast', [x], attributes)
  }

  private reshaped(name: string, x: NodeOutput, shape: readonly number[]): NodeOutput {
    const size = this.integers(`${name}/shape`, shape)
    return this.node(name, 'Reshape', [x, size], [float, attribute.type('Tshape', 'int32')])
  }

  private joined(name: string, values: readonly NodeOutput[], axis: number): NodeOutput {
    const attributes = [attribute.int('N', values.length), float, attribute.type('Tidx', 'int32')]
    return this.node(name, 'ConcatV2', [...values, this.integers(`${name}/axis`, axis)], attributes)
  }

  private scalar(name: string, value: number): NodeOutput {
    return this.floats(name, [], Float32Array.of(value))
  }

  private operand(value: NodeOutput | Values): NodeOutput {
    if (typeof value === 'number') return this.scalar('head/constant', value)
    return 'node' in value ? value : this.floats('head/constants', value.shape, value.values)
  }
}

const slidingAttributes = (stride: number): Attribute[] => [
  float,
  attribute.int('strides', [1, stride, stride, 1]),
  attribute.string('data_format', 'NHWC'),
  attribute.int('dilations', [1, 1, 1, 1]),
]

/** The convolutions of each group alone. */
function groupsOf(step: Convolution): Convolution[] {
  const { name, groups, kernel, bias } = step
  const [inputs, out] = [step.in / groups, step.out / groups]
  return Array.from({ length: groups }, (_, i) => ({
    ...{ ...step, name: `${name}/${i}`, groups: 1, in: inputs, out },
    kernel: kernel.filter((_, at) => Math.floor((at % step.out) / out) === i),
    bias: bias.slice(i * out, (i + 1) * out),
  }))
}

const bytesOf = (values: Float32Array | Int32Array | Uint16Array): Uint8Array =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
