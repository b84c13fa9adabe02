/** A network as ONNX nodes, opset 17, NCHW. */
import { type Activation, SLOPE } from '../../detector'
import type { BodyFormat, Of } from '../../quantise/body'
import {
  type Grid,
  kernelScales,
  LARGEST_WEIGHT,
  quantisesInFront,
  roundEven,
  type Target,
} from '../../quantise/grids'
import type { Convolution, Margins, Pool, Step } from '../../quantise/plan'
import { toFloat16 } from '../float16'
import type { Detections, HeadFormat, SuppressionSizes, Values } from '../format'
import { type AttributeValue, type OnnxNode, type OnnxTensor, TYPE, type TypeName } from './model'

/** A value by its name; `grid` where it was rounded. */
export interface OnnxReference {
  readonly name: string
  readonly grid?: Grid
}

export interface OnnxOptions {
  /** Stores and computes the body in float16. */
  readonly half?: boolean
  readonly target?: Target
}

/** Writes nodes and constants. */
export class OnnxWriter implements BodyFormat<OnnxReference>, HeadFormat<OnnxReference> {
  readonly nodes: OnnxNode[] = []
  readonly tensors: OnnxTensor[] = []
  readonly quantisesInFront: boolean
  private readonly names: Set<string>

  /** @param reserved names of the file's input and outputs */
  constructor(
    private readonly options: OnnxOptions,
    reserved: readonly string[],
  ) {
    this.names = new Set(reserved)
    this.quantisesInFront = quantisesInFront(options.target ?? 'onnxruntime')
  }

  /** Adds a node of one output. */
  node(
    name: string,
    operation: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, AttributeValue>> = {},
  ): OnnxReference {
    const [output] = this.outputs(name, operation, inputs, attributes, 1)
    return { name: output! }
  }

  /** Gives a value the name that a file's output is to have. */
  rename(value: OnnxReference, name: string): void {
    const renamed = (names: readonly string[]) => names.map((other) => (other === value.name ? name : other))
    for (const [i, node] of this.nodes.entries())
      this.nodes[i] = { ...node, inputs: renamed(node.inputs), outputs: renamed(node.outputs) }
  }

  cast(x: OnnxReference, type: number, name = 'cast'): OnnxReference {
    return this.node(name, 'Cast', [x.name], { to: type })
  }

  /** Pixels 0..255 [n, h, w, 3] as 0..1 [n, 3, h, w]. */
  scaledPixels(images: OnnxReference): OnnxReference {
    const pixels = this.cast(images, TYPE.float32, 'images/float')
    const scaled = this.node('images/scaled', 'Div', [pixels.name, this.floats('images/255', [], [255])])
    return this.node('images/channels', 'Transpose', [scaled.name], { perm: [0, 3, 1, 2] })
  }

  conv(x: OnnxReference, step: Convolution, quantised: boolean): OnnxReference {
    const { name, size, stride, padding, groups, in: inputs, out } = step
    const shape = [out, inputs / groups, size, size]
    const kernel = quantised
      ? this.roundedKernel(step, shape)
      : this.weights(`${name}/kernel`, shape, outputsFirst(step))
    const scale = quantised && this.quantisesInFront ? x.grid?.scale : undefined
    const bias =
      scale === undefined ? this.weights(`${name}/bias`, [out], step.bias) : this.roundedBias(step, scale)
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
    return this.again(x, this.node(name, 'DepthToSpace', [x.name], { blocksize: block, mode: 'DCR' }))
  }

  nearest(x: OnnxReference, { name, factor }: Of<'nearest'>): OnnxReference {
    const scales = this.floats(`${name}/scales`, [4], [1, 1, factor, factor])
    const resized = this.node(name, 'Resize', [x.name, '', scales], {
      coordinate_transformation_mode: 'asymmetric',
      mode: 'nearest',
      nearest_mode: 'floor',
    })
    return this.again(x, resized)
  }

  slice(x: OnnxReference, { name, begin, shape }: Of<'slice'>): OnnxReference {
    const [from, to, axis] = [begin, begin + shape[2], 1].map((value) => this.integers(`${name}/at`, [value]))
    return this.again(x, this.node(name, 'Slice', [x.name, from!, to!, axis!]))
  }

  widen(x: OnnxReference, { name, by }: Of<'widen'>): OnnxReference {
    const margins = this.integers(`${name}/margins`, [0, 0, 0, 0, 0, by, 0, 0])
    return this.again(x, this.node(name, 'Pad', [x.name, margins]))
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
    const pooled = this.node(name, 'MaxPool', [x.name], {
      kernel_shape: [size, size],
      pads: onnxPads(padding),
      strides: [stride, stride],
    })
    return this.again(x, pooled)
  }

  quantise(x: OnnxReference, grid: Grid, name: string): OnnxReference {
    const signed = this.options.target === 'tensorrt'
    const scale = this.floats(`${name}/scale`, [], [grid.scale])
    const zero = signed
      ? this.constant(`${name}/zero`, 'int8', [], Int8Array.of(grid.zeroPoint - 128))
      : this.constant(`${name}/zero`, 'uint8', [], Uint8Array.of(grid.zeroPoint))
    const rounded = this.node(`${name}/quantised`, 'QuantizeLinear', [x.name, scale, zero])
    return { ...this.node(`${name}/rounded`, 'DequantizeLinear', [rounded.name, scale, zero]), grid }
  }

  floating(logits: OnnxReference): OnnxReference {
    return this.options.half ? this.cast(logits, TYPE.float32, 'logits') : logits
  }

  /** Logits [n, c, h, w] as slots by row, column, anchor. */
  slots(logits: OnnxReference, slots: number, width: number): OnnxReference {
    const last = this.node('head/rows', 'Transpose', [logits.name], { perm: [0, 2, 3, 1] })
    return this.reshaped('head/slots', last, [-1, slots, width])
  }

  columns(x: OnnxReference, begin: number, width: number): OnnxReference {
    const [from, to, axis] = [[begin], [begin + width], [2]].map((list) => this.integers('head/slice', list))
    return this.node('head/columns', 'Slice', [x.name, from!, to!, axis!])
  }

  sigmoid(x: OnnxReference): OnnxReference {
    return this.node('head/sigmoid', 'Sigmoid', [x.name])
  }

  exp(x: OnnxReference): OnnxReference {
    return this.node('head/exp', 'Exp', [x.name])
  }

  atMost(x: OnnxReference, limit: number): OnnxReference {
    return this.node('head/minimum', 'Min', [x.name, this.operand(limit)])
  }

  add(a: OnnxReference, b: OnnxReference | Values): OnnxReference {
    return this.node('head/add', 'Add', [a.name, this.operand(b)])
  }

  subtract(a: OnnxReference, b: OnnxReference): OnnxReference {
    return this.node('head/subtract', 'Sub', [a.name, b.name])
  }

  multiply(a: OnnxReference, b: OnnxReference | Values): OnnxReference {
    return this.node('head/multiply', 'Mul', [a.name, this.operand(b)])
  }

  join(values: readonly OnnxReference[], axis: 1 | 2): OnnxReference {
    return this.node(
      'head/join',
      'Concat',
      values.map(({ name }) => name),
      { axis },
    )
  }

  above(x: OnnxReference, threshold: number, orEqual: boolean): OnnxReference {
    const operation = orEqual ? 'GreaterOrEqual' : 'Greater'
    return this.cast(this.node('head/above', operation, [x.name, this.operand(threshold)]), TYPE.float32)
  }

  largest(x: OnnxReference, count: number): OnnxReference {
    return this.topK(this.squeezed(x, 2), count).indices
  }

  pick(x: OnnxReference, chosen: OnnxReference, width: number): OnnxReference {
    const column = this.node('head/column', 'Unsqueeze', [chosen.name, this.integers('head/axis', [2])])
    const rows = this.node('head/rows', 'Expand', [column.name, this.integers('head/wide', [1, 1, width])])
    return this.node('head/pick', 'GatherElements', [x.name, rows.name], { axis: 1 })
  }

  /**
   * ONNX's NonMaxSuppression lists the kept (image, class, slot); their scores are put back in their places among zeros, and
   * the best of an image's are found anew, so that every output has the same length.
   */
  suppress(
    boxes: OnnxReference,
    scores: OnnxReference,
    { slots, classes, limit, iou }: SuppressionSizes,
  ): Detections<OnnxReference> {
    const byClass = this.node('nms/classes', 'Transpose', [scores.name], { perm: [0, 2, 1] })
    const kept = this.node('nms/kept', 'NonMaxSuppression', [
      boxes.name,
      byClass.name,
      this.integers('nms/limit', [limit]),
      this.floats('nms/iou', [1], [iou]),
      this.floats('nms/lowest', [1], [0]),
    ])
    const found = this.node('nms/scores', 'GatherND', [byClass.name, kept.name])
    const zeros = this.multiply(byClass, 0)
    const placed = this.node('nms/placed', 'ScatterND', [zeros.name, kept.name, found.name])
    const best = this.topK(this.reshaped('nms/flat', placed, [-1, classes * slots]), limit)
    const divisor = this.integers('nms/slots', [slots])
    const labels = this.node('nms/labels', 'Div', [best.indices.name, divisor])
    const places = this.node('nms/places', 'Mod', [best.indices.name, divisor])
    const present = this.above(best.values, 0, false)
    const mask = this.node('nms/mask', 'Unsqueeze', [present.name, this.integers('nms/axis', [2])])
    const counts = this.node('nms/sum', 'ReduceSum', [present.name, this.integers('nms/axis', [1])], {
      keepdims: 0,
    })
    return {
      boxes: this.multiply(this.pick(boxes, places, 4), mask),
      scores: best.values,
      labels: this.multiply(this.cast(labels, TYPE.float32), present),
      counts: this.cast(counts, TYPE.int32),
    }
  }

  /** After an operation that only moves values they are rounded to the same grid again, which runtimes then leave out. */
  private again(x: OnnxReference, moved: OnnxReference): OnnxReference {
    return x.grid ? this.quantise(moved, x.grid, moved.name) : moved
  }

  private roundedKernel(step: Convolution, shape: readonly number[]): string {
    const { name, out } = step
    const scales = kernelScales(step)
    const weights = outputsFirst(step)
    const size = weights.length / out
    const rounded = Int8Array.from(weights, (weight, i) => {
      const whole = roundEven(weight / scales[Math.floor(i / size)]!)
      return Math.min(LARGEST_WEIGHT, Math.max(-LARGEST_WEIGHT, whole))
    })
    const stored = this.constant(`${name}/kernel/int8`, 'int8', shape, rounded)
    const scale = this.floats(`${name}/kernel/scale`, [out], scales)
    const zero = this.constant(`${name}/kernel/zero`, 'int8', [out], new Int8Array(out))
    return this.node(`${name}/kernel`, 'DequantizeLinear', [stored, scale, zero], { axis: 0 }).name
  }

  private roundedBias(step: Convolution, inputScale: number): string {
    const { name, out } = step
    const scales = kernelScales(step).map((scale) => scale * inputScale)
    const limit = 2 ** 31 - 1
    const rounded = Int32Array.from(step.bias, (value, i) =>
      Math.min(limit, Math.max(-limit, roundEven(value / scales[i]!))),
    )
    const stored = this.constant(`${name}/bias/int32`, 'int32', [out], rounded)
    const scale = this.floats(`${name}/bias/scale`, [out], scales)
    const zero = this.constant(`${name}/bias/zero`, 'int32', [out], new Int32Array(out))
    return this.node(`${name}/bias`, 'DequantizeLinear', [stored, scale, zero], { axis: 0 }).name
  }

  private weights(name: string, shape: readonly number[], values: Float32Array): string {
    return this.options.half
      ? this.constant(name, 'float16', shape, toFloat16(values))
      : this.floats(name, shape, values)
  }

  private operand(value: OnnxReference | Values): string {
    if (typeof value === 'number') return this.floats('head/constant', [], [value])
    return 'name' in value ? value.name : this.floats('head/constants', value.shape, value.values)
  }

  private squeezed(x: OnnxReference, axis: number): OnnxReference {
    return this.node('head/flat', 'Squeeze', [x.name, this.integers('head/axis', [axis])])
  }

  private reshaped(name: string, x: OnnxReference, shape: readonly number[]): OnnxReference {
    return this.node(name, 'Reshape', [x.name, this.integers(`${name}/shape`, shape)])
  }

  private topK(x: OnnxReference, count: number): { values: OnnxReference; indices: OnnxReference } {
    const inputs = [x.name, this.integers('head/count', [count])]
    const [values, indices] = this.outputs('head/largest', 'TopK', inputs, { axis: 1 }, 2)
    return { values: { name: values! }, indices: { name: indices! } }
  }

  private outputs(
    name: string,
    operation: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, AttributeValue>>,
    count: number,
  ): string[] {
    const unique = this.unique(name)
    const outputs = Array.from({ length: count }, (_, i) => (i === 0 ? unique : `${unique}/${i}`))
    this.nodes.push({ name: unique, operation, inputs, outputs, attributes })
    return outputs
  }

  private floats(name: string, shape: readonly number[], values: ArrayLike<number>): string {
    return this.constant(name, 'float32', shape, Float32Array.from(values))
  }

  private integers(name: string, values: readonly number[]): string {
    return this.constant(name, 'int64', [values.length], BigInt64Array.from(values.map(BigInt)))
  }

  private constant(
    name: string,
    type: TypeName,
    shape: readonly number[],
    { buffer, byteOffset, byteLength }: ArrayBufferView,
  ): string {
    const unique = this.unique(name)
    this.tensors.push({ name: unique, type, shape, bytes: new Uint8Array(buffer, byteOffset, byteLength) })
    return unique
  }

  private unique(name: string): string {
    const found = this.names.has(name) ? `${name}_${this.names.size}` : name
    this.names.add(found)
    return found
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
