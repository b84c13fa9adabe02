/** Groups of variables as one vector: in the state of a graph, and what `takeWhole` finds there. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assignJoined, compile, joined, type Tensor, tf } from '../../lib/engine'
import { firstOutput, type GraphNode } from '../../lib/engine/graph'
import { concatenation, integers, reshaping, split } from '../../lib/engine/graphdef'
import { DTYPE } from '../../lib/engine/native'
import { takeWhole } from '../../lib/engine/passes/whole'

const SHAPES: number[][] = [[3, 2], [4], [2, 2, 2], [1]]

const variables = (seed: number, shapes = SHAPES) =>
  shapes.map((shape, i) => tf.variable(tf.randomNormal(shape, 0, 1, 'float32', seed + i)))
const values = (list: readonly tf.Variable[]) => list.map((variable) => [...variable.dataSync()])

test('joining and assigning keep every element in its place', () => {
  const list = variables(1)
  const before = values(list)
  const vector = tf.tidy(() => joined(list))
  assert.deepEqual([...vector.dataSync()], before.flat())
  tf.tidy(() => assignJoined(list, tf.mul(vector, 2)))
  assert.deepEqual(
    values(list),
    before.map((part) => part.map((value) => 2 * value)),
  )
  assert.deepEqual(
    list.map(({ shape }) => shape),
    SHAPES,
  )
  tf.dispose([vector, list])
})

/** Some steps of a momentum on groups; what they leave, and the operations of the graph. */
function stepped(eager: boolean, shapes = SHAPES) {
  const [w, v] = [variables(1, shapes), variables(11, shapes)]
  const step = compile(
    (rate: Tensor) => {
      // Each variable is also used by itself.
      const gradient = joined(w.map((variable) => tf.mul(variable, tf.sum(variable))))
      const velocity = tf.add(tf.mul(joined(v), 0.9), gradient)
      assignJoined(v, velocity)
      assignJoined(w, tf.sub(joined(w), tf.mul(velocity, rate)))
      return tf.sum(gradient)
    },
    { state: [w, v], eager, name: 'steps' },
  )
  const rate = tf.scalar(0.01)
  for (let i = 0; i < 3; i++) step(rate).dispose()
  step.sync()
  const found = { state: [...values(w), ...values(v)], graphs: step.graphs }
  step.dispose()
  tf.dispose([w, v, rate])
  return found
}

test('steps on whole vectors give the bits of steps without a graph', () => {
  assert.deepEqual(stepped(false).state, stepped(true).state)
})

test('the step of a group is one operation, however many variables it has', () => {
  const count = (shapes: number[][]) => stepped(false, shapes).graphs[0]!.operations
  const own = count([[2], [3]])
  // A product and a sum for each variable.
  assert.equal(count([[2], [3], [4]]), own + 2)
  assert.equal(count([[2], [3], [4], [5], [6]]), own + 6)
})

test('a group changes in part, is assigned from outside, and moves to a function that groups otherwise', () => {
  const [a, b, c] = variables(3, [[2, 2], [3], [2]]) as [tf.Variable, tf.Variable, tf.Variable]
  const before = values([a, b, c])
  const partly = compile(
    () => {
      b.assign(tf.mul(b, 3))
      return tf.sum(a)
    },
    { state: [[a, b, c]], name: 'partly' },
  )
  const otherwise = compile(
    () => {
      assignJoined([c, a], tf.add(joined([c, a]), 1))
      return tf.sum(b)
    },
    { state: [[c, a], b], name: 'otherwise' },
  )
  partly().dispose()
  otherwise().dispose()
  partly().dispose()
  partly.sync()
  tf.tidy(() => b.assign(tf.ones([3])))
  partly().dispose()
  partly.sync()
  otherwise.sync()
  const [first, , third] = before
  const plusOne = (part: number[]) => part.map((value) => Math.fround(value + 1))
  assert.deepEqual(values([a, b, c]), [plusOne(first!), [3, 3, 3], plusOne(third!)])
  partly.dispose()
  otherwise.dispose()
  tf.dispose([a, b, c])
})

test('a group holds float32 variables alone', () => {
  const [x, n] = [tf.variable(tf.zeros([2])), tf.variable(tf.zeros([2], 'int32'))]
  const sum = compile(() => tf.sum(x), { state: [[x, n]] })
  assert.throws(() => sum(), /expected a group of float32 variables, found one of type 3/)
  tf.dispose([x, n])
})

const [AXIS, SIZES, FLAT, SQUARE] = [
  integers('axis', 0),
  integers('sizes', [4, 2]),
  integers('flat', [-1]),
  integers('square', [2, 2]),
]
const VECTOR = { dtype: DTYPE.float32, shape: [4] }
const MATRIX = { dtype: DTYPE.float32, shape: [2, 2] }
const PIECES = split('pieces', firstOutput('whole'), SIZES, AXIS, [4, 2])
const SHAPED = reshaping('shaped', firstOutput('pieces'), VECTOR, SQUARE)
const BACK = reshaping('back', firstOutput('shaped'), MATRIX, FLAT)
const second = { node: 'pieces', index: 1 }
const BASE = [AXIS, SIZES, FLAT, SQUARE, PIECES, SHAPED, BACK]
const negated = (value: string): GraphNode => ({
  ...{ name: 'negated', operation: 'Neg', inputs: [firstOutput(value)], attributes: [] },
})

/** What the negation takes. */
function taken(again: GraphNode): string {
  const graph = { inputs: new Set<string>(), state: [], outputs: [firstOutput('negated')], updates: [] }
  const nodes = [...BASE, again, negated('again')]
  return takeWhole({ ...graph, nodes }).nodes.at(-1)!.inputs[0]!.node
}

test('all pieces of a split in their order, in any shapes between, are what was split; anything else is not', () => {
  const again = (pieces: Parameters<typeof concatenation>[1], lengths = [4, 2]) =>
    concatenation('again', pieces, AXIS, lengths)
  assert.equal(taken(again([firstOutput('back'), second])), 'whole')
  assert.equal(taken(again([firstOutput('pieces'), second])), 'whole')
  assert.equal(taken(again([second, firstOutput('back')], [2, 4])), 'again')
  assert.equal(taken(again([firstOutput('back')], [4])), 'again')
  assert.equal(taken(again([firstOutput('back'), firstOutput('other')])), 'again')
})
