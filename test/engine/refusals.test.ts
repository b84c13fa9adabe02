/** What `compile` refuses to record, each with the place that does it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compile, nativeBackend, tf } from '../../lib/engine'

const outside = tf.variable(tf.tensor1d([1, 2]))
const boxes = tf.tensor2d([[0, 0, 1, 1]])

/** A stack names these functions, so that the message says whether the right line was found. */
const refused: { readonly [name: string]: (x: tf.Tensor1D) => unknown } = {
  readsBack: (x) => tf.relu(x).dataSync(),
  prints: (x) => tf.relu(x).print(),
  branchesOnValue: (x) => (tf.max(x).arraySync() === 1 ? x : tf.neg(x)),
  drawsNormal: () => tf.randomNormal([2]),
  dropsOut: (x) => tf.dropout(x, 0.5),
  assignsOther: (x) => outside.assign(tf.neg(x)),
  hasShapeOfValues: (x) => tf.unique(x).values,
  suppresses: () => tf.image.nonMaxSuppression(boxes, tf.tensor1d([1]), 1),
  makesStrings: () => tf.reshape(tf.tensor1d(['a']), [1, 1]),
  disposesOfArgument: (x) => x.dispose(),
  leavesAttributesOut: (x) => nativeBackend().executeMultipleOutputs('Softmax', [], [x], 1)[0]!,
}

const MESSAGES: { readonly [name: string]: RegExp } = {
  readsBack: /must not read a tensor back/,
  prints: /must not read a tensor back/,
  branchesOnValue: /must not read a tensor back/,
  drawsNormal: /must not draw random numbers/,
  dropsOut: /must not draw random numbers/,
  assignsOther: /expected variable \S+ \[2\] among `state`/,
  hasShapeOfValues: /must not call UniqueV2, whose result's shape depends on values/,
  suppresses: /must not call NonMaxSuppressionV3, whose result's shape depends on values/,
  makesStrings: /expected constants of float32, int32 or bool, found TensorFlow's data type 7/,
  disposesOfArgument: /must not dispose of its arguments/,
  leavesAttributesOut: /TensorFlow refused the recorded graph: .*No attr named 'T'/,
}

for (const [name, body] of Object.entries(refused)) {
  test(`${name}: refused, with its place; the engine is as before`, () => {
    const x = tf.tensor1d([1, -2])
    const { binding } = nativeBackend()
    const before = [tf.memory().numTensors, binding.getNumOfSavedModels()]
    const compiled = compile((input: tf.Tensor1D) => {
      const result = body(input)
      return result instanceof tf.Tensor ? result : tf.neg(input)
    })
    assert.throws(
      () => compiled(x),
      ({ message }: Error) => {
        assert.match(message, MESSAGES[name]!)
        assert.match(message, new RegExp(`\\b${name} \\(\\S*refusals\\.test\\.ts:\\d+:\\d+\\)`))
        return true
      },
    )
    assert.deepEqual([tf.memory().numTensors, binding.getNumOfSavedModels()], before)
    assert.deepEqual([...x.dataSync(), ...outside.dataSync()], [1, -2, 1, 2])
    // Nothing of it is left in tfjs: everything works outside of a recording.
    assert.equal(tf.randomNormal([2]).size, 2)
    assert.deepEqual([...tf.relu(x).dataSync()], [1, 0])
    compiled.dispose()
  })
}

test('a recorded function cannot call another compiled one', () => {
  const inner = compile((x: tf.Tensor1D) => tf.relu(x))
  const x = tf.tensor1d([1])
  // Whether or not the inner one has been recorded.
  for (const outer of [1, 2].map(() => compile((y: tf.Tensor1D) => tf.neg(inner(y))))) {
    assert.throws(() => outer(x), /must not call another compiled one.*refusals\.test\.ts:\d+/)
    inner(x)
  }
  inner.dispose()
})

test('anything but a tensor is named by its place', () => {
  const x = tf.tensor1d([1])
  const named = (fn: (...inputs: readonly tf.Tensor[]) => unknown) =>
    compile(fn as (...inputs: readonly tf.Tensor[]) => tf.Tensor, { name: 'step' })
  assert.throws(
    () => named((y) => ({ loss: y, count: [y, 3] }))(x),
    /compile\(step\): result\.count\[1\]: .*found the number 3, which is tf\.scalar\(3\)/,
  )
  assert.throws(() => named(async (y) => y)(x), /result: .*found a promise/)
  // Neither does it fail unheard, once the error has been caught.
  assert.throws(() => named(async (y) => (await y!.data()).length)(x), /result: .*found a promise/)
  assert.throws(() => named(() => undefined)(x), /result: .*found undefined/)
  const gone = tf.tensor1d([1])
  gone.dispose()
  assert.throws(
    () => named((y) => y)(x, gone),
    /arguments\[1\]: expected a tensor, found one that was disposed/,
  )
})

test('state that was disposed of is named', () => {
  const state = tf.variable(tf.scalar(1))
  const compiled = compile(() => tf.neg(state), { state: [state], name: 'step' })
  compiled().dispose()
  state.dispose()
  assert.throws(() => compiled(), new RegExp(`compile\\(step\\): expected ${state.name} of \`state\``))
  compiled.dispose()
})
