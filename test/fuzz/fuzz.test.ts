/** A short run of the fuzzing, the same every time; `npm run fuzz` runs longer. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { root } from '../../lib/workbench/project'
import { fuzz } from './run'

test('changed files of every kind are read, or refused with an error that names them', async () => {
  const { inputs, readers, failures } = await fuzz({
    seed: 7,
    inputs: 300,
    folder: join(root, '.cache/fuzz'),
  })
  assert.deepEqual(failures, [])
  assert.equal(inputs, 300)
  for (const [name, { read, refused }] of readers) assert.ok(read + refused >= 5, name)
  // Changes that every reader takes, or none, would test nothing.
  const counts = [...readers.values()]
  assert.ok(counts.reduce((sum, { read }) => sum + read, 0) > 50)
  assert.ok(counts.reduce((sum, { refused }) => sum + refused, 0) > 50)
})
