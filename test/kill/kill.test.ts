import assert from 'node:assert/strict'
import { test } from 'node:test'
import { temporary } from '../train/tiny'
import { killStudies } from './kill'

test('a study that is killed at random moments ends with the numbers of one that is not, and leaves nothing else', async () => {
  const { kills, studies, trials } = await killStudies({ times: 3, seed: 1, folder: temporary() })
  assert.equal(kills, 3)
  assert.ok(studies >= 1 && trials >= 8)
})
