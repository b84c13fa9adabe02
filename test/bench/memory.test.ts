import assert from 'node:assert/strict'
import { test } from 'node:test'
import { privateMiB } from './memory'

const ROLLUP = `55d0c8000000-7ffd1c5f7000 ---p 00000000 00:00 0                          [rollup]
Rss:              500000 kB
Pss:              400000 kB
Shared_Clean:     200000 kB
Shared_Dirty:          0 kB
Private_Clean:      1024 kB
Private_Dirty:      2560 kB
Anonymous:          2560 kB
Private_Hugetlb:       7 kB
`

test('private memory is what only one process has mapped, changed or not', () => {
  assert.equal(privateMiB(ROLLUP), 3.5)
})

test('text other than a smaps_rollup is refused', () => {
  assert.throws(() => privateMiB('VmRSS: 12 kB\n'), /expected Private_Clean, found none/)
})
