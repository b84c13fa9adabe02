import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { GraphNode } from '../../lib/engine/graph'
import { recompute } from '../../lib/engine/passes/recompute'
import { graphOf, node } from './node'

const ENDS = { inputs: ['x'], state: ['w'], outputs: ['dw1', 'dw2'] }

/** The recomputed values, with their inputs, what they wait for, and who takes them. */
function again(nodes: readonly GraphNode[], ends = ENDS) {
  const result = recompute(graphOf(nodes, ends)).nodes
  const names = result.map(({ name }) => name)
  for (const [place, { inputs, after = [] }] of result.entries()) {
    for (const from of [...inputs.map(({ node }) => node), ...after])
      if (names.includes(from)) assert.ok(names.indexOf(from) < place, `${from} comes first`)
  }
  return Object.fromEntries(
    result
      .filter(({ name }) => name.endsWith('/again'))
      .map(({ name, inputs, after }) => [
        name.replace('/again', ''),
        {
          of: inputs.map(({ node }) => node),
          after,
          for: result
            .filter((each) => each.inputs.some(({ node }) => node === name))
            .map((each) => each.name),
        },
      ]),
  )
}

/** y = f(x); two convolutions of what `middle` makes of y; back through both. The most is alive at `loss`. */
const network = (middle: readonly GraphNode[], taken: string): GraphNode[] => [
  node('y', 'LeakyRelu', ['x']),
  ...middle,
  node('z', 'Conv2D', [taken, 'w']),
  node('a', 'LeakyRelu', ['z']),
  node('loss', 'Sub', ['a', 'x']),
  node('da', 'Square', ['loss']),
  node('dz', 'LeakyReluGrad', ['da', 'a']),
  node('dw1', 'Conv2DBackpropFilter', [taken, 'dz']),
  node('back', 'Conv2DBackpropInput', ['w', 'dz']),
  node('dw2', 'LeakyReluGrad', ['back', 'y']),
]

test('a copy of a value that is in memory anyway is made for the backward pass, once its gradient is ready', () => {
  assert.deepEqual(again(network([node('padded', 'PadV2', ['y'])], 'padded')), {
    padded: { of: ['y'], after: ['dz'], for: ['dw1'] },
  })
})

test('a chain is recomputed as a whole, and from itself', () => {
  const middle = [node('padded', 'PadV2', ['y']), node('sum', 'AddV2', ['padded', 'y'])]
  assert.deepEqual(again(network(middle, 'sum')), {
    padded: { of: ['y'], after: ['dz'], for: ['sum/again'] },
    sum: { of: ['padded/again', 'y'], after: ['dz'], for: ['dw1'] },
  })
})

test('values made from the state can always be recomputed, values made from a passing value cannot', () => {
  const cast = (of: string) => [node('low', 'Conv2D', ['y', 'w']), node('cast', 'Cast', [of])]
  assert.deepEqual(again(network(cast('w'), 'cast')), { cast: { of: ['w'], after: ['dz'], for: ['dw1'] } })
  assert.deepEqual(again(network(cast('low'), 'cast')), {})
})

test('a copy only for the backward pass is made once its gradient is ready, and its inputs are recomputed for it', () => {
  const nodes = [
    ...network([node('sum', 'AddV2', ['y', 'y'])], 'sum').slice(0, -3),
    { ...node('margins', 'Const', []), inputTypes: [] },
    node('padded', 'PadV2', ['sum', 'margins']),
    node('low', 'Cast', ['padded']),
    node('kernel', 'Cast', ['w']),
    node('back', 'Conv2DBackpropInput', ['kernel', 'dz']),
    node('dw1', 'Conv2DBackpropFilter', ['low', 'dz']),
    node('dw2', 'LeakyReluGrad', ['back', 'y']),
  ]
  assert.deepEqual(again(nodes), { sum: { of: ['y', 'y'], after: ['dz'], for: ['padded'] } })
  const after = Object.fromEntries(
    recompute(graphOf(nodes, ENDS)).nodes.map((each) => [each.name, each.after]),
  )
  assert.deepEqual(
    [after.padded, after.low, after.kernel, after.back],
    [['dz'], undefined, undefined, undefined],
    'what does not depend on an input can be folded into a constant',
  )
})

test('nothing else is recomputed: costly operations, small values, returned values, values the backward pass does not take', () => {
  const padded = node('padded', 'PadV2', ['y'])
  assert.deepEqual(again(network([node('padded', 'Conv2D', ['y', 'w'])], 'padded')), {})
  const small = network([padded], 'padded').map((each) => ({
    ...each,
    inputTypes: each.inputTypes!.map((type) => ({ ...type, shape: [8] })),
  }))
  assert.deepEqual(again(small), {})
  const returned = { ...ENDS, outputs: [...ENDS.outputs, 'padded'] }
  assert.deepEqual(again(network([padded], 'padded'), returned), {})
  const forward = network([padded], 'padded').filter(({ name }) => name !== 'dw1')
  assert.deepEqual(again(forward, { ...ENDS, outputs: ['dw2'] }), {})
})
