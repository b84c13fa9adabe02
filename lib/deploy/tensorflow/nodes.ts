/** TensorFlow's graph nodes as they are put together: any operation, constants, and what every part of a graph has. */
import {
  type Attribute,
  attribute,
  type Constant,
  DTYPE,
  firstOutput,
  type GraphNode,
  type NodeOutput,
} from '../../engine'

/** That an operation is one of float32. */
export const FLOAT = attribute.type('T', 'float32')

/** Adds nodes to a list; a value is one of a node's outputs. */
export class TensorFlowNodes {
  readonly nodes: GraphNode[] = []

  node(
    name: string,
    operation: string,
    inputs: readonly NodeOutput[],
    attributes: readonly Attribute[],
  ): NodeOutput {
    const used = this.nodes.some((node) => node.name === name)
    const unique = used ? `${name}_${this.nodes.length}` : name
    this.nodes.push({ name: unique, operation, inputs, attributes })
    return firstOutput(unique)
  }

  constant(name: string, constant: Constant): NodeOutput {
    const { node } = this.node(name, 'Const', [], [])
    this.nodes[this.nodes.length - 1] = { ...this.nodes.at(-1)!, constant }
    return firstOutput(node)
  }

  floats(name: string, shape: readonly number[], values: Float32Array): NodeOutput {
    return this.constant(name, { dtype: DTYPE.float32, shape, bytes: bytesOf(values) })
  }

  integers(name: string, values: number | readonly number[]): NodeOutput {
    const list = typeof values === 'number' ? [values] : values
    const shape = typeof values === 'number' ? [] : [list.length]
    return this.constant(name, { dtype: DTYPE.int32, shape, bytes: bytesOf(Int32Array.from(list)) })
  }

  protected cast(
    x: NodeOutput,
    from: keyof typeof DTYPE,
    to: keyof typeof DTYPE,
    name = 'head/cast',
  ): NodeOutput {
    const attributes = [
      attribute.type('SrcT', from),
      attribute.type('DstT', to),
      attribute.bool('Truncate', false),
    ]
    return this.node(name, 'Cast', [x], attributes)
  }

  protected reshaped(name: string, x: NodeOutput, shape: readonly number[]): NodeOutput {
    const size = this.integers(`${name}/shape`, shape)
    return this.node(name, 'Reshape', [x, size], [FLOAT, attribute.type('Tshape', 'int32')])
  }

  protected joined(name: string, values: readonly NodeOutput[], axis: number): NodeOutput {
    const attributes = [attribute.int('N', values.length), FLOAT, attribute.type('Tidx', 'int32')]
    return this.node(name, 'ConcatV2', [...values, this.integers(`${name}/axis`, axis)], attributes)
  }

  protected scalar(name: string, value: number): NodeOutput {
    return this.floats(name, [], Float32Array.of(value))
  }
}

export const bytesOf = (values: Float32Array | Int32Array | Uint16Array): Uint8Array =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
