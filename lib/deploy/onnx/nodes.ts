/** ONNX nodes and constants as they are put together. */
import type { AttributeValue, OnnxNode, OnnxTensor, TypeName } from './model'

/** A value by its name. */
export interface OnnxReference {
  readonly name: string
}

/** Adds nodes and constants to lists. */
export class OnnxNodes {
  readonly nodes: OnnxNode[] = []
  readonly tensors: OnnxTensor[] = []
  private readonly names: Set<string>

  /** @param reserved names of the file's input and outputs */
  constructor(reserved: readonly string[]) {
    this.names = new Set(reserved)
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

  protected reshaped(name: string, x: OnnxReference, shape: readonly number[]): OnnxReference {
    return this.node(name, 'Reshape', [x.name, this.integers(`${name}/shape`, shape)])
  }

  protected outputs(
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

  protected floats(name: string, shape: readonly number[], values: ArrayLike<number>): string {
    return this.constant(name, 'float32', shape, Float32Array.from(values))
  }

  protected integers(name: string, values: readonly number[]): string {
    return this.constant(name, 'int64', [values.length], BigInt64Array.from(values.map(BigInt)))
  }

  protected constant(
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
