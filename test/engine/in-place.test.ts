import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compile, tf } from '../../lib/engine'
import { firstOutput as at, type GraphNode, type StateVariable } from '../../lib/engine/graph'
import { DTYPE } from '../../lib/engine/native'
import { momentumInPlace } from '../../lib/engine/passes/in-place'

/** Inputs are names with their shapes. */
function node(
  name: string,
  operation: string,
  inputs: readonly (readonly [string, readonly number[]])[],
  dtype: number = DTYPE.float32,
): GraphNode {
  return {
    ...{ name, operation, attributes: [] },
    inputs: inputs.map(([from]) => at(from)),
    inputTypes: inputs.map(([, shape]) => ({ dtype, shape })),
  }
}

const W = [3, 4]
const DECAYED = node('decayed', 'Mul', [
  ['v', W],
  ['momentum', []],
])
const SUM = node('sum', 'AddV2', [
  ['decayed', W],
  ['g', W],
])
const MOVE = node('move', 'Mul', [
  ['sum', W],
  ['rate', []],
])
const DIFFERENCE = node('difference', 'Sub', [
  ['w', W],
  ['move', W],
])
const STEP = [DECAYED, SUM, MOVE, DIFFERENCE]
const KEPT: StateVariable = { handle: 'k/handle', value: at('k'), next: undefined }
const STATE: readonly StateVariable[] = [
  { handle: 'v/handle', value: at('v'), next: at('sum') },
  KEPT,
  { handle: 'w/handle', value: at('w'), next: at('difference') },
]

const moved = (nodes: readonly GraphNode[], state = STATE, returned: readonly string[] = []) =>
  momentumInPlace({ nodes, inputs: new Set(), state, outputs: returned.map(at), updates: [] })
const found = (...graph: Parameters<typeof moved>) => moved(...graph).updates

test('a step of SGD with momentum becomes one operation on both variables, after their values were read', () => {
  const { updates, state, nodes } = moved(STEP)
  const [step, ...others] = updates
  assert.deepEqual(others, [])
  assert.equal(step!.operation, 'ResourceApplyMomentum')
  assert.deepEqual(step!.inputs, ['w/handle', 'v/handle', 'rate', 'g', 'momentum'].map(at))
  assert.deepEqual(step!.after, ['w', 'v'])
  // Nothing else assigns them.
  assert.deepEqual(
    state,
    STATE.map((variable) => ({ ...variable, next: undefined })),
  )
  assert.deepEqual(nodes, STEP)
})

test('anything else stays as it was recorded', () => {
  const replaced = (other: GraphNode) => STEP.map((each) => (each.name === other.name ? other : each))
  const turned = { ...SUM, inputs: [...SUM.inputs].reverse() }
  const broadcast = node('sum', 'AddV2', [
    ['decayed', W],
    ['g', [4]],
  ])
  const byVector = node('move', 'Mul', [
    ['sum', W],
    ['rate', [4]],
  ])
  const integers = STEP.map((each) => ({
    ...each,
    inputTypes: each.inputTypes!.map((type) => ({ ...type, dtype: DTYPE.int32 })),
  }))
  assert.deepEqual(found(replaced(turned)), [])
  assert.deepEqual(found(replaced(broadcast)), [])
  assert.deepEqual(found(replaced(byVector)), [])
  assert.deepEqual(found(integers), [])
  assert.deepEqual(found(STEP, [KEPT, ...STATE.slice(1)]), [])
  for (const { name } of STEP) {
    assert.deepEqual(found(STEP, STATE, [name]), [], `${name} is returned`)
    assert.deepEqual(found([...STEP, node('other', 'Square', [[name, W]])]), [], `${name} is taken twice`)
  }
})

test('the operation computes the bits that the recorded ones do, step by step', () => {
  const shape: [number, number] = [37, 29]
  const values = (seed: number) => tf.randomNormal(shape, 0, 1, 'float32', seed) as tf.Tensor2D
  const run = (eager: boolean) => {
    const [w, v] = [tf.variable(values(1)), tf.variable(tf.zeros(shape))]
    const step = compile(
      (x: tf.Tensor, rate: tf.Tensor) => {
        const gradient = tf.add(tf.mul(x, w), tf.mul(w, 5e-4))
        v.assign(tf.add(tf.mul(v, 0.9), gradient))
        w.assign(tf.sub(w, tf.mul(v, rate)))
        return tf.sum(gradient)
      },
      { state: [w, v], eager, name: 'momentum' },
    )
    const sums = [2, 3, 4, 5, 6].map((seed) => {
      const [x, rate] = [values(seed), tf.scalar(0.1 / seed)]
      const result = step(x, rate)
      const [sum] = result.dataSync()
      tf.dispose([x, rate, result])
      return sum
    })
    step.sync()
    const state = [w, v].map((variable) => [...variable.dataSync()])
    step.dispose()
    tf.dispose([w, v])
    return { sums, state }
  }
  assert.deepEqual(run(false), run(true))
})
