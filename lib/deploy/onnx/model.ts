/** ONNX's messages (onnx.proto): nodes, tensors, values and the model around them. */
import { bytes, bytesFields, float, integer, message, packed, repeated } from './wire'

/** TensorProto.DataType. */
export const TYPE = { float32: 1, uint8: 2, int8: 3, int32: 6, int64: 7, bool: 9, float16: 10 } as const
export type TypeName = keyof typeof TYPE

/** Opset 17 with IR 8: what runtimes since 2022 read. */
const OPSET = 17
const IR = 8
/** AttributeProto.AttributeType. */
const ATTRIBUTE = { float: 1, int: 2, string: 3, ints: 7 } as const

export type AttributeValue = number | string | readonly number[] | { readonly float: number }

export interface OnnxNode {
  readonly name: string
  readonly operation: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  /** Whole numbers and lists of them; `{ float }` for others. */
  readonly attributes: Readonly<Record<string, AttributeValue>>
}

export interface OnnxTensor {
  readonly name: string
  readonly type: TypeName
  readonly shape: readonly number[]
  readonly bytes: Uint8Array
}

/** An input or output; a text is the name of a length that may be any. */
export interface OnnxValue {
  readonly name: string
  readonly type: TypeName
  readonly shape: readonly (number | string)[]
}

export interface OnnxGraph {
  readonly name: string
  readonly nodes: readonly OnnxNode[]
  readonly tensors: readonly OnnxTensor[]
  readonly inputs: readonly OnnxValue[]
  readonly outputs: readonly OnnxValue[]
}

function attributeMessage(name: string, value: AttributeValue): Uint8Array {
  const head = bytes(1, name)
  if (typeof value === 'string') return message(head, bytes(4, value), integer(20, ATTRIBUTE.string))
  if (typeof value === 'number') return message(head, integer(3, value), integer(20, ATTRIBUTE.int))
  if ('float' in value) return message(head, float(2, value.float), integer(20, ATTRIBUTE.float))
  return message(
    head,
    repeated(value, (number) => integer(8, number)),
    integer(20, ATTRIBUTE.ints),
  )
}

const nodeMessage = ({ name, operation, inputs, outputs, attributes }: OnnxNode): Uint8Array =>
  message(
    repeated(inputs, (input) => bytes(1, input)),
    repeated(outputs, (output) => bytes(2, output)),
    bytes(3, name),
    bytes(4, operation),
    repeated(Object.entries(attributes), ([key, value]) => bytes(5, attributeMessage(key, value))),
  )

const tensorMessage = ({ name, type, shape, bytes: raw }: OnnxTensor): Uint8Array =>
  message(packed(1, shape), integer(2, TYPE[type]), bytes(8, name), bytes(9, raw))

function valueMessage({ name, type, shape }: OnnxValue): Uint8Array {
  const dimensions = repeated(shape, (size) =>
    bytes(1, message(typeof size === 'number' ? integer(1, size) : bytes(2, size))),
  )
  const tensor = message(integer(1, TYPE[type]), bytes(2, message(dimensions)))
  return message(bytes(1, name), bytes(2, message(bytes(1, tensor))))
}

const METADATA = 14

/** The bytes of an .onnx file; `metadata` are its metadata_props. */
export function onnxModel(graph: OnnxGraph, metadata: ReadonlyMap<string, string>): Uint8Array {
  const content = message(
    repeated(graph.nodes, (node) => bytes(1, nodeMessage(node))),
    bytes(2, graph.name),
    repeated(graph.tensors, (tensor) => bytes(5, tensorMessage(tensor))),
    repeated(graph.inputs, (value) => bytes(11, valueMessage(value))),
    repeated(graph.outputs, (value) => bytes(12, valueMessage(value))),
  )
  return message(
    integer(1, IR),
    bytes(2, 'detector-distillation-workbook'),
    bytes(7, content),
    bytes(8, message(integer(2, OPSET))),
    repeated([...metadata], ([key, value]) => bytes(METADATA, message(bytes(1, key), bytes(2, value)))),
  )
}

/**
 * The metadata_props of an .onnx file.
 * @throws RangeError when it is no such file
 */
export function onnxMetadata(content: Uint8Array): Map<string, string> {
  const found = new Map<string, string>()
  for (const { field, value } of bytesFields(content)) {
    if (field !== METADATA) continue
    const texts = [...bytesFields(value)].map((entry) => Buffer.from(entry.value).toString('utf8'))
    found.set(texts[0] ?? '', texts[1] ?? '')
  }
  return found
}
