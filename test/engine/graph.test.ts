import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  bytesOf,
  consumersOf,
  dependents,
  firstOutput,
  type GraphNode,
  results,
} from '../../lib/engine/graph'
import { DTYPE } from '../../lib/engine/native'
import { dropUnused } from '../../lib/engine/passes/unused'
import { graphOf, node } from './node'

/** y = x w; z = y + y; another node that nothing takes. */
const NODES = [
  node('y', 'Mul', ['x', 'w']),
  node('unused', 'Neg', ['y']),
  node('double', 'Mul', ['w', 'w']),
  node('z', 'Add', ['y', 'y']),
]
const ENDS = { inputs: ['x'], state: ['w'], outputs: ['z'] }
const names = (nodes: readonly GraphNode[]) => nodes.map(({ name }) => name)

test('values that leave a graph are returned, assigned or taken by an update', () => {
  const update = node('step', 'ResourceApplyMomentum', ['v/handle', 'double'])
  const graph = {
    ...graphOf(NODES, ENDS),
    state: [{ handle: 'w/handle', value: firstOutput('w'), next: firstOutput('y') }],
    updates: [update],
  }
  assert.deepEqual(results(graph), ['z', 'y', 'v/handle', 'double'].map(firstOutput))
  assert.deepEqual(names(dropUnused(graph).nodes), ['y', 'double', 'z'])
})

test('nodes that no result depends on are dropped, the others stay in their order', () => {
  assert.deepEqual(names(dropUnused(graphOf(NODES, ENDS)).nodes), ['y', 'z'])
})

test('dependents are the nodes that a value reaches, consumers those that take it, once per input', () => {
  assert.deepEqual([...dependents(NODES, new Set(['x']))], ['x', 'y', 'unused', 'z'])
  assert.deepEqual(names(consumersOf(NODES).get('y')!), ['unused', 'z', 'z'])
  assert.equal(consumersOf(NODES).get('z'), undefined)
})

test('bytes are those of the shape and the type', () => {
  const bytes = (dtype: number) => bytesOf({ dtype, shape: [2, 3] })
  assert.deepEqual([DTYPE.float32, DTYPE.bfloat16, DTYPE.bool, DTYPE.float64].map(bytes), [24, 12, 6, 48])
  assert.equal(bytesOf({ dtype: DTYPE.int32, shape: [] }), 4)
})
