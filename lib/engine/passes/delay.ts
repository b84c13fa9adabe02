import {
  consumersOf,
  dependents,
  type Graph,
  type GraphNode,
  namesOf,
  type Pass,
  results,
  sizeOf,
  waitingFor,
} from '../graph'

/** Elements; delaying a smaller value is not worth an edge of the graph. */
const LARGE = 4096
const KERNEL_GRADIENT = 'Conv2DBackpropFilter'
const SUMS_AND_PRODUCTS = new Set(['Add', 'AddV2', 'Sub', 'Mul'])

/** From a node's name to the name of the node that it shall wait for. */
type Waits = ReadonlyMap<string, string>

/**
 * Delays nodes whose values would lie in memory long before their use. TensorFlow runs an operation as soon as its inputs are
 * ready, so these wait for another node.
 */
export const delay: Pass = (graph) => {
  const waits: Waits = new Map([...waitsOfState(graph), ...waitsOfWidening(graph.nodes)])
  const nodes = graph.nodes.map((node) => {
    const awaited = waits.get(node.name)
    return awaited ? waitingFor(node, awaited) : node
  })
  return { ...graph, nodes }
}

/**
 * Values that depend on the state alone, such as decay * w, would be computed at the start of a step and held through the
 * whole forward and backward pass until a gradient is added. Each waits for the other operand of the one sum or product
 * that takes it.
 */
function waitsOfState(graph: Graph): Waits {
  const { nodes, inputs, state } = graph
  const early = dependents(nodes, namesOf(state.map(({ value }) => value)))
  const late = dependents(nodes, inputs)
  const kept = namesOf(results(graph))
  const consumers = consumersOf(nodes)
  const waits = new Map<string, string>()
  // Backwards, so that a chain waits as a whole.
  for (const { name, inputTypes } of [...nodes].reverse()) {
    if (!early.has(name) || late.has(name) || kept.has(name)) continue
    const [type] = inputTypes ?? []
    if (!type || sizeOf(type) < LARGE) continue
    const [consumer, ...others] = consumers.get(name) ?? []
    if (!consumer || others.length > 0 || !SUMS_AND_PRODUCTS.has(consumer.operation)) continue
    const operand = consumer.inputs.find(({ node }) => late.has(node) && !inputs.has(node))
    const awaited = operand?.node ?? waits.get(consumer.name)
    if (awaited) waits.set(name, awaited)
  }
  return waits
}

/** The cast of a kernel's gradient to float32 is needed only when all gradients are known: it waits for the last of them. */
function waitsOfWidening(nodes: readonly GraphNode[]): Waits {
  const gradients = new Set(
    nodes.filter(({ operation }) => operation === KERNEL_GRADIENT).map(({ name }) => name),
  )
  const last = [...gradients].at(-1)
  if (!last) return new Map()
  const behind = nodes.slice(nodes.findIndex(({ name }) => name === last) + 1)
  const widened = behind.filter(
    ({ operation, inputs }) => operation === 'Cast' && gradients.has(inputs[0]!.node),
  )
  return new Map(widened.map(({ name }) => [name, last]))
}
