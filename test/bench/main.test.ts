import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { CUDA_PARTS, runBenchmark } from './main'

const LOADER = join(__dirname, '../../lib/engine/loader.cjs')

test('on a card, a part that says nothing about it is refused before anything runs', async () => {
  const options = {
    ...{
      device: 'cuda' as const,
      threads: [1],
      processes: 1,
      batches: [1],
      rounds: 1,
      secondsPerTurn: 0,
      epochImages: 1,
    },
    ...{
      lowPrecisions: [],
      seeds: [1],
      quick: true,
      keep: false,
      root: '/nowhere',
      python: '/nowhere/python',
    },
    signal: new AbortController().signal,
  }
  await assert.rejects(runBenchmark({ ...options, parts: ['training', 'evaluator'] }), {
    message: `expected parts for a card (${CUDA_PARTS.join(', ')}), found evaluator`,
  })
})

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
