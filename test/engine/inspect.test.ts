import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { compile, scoped, tf } from '../../lib/engine'
import { describeValue } from '../../lib/workbench/display'

test('a tensor is printed with shape, type and first values, wherever it stands', () => {
  scoped(() => {
    const numbers = tf.range(0, 10).reshape([2, 5])
    assert.equal(inspect(numbers), 'Tensor [2, 5] float32: 0, 1, 2, 3, 4, 5, ...')
    assert.equal(describeValue(numbers)['text/plain'], inspect(numbers))
    assert.match(inspect({ outputs: [numbers] }), /outputs: \[ Tensor \[2, 5\] float32: 0, 1, /)
    assert.equal(inspect(tf.scalar(2 / 3)), 'Tensor [] float32: 0.66667')
    assert.equal(inspect(tf.tensor1d([1, 0], 'bool')), 'Tensor [2] bool: true, false')
    assert.equal(inspect(tf.tensor1d([7, -1], 'int32')), 'Tensor [2] int32: 7, -1')
    assert.equal(inspect(tf.tensor1d(['a', 'b'])), "Tensor [2] string: 'a', 'b'")
    assert.equal(inspect(tf.zeros([0, 4])), 'Tensor [0, 4] float32: no values')
    numbers.dispose()
    assert.equal(inspect(numbers), 'Tensor [2, 5] float32, disposed')
  })
})

test('a variable is printed with its name, and a tensor of a function that is being recorded without values', () => {
  const variable = tf.variable(tf.ones([2]), true, 'gamma-of-inspect')
  assert.equal(inspect(variable), 'Variable gamma-of-inspect [2] float32: 1, 1')
  let seen = ''
  const twice = compile((x: tf.Tensor) => {
    const doubled = tf.mul(x, 2)
    seen = inspect(doubled)
    return doubled
  })
  tf.dispose([twice(variable), variable])
  assert.equal(seen, 'Tensor [2] float32, being recorded')
  twice.dispose()
})

test('printing leaves no tensor behind', () => {
  const tensor = tf.zeros([3])
  const before = tf.memory().numTensors
  inspect(tensor)
  assert.equal(tf.memory().numTensors, before)
  tensor.dispose()
})
