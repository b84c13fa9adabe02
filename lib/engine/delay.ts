import type { GraphNode } from './recorder'

/** Smaller values are not worth an edge of the graph. */
const LARGE = 4096
const KERNEL_GRADIENT = 'Conv2DBackpropFilter'
const SUMS_AND_PRODUCTS = new Set(['Add', 'AddV2', 'Sub', 'Mul'])

/** Names of the nodes that a graph begins and ends with. */
export interface Ends {
  readonly inputs: ReadonlySet<string>
  readonly state: ReadonlySet<string>
  /** What is returned or assigned. */
  readonly outputs: ReadonlySet<string>
}

/** The names given, and those of all nodes that depend on them. */
export function dependents(nodes: readonly GraphNode[], names: ReadonlySet<string>): ReadonlySet<string> {
  const found = new Set(names)
  for (const { name, inputs } of nodes) if (inputs.some(({ node }) => found.has(node))) found.add(name)
  return found
}

/**
 * TensorFlow runs an operation as soon as its inputs are there. What depends on the state alone, such as decay * w, is
 * therefore made at the start of a step and lies in memory through the whole forward and backward pass, until a gradient is
 * added to it. Makes such an operation wait for the other operand of the one sum or product that takes it. And what widens
 * the gradients of kernels, which are asked for when all are known, waits for the last of them.
 *
 * @param nodes in topological order
 */
export function delayed(nodes: readonly GraphNode[], { inputs, state, outputs }: Ends): GraphNode[] {
  const late = dependents(nodes, inputs)
  const early = dependents(nodes, state)
  const consumers = new Map<string, GraphNode[]>()
  for (const node of nodes) {
    for (const { node: from } of node.inputs) {
      const known = consumers.get(from)
      if (known) known.push(node)
      else consumers.set(from, [node])
    }
  }
  // From the last, so that a chain waits as a whole.
  const waitsFor = new Map<string, string>()
  for (const { name, inputTypes } of [...nodes].reverse()) {
    const [consumer, ...others] = consumers.get(name) ?? []
    const size = inputTypes?.[0]?.shape.reduce((product, length) => product * length, 1) ?? 0
    if (!early.has(name) || late.has(name) || outputs.has(name) || size < LARGE) continue
    if (!consumer || others.length > 0 || !SUMS_AND_PRODUCTS.has(consumer.operation)) continue
    const other = consumer.inputs.find(({ node }) => late.has(node) && !inputs.has(node))
    const cause = other?.node ?? waitsFor.get(consumer.name)
    if (cause) waitsFor.set(name, cause)
  }
  const gradients = nodes.filter(({ operation }) => operation === KERNEL_GRADIENT).map(({ name }) => name)
  const last = gradients.at(-1)
  if (last) {
    const behind = nodes.slice(nodes.findIndex(({ name }) => name === last) + 1)
    for (const { name, operation, inputs } of behind)
      if (operation === 'Cast' && gradients.includes(inputs[0]!.node)) waitsFor.set(name, last)
  }
  return nodes.map((node) => {
    const cause = waitsFor.get(node.name)
    return cause ? { ...node, after: [...(node.after ?? []), cause] } : node
  })
}
