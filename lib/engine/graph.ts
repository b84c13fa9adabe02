/** A graph between recording and TensorFlow: its nodes, inputs and results, and helpers of the passes. */
import { type Attribute, DTYPE } from './native'

/** One of a node's outputs. */
export interface NodeOutput {
  readonly node: string
  readonly index: number
}

/** Type of a recorded value; `dtype` is TensorFlow's number. */
export interface ValueType {
  readonly dtype: number
  readonly shape: readonly number[]
}

/** A value known when the graph is built, in TensorFlow's memory layout. */
export interface Constant extends ValueType {
  readonly bytes: Uint8Array
}

/** One operation. */
export interface GraphNode {
  readonly name: string
  readonly operation: string
  readonly inputs: readonly NodeOutput[]
  readonly attributes: readonly Attribute[]
  /** Names of nodes that must have run before this one. */
  readonly after?: readonly string[]
  readonly constant?: Constant
  /** Shapes and data types of the inputs. */
  readonly inputTypes?: readonly ValueType[]
  /** Stays in float32 whatever the graph's precision. */
  readonly float32?: boolean
  /** Where the operation was called, for error messages; formatting its stack is costly, so it happens on demand. */
  readonly origin?: Error
}

/** A resource of the state: a variable, or a group of them as one vector. */
export interface StateVariable {
  readonly handle: string
  /** Its value before a run. */
  readonly value: NodeOutput
  /** Its value after a run; undefined: unchanged, or changed by one of the graph's updates. */
  readonly next: NodeOutput | undefined
}

/** What one run computes from the inputs and the state: the outputs and the next state. */
export interface Graph {
  /** In topological order: every node follows those that it takes or waits for. */
  readonly nodes: readonly GraphNode[]
  /** Names of the inputs, which are not among the nodes. */
  readonly inputs: ReadonlySet<string>
  /** Their values before a run are not among the nodes either, but the slices of groups are. */
  readonly state: readonly StateVariable[]
  /** What a run returns. */
  readonly outputs: readonly NodeOutput[]
  /** Operations after the nodes that change variables in place. */
  readonly updates: readonly GraphNode[]
}

/** A rewrite of a graph that does not change what it computes. */
export type Pass = (graph: Graph) => Graph

/** Identifies a value within a graph. */
export const keyOf = ({ node, index }: NodeOutput): string => `${node}:${index}`

/** Whether both are the same output of the same node. */
export const isSame = (a: NodeOutput, b: NodeOutput): boolean => a.node === b.node && a.index === b.index

/** A node's first output, for most the only one. */
export const firstOutput = (node: string): NodeOutput => ({ node, index: 0 })

/** Names of the nodes that make these values. */
export const namesOf = (values: readonly NodeOutput[]): ReadonlySet<string> =>
  new Set(values.map(({ node }) => node))

/** The values that leave the nodes: returned, assigned, or taken by an update. */
export function results({ outputs, state, updates }: Graph): NodeOutput[] {
  return [...outputs, ...state.flatMap(({ next }) => next ?? []), ...updates.flatMap(({ inputs }) => inputs)]
}

/** These names, and those of all nodes that depend on them. */
export function dependents(nodes: readonly GraphNode[], names: ReadonlySet<string>): ReadonlySet<string> {
  const found = new Set(names)
  for (const { name, inputs } of nodes) if (inputs.some(({ node }) => found.has(node))) found.add(name)
  return found
}

/** For each node name, the nodes that take its outputs, in order; a node that takes two is listed twice. */
export function consumersOf(nodes: readonly GraphNode[]): ReadonlyMap<string, readonly GraphNode[]> {
  const consumers = new Map<string, GraphNode[]>()
  for (const consumer of nodes) {
    for (const { node } of consumer.inputs) {
      const known = consumers.get(node)
      if (known) known.push(consumer)
      else consumers.set(node, [consumer])
    }
  }
  return consumers
}

/** The state's values before a run, and its slices: names of what is in memory all the time. */
export function stateNames({ nodes, state }: Graph): ReadonlySet<string> {
  const names = new Set(namesOf(state.map(({ value }) => value)))
  for (const { name, operation, inputs } of nodes) {
    const isSlice = operation === 'SplitV' || operation === 'Reshape'
    if (isSlice && names.has(inputs[0]!.node)) names.add(name)
  }
  return names
}

/** The node, made to wait for the named one as well. */
export function waitingFor(node: GraphNode, name: string): GraphNode {
  return { ...node, after: [...(node.after ?? []), name] }
}

/** Number of elements of a value. */
export const sizeOf = ({ shape }: Pick<ValueType, 'shape'>): number =>
  shape.reduce((product, length) => product * length, 1)

const WIDTHS: { readonly [dtype: number]: number } = {
  [DTYPE.bool]: 1,
  [DTYPE.uint8]: 1,
  [DTYPE.bfloat16]: 2,
  [DTYPE.float16]: 2,
  [DTYPE.float64]: 8,
}

/** Bytes of a value. */
export const bytesOf = (type: ValueType): number => sizeOf(type) * (WIDTHS[type.dtype] ?? 4)
