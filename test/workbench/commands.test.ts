import assert from 'node:assert/strict'
import { test } from 'node:test'
import { workbookCommand } from '../../lib/workbench/commands/workbook'

test('--from-scratch is short for --from scratch', () => {
  const from = (...words: string[]): unknown =>
    workbookCommand()
      .action(() => undefined)
      .parse(words, { from: 'user' })
      .opts().from
  assert.equal(from('--from-scratch'), 'scratch')
  assert.equal(from('--from', 'teacher'), 'teacher')
  assert.equal(from(), undefined)
})
