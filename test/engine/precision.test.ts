import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { GraphNode, NodeOutput } from '../../lib/engine/graph'
import { attribute, DTYPE } from '../../lib/engine/native'
import { lowerPrecision } from '../../lib/engine/passes/precision'

const at = (node: string, index = 0): NodeOutput => ({ node, index })
const node = (name: string, operation: string, inputs: readonly NodeOutput[]): GraphNode => ({
  ...{ name, operation, inputs },
  attributes: [attribute.type('T', 'float32')],
})

/** Types by node, and what is cast: from where, to what. */
function lowered(nodes: readonly GraphNode[], outputs: readonly NodeOutput[]) {
  const graph = { nodes, inputs: new Set<string>(), state: [], outputs, updates: [] }
  const result = lowerPrecision('bfloat16')(graph)
  const numbers = Object.entries(DTYPE)
  const nameOf = (value: unknown) => numbers.find(([, number]) => number === value)?.[0]
  const typeOf = ({ attributes }: GraphNode, attribute: string) =>
    nameOf(attributes.find(({ name }) => name === attribute)?.value)
  return {
    types: Object.fromEntries(
      result.nodes
        .filter(({ operation }) => operation !== 'Cast')
        .map((each) => [each.name, typeOf(each, 'T')]),
    ),
    casts: result.nodes
      .filter(({ operation }) => operation === 'Cast')
      .map((each) => `${each.inputs[0]!.node}:${each.inputs[0]!.index} ${typeOf(each, 'DstT')}`),
    outputs: result.outputs,
  }
}

test('a gradient stays low past a concatenation and a residual add', () => {
  const { types, casts, outputs } = lowered(
    [
      node('back', 'Conv2DBackpropInput', [at('size'), at('kernel'), at('dy')]),
      node('parts', 'SplitV', [at('back'), at('sizes'), at('axis')]),
      node('same', 'Reshape', [at('parts', 1), at('shape')]),
      node('sum', 'AddV2', [at('parts', 0), at('same')]),
      node('square', 'Square', [at('sum')]),
    ],
    [at('square'), at('parts', 1)],
  )
  const low = 'bfloat16'
  assert.deepEqual(types, { back: low, parts: low, same: low, sum: low, square: 'float32' })
  assert.deepEqual(casts, ['kernel:0 bfloat16', 'dy:0 bfloat16', 'sum:0 float32', 'parts:1 float32'])
  assert.deepEqual(outputs, [at('square'), at('parts/1/float32')])
})

test('operations that move or add float32 values stay in float32, and so do the statistics of a low batch norm', () => {
  const normalise = node('normal', 'FusedBatchNormV3', [at('x'), at('gamma'), at('beta'), at('e'), at('e')])
  const types = [[2, 4, 4, 32], [32], [32], [0], [0]].map((shape) => ({ dtype: DTYPE.float32, shape }))
  const { types: found, casts } = lowered(
    [
      node('parts', 'SplitV', [at('x'), at('sizes'), at('axis')]),
      node('same', 'Reshape', [at('parts', 1), at('shape')]),
      { ...normalise, inputTypes: types },
      node('mean', 'Mul', [at('normal', 1), at('decay')]),
      node('sum', 'AddV2', [at('normal'), at('same')]),
    ],
    [at('mean'), at('sum')],
  )
  assert.deepEqual(found, {
    parts: 'float32',
    same: 'float32',
    normal: 'bfloat16',
    mean: 'float32',
    sum: 'float32',
  })
  assert.deepEqual(casts, ['x:0 bfloat16', 'normal:0 float32'])
})
