/**
 * The only access to the native backend: tfjs itself, raw TensorFlow operations, and backend details.
 *
 * Raw operations give access to kernels that tfjs does not name (fused batch norm, explicit padding, NMS).
 * They follow TensorFlow's C++ operation reference: inputs in its order, every attribute without a default given.
 */
import util from 'node:util'
import type { DataType, Tensor, TensorInfo } from '@tensorflow/tfjs-core'
import * as tf from '@tensorflow/tfjs-node-gpu'

// tfjs calls two functions of Node's `util` that Node 22 warns about on every command and later versions lack.
Object.assign(util, {
  isArray: Array.isArray,
  isNullOrUndefined: (value: unknown) => value === null || value === undefined,
})

export { tf }

export type AttributeValue = boolean | number | string | number[] | { shape: number[] }

/** One attribute as the addon takes it; `type` is TensorFlow's TF_AttrType number. */
export interface Attribute {
  readonly name: string
  readonly type: number
  readonly value: unknown
}

/** What the addon returns for one output. */
export interface TensorMetadata {
  readonly id: number
  readonly shape: number[]
  readonly dtype: number
}

/** The addon's functions that this library uses; properties of the addon itself are read-only. */
export interface Binding {
  createTensor(shape: number[], dtype: number, buffer: ArrayBufferView | unknown[]): number
  deleteTensor(id: number): void
  tensorDataSync(id: number): Float32Array | Int32Array | Uint8Array
  executeOp(name: string, attributes: Attribute[], inputs: number[], outputs: number): TensorMetadata[]
  loadSavedModel(directory: string, tags: string): number
  deleteSavedModel(id: number): void
  runSavedModel(id: number, inputs: number[], inputNames: string, outputNames: string): TensorMetadata[]
  getNumOfTensors(): number
  getNumOfSavedModels(): number
  isUsingGpuDevice(): boolean
  readonly TF_Version: string
}

/** The members of tfjs-node's backend used beyond its public ones. */
interface NativeBackend {
  binding: Binding
  executeMultipleOutputs(
    name: string,
    attributes: Attribute[],
    inputs: TensorInfo[],
    outputs: number,
  ): Tensor[]
  getInputTensorIds(tensors: TensorInfo[]): number[]
  createOutputTensor(metadata: TensorMetadata): Tensor
  /** Every tensor's data; `values` are those not yet handed to TensorFlow. */
  readonly tensorMap: {
    get(dataId: object): { readonly dtype: number; readonly values: unknown } | undefined
  }
}

/** The native id of data that has no TensorFlow tensor. */
const NO_TENSOR = -1

/** TF_AttrType and TF_DataType numbers of TensorFlow's C API. */
export const ATTR = { string: 0, int: 1, float: 2, bool: 3, type: 4, shape: 5 } as const
/** TensorFlow's numbers of the types. */
export const DTYPE = {
  float32: 1,
  float64: 2,
  int32: 3,
  uint8: 4,
  bool: 10,
  bfloat16: 14,
  float16: 19,
  resource: 20,
} as const

function isNativeBackend(candidate: object): candidate is NativeBackend {
  const needed = ['binding', 'executeMultipleOutputs', 'getInputTensorIds', 'createOutputTensor', 'tensorMap']
  return needed.every((member) => member in candidate)
}

/**
 * The active native backend.
 * @throws Error when tfjs runs on another backend (the addon could not be loaded, or setBackend was called).
 */
export function nativeBackend(): NativeBackend {
  const backend: object = tf.backend()
  if (!isNativeBackend(backend)) {
    throw new Error(
      `expected tfjs to run on its native backend, found "${tf.getBackend()}"; run "npx workbook doctor"`,
    )
  }
  return backend
}

/** Attributes of TensorFlow's operations, by type. */
export const attribute = {
  /** One int64, or a list. */
  int: (name: string, value: number | number[]): Attribute => ({ name, type: ATTR.int, value }),
  /** One float32, or a list. */
  float: (name: string, value: number | number[]): Attribute => ({ name, type: ATTR.float, value }),
  /** A truth value. */
  bool: (name: string, value: boolean): Attribute => ({ name, type: ATTR.bool, value }),
  /** A text. */
  string: (name: string, value: string): Attribute => ({ name, type: ATTR.string, value }),
  /** A list of texts. */
  strings: (name: string, value: string[]): Attribute => ({ name, type: ATTR.string, value }),
  /** A type of elements. */
  type: (name: string, dtype: keyof typeof DTYPE): Attribute => ({
    name,
    type: ATTR.type,
    value: DTYPE[dtype],
  }),
}

/** Runs one TensorFlow operation by name and returns its `outputs` outputs. Not differentiable by itself. */
export function execute(name: string, attributes: Attribute[], inputs: Tensor[], outputs = 1): Tensor[] {
  return nativeBackend().executeMultipleOutputs(name, attributes, inputs, outputs)
}

/** The native ids of tensors; uploads values that tfjs still holds in JavaScript. */
export function nativeIds(tensors: TensorInfo[]): number[] {
  return nativeBackend().getInputTensorIds(tensors)
}

/** TensorFlow's data type of a tensor: bytes are uint8, for which tfjs says int32. */
export function nativeType({ dataId }: Pick<Tensor, 'dataId'>): number {
  const found = nativeBackend().tensorMap.get(dataId)
  if (!found) throw new Error('expected a tensor of the native backend, found one that was disposed of')
  return found.dtype
}

/** A tensor of bytes, TensorFlow's uint8. Like all of tfjs's new tensors it stays with JavaScript until it is used. */
export function byteTensor(bytes: Uint8Array, shape: readonly number[]): Tensor {
  const tensor = adopt({ id: NO_TENSOR, shape: [...shape], dtype: DTYPE.uint8 })
  Object.assign(nativeBackend().tensorMap.get(tensor.dataId)!, { values: bytes })
  return tensor
}

/** Whether a tensor of bytes can be fed as whole int32 words. */
export const isWholeWords = ({ shape }: Pick<Tensor, 'shape'>): boolean =>
  shape.reduce((product, length) => product * length, 1) % 4 === 0

/**
 * Makes an int32 tensor with the bits of a float32 one, of its shape, or with those of bytes, four to a word, as a vector, and
 * returns its native id; the caller deletes it. tfjs copies every new tensor to the graphics card except int32 ones, which stay
 * in host memory, where a session reads its feeds.
 */
export function bitsOnHost(tensor: Tensor): number {
  const { binding, tensorMap } = nativeBackend()
  const held = tensorMap.get(tensor.dataId)?.values
  const isBytes = nativeType(tensor) === DTYPE.uint8
  if (held instanceof Float32Array || held instanceof Uint8Array) {
    const aligned = held.byteOffset % 4 === 0 ? held : held.slice()
    const bits = new Int32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 4)
    return binding.createTensor(isBytes ? [bits.length] : tensor.shape, DTYPE.int32, bits)
  }
  if (!isBytes) {
    const types = [attribute.type('T', 'float32'), attribute.type('type', 'int32')]
    return binding.executeOp('Bitcast', types, nativeIds([tensor]), 1)[0]!.id
  }
  const shape = binding.createTensor([2], DTYPE.int32, Int32Array.of(-1, 4))
  const shaping = [attribute.type('T', 'uint8'), attribute.type('Tshape', 'int32')]
  const [rows] = binding.executeOp('Reshape', shaping, [...nativeIds([tensor]), shape], 1)
  const types = [attribute.type('T', 'uint8'), attribute.type('type', 'int32')]
  const [words] = binding.executeOp('Bitcast', types, [rows!.id], 1)
  for (const id of [shape, rows!.id]) binding.deleteTensor(id)
  return words!.id
}

/** Makes a tfjs tensor that owns a native output. */
export function adopt(metadata: TensorMetadata): Tensor {
  return nativeBackend().createOutputTensor(metadata)
}

/**
 * Frees a variable's memory, unless a clone shares it. From then on reading the variable throws an error with
 * `message`, until it is assigned.
 */
export function vacate(variable: tf.Variable, message: string): void {
  const { tensorMap } = nativeBackend()
  const { dtype } = tensorMap.get(variable.dataId)!
  const nothing = adopt({ id: NO_TENSOR, shape: variable.shape, dtype })
  const fail = () => {
    throw new Error(message)
  }
  Object.defineProperty(tensorMap.get(nothing.dataId), 'values', { get: fail })
  variable.assign(nothing)
  nothing.dispose()
}

/** tfjs numbers its tensors in the order in which they are made. */
export function newestTensorId(): number {
  const probe = tf.scalar(0)
  probe.dispose()
  return probe.id
}

/** Like tf.tidy, but frees every tensor made inside: for results that are not tensors. */
export function scoped<T>(body: () => T): T {
  tf.engine().startScope()
  try {
    return body()
  } finally {
    tf.engine().endScope()
  }
}

/** Calls `check` before every native operation from now on; an error it throws ends the computation there. */
export function beforeOperations(check: () => void): void {
  const backend = nativeBackend()
  const real = backend.binding
  const checked: Pick<Binding, 'executeOp' | 'runSavedModel'> = {
    executeOp(...words) {
      check()
      return real.executeOp(...words)
    },
    runSavedModel(...words) {
      check()
      return real.runSavedModel(...words)
    },
  }
  backend.binding = Object.create(real, Object.getOwnPropertyDescriptors(checked))
}

export type { DataType, Tensor, TensorInfo }
