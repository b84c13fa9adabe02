/**
 * Mixed precision as a rewrite of a recorded graph.
 *
 * The rules are those of automatic mixed precision (Micikevicius et al. 2018). Convolutions, batch normalisation and
 * activations compute in the low type. Operations that only move or add such values follow their inputs. Everything
 * else (losses, statistics, optimizer, master weights) stays in float32. Casts are inserted in between.
 */
import { firstOutput, type GraphNode, keyOf, type NodeOutput, type Pass, type ValueType } from '../graph'
import { ATTR, DTYPE } from '../native'
import type { Precision } from '../precision'

type Low = Exclude<Precision, 'float32'>

interface Rule {
  /** Positions of the inputs that take the low type ('all': every input). */
  readonly inputs: readonly number[] | 'all'
  /** Positions of the inputs that must already be low for the operation to be low; none: it always is. */
  readonly deciding: readonly number[] | 'all'
  /** Whether all outputs are low then, not only the first. */
  readonly wholly?: boolean
}

const always = (inputs: readonly number[]): Rule => ({ inputs, deciding: [] })
const follows = (inputs: readonly number[] | 'all', deciding = inputs): Rule => ({ inputs, deciding })

/**
 * By default only the first output has the low type: batch norm's statistics and parameter gradients stay in float32. A
 * residual add's gradient is reshaped and a concatenation's split; without a rule they would stay in float32 from there on.
 * Max pooling is exact in any type, and its gradient is a sum that oneDNN has in float32 only (20 times as fast), so it
 * stays there.
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

/** Lowers float32 nodes to `precision` by the rules and inserts the casts; what the graph returns and assigns stays float32. */
export const lowerPrecision =
  (precision: Precision): Pass =>
  (graph) => {
    if (precision === 'float32') return graph
    const lowering = new Lowering(precision)
    for (const node of graph.nodes) lowering.add(node)
    const outputs = graph.outputs.map((output) => lowering.asFloat32(output))
    const state = graph.state.map((variable) => ({
      ...variable,
      next: variable.next && lowering.asFloat32(variable.next),
    }))
    return { ...graph, nodes: lowering.nodes, outputs, state }
  }

class Lowering {
  readonly nodes: GraphNode[] = []
  /** Keys of low values; for a node with all outputs low, its name. */
  private readonly low = new Set<string>()
  private readonly casts = new Map<string, NodeOutput>()

  constructor(private readonly precision: Low) {}

  /** Adds a node, lowered where its rule says so, after the casts that it needs. */
  add(node: GraphNode): void {
    const { precision } = this
    const rule = node.float32 ? undefined : ruleOf(node)
    const positions = (which: Rule['inputs']) => (which === 'all' ? node.inputs.map((_, i) => i) : which)
    const isLow = rule && positions(rule.deciding).every((i) => this.isLow(node.inputs[i]!))
    const lowered = isLow ? positions(rule.inputs) : []
    const inputs = node.inputs.map((input, i) => {
      const type = node.inputTypes?.[i]
      return lowered.includes(i) ? this.asLow(input, type) : this.asFloat32(input, type)
    })
    if (!isLow) {
      this.nodes.push({ ...node, inputs })
      return
    }
    this.nodes.push({
      ...node,
      inputs,
      inputTypes: node.inputTypes?.map((type, i) =>
        lowered.includes(i) ? { ...type, dtype: DTYPE[precision] } : type,
      ),
      attributes: node.attributes.map((a) => (a.name === 'T' ? { ...a, value: DTYPE[precision] } : a)),
    })
    this.low.add(rule.wholly ? node.name : keyOf(firstOutput(node.name)))
  }

  asFloat32(value: NodeOutput, type?: ValueType): NodeOutput {
    return this.isLow(value) ? this.cast(value, 'float32', type) : value
  }

  private asLow(value: NodeOutput, type?: ValueType): NodeOutput {
    return this.isLow(value) ? value : this.cast(value, this.precision, type)
  }

  private isLow(value: NodeOutput): boolean {
    return this.low.has(value.node) || this.low.has(keyOf(value))
  }

  private cast(source: NodeOutput, to: Precision, type?: ValueType): NodeOutput {
    const name = `${source.node}/${source.index}/${to}`
    const known = this.casts.get(name)
    if (known) return known
    const from = to === 'float32' ? this.precision : 'float32'
    this.nodes.push({
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
    const output = firstOutput(name)
    this.casts.set(name, output)
    return output
  }
}

/** oneDNN vectorises bfloat16 batch norm only for multiples of this many channels; otherwise it is 20 times slower. */
const BATCH_NORM_CHANNELS = 16

function ruleOf(node: GraphNode): Rule | undefined {
  if (node.operation.startsWith('FusedBatchNorm')) {
    const channels = node.inputTypes?.[0]?.shape[3] ?? 0
    if (channels % BATCH_NORM_CHANNELS !== 0) return undefined
  }
  if (node.attributes.every((a) => a.name !== 'T' || a.value !== DTYPE.float32)) return undefined
  // A concatenation's last input is its axis.
  if (node.operation === 'ConcatV2') return follows(node.inputs.slice(0, -1).map((_, i) => i))
  return RULES[node.operation]
}
