import { attribute, DTYPE } from './native'
import type { GraphNode, NodeOutput } from './recorder'

/** A variable of the state: its resource, its value before a run and the one that is assigned. */
export interface Assigned {
  readonly handle: string
  readonly value: NodeOutput
  readonly next: NodeOutput
}

/**
 * Finds v <- momentum * v + g; w <- w - rate * v among the nodes (SGD as it is recorded) and makes each one TensorFlow's own
 * operation for it, which computes the same where the values lie. New values would come to lie wherever the step has just
 * left a gap, another one every time, and between those the activations no longer fit.
 *
 * @param nodes in topological order
 * @param assigned the variables with a resource of their own; undefined: keeps its value
 * @param returned names of the nodes that are returned
 * @returns the operations, each with the places in `assigned` of the two variables that it changes
 */
export function momentumSteps(
  nodes: readonly GraphNode[],
  assigned: readonly (Assigned | undefined)[],
  returned: ReadonlySet<string>,
): { readonly weight: number; readonly momentum: number; readonly step: GraphNode }[] {
  const byName = new Map(nodes.map((node) => [node.name, node]))
  const consumers = new Map<string, Set<string>>()
  for (const { name, inputs } of nodes) {
    for (const { node } of inputs) consumers.set(node, (consumers.get(node) ?? new Set()).add(name))
  }
  const isOnlyFor = (name: string, consumer?: string) =>
    !returned.has(name) && [...(consumers.get(name) ?? [])].every((other) => other === consumer)
  /** The node that makes a value, if it is one of these operations on float32. */
  const made = ({ node }: NodeOutput, operations: readonly string[]) => {
    const found = byName.get(node)
    const isFloat32 = found?.inputTypes?.every(({ dtype }) => dtype === DTYPE.float32)
    return isFloat32 && operations.includes(found!.operation) ? found : undefined
  }
  const isSame = (a: NodeOutput, b: NodeOutput) => a.node === b.node && a.index === b.index
  /** Of a product with a scalar, the scalar and the other factor. */
  const scaled = (product: GraphNode | undefined) => {
    const factor = product?.inputTypes?.findIndex(({ shape }) => shape.length === 0) ?? -1
    return factor < 0 ? undefined : { scalar: product!.inputs[factor]!, other: product!.inputs[1 - factor]! }
  }
  const shapeOf = (node: GraphNode, input: number) => String(node.inputTypes?.[input]?.shape)

  return assigned.flatMap((variable, weight) => {
    const difference = variable && made(variable.next, ['Sub'])
    if (!difference || !isSame(difference.inputs[0]!, variable.value) || !isOnlyFor(difference.name))
      return []
    const move = made(difference.inputs[1]!, ['Mul'])
    const rate = scaled(move)
    if (!move || !rate || !isOnlyFor(move.name, difference.name)) return []
    const momentum = assigned.findIndex((other) => other && isSame(other.next, rate.other))
    const velocity = assigned[momentum]
    const sum = velocity && made(velocity.next, ['Add', 'AddV2'])
    if (!sum || !isOnlyFor(sum.name, move.name)) return []
    const decayed = made(sum.inputs[0]!, ['Mul'])
    const decay = scaled(decayed)
    if (!decayed || !decay || !isSame(decay.other, velocity.value) || !isOnlyFor(decayed.name, sum.name))
      return []
    if (shapeOf(sum, 1) !== shapeOf(difference, 0)) return []
    const step: GraphNode = {
      name: `${variable.handle}/momentum-step`,
      operation: 'ResourceApplyMomentum',
      inputs: [
        { node: variable.handle, index: 0 },
        { node: velocity.handle, index: 0 },
        rate.scalar,
        sum.inputs[1]!,
        decay.scalar,
      ],
      attributes: [attribute.type('T', 'float32')],
      after: [variable.value.node, velocity.value.node],
      origin: difference.origin,
    }
    return [{ weight, momentum, step }]
  })
}
