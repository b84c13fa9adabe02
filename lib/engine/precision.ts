/**
 * Mixed precision as a rewrite of a recorded graph.
 *
 * The rules are those of automatic mixed precision (Micikevicius et al. 2018): convolutions, batch normalisation and
 * activations compute in the low type; operations that only move or add such values follow their inputs; everything
 * else (losses, statistics, optimizer, master weights) stays in float32. Casts are inserted where the two meet.
 */
import { ATTR, DTYPE } from './native'
import type { GraphNode, NodeOutput, ValueType } from './recorder'

export type Precision = 'float32' | 'bfloat16' | 'float16'

let pinned = 0

/** Runs `body`; operations recorded inside stay in float32 whatever precision the graph is compiled in. */
export function inFloat32<T>(body: () => T): T {
  pinned++
  try {
    return body()
  } finally {
    pinned--
  }
}

/** Whether an operation recorded now is pinned to float32. */
export function pinnedToFloat32(): boolean {
  return pinned > 0
}

interface Rule {
  /** Positions of the inputs that take the low type ('all': every one). */
  readonly inputs: readonly number[] | 'all'
  /** Positions of the inputs that must be low already for the operation to be low; none: it is low always. */
  readonly deciding: readonly number[] | 'all'
  /** Whether all of its outputs are low then, and not the first alone. */
  readonly wholly?: boolean
}

const always = (inputs: readonly number[]): Rule => ({ inputs, deciding: [] })
const follows = (inputs: readonly number[] | 'all', deciding = inputs): Rule => ({ inputs, deciding })

/**
 * The first output alone comes in the low type where nothing else is said; batch norm's statistics and parameter gradients do not.
 * A residual add's gradient is reshaped, a concatenation's split; in float32 they would make their whole way so. Max pooling is
 * exact in any type and its gradient a sum, which oneDNN has for float32 alone (20 times as fast), so it stays there.
 */
const RULES: { readonly [operation: string]: Rule } = {
  Conv2D: always([0, 1]),
  Conv2DBackpropInput: always([1, 2]),
  Conv2DBackpropFilter: always([0, 2]),
  FusedBatchNormV3: always([0]),
  FusedBatchNormGradV3: always([0, 1]),
  LeakyRelu: follows([0]),
  LeakyReluGrad: follows([0, 1]),
  Add: follows([0, 1]),
  AddV2: follows([0, 1]),
  AddN: follows('all'),
  BiasAdd: follows([0, 1], [0]),
  PadV2: follows([0, 2], [0]),
  Reshape: follows([0]),
  Slice: follows([0]),
  SplitV: { ...follows([0]), wholly: true },
  ResizeNearestNeighbor: follows([0]),
}

/**
 * Rewrites float32 nodes to `precision` by the rules above and inserts the casts.
 *
 * @param nodes in topological order
 * @param outputs what the graph returns; kept in float32
 */
export function lowerPrecision(
  nodes: readonly GraphNode[],
  outputs: readonly NodeOutput[],
  precision: Exclude<Precision, 'float32'>,
): { nodes: GraphNode[]; outputs: NodeOutput[] } {
  const result: GraphNode[] = []
  const lowOutputs = new Set<string>()
  const lowNodes = new Set<string>()
  const casts = new Map<string, NodeOutput>()
  const key = (output: NodeOutput) => `${output.node}:${output.index}`

  const cast = (
    source: NodeOutput,
    to: 'float32' | Exclude<Precision, 'float32'>,
    type?: ValueType,
  ): NodeOutput => {
    const name = `${source.node}/${source.index}/${to}`
    const known = casts.get(name)
    if (known) return known
    const from = to === 'float32' ? precision : 'float32'
    result.push({
      name,
      operation: 'Cast',
      inputs: [source],
      ...(type && { inputTypes: [{ ...type, dtype: DTYPE[from] }] }),
      attributes: [
        { name: 'SrcT', type: ATTR.type, value: DTYPE[from] },
        { name: 'DstT', type: ATTR.type, value: DTYPE[to] },
        { name: 'Truncate', type: ATTR.bool, value: false },
      ],
    })
    const output = { node: name, index: 0 }
    casts.set(name, output)
    return output
  }
  const isLow = (source: NodeOutput) => lowNodes.has(source.node) || lowOutputs.has(key(source))
  const asLow = (source: NodeOutput, type?: ValueType) =>
    isLow(source) ? source : cast(source, precision, type)
  const asFloat32 = (source: NodeOutput, type?: ValueType) =>
    isLow(source) ? cast(source, 'float32', type) : source

  for (const node of nodes) {
    const rule = node.float32 ? undefined : lowRule(node)
    const positions = (which: Rule['inputs']) => (which === 'all' ? node.inputs.map((_, i) => i) : which)
    if (!rule || !positions(rule.deciding).every((i) => isLow(node.inputs[i]!))) {
      result.push({ ...node, inputs: node.inputs.map((input, i) => asFloat32(input, node.inputTypes?.[i])) })
      continue
    }
    const lowered = positions(rule.inputs)
    result.push({
      ...node,
      inputs: node.inputs.map((input, i) => {
        const type = node.inputTypes?.[i]
        return lowered.includes(i) ? asLow(input, type) : asFloat32(input, type)
      }),
      inputTypes: node.inputTypes?.map((type, i) =>
        lowered.includes(i) ? { ...type, dtype: DTYPE[precision] } : type,
      ),
      attributes: node.attributes.map((a) => (a.name === 'T' ? { ...a, value: DTYPE[precision] } : a)),
    })
    if (rule.wholly) lowNodes.add(node.name)
    else lowOutputs.add(key({ node: node.name, index: 0 }))
  }
  return { nodes: result, outputs: outputs.map((output) => asFloat32(output)) }
}

/** oneDNN's batch norm in bfloat16 is vectorised for whole vectors of channels; else it is 20 times slower. */
const BATCH_NORM_CHANNELS = 16

function lowRule(node: GraphNode): Rule | undefined {
  if (node.operation.startsWith('FusedBatchNorm')) {
    const channels = node.inputTypes?.[0]?.shape[3] ?? 0
    if (channels % BATCH_NORM_CHANNELS !== 0) return undefined
  }
  if (node.attributes.every((a) => a.name !== 'T' || a.value !== DTYPE.float32)) return undefined
  // A concatenation's last input is its axis.
  if (node.operation === 'ConcatV2') return follows(node.inputs.slice(0, -1).map((_, i) => i))
  return RULES[node.operation]
}
