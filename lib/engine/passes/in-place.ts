import {
  consumersOf,
  type GraphNode,
  isSame,
  type NodeOutput,
  namesOf,
  type Pass,
  type StateVariable,
} from '../graph'
import { attribute, DTYPE } from '../native'

/** A step of a weight, or of a group of them, and its momentum: their indices in the state, and the operation that does it. */
interface MomentumStep {
  readonly weight: number
  readonly momentum: number
  readonly update: GraphNode
}

/**
 * Finds v <- momentum * v + g; w <- w - rate * v among the nodes (SGD as recorded) and replaces each by TensorFlow's own
 * operation, which computes the same in place. Otherwise new values would land in whatever gap the step has just freed,
 * a different one every time, and the activations would no longer fit between them.
 */
export const momentumInPlace: Pass = (graph) => {
  const finder = new StepFinder(graph.nodes, graph.state, namesOf(graph.outputs))
  const steps = graph.state.flatMap((_, weight) => finder.stepOf(weight) ?? [])
  const moved = new Set(steps.flatMap(({ weight, momentum }) => [weight, momentum]))
  return {
    ...graph,
    state: graph.state.map((variable, i) => (moved.has(i) ? { ...variable, next: undefined } : variable)),
    updates: [...graph.updates, ...steps.map(({ update }) => update)],
  }
}

class StepFinder {
  private readonly byName: ReadonlyMap<string, GraphNode>
  private readonly consumers: ReadonlyMap<string, readonly GraphNode[]>

  constructor(
    nodes: readonly GraphNode[],
    private readonly state: readonly StateVariable[],
    private readonly returned: ReadonlySet<string>,
  ) {
    this.byName = new Map(nodes.map((node) => [node.name, node]))
    this.consumers = consumersOf(nodes)
  }

  /** The step of the variable at this index, if it is a weight. */
  stepOf(weight: number): MomentumStep | undefined {
    const w = this.state[weight]!
    if (!w.next) return undefined
    // w - rate * v
    const difference = this.made(w.next, ['Sub'])
    if (!difference || !isSame(difference.inputs[0]!, w.value) || !this.isOnlyFor(difference))
      return undefined
    const move = this.made(difference.inputs[1]!, ['Mul'])
    const rate = scaled(move)
    if (!move || !rate || !this.isOnlyFor(move, difference)) return undefined
    // momentum * v + g
    const momentum = this.state.findIndex(({ next }) => next && isSame(next, rate.other))
    const v = this.state[momentum]
    const sum = v && this.made(rate.other, ['Add', 'AddV2'])
    if (!sum || !this.isOnlyFor(sum, move)) return undefined
    const decayed = this.made(sum.inputs[0]!, ['Mul'])
    const decay = scaled(decayed)
    if (!decayed || !decay || !isSame(decay.other, v.value) || !this.isOnlyFor(decayed, sum)) return undefined
    // A broadcast gradient does not have w's shape.
    if (shapeOf(sum, 1) !== shapeOf(difference, 0)) return undefined
    const update: GraphNode = {
      name: `${w.handle}/momentum-step`,
      operation: 'ResourceApplyMomentum',
      inputs: [
        { node: w.handle, index: 0 },
        { node: v.handle, index: 0 },
        rate.scalar,
        sum.inputs[1]!,
        decay.scalar,
      ],
      attributes: [attribute.type('T', 'float32')],
      after: [w.value.node, v.value.node],
      origin: difference.origin,
    }
    return { weight, momentum, update }
  }

  /** The node that makes a value, if it is one of these float32 operations. */
  private made({ node }: NodeOutput, operations: readonly string[]): GraphNode | undefined {
    const found = this.byName.get(node)
    if (!found || !operations.includes(found.operation)) return undefined
    return found.inputTypes?.every(({ dtype }) => dtype === DTYPE.float32) ? found : undefined
  }

  private isOnlyFor({ name }: GraphNode, consumer?: GraphNode): boolean {
    const consumers = this.consumers.get(name) ?? []
    return !this.returned.has(name) && consumers.every((other) => other === consumer)
  }
}

/** Splits a product with a scalar into the scalar and the other factor. */
function scaled(product: GraphNode | undefined) {
  const factor = product?.inputTypes?.findIndex(({ shape }) => shape.length === 0) ?? -1
  return factor < 0 ? undefined : { scalar: product!.inputs[factor]!, other: product!.inputs[1 - factor]! }
}

const shapeOf = (node: GraphNode, input: number): string => String(node.inputTypes?.[input]?.shape)
