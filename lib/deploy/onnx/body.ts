/** A network's body as ONNX nodes, opset 17, NCHW. */
import { type Activation, SLOPE } from '../../detector'
import type { BodyFormat, Of, Rounding } from '../../quantise/body'
import {
  type Grid,
  kernelScales,
  LARGEST_WEIGHT,
  quantisesInFront,
  roundEven,
  type Target,
  wholeBias,
} from '../../quantise/grids'
import type { Convolution, Margins, Pool, Step } from '../../quantise/plan'
import { toFloat16 } from '../float16'
import { TYPE } from './model'
import { OnnxNodes, type OnnxReference } from './nodes'

export interface OnnxOptions {
  /** Stores and computes the body in float16. */
  readonly half?: boolean
  readonly target?: Target
}

/** Writes a body's nodes. */
export class OnnxBody extends OnnxNodes implements BodyFormat<OnnxReference> {
  readonly quantisesInFront: boolean
  readonly quantisesMoved = true

  /** @param reserved names of the file's input and outputs */
  constructor(
    private readonly options: OnnxOptions,
    reserved: readonly string[],
  ) {
    super(reserved)
    this.quantisesInFront = quantisesInFront(options.target ?? 'onnxruntime')
  }

  /** Pixels 0..255 [n, h, w, 3] as 0..1 [n, 3, h, w]. */
  scaledPixels(images: OnnxReference): OnnxReference {
    const pixels = this.cast(images, TYPE.float32, 'images/float')
    const scaled = this.node('images/scaled', 'Div', [pixels.name, this.floats('images/255', [], [255])])
    return this.node('images/channels', 'Transpose', [scaled.name], { perm: [0, 3, 1, 2] })
  }

  conv(x: OnnxReference, step: Convolution, rounding?: Rounding): OnnxReference {
    const { name, size, stride, padding, groups, in: inputs, out } = step
    const shape = [out, inputs / groups, size, size]
    const kernel = rounding
      ? this.roundedKernel(step, shape, rounding)
      : this.weights(`${name}/kernel`, shape, outputsFirst(step))
    const bias =
      rounding?.inputScale === undefined
        ? this.weights(`${name}/bias`, [out], step.bias)
        : this.roundedBias(step, rounding.inputScale)
    return this.node(`${name}/sum`, 'Conv', [x.name, kernel, bias], {
      dilations: [1, 1],
      group: groups,
      kernel_shape: [size, size],
      pads: onnxPads(padding),
      strides: [stride, stride],
    })
  }

  activate(x: OnnxReference, activation: Activation, name: string): OnnxReference {
    const of = (operation: string) => this.node(`${name}/${operation.toLowerCase()}`, operation, [x.name])
    switch (activation) {
      case 'linear':
        return x
      case 'leaky':
        return this.node(name, 'LeakyRelu', [x.name], { alpha: { float: SLOPE } })
      case 'relu':
        return of('Relu')
      case 'logistic':
        return of('Sigmoid')
      case 'swish':
        return this.node(name, 'Mul', [x.name, of('Sigmoid').name])
      case 'mish': {
        const tanh = this.node(`${name}/tanh`, 'Tanh', [of('Softplus').name])
        return this.node(name, 'Mul', [x.name, tanh.name])
      }
    }
  }

  depthToSpace(x: OnnxReference, { name, block }: Of<'depthToSpace'>): OnnxReference {
    return this.node(name, 'DepthToSpace', [x.name], { blocksize: block, mode: 'DCR' })
  }

  nearest(x: OnnxReference, { name, factor }: Of<'nearest'>): OnnxReference {
    const scales = this.floats(`${name}/scales`, [4], [1, 1, factor, factor])
    return this.node(name, 'Resize', [x.name, '', scales], {
      coordinate_transformation_mode: 'asymmetric',
      mode: 'nearest',
      nearest_mode: 'floor',
    })
  }

  slice(x: OnnxReference, { name, begin, shape }: Of<'slice'>): OnnxReference {
    const [from, to, axis] = [begin, begin + shape[2], 1].map((value) => this.integers(`${name}/at`, [value]))
    return this.node(name, 'Slice', [x.name, from!, to!, axis!])
  }

  widen(x: OnnxReference, { name, by }: Of<'widen'>): OnnxReference {
    const margins = this.integers(`${name}/margins`, [0, 0, 0, 0, 0, by, 0, 0])
    return this.node(name, 'Pad', [x.name, margins])
  }

  residual(a: OnnxReference, b: OnnxReference, { name }: Step): OnnxReference {
    return this.node(name, 'Add', [a.name, b.name])
  }

  concat(values: readonly OnnxReference[], { name }: Step): OnnxReference {
    return this.node(
      name,
      'Concat',
      values.map((value) => value.name),
      { axis: 1 },
    )
  }

  maxPool(x: OnnxReference, { name, size, stride, padding }: Pool): OnnxReference {
    return this.node(name, 'MaxPool', [x.name], {
      kernel_shape: [size, size],
      pads: onnxPads(padding),
      strides: [stride, stride],
    })
  }

  quantise(x: OnnxReference, grid: Grid, name: string): OnnxReference {
    const signed = this.options.target === 'tensorrt'
    const scale = this.floats(`${name}/scale`, [], [grid.scale])
    const zero = signed
      ? this.constant(`${name}/zero`, 'int8', [], Int8Array.of(grid.zeroPoint - 128))
      : this.constant(`${name}/zero`, 'uint8', [], Uint8Array.of(grid.zeroPoint))
    const rounded = this.node(`${name}/quantised`, 'QuantizeLinear', [x.name, scale, zero])
    return this.node(`${name}/rounded`, 'DequantizeLinear', [rounded.name, scale, zero])
  }

  floating(logits: OnnxReference): OnnxReference {
    return this.options.half ? this.cast(logits, TYPE.float32, 'logits') : logits
  }

  private roundedKernel(step: Convolution, shape: readonly number[], { inputScale }: Rounding): string {
    const { name, out } = step
    const scales = kernelScales(step, inputScale)
    const weights = outputsFirst(step)
    const size = weights.length / out
    const rounded = Int8Array.from(weights, (weight, i) => {
      const whole = roundEven(Math.fround(weight / scales[Math.floor(i / size)]!))
      return Math.min(LARGEST_WEIGHT, Math.max(-LARGEST_WEIGHT, whole))
    })
    const stored = this.constant(`${name}/kernel/int8`, 'int8', shape, rounded)
    const scale = this.floats(`${name}/kernel/scale`, [out], scales)
    const zero = this.constant(`${name}/kernel/zero`, 'int8', [out], new Int8Array(out))
    return this.node(`${name}/kernel`, 'DequantizeLinear', [stored, scale, zero], { axis: 0 }).name
  }

  private roundedBias(step: Convolution, inputScale: number): string {
    const { name, out } = step
    const { whole, scales } = wholeBias(step, inputScale)
    const stored = this.constant(`${name}/bias/int32`, 'int32', [out], whole)
    const scale = this.floats(`${name}/bias/scale`, [out], scales)
    const zero = this.constant(`${name}/bias/zero`, 'int32', [out], new Int32Array(out))
    return this.node(`${name}/bias`, 'DequantizeLinear', [stored, scale, zero], { axis: 0 }).name
  }

  private weights(name: string, shape: readonly number[], values: Float32Array): string {
    return this.options.half
      ? this.constant(name, 'float16', shape, toFloat16(values))
      : this.floats(name, shape, values)
  }
}

/** ONNX lists the margins in front first. */
const onnxPads = ([top, bottom, left, right]: Margins): number[] => [top, left, bottom, right]

/** A kernel [k, k, in, out] as ONNX orders it: [out, in, k, k]; of groups, in is one group's. */
function outputsFirst({ kernel, size, in: all, groups, out }: Convolution): Float32Array {
  const result = new Float32Array(kernel.length)
  const [area, inputs] = [size * size, all / groups]
  for (let cell = 0; cell < area; cell++)
    for (let input = 0; input < inputs; input++)
      for (let output = 0; output < out; output++)
        result[(output * inputs + input) * area + cell] = kernel[(cell * inputs + input) * out + output]!
  return result
}
