import { dependents, type Ends } from './delay'
import { DTYPE } from './native'
import { type GraphNode, keyOf, type NodeOutput, type ValueType } from './recorder'

/** Operations that cost a copy or a sum; to keep what they make costs its memory from the forward to the backward pass. */
const CHEAP = new Set(['Add', 'AddV2', 'Cast', 'ConcatV2', 'PadV2', 'ResizeNearestNeighbor'])
/** Bytes; a smaller value is not worth an operation. */
const LARGE = 2 ** 16

/** A value's bytes, and the places of the nodes that take it, ascending. */
interface Use {
  readonly bytes: number
  readonly places: number[]
}

/** That a value is made again: for the node in place `first`, as soon as the node called `after` has run. */
interface Repetition {
  readonly first: number
  readonly after: string
}

/**
 * Makes cheap values that live through a step's peak of memory a second time behind it, where what they are made of is there
 * anyway (rematerialisation; Chen et al. 2016, "Training deep nets with sublinear memory cost"): residual sums, concatenations
 * and casts that the backward pass takes like the forward pass did. And makes such a value that the backward pass alone takes,
 * such as a padded input, no earlier than its gradient is there. All values stay as they are, to the bit.
 *
 * @param nodes in topological order, which is taken for the order in time
 */
export function recomputed(
  nodes: readonly GraphNode[],
  { inputs, state, outputs }: Ends,
): readonly GraphNode[] {
  const places = new Map(nodes.map(({ name }, place) => [name, place]))
  const placeOf = ({ node }: NodeOutput) => places.get(node) ?? -1
  const uses = usesOf(nodes)
  const useOf = (value: NodeOutput) => uses.get(keyOf(value))
  const own = (name: string) => useOf({ node: name, index: 0 })
  const peak = peakOf(nodes, uses, outputs)
  const isBehind = (place: number) => place > peak

  // What does not depend on an input, such as a constant, is there at once, whatever its place.
  const late = dependents(nodes, inputs)

  const isCheap = ({ name, operation }: GraphNode) =>
    CHEAP.has(operation) && (own(name)?.bytes ?? 0) >= LARGE && !outputs.has(name)

  /** Cheap values that are made of inputs behind the peak, by name, and what they wait for. */
  const waiting = new Map<string, string>()
  /** What node in `place`, behind the peak, makes its input `name` wait for: the last other input, or what it waits for itself. */
  const causeFor = (place: number, name: string): string | undefined => {
    const node = nodes[place]!
    const others = node.inputs.filter((input) => input.node !== name && late.has(input.node)).map(placeOf)
    const last = Math.max(-1, ...others)
    return isBehind(last) ? nodes[last]!.name : waiting.get(node.name)
  }
  for (const [place, node] of [...nodes.entries()].slice(peak + 1).reverse()) {
    if (!isCheap(node) || !late.has(node.name)) continue
    const cause = causeFor(own(node.name)!.places[0]!, node.name)
    if (cause && places.get(cause)! < place) waiting.set(node.name, cause)
  }

  // From the peak back: when each value would be wanted again, by a node behind the peak or by one that is run again itself.
  const wanted = new Map<string, Repetition>()
  for (const node of nodes.slice(0, peak + 1).reverse()) {
    const { name } = node
    if (!isCheap(node)) continue
    const taken = own(name)!.places
    const repetitions = taken.flatMap((place) => wanted.get(nodes[place]!.name) ?? [])
    const behind = taken.find(isBehind)
    if (behind !== undefined) {
      const after = causeFor(behind, name)
      if (!after) continue
      repetitions.push({ first: behind, after })
    }
    const [earliest] = repetitions.sort((a, b) => a.first - b.first)
    if (earliest) wanted.set(name, earliest)
  }

  const isSource = (input: NodeOutput) =>
    inputs.has(input.node) || state.has(input.node) || nodes[placeOf(input)]?.operation === 'Const'
  const chosen = new Set<string>()
  for (const [name, { first }] of [...wanted].reverse()) {
    const isThere = (input: NodeOutput) =>
      isSource(input) || chosen.has(input.node) || useOf(input)!.places.at(-1)! >= first
    if (nodes[places.get(name)!]!.inputs.every(isThere)) chosen.add(name)
  }

  const repeated = new Map<string, GraphNode>()
  const at = new Map<number, GraphNode[]>()
  const replaced = (input: NodeOutput): NodeOutput => {
    const repetition = chosen.has(input.node) && repeat(input.node)
    return repetition ? { ...input, node: repetition.name } : input
  }
  function repeat(name: string): GraphNode {
    const known = repeated.get(name)
    if (known) return known
    const { first, after } = wanted.get(name)!
    const node = nodes[places.get(name)!]!
    const repetition = {
      ...node,
      name: `${name}/again`,
      inputs: node.inputs.map(replaced),
      after: [...(node.after ?? []), after],
    }
    repeated.set(name, repetition)
    at.set(first, [...(at.get(first) ?? []), repetition])
    return repetition
  }
  const changed = nodes.map((node, place) => {
    if (!isBehind(place)) return node
    // What is made of values from before the peak alone would be made as soon as they are there.
    const isEarly = !node.inputs.some((input) => late.has(input.node) && isBehind(placeOf(input)))
    const cause = isEarly ? waiting.get(node.name) : undefined
    const after = cause ? [...(node.after ?? []), cause] : node.after
    return { ...node, inputs: node.inputs.map(replaced), ...(after && { after }) }
  })
  return changed.flatMap((node, place) => [...(at.get(place) ?? []), node])
}

function usesOf(nodes: readonly GraphNode[]): Map<string, Use> {
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

const WIDTHS: { readonly [dtype: number]: number } = {
  [DTYPE.bool]: 1,
  [DTYPE.bfloat16]: 2,
  [DTYPE.float16]: 2,
  [DTYPE.float64]: 8,
}

export const bytesOf = ({ dtype, shape }: ValueType) =>
  shape.reduce((product, length) => product * length, WIDTHS[dtype] ?? 4)

/** The place in which most bytes are alive, when nodes run in their order and a value goes after its last use. */
function peakOf(
  nodes: readonly GraphNode[],
  uses: ReadonlyMap<string, Use>,
  outputs: ReadonlySet<string>,
): number {
  const born = new Map<string, number>()
  const gone = new Map<number, number>()
  for (const [key, { bytes, places }] of uses) {
    const name = key.slice(0, key.lastIndexOf(':'))
    born.set(name, (born.get(name) ?? 0) + bytes)
    const last = places.at(-1)!
    if (!outputs.has(name)) gone.set(last, (gone.get(last) ?? 0) + bytes)
  }
  let [peak, most, alive] = [0, 0, 0]
  for (const [place, { name }] of nodes.entries()) {
    alive += born.get(name) ?? 0
    if (alive > most) [peak, most] = [place, alive]
    alive -= gone.get(place) ?? 0
  }
  return peak
}
