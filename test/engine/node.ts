import { firstOutput, type Graph, type GraphNode } from '../../lib/engine/graph'
import { DTYPE } from '../../lib/engine/native'

/** A node on float32 values of one shape, large by default. */
export function node(
  name: string,
  operation: string,
  inputs: readonly string[],
  shape: readonly number[] = [64, 64, 8],
): GraphNode {
  return {
    ...{ name, operation, attributes: [] },
    inputs: inputs.map((from) => ({ node: from, index: 0 })),
    inputTypes: inputs.map(() => ({ dtype: DTYPE.float32, shape })),
  }
}

/** A graph whose outputs are the first outputs of the named nodes; a run leaves its state unchanged. */
export function graphOf(
  nodes: readonly GraphNode[],
  ends: {
    readonly inputs: readonly string[]
    readonly state: readonly string[]
    readonly outputs: readonly string[]
  },
): Graph {
  return {
    nodes,
    inputs: new Set(ends.inputs),
    state: ends.state.map((name) => ({
      handle: `${name}/handle`,
      value: firstOutput(name),
      next: undefined,
    })),
    outputs: ends.outputs.map(firstOutput),
    updates: [],
  }
}
