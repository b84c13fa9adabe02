import { DTYPE } from '../../lib/engine/native'
import type { GraphNode } from '../../lib/engine/recorder'

/** A node on float32 values of one shape, which is large unless it is said. */
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
