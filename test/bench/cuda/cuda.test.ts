import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { readDocument, temporaryFolder } from '../../../lib/base'
import { root } from '../../../lib/workbench/project'
import { CARD, cardParts } from './parts'
import { describeParts, type Part, runParts, savedParts, savedSchema } from './saved'

const folder = temporaryFolder('bench-cuda')
const LOADER = join(__dirname, '../../../lib/engine/loader.cjs')

const part = (name: string, run: Part['run'], budget = 60): Part => ({ name, budget, run })
const fine = async () => ({ text: 'fine', result: 1 })

/** Ends when its time is over. */
const endless: Part['run'] = (limit) =>
  new Promise((_, reject) => {
    const busy = setInterval(() => {}, 1000)
    limit.addEventListener('abort', () => {
      clearInterval(busy)
      reject(limit.reason)
    })
  })

function run(file: string, parts: readonly Part[], commit = 'a') {
  const { signal } = new AbortController()
  return runParts({ file, commit, machine: {}, parts, signal, onProgress: () => {} })
}

test('a part that fails or runs over its time is saved as such, and the next ones run', async () => {
  const file = join(folder, 'parts.json')
  const failing = part('failing', () => Promise.reject(new Error('no memory')))
  const parts = await run(file, [failing, part('endless', endless, 0.05), part('last', fine)])
  assert.deepEqual(
    Object.values(parts).map(({ state, reason, text }) => [state, reason, text]),
    [
      ['failed', 'no memory', undefined],
      ['cut', 'not done in 60 s', undefined],
      ['done', undefined, ['fine']],
    ],
  )
  assert.match(describeParts(parts), /last: done \(0\.0 s\)\nfine/)
  assert.deepEqual(Object.keys(savedParts(file, 'a')), ['failing', 'endless', 'last'])
})

test('every part is saved before the next one, and another start goes on with those that are not done', async () => {
  const file = join(folder, 'again.json')
  const seen: string[] = []
  const saying = (name: string) =>
    part(name, async () => {
      seen.push(`${name} after ${Object.keys(savedParts(file, 'a')).join()}`)
      if (name === 'two' && seen.length < 3) throw new Error('once')
      return { text: '', result: seen.length }
    })
  await run(file, [saying('one'), saying('two')])
  const parts = await run(file, [saying('one'), saying('two'), saying('three')])
  assert.deepEqual(seen, ['one after ', 'two after one', 'two after one,two', 'three after one,two'])
  assert.ok(Object.values(parts).every(({ state }) => state === 'done'))
  assert.deepEqual(savedParts(file, 'b'), {}, 'of another commit')
})

test('the parts for a card take eight minutes at most', () => {
  const context = { precisions: ['float32', 'float16', 'bfloat16'] } as const
  const parts = cardParts({ context, scale: CARD } as unknown as Parameters<typeof cardParts>[0])
  assert.ok(parts.reduce((sum, { budget }) => sum + budget, 0) <= 480)
})

test('a rehearsal on a CPU runs every part, and says that PyTorch is left out where no Python has it', () => {
  const file = join(folder, 'rehearsal.json')
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--require', LOADER, join(__dirname, 'cli.ts'), '--rehearse', '--file', file],
    { encoding: 'utf8', cwd: root },
  )
  assert.equal(status, 0, stderr)
  assert.match(stderr, /PyTorch is left out/)
  const { parts } = readDocument(file, savedSchema)
  assert.deepEqual(
    Object.entries(parts).filter(([, { state }]) => state !== 'done'),
    [],
  )
  for (const name of ['training', 'inference', 'distillation'])
    assert.match(stdout, new RegExp(`${name} in float32: done[\\s\\S]*workbook float32 with XLA`))
  assert.match(stdout, /training: \d+ operations, \d+ bytes fed/)
  assert.match(
    stdout,
    /distillation step, all methods, default networks, with XLA: 0 started on the card, \d+/,
  )
  assert.match(stdout, /the host's part is \d+\.\d % of a step/)
  assert.match(stdout, /times as fast as with any kernels/)
  assert.match(stdout, /small\.ipynb: \d/)
  assert.match(stdout, /0 of \d+ comparisons failed/)
})
