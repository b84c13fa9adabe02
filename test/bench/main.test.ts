import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'

const LOADER = join(__dirname, '../../lib/engine/loader.cjs')

test('the benchmark has a command line of its own', () => {
  const start = (...words: string[]) =>
    spawnSync(process.execPath, ['--require', LOADER, join(__dirname, 'cli.ts'), ...words], {
      encoding: 'utf8',
    })
  const help = start('--help')
  assert.equal(help.status, 0, help.stderr)
  assert.match(help.stdout, /Usage: npx workbook bench \[options\][\s\S]*--parts/)
  const wrong = start('--parts', 'speed')
  assert.equal(wrong.status, 1)
  assert.match(wrong.stderr, /'speed' is invalid/)
  assert.doesNotMatch(wrong.stderr, /\n {4}at /)
})
