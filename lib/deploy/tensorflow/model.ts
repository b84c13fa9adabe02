/** A whole graph with its signature: placeholder, network, named outputs. */
import {
  attribute,
  DTYPE,
  firstOutput,
  type GraphNode,
  type NodeOutput,
  placeholder,
  type Signature,
  type SignatureValue,
} from '../../engine'
import type { Grids } from '../../quantise/grids'
import type { Plan } from '../../quantise/plan'
import type { FileOptions } from '../options'
import { outputsOf, writeOutputs } from '../outputs'
import type { GraphOptions } from './body'
import { TensorFlowGraph } from './graph'

/** Name of the input, in every format. */
export const INPUT = 'images'

export interface TensorFlowModel {
  readonly nodes: readonly GraphNode[]
  readonly signature: Signature
}

/** The detector as a graph whose input is `images` [batch, h, w, 3] and whose outputs have the names of `outputsOf`. */
export function tensorFlowModel(
  plan: Plan,
  { head, batch, pixels }: FileOptions,
  { grids, ...options }: GraphOptions & { readonly grids?: Grids } = {},
): TensorFlowModel {
  const graph = new TensorFlowGraph(options)
  const n = batch === 'any' ? -1 : batch
  const dtype = pixels === 'uint8' ? DTYPE.uint8 : DTYPE.float32
  const shape = [n, ...plan.input, 3]
  graph.nodes.push(placeholder(INPUT, dtype, shape))
  const images = firstOutput(INPUT)
  const input = pixels === 'uint8' ? graph.scaledPixels(images) : images
  const values = writeOutputs(graph, plan, input, head, grids)
  const outputs = new Map<string, SignatureValue>()
  outputsOf(plan, head).forEach(({ name, shape, type }, i) => {
    const named: NodeOutput = graph.node(name, 'Identity', [values[i]!], [attribute.type('T', type)])
    outputs.set(name, { value: named, dtype: DTYPE[type], shape: [n, ...shape] })
  })
  const inputs = new Map([[INPUT, { value: images, dtype, shape }]])
  return { nodes: graph.nodes, signature: { inputs, outputs } }
}
