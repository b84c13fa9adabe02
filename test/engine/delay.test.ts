import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { GraphNode } from '../../lib/engine/graph'
import { delay } from '../../lib/engine/passes/delay'
import { graphOf, node } from './node'

const ENDS = { inputs: ['x'], state: ['momentum', 'kernel'], outputs: ['next'] }

/** The nodes that wait, each with what it waits for. */
const waiting = (nodes: readonly GraphNode[], ends = ENDS) =>
  Object.fromEntries(
    delay(graphOf(nodes, ends)).nodes.flatMap(({ name, after }) => (after ? [[name, after]] : [])),
  )

const GRADIENT = node('gradient', 'Conv2DBackpropFilter', ['x'])

test('values made from the state wait for the gradient that they are added to, a chain as a whole', () => {
  const nodes = [
    node('decay', 'Mul', ['kernel', 'constant']),
    node('scaled', 'Mul', ['momentum', 'constant']),
    node('shifted', 'Add', ['scaled', 'constant']),
    GRADIENT,
    node('decayed', 'AddV2', ['gradient', 'decay']),
    node('next', 'Sub', ['decayed', 'shifted']),
  ]
  assert.deepEqual(waiting(nodes), { decay: ['gradient'], scaled: ['decayed'], shifted: ['decayed'] })
})

test('nothing else waits: values with two consumers, returned values, values that meet an input, small values, other consumers', () => {
  const scaled = node('scaled', 'Mul', ['momentum', 'constant'])
  const next = node('next', 'AddV2', ['gradient', 'scaled'])
  assert.deepEqual(waiting([scaled, GRADIENT, next]), { scaled: ['gradient'] })
  assert.deepEqual(waiting([scaled, GRADIENT, next, node('again', 'Neg', ['scaled'])]), {})
  assert.deepEqual(waiting([scaled, GRADIENT, next], { ...ENDS, outputs: ['next', 'scaled'] }), {})
  assert.deepEqual(waiting([scaled, node('next', 'AddV2', ['x', 'scaled'])]), {})
  assert.deepEqual(waiting([node('scaled', 'Mul', ['momentum', 'constant'], [8]), GRADIENT, next]), {})
  assert.deepEqual(waiting([scaled, GRADIENT, node('next', 'Conv2D', ['gradient', 'scaled'])]), {})
  assert.deepEqual(waiting([node('scaled', 'Mul', ['constant', 'constant']), GRADIENT, next]), {})
})

test('low kernel gradients are widened when the last of them is ready, unless it depends on a widened one', () => {
  const nodes = [
    node('first', 'Conv2DBackpropFilter', ['x']),
    node('early', 'Cast', ['first']),
    node('last', 'Conv2DBackpropFilter', ['early']),
    node('wide', 'Cast', ['first']),
    node('widest', 'Cast', ['last']),
    node('other', 'Cast', ['x']),
    node('next', 'AddN', ['wide', 'widest', 'other']),
  ]
  assert.deepEqual(waiting(nodes), { wide: ['last'], widest: ['last'] })
})
