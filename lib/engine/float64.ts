/**
 * Double-precision arithmetic on the device. tfjs has no float64 type, so these arrays are native tensors beside its own.
 * Values enter and leave as pairs of 32-bit words or as float32 tensors; TensorFlow's kernels compute in between.
 * Each operation is one kernel, rounded once as IEEE 754 requires, so + - * / min max give the same bits as
 * JavaScript (except that kernels flush numbers below 2.2e-308 to 0). None is differentiable by itself. `compile` can record
 * all but those that read values back.
 */
import { type Attribute, adopt, attribute, DTYPE, nativeBackend, nativeIds, type Tensor } from './native'

const { type } = attribute

export type DeviceType = 'float64' | 'int32' | 'bool'

/** An array on the device; it lives as long as the scope that made it. */
export interface DeviceArray<T extends DeviceType = 'float64'> {
  readonly id: number
  readonly shape: readonly number[]
  readonly type: T
}

/** Runs `body` and frees every array made inside. Read results out, or make them in an enclosing scope. */
export function inFloat64<T>(body: (device: Float64Device) => T): T {
  const device = new Float64Device()
  try {
    return body(device)
  } finally {
    device.dispose()
  }
}

/** The operations of one scope. Shapes broadcast as in TensorFlow. */
export class Float64Device {
  private readonly owned = new Set<number>()

  /** Copies values to the device, as a list or in the given shape. */
  upload(values: Float64Array, shape: readonly number[] = [values.length]): DeviceArray {
    const words = new Int32Array(values.buffer, values.byteOffset, values.length * 2)
    const pairs = this.create([...shape, 2], words)
    const [result] = this.run('Bitcast', 'float64', [type('T', 'int32'), type('type', 'float64')], [pairs])
    this.free(pairs)
    return result!
  }

  /** The values of a float32 tensor. */
  widen(tensor: Tensor): DeviceArray {
    const [id] = nativeIds([tensor])
    return this.run('Cast', 'float64', cast('float32', 'float64'), [{ id: id! }])[0]!
  }

  /** The values rounded to float32, as a tensor of tfjs's own. */
  narrow({ id }: DeviceArray): Tensor {
    return adopt(nativeBackend().binding.executeOp('Cast', cast('float64', 'float32'), [id], 1)[0]!)
  }

  /** An axis number as a device scalar. */
  axis(value: number): DeviceArray<'int32'> {
    return this.create([], Int32Array.of(value))
  }

  /** One operation of type T = float64 with one output. */
  compute(
    name: string,
    inputs: readonly DeviceArray<DeviceType>[],
    attributes: readonly Attribute[] = [],
  ): DeviceArray {
    return this.run(name, 'float64', [type('T', 'float64'), ...attributes], inputs)[0]!
  }

  /** A list of int32 on the device: indices of elements, rows, segments or axes. */
  indices(values: Int32Array): DeviceArray<'int32'> {
    return this.create([values.length], values)
  }

  /** The values of an array, in row-major order. */
  read(array: DeviceArray): Float64Array {
    const attributes = [type('T', 'float64'), type('type', 'int32')]
    const [pairs] = this.run('Bitcast', 'int32', attributes, [array])
    const words = this.data(pairs!)
    this.free(pairs!)
    return new Float64Array(words.buffer, words.byteOffset, words.length / 2)
  }

  /** The values of a list of int32. */
  readIndices(array: DeviceArray<'int32'>): Int32Array {
    return this.data(array)
  }

  /** a + b, element by element, as the four below. */
  readonly add = (a: DeviceArray, b: DeviceArray) => this.binary('AddV2', a, b)
  /** a - b. */
  readonly subtract = (a: DeviceArray, b: DeviceArray) => this.binary('Sub', a, b)
  /** a b. */
  readonly multiply = (a: DeviceArray, b: DeviceArray) => this.binary('Mul', a, b)
  /** The smaller of a and b. */
  readonly minimum = (a: DeviceArray, b: DeviceArray) => this.binary('Minimum', a, b)
  /** The larger of a and b. */
  readonly maximum = (a: DeviceArray, b: DeviceArray) => this.binary('Maximum', a, b)
  /** a / b, and 0 where b is 0. */
  readonly divide = (a: DeviceArray, b: DeviceArray) => this.binary('DivNoNan', a, b)

  /** Where a equals b. */
  equal(a: DeviceArray, b: DeviceArray): DeviceArray<'bool'> {
    return this.run('Equal', 'bool', [type('T', 'float64')], [a, b])[0]!
  }

  /** a where the condition holds, else b. */
  select(condition: DeviceArray<'bool'>, a: DeviceArray, b: DeviceArray): DeviceArray {
    return this.compute('SelectV2', [condition, a, b])
  }

  /** Picks elements along an axis by index; the other axes stay. */
  gather(array: DeviceArray, indices: DeviceArray<'int32'>, axis = 0): DeviceArray {
    const place = this.axis(axis)
    const types = [type('Tparams', 'float64'), type('Tindices', 'int32'), type('Taxis', 'int32')]
    const [result] = this.run(
      'GatherV2',
      'float64',
      [...types, attribute.int('batch_dims', 0)],
      [array, indices, place],
    )
    this.free(place)
    return result!
  }

  /** The rows of an array [n, ...] as n arrays. */
  rows(array: DeviceArray): DeviceArray[] {
    const count = array.shape[0]!
    const attributes = [type('T', 'float64'), attribute.int('num', count), attribute.int('axis', 0)]
    return this.run('Unpack', 'float64', attributes, [array], count)
  }

  /** Indices of a list's elements in descending order, equal ones by ascending index. */
  descending(list: DeviceArray): DeviceArray<'int32'> {
    const count = this.create([], Int32Array.of(list.shape[0]!))
    const types = [type('T', 'float64'), type('Tk', 'int32'), type('index_type', 'int32')]
    const [values, order] = this.execute(
      'TopKV2',
      [attribute.bool('sorted', true), ...types],
      [list, count],
      2,
    )
    this.free(count, values!)
    return { id: order!.id, shape: order!.shape, type: 'int32' }
  }

  /** Frees arrays before the scope ends. */
  free(...arrays: readonly Native[]): void {
    for (const { id } of arrays) if (this.owned.delete(id)) nativeBackend().binding.deleteTensor(id)
  }

  /** Frees every array of the scope. */
  dispose(): void {
    for (const id of this.owned) nativeBackend().binding.deleteTensor(id)
    this.owned.clear()
  }

  private binary(name: string, a: DeviceArray, b: DeviceArray): DeviceArray {
    return this.compute(name, [a, b])
  }

  private create(shape: number[], values: Int32Array): DeviceArray<'int32'> {
    const id = nativeBackend().binding.createTensor(shape, DTYPE.int32, values)
    this.owned.add(id)
    return { id, shape, type: 'int32' }
  }

  private run<T extends DeviceType>(
    name: string,
    result: T,
    attributes: Attribute[],
    inputs: readonly Native[],
    outputs = 1,
  ): DeviceArray<T>[] {
    return this.execute(name, attributes, inputs, outputs).map(({ id, shape }) => ({
      id,
      shape,
      type: result,
    }))
  }

  private execute(name: string, attributes: Attribute[], inputs: readonly Native[], outputs: number) {
    const ids = inputs.map(({ id }) => id)
    const made = nativeBackend().binding.executeOp(name, attributes, ids, outputs)
    for (const { id } of made) this.owned.add(id)
    return made
  }

  private data(array: DeviceArray<'int32'>): Int32Array {
    const values = nativeBackend().binding.tensorDataSync(array.id)
    if (values instanceof Int32Array) return values
    throw new Error(`expected int32 values from the device, found ${values.constructor.name}`)
  }
}

/** A native tensor of any type. */
type Native = Pick<DeviceArray<DeviceType>, 'id'>

const cast = (from: 'float32' | 'float64', to: 'float32' | 'float64'): Attribute[] => [
  type('SrcT', from),
  type('DstT', to),
  attribute.bool('Truncate', false),
]
