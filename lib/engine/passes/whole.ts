import { firstOutput, type GraphNode, keyOf, type NodeOutput, type Pass } from '../graph'

/**
 * Takes a whole vector where its slices are joined again: a concatenation of all the pieces of a split, in their order, is what
 * was split. So operations on a group of variables compute with the group's own vector.
 */
export const takeWhole: Pass = (graph) => {
  const byName = new Map(graph.nodes.map((node) => [node.name, node]))
  /** By the key of a concatenation, the vector that it repeats. */
  const wholes = new Map<string, NodeOutput>()
  const resolved = (value: NodeOutput): NodeOutput => wholes.get(keyOf(value)) ?? value
  /** The value whose elements a chain of reshapes passes on. */
  const unshaped = (value: NodeOutput): NodeOutput => {
    const node = byName.get(value.node)
    return node?.operation === 'Reshape' ? unshaped(resolved(node.inputs[0]!)) : value
  }
  const wholeOf = ({ operation, inputs, inputTypes }: GraphNode): NodeOutput | undefined => {
    if (operation !== 'ConcatV2' || inputTypes?.[0]?.shape.length !== 1) return undefined
    const pieces = inputs.slice(0, -1).map((input) => unshaped(resolved(input)))
    const source = byName.get(pieces[0]!.node)
    if (source?.operation !== 'SplitV' || source.inputTypes?.[0]?.shape.length !== 1) return undefined
    const count = source.attributes.find(({ name }) => name === 'num_split')?.value
    const isWhole = pieces.every(({ node, index }, i) => node === source.name && index === i)
    return isWhole && count === pieces.length ? resolved(source.inputs[0]!) : undefined
  }
  const nodes = graph.nodes.map((node) => {
    const whole = wholeOf(node)
    if (whole) wholes.set(keyOf(firstOutput(node.name)), whole)
    return { ...node, inputs: node.inputs.map(resolved) }
  })
  return {
    ...graph,
    nodes,
    outputs: graph.outputs.map(resolved),
    state: graph.state.map((stored) => ({ ...stored, next: stored.next && resolved(stored.next) })),
  }
}
