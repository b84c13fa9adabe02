/**
 * Rematerialisation (Chen et al. 2016, "Training deep nets with sublinear memory cost"), for values that cost next to nothing to
 * make: residual sums, concatenations, paddings, casts.
 *
 * The order of the nodes is taken for the order in time. In some place, at the end of the forward pass, the most bytes are
 * alive: the peak. A cheap value that is made in front of the peak and taken again behind it lies in memory all through it. It
 * is made a second time behind the peak instead, where what it is made of is there anyway, and the backward pass takes the copy.
 *
 * TensorFlow runs a node as soon as its inputs are there, so a copy would be made at once, in front of the peak. Therefore it waits
 * for a gate: the last of the other operands of the node that takes it, in the backward pass mostly the gradient. Cheap values
 * that are made behind the peak, but of inputs from in front of it, get a gate for the same reason.
 *
 * All values stay as they are, to the bit.
 */
import {
  bytesOf,
  dependents,
  firstOutput,
  type Graph,
  type GraphNode,
  keyOf,
  type NodeOutput,
  namesOf,
  type Pass,
  results,
  waitingFor,
} from '../graph'

/** Operations that cost a copy or a sum. */
const CHEAP = new Set(['Add', 'AddV2', 'Cast', 'ConcatV2', 'PadV2', 'ResizeNearestNeighbor'])
/** Bytes; a smaller value is not worth an operation. */
const LARGE = 2 ** 16

/** By the name of a node behind the peak: the node that it waits for, also behind the peak. */
type Gates = ReadonlyMap<string, string>

/** A copy of a value: it is made in front of the node in place `first`, which takes it, and behind its gate. */
interface Copy {
  readonly first: number
  readonly gate: string
}

export const recompute: Pass = (graph) => {
  const order = new Order(graph)
  const gates = gatesBehindPeak(order)
  const copies = possibleCopies(order, wantedCopies(order, gates))
  return { ...graph, nodes: withCopies(order, gates, copies) }
}

/** A value's bytes, and the places of the nodes that take it, ascending. */
interface Use {
  readonly bytes: number
  readonly places: number[]
}

/** The nodes in time. */
class Order {
  readonly nodes: readonly GraphNode[]
  /** The place in which most bytes are alive. */
  readonly peak: number
  private readonly places: ReadonlyMap<string, number>
  private readonly uses: ReadonlyMap<string, Use>
  /** What is there all the time. */
  private readonly lasting: ReadonlySet<string>
  private readonly results: ReadonlySet<string>
  /** What does not depend on an input, such as a constant, is there at once, whatever its place. */
  private readonly late: ReadonlySet<string>

  constructor(graph: Graph) {
    const { nodes, inputs, state } = graph
    this.nodes = nodes
    this.places = new Map(nodes.map(({ name }, place) => [name, place]))
    this.uses = usesOf(nodes)
    this.results = namesOf(results(graph))
    this.late = dependents(nodes, inputs)
    const constants = nodes.filter(({ operation }) => operation === 'Const').map(({ name }) => name)
    this.lasting = new Set([...inputs, ...namesOf(state.map(({ value }) => value)), ...constants])
    this.peak = peakOf(nodes, this.uses, this.results)
  }

  /** A node's place; -1 for what is in front of all nodes. */
  placeOf(name: string): number {
    return this.places.get(name) ?? -1
  }

  /** Places of the nodes that take a value. */
  placesOfUses(value: NodeOutput): readonly number[] {
    return this.uses.get(keyOf(value))?.places ?? []
  }

  isLate(name: string): boolean {
    return this.late.has(name)
  }

  isCheap({ name, operation }: GraphNode): boolean {
    const bytes = this.uses.get(keyOf(firstOutput(name)))?.bytes ?? 0
    return CHEAP.has(operation) && bytes >= LARGE && !this.results.has(name)
  }

  /** Whether a value is still in memory in a place behind its own. */
  isThere(value: NodeOutput, place: number): boolean {
    return this.lasting.has(value.node) || this.placesOfUses(value).at(-1)! >= place
  }
}

/** What the input `name` of a node behind the peak waits for: the last of its other operands, or what the node itself waits for. */
function gateFor(order: Order, gates: Gates, consumer: GraphNode, name: string): string | undefined {
  const operands = consumer.inputs.filter(({ node }) => node !== name && order.isLate(node))
  const last = Math.max(-1, ...operands.map(({ node }) => order.placeOf(node)))
  return last > order.peak ? order.nodes[last]!.name : gates.get(consumer.name)
}

/** Gates of the cheap values that are made behind the peak; from the last, so that a chain of them waits as a whole. */
function gatesBehindPeak(order: Order): Gates {
  const gates = new Map<string, string>()
  for (let place = order.nodes.length - 1; place > order.peak; place--) {
    const node = order.nodes[place]!
    if (!order.isCheap(node) || !order.isLate(node.name)) continue
    const [first] = order.placesOfUses(firstOutput(node.name))
    const gate = gateFor(order, gates, order.nodes[first!]!, node.name)
    if (gate && order.placeOf(gate) < place) gates.set(node.name, gate)
  }
  return gates
}

/**
 * The copies that are wanted, by the name of the node that is repeated: of cheap values from in front of the peak that are taken behind
 * it, or by another copy. From the peak back, so that the takers come first.
 */
function wantedCopies(order: Order, gates: Gates): ReadonlyMap<string, Copy> {
  const wanted = new Map<string, Copy>()
  for (let place = order.peak; place >= 0; place--) {
    const node = order.nodes[place]!
    if (!order.isCheap(node)) continue
    const uses = order.placesOfUses(firstOutput(node.name))
    const copies = uses.flatMap((use) => wanted.get(order.nodes[use]!.name) ?? [])
    const first = uses.find((use) => use > order.peak)
    if (first !== undefined) {
      const gate = gateFor(order, gates, order.nodes[first]!, node.name)
      // Its taker could run at the peak already: a copy would save nothing.
      if (!gate) continue
      copies.push({ first, gate })
    }
    const [earliest] = copies.sort((a, b) => a.first - b.first)
    if (earliest) wanted.set(node.name, earliest)
  }
  return wanted
}

/** Of the copies those whose inputs are in memory then, or are copied themselves. */
function possibleCopies(order: Order, wanted: ReadonlyMap<string, Copy>): ReadonlyMap<string, Copy> {
  const possible = new Map<string, Copy>()
  // In the order of the nodes, so that the inputs come first.
  for (const [name, copy] of [...wanted].reverse()) {
    const { inputs } = order.nodes[order.placeOf(name)]!
    if (inputs.every((input) => possible.has(input.node) || order.isThere(input, copy.first)))
      possible.set(name, copy)
  }
  return possible
}

/** The nodes with the copies among them; those behind the peak take them, and wait for their gates. */
function withCopies(order: Order, gates: Gates, copies: ReadonlyMap<string, Copy>): GraphNode[] {
  const made = new Map<string, GraphNode>()
  /** By place, the copies that are made in front of the node there. */
  const inFrontOf = new Map<number, GraphNode[]>()
  const copied = (input: NodeOutput): NodeOutput => {
    const copy = copies.get(input.node)
    return copy ? { ...input, node: nodeOf(input.node, copy).name } : input
  }
  const nodeOf = (name: string, { first, gate }: Copy): GraphNode => {
    const known = made.get(name)
    if (known) return known
    const node = order.nodes[order.placeOf(name)]!
    const copy = waitingFor({ ...node, name: `${name}/again`, inputs: node.inputs.map(copied) }, gate)
    made.set(name, copy)
    inFrontOf.set(first, [...(inFrontOf.get(first) ?? []), copy])
    return copy
  }
  const isMadeBehindPeak = ({ node }: NodeOutput) => order.isLate(node) && order.placeOf(node) > order.peak
  const taking = order.nodes.map((node, place) => {
    if (place <= order.peak) return node
    const gate = node.inputs.some(isMadeBehindPeak) ? undefined : gates.get(node.name)
    const changed = { ...node, inputs: node.inputs.map(copied) }
    return gate ? waitingFor(changed, gate) : changed
  })
  return taking.flatMap((node, place) => [...(inFrontOf.get(place) ?? []), node])
}

function usesOf(nodes: readonly GraphNode[]): ReadonlyMap<string, Use> {
  const uses = new Map<string, Use>()
  for (const [place, { inputs, inputTypes }] of nodes.entries()) {
    for (const [i, input] of inputs.entries()) {
      const key = keyOf(input)
      const type = inputTypes?.[i]
      const use = uses.get(key) ?? { bytes: type ? bytesOf(type) : 0, places: [] }
      uses.set(key, use)
      if (use.places.at(-1) !== place) use.places.push(place)
    }
  }
  return uses
}

/** The place in which most bytes are alive, when nodes run in their order and a value goes after its last use. */
function peakOf(
  nodes: readonly GraphNode[],
  uses: ReadonlyMap<string, Use>,
  kept: ReadonlySet<string>,
): number {
  const born = new Map<string, number>()
  const gone = new Map<number, number>()
  for (const [key, { bytes, places }] of uses) {
    const name = key.slice(0, key.lastIndexOf(':'))
    born.set(name, (born.get(name) ?? 0) + bytes)
    const last = places.at(-1)!
    if (!kept.has(name)) gone.set(last, (gone.get(last) ?? 0) + bytes)
  }
  let [peak, most, alive] = [0, 0, 0]
  for (const [place, { name }] of nodes.entries()) {
    alive += born.get(name) ?? 0
    if (alive > most) [peak, most] = [place, alive]
    alive -= gone.get(place) ?? 0
  }
  return peak
}
