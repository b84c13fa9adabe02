/**
 * Rematerialisation (Chen et al. 2016, "Training deep nets with sublinear memory cost") of values that cost next to
 * nothing: residual sums, concatenations, paddings, casts.
 *
 * The order of the nodes stands for the order in time. The peak is where most bytes are alive, at the end of the forward
 * pass. A cheap value made before the peak and used again after it stays in memory all through it. Instead it is computed
 * a second time after the peak, where its inputs are in memory anyway, and the backward pass takes the copy.
 *
 * TensorFlow runs a node as soon as its inputs are ready, so it would make a copy at once, before the peak. The copy therefore
 * waits for a gate: the last of the other operands of its consumer, in the backward pass mostly the gradient. Cheap values made
 * after the peak from inputs made before it get a gate for the same reason.
 *
 * All values stay the same, to the bit.
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
  stateNames,
  waitingFor,
} from '../graph'

/** Operations that cost a copy or a sum. */
const CHEAP = new Set(['Add', 'AddV2', 'Cast', 'ConcatV2', 'PadV2', 'ResizeNearestNeighbor'])
/** Bytes; recomputing a smaller value is not worth an operation. */
const LARGE = 2 ** 16

/** From the name of a node after the peak to the node, also after the peak, that it waits for. */
type Gates = ReadonlyMap<string, string>

/** A copy of a value, made after its gate and just before its first consumer, the node at index `first`. */
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

/** A value's bytes, and the indices of its consumers, ascending. */
interface Use {
  readonly bytes: number
  readonly places: number[]
}

/** The nodes in order of time. */
class Order {
  readonly nodes: readonly GraphNode[]
  /** The index at which most bytes are alive. */
  readonly peak: number
  private readonly places: ReadonlyMap<string, number>
  private readonly uses: ReadonlyMap<string, Use>
  /** Names of values that are in memory all the time. */
  private readonly lasting: ReadonlySet<string>
  private readonly results: ReadonlySet<string>
  /** Names of nodes that depend on an input. Others, such as constants, are ready at once, whatever their index. */
  private readonly late: ReadonlySet<string>

  constructor(graph: Graph) {
    const { nodes, inputs } = graph
    this.nodes = nodes
    this.places = new Map(nodes.map(({ name }, place) => [name, place]))
    this.uses = usesOf(nodes)
    this.results = namesOf(results(graph))
    this.late = dependents(nodes, inputs)
    const constants = nodes.filter(({ operation }) => operation === 'Const').map(({ name }) => name)
    const slices = stateNames(graph)
    this.lasting = new Set([...inputs, ...slices, ...constants])
    this.peak = peakOf(nodes, this.uses, this.results, slices)
  }

  /** A node's index; -1 for values made before all nodes. */
  placeOf(name: string): number {
    return this.places.get(name) ?? -1
  }

  /** Indices of the nodes that take a value. */
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

  /** Whether a value is still in memory at a later index. */
  isThere(value: NodeOutput, place: number): boolean {
    return this.lasting.has(value.node) || this.placesOfUses(value).at(-1)! >= place
  }
}

/** What the input `name` of a node after the peak waits for: the last of the node's other operands, or the node's gate. */
function gateFor(order: Order, gates: Gates, consumer: GraphNode, name: string): string | undefined {
  const operands = consumer.inputs.filter(({ node }) => node !== name && order.isLate(node))
  const last = Math.max(-1, ...operands.map(({ node }) => order.placeOf(node)))
  return last > order.peak ? order.nodes[last]!.name : gates.get(consumer.name)
}

/** Gates of the cheap values made after the peak; backwards, so that a chain of them waits as a whole. */
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
 * The wanted copies, by the name of the repeated node: of cheap values made before the peak and taken after it, or taken by
 * another copy. Goes backwards from the peak, so that consumers come first.
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
      // Its consumer could run at the peak already, so a copy would save nothing.
      if (!gate) continue
      copies.push({ first, gate })
    }
    const [earliest] = copies.sort((a, b) => a.first - b.first)
    if (earliest) wanted.set(node.name, earliest)
  }
  return wanted
}

/** The wanted copies whose inputs are still in memory then, or are copied themselves. */
function possibleCopies(order: Order, wanted: ReadonlyMap<string, Copy>): ReadonlyMap<string, Copy> {
  const possible = new Map<string, Copy>()
  // Forwards, so that inputs come first.
  for (const [name, copy] of [...wanted].reverse()) {
    const { inputs } = order.nodes[order.placeOf(name)]!
    if (inputs.every((input) => possible.has(input.node) || order.isThere(input, copy.first)))
      possible.set(name, copy)
  }
  return possible
}

/** The nodes with the copies inserted; nodes after the peak take the copies and wait for their gates. */
function withCopies(order: Order, gates: Gates, copies: ReadonlyMap<string, Copy>): GraphNode[] {
  const made = new Map<string, GraphNode>()
  /** By index, the copies to insert before that node. */
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

/** The index at which most bytes are alive, if nodes run in order and a value is freed after its last use. The state is always. */
function peakOf(
  nodes: readonly GraphNode[],
  uses: ReadonlyMap<string, Use>,
  kept: ReadonlySet<string>,
  state: ReadonlySet<string>,
): number {
  const born = new Map<string, number>()
  const gone = new Map<number, number>()
  for (const [key, { bytes, places }] of uses) {
    const name = key.slice(0, key.lastIndexOf(':'))
    if (state.has(name)) continue
    born.set(name, (born.get(name) ?? 0) + bytes)
    const last = places.at(-1)!
    if (!kept.has(name)) gone.set(last, (gone.get(last) ?? 0) + bytes)
  }
  let [peak, most, alive] = [-1, 0, 0]
  for (const [place, { name }] of nodes.entries()) {
    alive += born.get(name) ?? 0
    if (alive > most) [peak, most] = [place, alive]
    alive -= gone.get(place) ?? 0
  }
  return peak
}
