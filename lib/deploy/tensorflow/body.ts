/** A network's body as TensorFlow's graph nodes. */
import { type Activation, LOWEST, SLOPE } from '../../detector'
import { type Attribute, attribute, DTYPE, type NodeOutput } from '../../engine'
import type { BodyFormat, Of, Rounding } from '../../quantise/body'
import { boundsOf, type Grid, kernelScales, LARGEST_WEIGHT, wholeBias } from '../../quantise/grids'
import type { Convolution, Pool, Step } from '../../quantise/plan'
import { toFloat16 } from '../float16'
import { bytesOf, FLOAT, TensorFlowNodes } from './nodes'

export interface GraphOptions {
  /** Convolution, bias and LeakyReLU as one node, as TF.js runs them fastest; TensorFlow itself fuses when it loads a graph. */
  readonly fused?: boolean
  /** Kernels and biases are stored as float16 and computed with as float32. */
  readonly halfWeights?: boolean
}

/** Writes a body's nodes. */
export class TensorFlowBody extends TensorFlowNodes implements BodyFormat<NodeOutput> {
  readonly quantisesInFront = true
  readonly quantisesMoved = false

  constructor(private readonly options: GraphOptions = {}) {
    super()
  }

  /** Pixels 0..255 as 0..1. */
  scaledPixels(images: NodeOutput): NodeOutput {
    const types = [
      attribute.type('SrcT', 'uint8'),
      attribute.type('DstT', 'float32'),
      attribute.bool('Truncate', false),
    ]
    const pixels = this.node('images/float', 'Cast', [images], types)
    return this.node('images/scaled', 'RealDiv', [pixels, this.scalar('images/255', 255)], [FLOAT])
  }

  conv(x: NodeOutput, step: Convolution, rounding?: Rounding): NodeOutput {
    if (step.groups === 1 || step.groups === step.in) return this.convolution(x, step, rounding)
    // As the library computes them: TensorFlow has no convolution in groups on every device.
    const parts = groupsOf(step).map((part, i) => {
      const { name, shape } = part
      const slice = { kind: 'slice', name: `${name}/images`, from: [], begin: i * part.in } as const
      const [h, w] = shape
      return this.convolution(this.slice(x, { ...slice, shape: [h, w, part.in] }), part, rounding)
    })
    return this.joined(`${step.name}/groups`, parts, 3)
  }

  activate(x: NodeOutput, activation: Activation, name: string): NodeOutput {
    const of = (operation: string) => this.node(`${name}/${operation.toLowerCase()}`, operation, [x], [FLOAT])
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
        return this.node(name, 'Mul', [x, of('Sigmoid')], [FLOAT])
      case 'mish': {
        const tanh = this.node(`${name}/tanh`, 'Tanh', [of('Softplus')], [FLOAT])
        return this.node(name, 'Mul', [x, tanh], [FLOAT])
      }
    }
  }

  depthToSpace(x: NodeOutput, { name, block }: Of<'depthToSpace'>): NodeOutput {
    const attributes = [FLOAT, attribute.int('block_size', block), attribute.string('data_format', 'NHWC')]
    return this.node(name, 'DepthToSpace', [x], attributes)
  }

  nearest(x: NodeOutput, { name, shape: [h, w] }: Of<'nearest'>): NodeOutput {
    const attributes = [
      FLOAT,
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
    return this.node(name, 'Slice', [x, from!, size!], [FLOAT, attribute.type('Index', 'int32')])
  }

  widen(x: NodeOutput, { name, by }: Of<'widen'>): NodeOutput {
    return this.padded(name, x, [0, 0, 0, 0, 0, 0, 0, by], 0)
  }

  residual(a: NodeOutput, b: NodeOutput, { name }: Step): NodeOutput {
    return this.node(name, 'AddV2', [a, b], [FLOAT])
  }

  concat(values: readonly NodeOutput[], { name }: Step): NodeOutput {
    return this.joined(name, values, 3)
  }

  maxPool(x: NodeOutput, { name, size, stride, padding, isSame }: Pool): NodeOutput {
    const attributes = [
      FLOAT,
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

  /** Of one group, or of as many as there are channels: depthwise. */
  private convolution(x: NodeOutput, step: Convolution, rounding?: Rounding): NodeOutput {
    if (step.groups > 1) return this.depthwise(x, step)
    const { name, size, stride, padding, isSame, in: inputs, out } = step
    const stored = this.weights(`${name}/kernel`, [size, size, inputs, out], step.kernel)
    const kernel = rounding ? this.roundedKernel(stored, step, rounding) : stored
    const bias = this.weights(`${name}/bias`, [out], biasOf(step, rounding))
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
    return this.node(`${name}/sum`, 'BiasAdd', [product, bias], [FLOAT, format])
  }

  private leaky(x: NodeOutput, name: string): NodeOutput {
    const at = this.nodes.findIndex((node) => node.name === x.node)
    const before = this.nodes[at]!
    if (before.operation !== '_FusedConv2D')
      return this.node(name, 'LeakyRelu', [x], [FLOAT, attribute.float('alpha', SLOPE)])
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
    const attributes = [FLOAT, attribute.type('Tpaddings', 'int32')]
    return this.node(name, 'PadV2', [x, margins, this.scalar(`${name}/value`, value)], attributes)
  }

  private roundedKernel(kernel: NodeOutput, step: Convolution, { inputScale }: Rounding): NodeOutput {
    const scales = kernelScales(step, inputScale)
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
}

const slidingAttributes = (stride: number): Attribute[] => [
  FLOAT,
  attribute.int('strides', [1, stride, stride, 1]),
  attribute.string('data_format', 'NHWC'),
  attribute.int('dilations', [1, 1, 1, 1]),
]

/** Rounded as the converter of TFLite files will round it. */
function biasOf(step: Convolution, rounding: Rounding | undefined): Float32Array {
  if (rounding?.inputScale === undefined) return step.bias
  const { whole, scales } = wholeBias(step, rounding.inputScale)
  return scales.map((scale, i) => whole[i]! * scale)
}

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
