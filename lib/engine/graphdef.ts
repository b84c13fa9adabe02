/// <reference path="./api_pb.d.ts" />
/** Graph nodes as a TensorFlow SavedModel (GraphDef in protocol buffers, schema version 1). */
import * as proto from '@tensorflow/tfjs-node-gpu/dist/proto/api_pb'
import { callSite } from './call-site'
import { type Constant, firstOutput, type GraphNode, keyOf, type NodeOutput, type ValueType } from './graph'
import { ATTR, type Attribute, DTYPE } from './native'

/** GraphDef producer version: past 27 the importer validates shapes and types as current TensorFlow does. */
const PRODUCER = 1882

/** Number of leading inputs that attribute N counts; eager execution infers it, a GraphDef must spell it out. */
const COUNTED_INPUTS: { readonly [operation: string]: (inputs: number) => number } = {
  AddN: (inputs) => inputs,
  Pack: (inputs) => inputs,
  ConcatV2: (inputs) => inputs - 1,
}

/** Type attributes that eager execution infers from an input and a GraphDef must spell out: [attribute, input]. */
const INFERRED_TYPES: { readonly [operation: string]: readonly (readonly [string, number])[] } = {
  ExpandDims: [
    ['T', 0],
    ['Tdim', 1],
  ],
  GatherV2: [
    ['Tparams', 0],
    ['Tindices', 1],
    ['Taxis', 2],
  ],
}

/** Raised when recorded graphs round differently from before. */
export const GRAPH_REVISION = 5

/**
 * TensorFlow's optimiser merges nested sums and reorders products of different shapes, which rounds differently from
 * the recorded order. It skips nodes that carry its own marks for "done".
 */
const KEEP_ORDER = [
  '_grappler_ArithmeticOptimizer_AddOpsRewriteStage',
  '_grappler_ArithmeticOptimizer_MinimizeBroadcasts',
]
const ORDERED = new Set(['Add', 'AddV2', 'AddN', 'Mul'])

/** XLA's implementations of these do not give the same bits every time; TensorFlow's do. */
const NOT_FOR_XLA = new Set(['MaxPoolGrad'])

function shapeMessage(shape: readonly number[]): proto.TensorShape {
  const message = new proto.TensorShape()
  message.setDimList(
    shape.map((size) => {
      const dimension = new proto.TensorShape.Dim()
      dimension.setSize(size)
      return dimension
    }),
  )
  return message
}

function attributeMessage(attribute: Attribute): proto.AttrValue {
  const message = new proto.AttrValue()
  const { type, value } = attribute
  if (type === ATTR.string && typeof value === 'string') message.setS(Buffer.from(value))
  else if (type === ATTR.bool && typeof value === 'boolean') message.setB(value)
  else if (type === ATTR.type && typeof value === 'number') message.setType(value)
  else if (type === ATTR.int && typeof value === 'number') message.setI(value)
  else if (type === ATTR.float && typeof value === 'number') message.setF(value)
  else if (type === ATTR.shape && Array.isArray(value)) message.setShape(shapeMessage(value.map(Number)))
  else if ((type === ATTR.int || type === ATTR.float) && Array.isArray(value)) {
    const list = new proto.AttrValue.ListValue()
    const numbers = value.map(Number)
    if (type === ATTR.int) list.setIList(numbers)
    else list.setFList(numbers)
    message.setList(list)
  } else {
    throw new Error(
      `attribute "${attribute.name}" of type ${type} with value ${String(value)} cannot be recorded`,
    )
  }
  return message
}

function tensorMessage(constant: Constant): proto.Tensor {
  const message = new proto.Tensor()
  message.setDtype(constant.dtype)
  message.setTensorShape(shapeMessage(constant.shape))
  message.setTensorContent(constant.bytes)
  return message
}

function nodeMessage(node: GraphNode): proto.NodeDef {
  const message = new proto.NodeDef()
  message.setName(node.name)
  message.setOp(node.operation)
  const inputs = node.inputs.map(({ node: name, index }) => (index === 0 ? name : `${name}:${index}`))
  message.setInputList([...inputs, ...(node.after ?? []).map((name) => `^${name}`)])
  const attributes = message.getAttrMap()
  for (const attribute of node.attributes) {
    try {
      attributes.set(attribute.name, attributeMessage(attribute))
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      throw new Error(`compile: operation ${node.operation} at ${callSite(node.origin)}: ${reason}`)
    }
  }
  const counted = COUNTED_INPUTS[node.operation]
  if (counted)
    attributes.set('N', attributeMessage({ name: 'N', type: ATTR.int, value: counted(node.inputs.length) }))
  for (const [name, input] of INFERRED_TYPES[node.operation] ?? []) {
    const type = node.inputTypes?.[input]
    if (type && !node.attributes.some((attribute) => attribute.name === name)) {
      attributes.set(name, attributeMessage({ name, type: ATTR.type, value: type.dtype }))
    }
  }
  if (ORDERED.has(node.operation)) {
    for (const name of KEEP_ORDER)
      attributes.set(name, attributeMessage({ name, type: ATTR.bool, value: true }))
  }
  if (NOT_FOR_XLA.has(node.operation))
    attributes.set('_XlaCompile', attributeMessage({ name: '_XlaCompile', type: ATTR.bool, value: false }))
  if (node.constant) {
    attributes.set('dtype', attributeMessage({ name: 'dtype', type: ATTR.type, value: node.constant.dtype }))
    const value = new proto.AttrValue()
    value.setTensor(tensorMessage(node.constant))
    attributes.set('value', value)
  }
  return message
}

/** A value that goes into or comes out of a graph; -1 stands for any length. */
export interface SignatureValue extends ValueType {
  readonly value: NodeOutput
}

/** What a graph is called with and what it gives, by name. */
export interface Signature {
  readonly inputs: ReadonlyMap<string, SignatureValue>
  readonly outputs: ReadonlyMap<string, SignatureValue>
}

/** Under this name serving programs look for a signature. */
const SERVING = 'serving_default'

function signatureMessage({ inputs, outputs }: Signature): proto.SignatureDef {
  const message = new proto.SignatureDef()
  message.setMethodName('tensorflow/serving/predict')
  const fill = (map: proto.MessageMap<proto.TensorInfo>, values: Signature['inputs']) => {
    for (const [name, { value, dtype, shape }] of values) {
      const info = new proto.TensorInfo()
      info.setName(keyOf(value))
      info.setDtype(dtype)
      info.setTensorShape(shapeMessage(shape))
      map.set(name, info)
    }
  }
  fill(message.getInputsMap(), inputs)
  fill(message.getOutputsMap(), outputs)
  return message
}

/** The bytes of a `saved_model.pb` that holds the graph under the tag "serve", with a signature for other programs if it is given. */
export function savedModel(nodes: readonly GraphNode[], signature?: Signature): Uint8Array {
  const graph = new proto.GraphDef()
  graph.setNodeList(nodes.map(nodeMessage))
  const versions = new proto.VersionDef()
  versions.setProducer(PRODUCER)
  graph.setVersions(versions)
  const info = new proto.MetaGraphDef.MetaInfoDef()
  info.setTagsList(['serve'])
  const meta = new proto.MetaGraphDef()
  meta.setMetaInfoDef(info)
  meta.setGraphDef(graph)
  if (signature) meta.getSignatureDefMap().set(SERVING, signatureMessage(signature))
  const model = new proto.SavedModel()
  model.setSavedModelSchemaVersion(1)
  model.setMetaGraphsList([meta])
  return model.serializeBinary()
}

const typed = (name: string, dtype: number): Attribute => ({ name, type: ATTR.type, value: dtype })

/** A value that is fed at every run. */
export function placeholder(name: string, dtype: number, shape: readonly number[]): GraphNode {
  const attributes = [typed('dtype', dtype), { name: 'shape', type: ATTR.shape, value: shape }]
  return { name, operation: 'Placeholder', inputs: [], attributes }
}

/** A node that passes its input on. */
export function identity(name: string, input: NodeOutput, dtype: number): GraphNode {
  return { name, operation: 'Identity', inputs: [input], attributes: [typed('T', dtype)] }
}

/** A node that reinterprets the bits of int32 values as float32, or as bytes, four along a further axis. */
export function bitsAs(name: string, input: NodeOutput, dtype: number): GraphNode {
  const attributes = [typed('T', DTYPE.int32), typed('type', dtype)]
  return { name, operation: 'Bitcast', inputs: [input], attributes }
}

/** A constant of type int32: a number, or a list of them. */
export function integers(name: string, values: number | readonly number[]): GraphNode {
  const list = typeof values === 'number' ? [values] : values
  const shape = typeof values === 'number' ? [] : [list.length]
  const constant = { dtype: DTYPE.int32, shape, bytes: new Uint8Array(Int32Array.from(list).buffer) }
  return { name, operation: 'Const', inputs: [], attributes: [], constant }
}

/** The type of an `integers` node. */
const typeOfIntegers = (node: GraphNode): ValueType => ({
  dtype: DTYPE.int32,
  shape: node.constant?.shape ?? [],
})

/** Cuts a float32 vector into pieces of these lengths, one output each; `sizes` holds the lengths. */
export function split(
  name: string,
  input: NodeOutput,
  sizes: GraphNode,
  axis: GraphNode,
  lengths: readonly number[],
): GraphNode {
  const total = lengths.reduce((sum, length) => sum + length, 0)
  return {
    name,
    operation: 'SplitV',
    inputs: [input, firstOutput(sizes.name), firstOutput(axis.name)],
    inputTypes: [{ dtype: DTYPE.float32, shape: [total] }, typeOfIntegers(sizes), typeOfIntegers(axis)],
    attributes: [
      typed('T', DTYPE.float32),
      typed('Tlen', DTYPE.int32),
      { name: 'num_split', type: ATTR.int, value: lengths.length },
    ],
  }
}

/** Joins float32 vectors of these lengths. */
export function concatenation(
  name: string,
  pieces: readonly NodeOutput[],
  axis: GraphNode,
  lengths: readonly number[],
): GraphNode {
  return {
    name,
    operation: 'ConcatV2',
    inputs: [...pieces, firstOutput(axis.name)],
    inputTypes: [
      ...lengths.map((length) => ({ dtype: DTYPE.float32, shape: [length] })),
      typeOfIntegers(axis),
    ],
    attributes: [typed('T', DTYPE.float32), typed('Tidx', DTYPE.int32)],
  }
}

/** Gives a value of a type another shape, that in `to`. */
export function reshaping(name: string, input: NodeOutput, type: ValueType, to: GraphNode): GraphNode {
  return {
    name,
    operation: 'Reshape',
    inputs: [input, firstOutput(to.name)],
    inputTypes: [type, typeOfIntegers(to)],
    attributes: [typed('T', type.dtype), typed('Tshape', DTYPE.int32)],
  }
}

/** Nodes of a variable called `name`: its handle, its reads and its assignments. */
export function variableNodes(name: string, { dtype, shape }: ValueType) {
  const handle: GraphNode = {
    name: `${name}/handle`,
    operation: 'VarHandleOp',
    inputs: [],
    attributes: [
      typed('dtype', dtype),
      { name: 'shape', type: ATTR.shape, value: shape },
      { name: 'shared_name', type: ATTR.string, value: name },
    ],
  }
  const read = (suffix: string): GraphNode => ({
    name: `${name}/${suffix}`,
    operation: 'ReadVariableOp',
    inputs: [firstOutput(handle.name)],
    attributes: [typed('dtype', dtype)],
  })
  const assign = (suffix: string, value: NodeOutput, after: readonly string[]): GraphNode => ({
    name: `${name}/${suffix}`,
    operation: 'AssignVariableOp',
    inputs: [firstOutput(handle.name), value],
    attributes: [typed('dtype', dtype)],
    after,
  })
  return { handle, read, assign }
}

/** Frees a variable's memory, if it has any; assigning it allocates anew. */
export function destruction(name: string, handle: GraphNode): GraphNode {
  const attributes = [{ name: 'ignore_lookup_error', type: ATTR.bool, value: true }]
  return { name, operation: 'DestroyResourceOp', inputs: [firstOutput(handle.name)], attributes }
}

/** A constant true that can be fetched once the named nodes have run. */
export function barrier(name: string, after: readonly string[]): GraphNode {
  const constant = { dtype: DTYPE.bool, shape: [], bytes: Uint8Array.of(1) }
  return { name, operation: 'Const', inputs: [], attributes: [], constant, after }
}
