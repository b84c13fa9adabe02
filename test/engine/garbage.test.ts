import assert from 'node:assert/strict'
import { test } from 'node:test'
import { getHeapStatistics } from 'node:v8'
import { collectGarbage } from '../../lib/engine/garbage'

const MIB = 2 ** 20

test('garbage is collected', () => {
  collectGarbage()
  const before = getHeapStatistics().used_heap_size
  const grown = () => (getHeapStatistics().used_heap_size - before) / MIB
  // Too little for V8 to collect by itself at once.
  let list: object[] = Array.from({ length: 400_000 }, (_, i) => ({ name: `node ${i}`, inputs: [i] }))
  assert.ok(grown() > 16 && list.length === 400_000)
  list = []
  collectGarbage()
  assert.ok(grown() < 4, `grown by ${grown().toFixed(1)} MiB`)
})
