import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { makeWorkingCopies } from '../../lib/workbench/working-copies'

const folder = mkdtempSync(path.join(tmpdir(), 'copies-'))
after(() => rmSync(folder, { recursive: true }))

function put(file: string, source: string, outputs: unknown[] = []): string {
  mkdirSync(path.dirname(file), { recursive: true })
  const cells = [{ cell_type: 'code', source, outputs }]
  writeFileSync(file, JSON.stringify({ cells, nbformat: 4 }))
  return file
}
const sourceOf = (file: string): string => JSON.parse(readFileSync(file, 'utf8')).cells[0].source

test('notebooks are copied once, and anew when they change; what the user wrote stays', () => {
  const notebooks = ['a', 'b'].map((name) =>
    put(path.join(folder, 'committed', `${name}.ipynb`), `${name} 1`),
  )
  const copies = path.join(folder, 'lab')
  const [a, b] = ['a', 'b'].map((name) => path.join(copies, `${name}.ipynb`)) as [string, string]
  assert.deepEqual(makeWorkingCopies(notebooks, copies), { folder: copies, outdated: [] })
  assert.deepEqual([a, b].map(sourceOf), ['a 1', 'b 1'])

  // Outputs alone are no change of the user's; neither goes as long as the committed notebook stays.
  put(a, 'a 1', [{ output_type: 'stream' }])
  put(b, 'mine')
  assert.deepEqual(makeWorkingCopies(notebooks, copies).outdated, [])
  assert.match(readFileSync(a, 'utf8'), /stream/)
  assert.equal(sourceOf(b), 'mine')

  for (const [i, name] of ['a', 'b'].entries()) put(notebooks[i]!, `${name} 2`)
  assert.deepEqual(makeWorkingCopies(notebooks, copies).outdated, [b])
  assert.deepEqual([a, b].map(sourceOf), ['a 2', 'mine'])
  assert.deepEqual(makeWorkingCopies(notebooks, copies).outdated, [b])

  rmSync(b)
  assert.deepEqual(makeWorkingCopies(notebooks, copies).outdated, [])
  assert.equal(sourceOf(b), 'b 2')
})

test('a file in the place of a copy that was never made here is nobody else’s to overwrite', () => {
  const notebook = put(path.join(folder, 'committed', 'c.ipynb'), 'c 1')
  const copy = put(path.join(folder, 'other', 'c.ipynb'), 'mine')
  makeWorkingCopies([notebook], path.join(folder, 'other'))
  assert.equal(sourceOf(copy), 'mine')
})
