import assert from 'node:assert/strict'
import { test } from 'node:test'
import { getHeapStatistics } from 'node:v8'
import { tidied } from '../../lib/engine/garbage'

test('what a function leaves behind is collected when it is much', () => {
  const before = getHeapStatistics().used_heap_size
  const result = tidied(() => {
    // 40 MB and more, less than V8 collects by itself at once.
    const list = Array.from({ length: 400_000 }, (_, i) => ({ name: `node ${i}`, inputs: [i] }))
    return list.length
  })
  assert.equal(result, 400_000)
  const grown = (getHeapStatistics().used_heap_size - before) / 2 ** 20
  assert.ok(grown < 8, `grown by ${grown.toFixed(1)} MiB`)
})

test('what it throws comes through', () => {
  assert.throws(
    () =>
      tidied(() => {
        throw new Error('of the function')
      }),
    /^Error: of the function$/,
  )
})
