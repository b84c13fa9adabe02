import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { joined, readNotebook } from '../../lib/workbench/notebook-file'
import { root } from '../../lib/workbench/project'
import { checkForm, checkTypes } from './notebook-check'

const folder = path.join(root, 'notebooks')
const notebooks = (existsSync(folder) ? readdirSync(folder) : [])
  .filter((name) => name.endsWith('.ipynb'))
  .map((name) => path.join(folder, name))

test('notebooks are stored without outputs, for the tslab kernel', () => {
  assert.deepEqual(notebooks.flatMap(checkForm), [])
})

test('the method notebooks have one skeleton, and try a weight with the same cells', () => {
  const methods = notebooks.filter((file) => /\/0[4-8]-/.test(file)).map((file) => readNotebook(file).cells)
  assert.equal(methods.length, 5)
  const [first, ...others] = methods
  const ids = (cells: typeof first) => cells?.map(({ id }) => id)
  const source = (cells: typeof first, id: string) =>
    joined(cells?.find((cell) => cell.id === id)?.source ?? '')
  for (const other of others) {
    assert.deepEqual(ids(other), ids(first))
    for (const id of ['trials', 'table', 'pr-curves', 'loss-curves', 'objectness-maps', 'lambda', 'try-it'])
      assert.equal(source(other, id), source(first, id), id)
  }
})

test('what notebooks put into Markdown is escaped: the template is a tag', () => {
  for (const file of notebooks)
    for (const { source } of readNotebook(file).cells)
      assert.doesNotMatch(joined(source), /showMarkdown\(\s*`[^`]*\$\{/, file)
})

test('the cells of the notebooks type-check', async () => {
  assert.deepEqual(
    await checkTypes([path.join(root, 'test/workbench/fixtures/small.ipynb'), ...notebooks]),
    [],
  )
})

test('the checks find outputs, counts, a wrong kernel and type errors', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'notebook-check-'))
  const file = path.join(folder, 'bad.ipynb')
  const code = (source: string): object => ({ cell_type: 'code', source, outputs: [], execution_count: null })
  const cells = [
    code('const a = 1'),
    code('const b: string = a'),
    { ...code('a'), outputs: [{ output_type: 'stream' }] },
  ]
  writeFileSync(file, JSON.stringify({ nbformat: 4, metadata: { kernelspec: { name: 'python3' } }, cells }))
  const reasons = checkForm(file).map((problem) => problem.split(': ')[1])
  assert.deepEqual(reasons, ['kernel python3, expected tslab', 'cell 3 has stored outputs'])
  assert.match(
    (await checkTypes([file])).join('\n'),
    /^\S*bad\.ipynb cell 2 1:7 - Type 'number' is not assignable to type 'string'\.$/,
  )
  rmSync(folder, { recursive: true })
})
