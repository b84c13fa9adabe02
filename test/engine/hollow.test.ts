/** While a function is recorded, its large tensors have no values. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compile, gatherRows, nativeBackend, tf } from '../../lib/engine'

const LARGE = [1024, 1024]

test('a recording takes the memory of one operation, not of them all', () => {
  const residentMiB = () => process.resourceUsage().maxRSS / 1024
  const small = compile((x: tf.Tensor) => tf.mean(x))
  small(tf.ones([4])).dispose()
  const x = tf.ones(LARGE)
  x.dataSync()
  const before = residentMiB()
  const compiled = compile((input: tf.Tensor) => {
    let y = input
    // Each of the 128 results has 4 MiB, and all of them live until the function ends.
    for (let i = 0; i < 64; i++) y = tf.sub(tf.mul(y, 2), 1)
    return tf.mean(y)
  })
  assert.deepEqual([...compiled(x).dataSync()], [1])
  assert.ok(residentMiB() - before < 200, `grown by ${(residentMiB() - before).toFixed(0)} MiB`)
  for (const one of [small, compiled]) one.dispose()
  x.dispose()
})

test('a function for which zeros do not work is recorded with values', () => {
  const rows = tf.tensor3d([[[10], [20]]])
  let recordings = 0
  const pick = compile((x: tf.Tensor) => {
    recordings++
    const total = tf.sum(tf.mul(x, 2))
    // 1; of zeros it is no number, and no index.
    const index = tf.cast(tf.div(total, total), 'int32')
    return gatherRows(rows, tf.reshape(index, [1, 1]))
  })
  const x = tf.ones(LARGE)
  const count = nativeBackend().binding.getNumOfTensors()
  for (let call = 0; call < 2; call++) {
    const picked = pick(x)
    assert.deepEqual([...picked.dataSync()], [20])
    picked.dispose()
  }
  assert.equal(recordings, 2)
  assert.ok(nativeBackend().binding.getNumOfTensors() <= count + 2)
  pick.dispose()
})

test('a large tensor that is kept but not returned is refused, with its place', () => {
  const cache: tf.Tensor[] = []
  const compiled = compile(function keepsOne(x: tf.Tensor) {
    cache.push(tf.keep(tf.neg(x)))
    return tf.sum(x)
  })
  const x = tf.ones(LARGE)
  assert.throws(
    () => compiled(x),
    /must not keep tensors that it does not return, found one of \[1024,1024\] that keepsOne \(\S*hollow\.test\.ts:\d+/,
  )
  x.dispose()
})
