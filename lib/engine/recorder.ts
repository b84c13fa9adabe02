/** Listens to the addon while a function runs eagerly and records its operations as graph nodes. */
import { callSite } from './call-site'
import type { Constant, GraphNode, NodeOutput, ValueType } from './graph'
import { HollowTensors } from './hollow'
import { type Attribute, type Binding, DTYPE, nativeBackend, type TensorMetadata } from './native'
import { pinnedToFloat32 } from './precision'

/** The node output that a native tensor id stands for. */
export type OutputOf = (id: number) => NodeOutput

/** What a native tensor made before a recording, such as an input's, stands for, and its type. */
export interface Known {
  readonly output: NodeOutput
  readonly type: ValueType
}

/** An operation failed on the zeros that replace values; it may succeed on the values themselves. */
export class ValuesNeeded extends Error {}

/** V8 keeps 10 stack frames by default, which tfjs alone can fill. */
const FRAMES = 40

/** Operations that give something else every time. */
const RANDOM = /Random|Multinomial|TruncatedNormal/

/** Operations whose result size depends on values: the shape seen once would be frozen. */
const SHAPED_BY_VALUES = /^(Where|Unique|ListDiff|DynamicPartition|NonMaxSuppression)/

let recording = false

/** Whether a function is being recorded, whose tensors have no values to read. */
export const isRecording = (): boolean => recording

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
 * Runs `body` eagerly and records every native operation in it.
 *
 * @param known by native id; other tensors are captured by value, as constants
 * @param body disposes of all that it makes; while it runs, only small results have values, unless `withValues` is set
 * @returns the body's value and the nodes in order
 * @throws Error when the body reads a tensor back or keeps one, naming the line that did
 * @throws ValuesNeeded when it must be called again with values
 */
export function record<T>(
  known: ReadonlyMap<number, Known>,
  body: (outputOf: OutputOf) => T,
  { withValues }: { readonly withValues: boolean },
): { readonly value: T; readonly nodes: readonly GraphNode[] } {
  const backend = nativeBackend()
  const real = backend.binding
  const recorder = new Recorder(real, known, withValues)
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = FRAMES
  backend.binding = recorder.listener()
  recording = true
  try {
    const value = body((id) => recorder.outputOf(id))
    recorder.refuseKept()
    return { value, nodes: recorder.nodes }
  } finally {
    recording = false
    backend.binding = real
    Error.stackTraceLimit = limit
  }
}

class Recorder {
  readonly nodes: GraphNode[] = []
  /** By native id: tensors of the graph. */
  private readonly tensors: Map<number, Known>
  /** By native id: values made by JavaScript, which become constants where an operation takes them. */
  private readonly pending = new Map<number, Constant>()
  /** Native ids of tensors of the graph that are constants. */
  private readonly constants = new Set<number>()
  private readonly hollow: HollowTensors

  constructor(
    private readonly real: Binding,
    known: ReadonlyMap<number, Known>,
    private readonly withValues: boolean,
  ) {
    this.tensors = new Map(known)
    this.hollow = new HollowTensors(real)
  }

  /** The addon as the body sees it. */
  listener(): Binding {
    const functions: Pick<Binding, 'createTensor' | 'deleteTensor' | 'executeOp' | 'tensorDataSync'> = {
      createTensor: (shape, dtype, buffer) => {
        const id = this.real.createTensor(shape, dtype, buffer)
        this.pending.set(id, { dtype, shape: [...shape], bytes: toBytes(dtype, buffer) })
        return id
      },
      deleteTensor: (id) => {
        if (!this.hollow.delete(id)) this.real.deleteTensor(id)
      },
      executeOp: (operation, attributes, inputs, outputs) =>
        this.add(operation, attributes, inputs, outputs, new Error()),
      tensorDataSync: () => {
        throw new Error(
          `compile: a recorded function must not read a tensor back (dataSync, arraySync, data, print), which ` +
            `${callSite(new Error())} does; return the tensor and read it outside, or choose eager execution`,
        )
      },
    }
    return Object.create(this.real, Object.getOwnPropertyDescriptors(functions))
  }

  outputOf(id: number): NodeOutput {
    return this.tensor(id).output
  }

  /** @throws Error naming the line that made a tensor the body has kept */
  refuseKept(): void {
    const [kept] = this.hollow.left
    if (!kept) return
    throw new Error(
      'compile: a recorded function must not keep tensors that it does not return, found one of ' +
        `[${kept.shape}] that ${callSite(kept.origin)} makes`,
    )
  }

  /** Runs an operation and records it. */
  private add(
    operation: string,
    attributes: Attribute[],
    ids: number[],
    outputs: number,
    origin: Error,
  ): TensorMetadata[] {
    if (SHAPED_BY_VALUES.test(operation)) {
      throw new Error(
        `compile: a recorded function must not call ${operation}, whose result's shape depends on values, which ` +
          `${callSite(origin)} does; call it outside, or use an operation with a fixed shape`,
      )
    }
    const isConstant = ids.every((id) => !this.tensors.has(id) || this.constants.has(id))
    const folded = isConstant && !RANDOM.test(operation) && this.fold(operation, attributes, ids, outputs)
    if (folded) return folded
    const inputs = ids.map((id) => this.tensor(id))
    const results = this.run(operation, attributes, ids, outputs)
    const name = `${operation}_${this.nodes.length}`
    for (const [index, result] of results.entries()) {
      const { id, dtype, shape } = result
      this.tensors.set(id, { output: { node: name, index }, type: { dtype, shape } })
      if (!this.withValues) this.hollow.empty(result, origin)
    }
    this.nodes.push({
      name,
      operation,
      inputs: inputs.map(({ output }) => output),
      inputTypes: inputs.map(({ type }) => type),
      attributes,
      float32: pinnedToFloat32(),
      origin,
    })
    return results
  }

  /** What constants give is a constant too: computed now, and in the graph where an operation takes it. */
  private fold(
    operation: string,
    attributes: Attribute[],
    ids: number[],
    outputs: number,
  ): TensorMetadata[] | undefined {
    const results = this.real.executeOp(operation, attributes, ids, outputs)
    if (results.every(({ dtype }) => dtype in BYTES)) return results
    for (const { id } of results) this.real.deleteTensor(id)
    return undefined
  }

  private run(operation: string, attributes: Attribute[], ids: number[], outputs: number): TensorMetadata[] {
    if (this.withValues) return this.real.executeOp(operation, attributes, ids, outputs)
    try {
      return this.hollow.filled(ids, (filled) => this.real.executeOp(operation, attributes, filled, outputs))
    } catch (error) {
      // Other errors come from a check before operations, such as an interrupt.
      if (!(error instanceof Error && error.message.includes('TF_Status'))) throw error
      throw new ValuesNeeded(`${operation} cannot be computed on zeros`, { cause: error })
    }
  }

  /** A tensor of the graph; one not yet in the graph becomes a constant. */
  private tensor(id: number): Known {
    const found = this.tensors.get(id)
    if (found) return found
    const constant = this.pending.get(id) ?? capture(this.real, id)
    const output = { node: `const_${this.nodes.length}`, index: 0 }
    this.nodes.push({ name: output.node, operation: 'Const', inputs: [], attributes: [], constant })
    this.constants.add(id)
    const known = { output, type: constant }
    this.tensors.set(id, known)
    return known
  }
}

/** Copies a tensor made before the recording into a constant. */
function capture(binding: Binding, id: number): Constant {
  // The addon does not report the shape and data type of an id, but an identity operation does.
  const [copy] = binding.executeOp('Identity', [], [id], 1)
  if (!copy) throw new Error(`compile: tensor ${id} is unknown to the native backend`)
  const bytes = toBytes(copy.dtype, binding.tensorDataSync(id))
  binding.deleteTensor(copy.id)
  return { dtype: copy.dtype, shape: copy.shape, bytes }
}

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
