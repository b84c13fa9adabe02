/** TF.js graph models: `model.json` with the graph as JSON, and one file of weights beside it. */
import { ATTR, type Attribute, DTYPE, type GraphNode, keyOf, type SignatureValue } from '../../engine'
import { toFloat16 } from '../float16'
import type { TensorFlowModel } from './model'

/** Name of the weights' file in `model.json`. */
export const WEIGHTS_FILE = 'weights.bin'

const TYPES: { readonly [dtype: number]: string } = {
  [DTYPE.float32]: 'DT_FLOAT',
  [DTYPE.int32]: 'DT_INT32',
  [DTYPE.uint8]: 'DT_UINT8',
  [DTYPE.bool]: 'DT_BOOL',
}

export interface GraphModelFiles {
  /** The text of `model.json`. */
  readonly model: string
  /** The bytes of `weights.bin`. */
  readonly weights: Uint8Array
}

/**
 * A graph in the form that `loadGraphModel` of TF.js reads.
 *
 * @param options `half`: weights of more than one number are stored as float16; `metadata` becomes `userDefinedMetadata`
 * @throws RangeError for weights that float16 has no number for
 */
export function graphModelFiles(
  { nodes, signature }: TensorFlowModel,
  { half = false, metadata = {} }: { readonly half?: boolean; readonly metadata?: object } = {},
): GraphModelFiles {
  const weights: object[] = []
  const bytes: Uint8Array[] = []
  for (const { name, constant } of nodes) {
    if (!constant) continue
    const { dtype, shape } = constant
    const stored = half && dtype === DTYPE.float32 && shape.length > 0
    weights.push({
      name,
      shape,
      dtype: dtype === DTYPE.int32 ? 'int32' : 'float32',
      ...(stored && { quantization: { dtype: 'float16', original_dtype: 'float32' } }),
    })
    bytes.push(stored ? halved(constant.bytes) : constant.bytes)
  }
  const model = {
    format: 'graph-model',
    generatedBy: 'detector-distillation-workbook',
    convertedBy: null,
    modelTopology: { node: nodes.map(nodeJson), library: {}, versions: {} },
    signature: { inputs: signatureJson(signature.inputs), outputs: signatureJson(signature.outputs) },
    userDefinedMetadata: metadata,
    weightsManifest: [{ paths: [WEIGHTS_FILE], weights }],
  }
  return { model: JSON.stringify(model), weights: Buffer.concat(bytes) }
}

function halved(bytes: Uint8Array): Uint8Array {
  const values = new Float32Array(bytes.slice().buffer)
  return new Uint8Array(toFloat16(values).buffer)
}

function nodeJson({ name, operation, inputs, attributes, constant }: GraphNode): object {
  const attr: { [name: string]: object } = {}
  for (const attribute of attributes) attr[attribute.name] = attributeJson(attribute)
  if (constant) {
    const dtype = TYPES[constant.dtype]
    attr.dtype = { type: dtype }
    attr.value = { tensor: { dtype, tensorShape: shapeJson(constant.shape) } }
  }
  return {
    name,
    op: operation,
    ...(inputs.length > 0 && {
      input: inputs.map((value) => (value.index === 0 ? value.node : keyOf(value))),
    }),
    attr,
  }
}

const shapeJson = (shape: readonly number[]) => ({ dim: shape.map((size) => ({ size: String(size) })) })
const base64 = (text: string) => Buffer.from(text).toString('base64')

function attributeJson({ name, type, value }: Attribute): object {
  if (Array.isArray(value)) {
    if (type === ATTR.shape) return { shape: shapeJson(value.map(Number)) }
    if (type === ATTR.int) return { list: { i: value.map(String) } }
    if (type === ATTR.string) return { list: { s: value.map((text) => base64(String(text))) } }
  } else {
    if (type === ATTR.type) return { type: TYPES[Number(value)] }
    if (type === ATTR.int) return { i: String(value) }
    if (type === ATTR.float) return { f: value }
    if (type === ATTR.bool) return { b: value }
    if (type === ATTR.string) return { s: base64(String(value)) }
  }
  throw new Error(`attribute ${name} of type ${type}: a TF.js graph model has no form for it`)
}

function signatureJson(values: ReadonlyMap<string, SignatureValue>): object {
  return Object.fromEntries(
    [...values].map(([name, { value, dtype, shape }]) => [
      name,
      { name: keyOf(value), dtype: TYPES[dtype], tensorShape: shapeJson(shape) },
    ]),
  )
}
