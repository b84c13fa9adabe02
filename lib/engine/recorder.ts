/** Listens to the addon while a function runs eagerly and writes down what it does as graph nodes. */
import { HollowTensors } from './hollow'
import { type Attribute, type Binding, DTYPE, nativeBackend, type TensorMetadata } from './native'
import { pinnedToFloat32 } from './precision'

export interface NodeOutput {
  readonly node: string
  readonly index: number
}

/** What a recorded value looked like; `dtype` is TensorFlow's number. */
export interface ValueType {
  readonly dtype: number
  readonly shape: readonly number[]
}

export interface Constant {
  readonly dtype: number
  readonly shape: readonly number[]
  readonly bytes: Uint8Array
}

export interface GraphNode {
  readonly name: string
  readonly operation: string
  readonly inputs: readonly NodeOutput[]
  readonly attributes: readonly Attribute[]
  /** Names of nodes that must have run before. */
  readonly after?: readonly string[]
  readonly constant?: Constant
  /** Shapes and data types of the inputs. */
  readonly inputTypes?: readonly ValueType[]
  /** Keep in float32 whatever the graph's precision. */
  readonly float32?: boolean
  /** Where the operation was called, for error messages; its stack becomes text when it is asked for, which costs. */
  readonly origin?: Error
}

/** A node output's name, which tells it from all others of a graph. */
export const keyOf = ({ node, index }: NodeOutput): string => `${node}:${index}`

/** The node output that a native tensor id stands for. */
export type OutputOf = (id: number) => NodeOutput

/** An operation failed on the zeros that stand in for values; it may not on the values themselves. */
export class ValuesNeeded extends Error {}

const BYTES: { readonly [dtype: number]: number } = { [DTYPE.float32]: 4, [DTYPE.int32]: 4, [DTYPE.bool]: 1 }

function toBytes(dtype: number, values: ArrayBufferView | unknown[]): Uint8Array {
  if (ArrayBuffer.isView(values)) {
    if (dtype === DTYPE.bool || BYTES[dtype] === bytesPerElement(values)) {
      return new Uint8Array(values.buffer.slice(values.byteOffset, values.byteOffset + values.byteLength))
    }
    values = Array.from(values as Float32Array)
  }
  if (!(dtype in BYTES)) {
    throw new Error(
      `compile: expected constants of float32, int32 or bool, found TensorFlow's data type ${dtype}, made or used at ` +
        callSite(new Error()),
    )
  }
  const numbers = values.map(Number)
  if (dtype === DTYPE.bool) return Uint8Array.from(numbers)
  return new Uint8Array(
    (dtype === DTYPE.int32 ? Int32Array.from(numbers) : Float32Array.from(numbers)).buffer,
  )
}

function bytesPerElement(values: ArrayBufferView): number {
  return 'BYTES_PER_ELEMENT' in values ? Number(values.BYTES_PER_ELEMENT) : 1
}

/** Frames of this library's engine, of packages (tfjs's are source-mapped to its own folders) and of Node itself. */
const FOREIGN =
  /node_modules|[\\/]lib[\\/]engine[\\/]|[\\/]tfjs[\w-]*[\\/](src|dist)[\\/]|node:|<anonymous>\)$/
/** V8 keeps 10 frames, which tfjs alone can fill. */
const FRAMES = 40

/** The first line of the caller's own code on a stack. */
export function callSite(origin: Error | undefined): string {
  const lines = (origin?.stack ?? '').split('\n').slice(1)
  const own = lines.find((line) => !FOREIGN.test(line))
  return (own ?? 'unknown place').trim().replace(/^at /, '')
}

/** Operations whose result has as many elements as their values decide: the shape seen once would be frozen. */
const SHAPED_BY_VALUES = /^(Where|Unique|ListDiff|DynamicPartition|NonMaxSuppression)/

let recording = false

/**
 * @throws Error naming the line that calls a compiled function while another one is recorded
 */
export function refuseNested(): void {
  if (!recording) return
  throw new Error(
    `compile: a recorded function must not call another compiled one, which ${callSite(new Error())} does; call the ` +
      'function itself, which becomes part of the graph',
  )
}

/**
 * Runs `body` eagerly and records every native operation of it.
 *
 * @param known native ids that exist before and what they stand for (inputs, state); tensors that are not in it are
 *   captured by value, as constants
 * @param knownTypes their shapes and data types
 * @param body disposes of all that it makes; while it runs, only small results have values, unless `withValues` is set
 * @returns the body's value and the nodes in their order
 * @throws Error when the body reads a tensor back or keeps one, naming the line that did
 * @throws ValuesNeeded where it has to be called again, with values
 */
export function record<T>(
  known: ReadonlyMap<number, NodeOutput>,
  knownTypes: ReadonlyMap<number, ValueType>,
  body: (outputOf: OutputOf) => T,
  { withValues }: { readonly withValues: boolean },
): { readonly value: T; readonly nodes: readonly GraphNode[] } {
  const backend = nativeBackend()
  const real = backend.binding
  const produced = new Map<number, NodeOutput>(known)
  const types = new Map<number, ValueType>(knownTypes)
  const nodes: GraphNode[] = []
  const pending = new Map<number, Constant>()
  const hollow = new HollowTensors(real)

  const addConstant = (id: number, constant: Constant): NodeOutput => {
    const output = { node: `const_${nodes.length}`, index: 0 }
    nodes.push({ name: output.node, operation: 'Const', inputs: [], attributes: [], constant })
    produced.set(id, output)
    types.set(id, constant)
    return output
  }
  const outputOf: OutputOf = (id) => {
    const output = produced.get(id)
    if (output) return output
    const constant = pending.get(id)
    if (constant) return addConstant(id, constant)
    return addConstant(id, capture(real, id))
  }

  const run: Binding['executeOp'] = (operation, attributes, inputs, outputs) => {
    if (withValues) return real.executeOp(operation, attributes, inputs, outputs)
    try {
      return hollow.filled(inputs, (ids) => real.executeOp(operation, attributes, ids, outputs))
    } catch (error) {
      // Others come from who watches the operations, such as an interruption.
      if (!(error instanceof Error && error.message.includes('TF_Status'))) throw error
      throw new ValuesNeeded(`${operation} cannot be computed on zeros`, { cause: error })
    }
  }

  const listener: Pick<Binding, 'createTensor' | 'deleteTensor' | 'executeOp' | 'tensorDataSync'> = {
    createTensor(shape, dtype, buffer) {
      const id = real.createTensor(shape, dtype, buffer)
      pending.set(id, { dtype, shape: [...shape], bytes: toBytes(dtype, buffer) })
      return id
    },
    deleteTensor(id) {
      if (!hollow.delete(id)) real.deleteTensor(id)
    },
    executeOp(operation, attributes, inputs, outputs): TensorMetadata[] {
      const origin = new Error()
      if (SHAPED_BY_VALUES.test(operation)) {
        throw new Error(
          `compile: a recorded function must not call ${operation}, whose result's shape depends on values, which ` +
            `${callSite(origin)} does; call it outside, or use an operation with a fixed shape`,
        )
      }
      const sources = inputs.map(outputOf)
      const results = run(operation, attributes, inputs, outputs)
      const name = `${operation}_${nodes.length}`
      results.forEach((result, index) => {
        produced.set(result.id, { node: name, index })
        types.set(result.id, { dtype: result.dtype, shape: result.shape })
        if (!withValues) hollow.empty(result, origin)
      })
      const inputTypes = inputs.map((id) => types.get(id)!)
      nodes.push({
        name,
        operation,
        inputs: sources,
        inputTypes,
        attributes,
        float32: pinnedToFloat32(),
        origin,
      })
      return results
    },
    tensorDataSync() {
      throw new Error(
        `compile: a recorded function must not read a tensor back (dataSync, arraySync, data, print), which ` +
          `${callSite(new Error())} does; return the tensor and read it outside, or choose eager execution`,
      )
    },
  }
  const proxy: Binding = Object.create(real, Object.getOwnPropertyDescriptors(listener))
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = FRAMES
  backend.binding = proxy
  recording = true
  try {
    const value = body(outputOf)
    const [kept] = hollow.left
    if (kept) {
      throw new Error(
        'compile: a recorded function must not keep tensors that it does not return, found one of ' +
          `[${kept.shape}] that ${callSite(kept.origin)} makes`,
      )
    }
    return { value, nodes }
  } finally {
    recording = false
    backend.binding = real
    Error.stackTraceLimit = limit
  }
}

/** Copies a tensor that was made before the recording into a constant. */
function capture(binding: Binding, id: number): Constant {
  // An operation that changes nothing tells shape and data type, which the addon does not give for an id.
  const [copy] = binding.executeOp('Identity', [], [id], 1)
  if (!copy) throw new Error(`compile: tensor ${id} is unknown to the native backend`)
  const bytes = toBytes(copy.dtype, binding.tensorDataSync(id))
  binding.deleteTensor(copy.id)
  return { dtype: copy.dtype, shape: copy.shape, bytes }
}
