import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { withoutMail } from '../../lib/base'
import { INDEX, readChapter } from '../../lib/workbench/chapters'
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

test('the chapters 05 to 08 have one skeleton, and share the cells that do not teach their difference', () => {
  const methods = notebooks.filter((file) => /\/0[5-8]-/.test(file)).map((file) => readNotebook(file).cells)
  assert.equal(methods.length, 4)
  const [first, ...others] = methods
  // Only some have a computed remark beside the verdict.
  const ids = (cells: typeof first) => cells?.map(({ id }) => id).filter((id) => id !== 'meaning-cell')
  const source = (cells: typeof first, id: string) =>
    joined(cells?.find((cell) => cell.id === id)?.source ?? '')
  for (const other of others) {
    assert.deepEqual(ids(other), ids(first))
    for (const id of ['code', 'scale-table', 'run', 'result', 'lambda', 'verdict'])
      assert.equal(source(other, id), source(first, id), id)
  }
})

test('every chapter asks a question, and has an answer and a picture for the index', () => {
  for (const file of notebooks) {
    const { title, question, name } = readChapter(file)
    assert.ok(title, name)
    if (name === INDEX) continue
    assert.match(question, /\?$/, name)
    const tags = readNotebook(file).cells.map(({ metadata }) => JSON.stringify(metadata))
    for (const tag of ['answer', 'picture'])
      assert.equal(tags.filter((text) => text.includes(`"${tag}"`)).length, 1, `${name}: ${tag}`)
  }
})

test('notebooks import by room, and nothing from a file of the library', () => {
  for (const file of notebooks)
    for (const { source } of readNotebook(file).cells)
      for (const [, from = ''] of joined(source).matchAll(/ from '(\.[^']+)'/g))
        assert.equal(from, './lib/notebook', file)
})

test('papermill is named by its path, and no measure can be taken for a mail address', () => {
  const texts = [...notebooks, path.join(folder, 'README.md')].map((file) => readFileSync(file, 'utf8'))
  for (const text of texts) assert.doesNotMatch(text, /(?<!\.venv\/bin\/)papermill (notebooks|-)/)
  for (const file of notebooks)
    for (const { cell_type: type, source } of readNotebook(file).cells)
      if (type === 'markdown') assert.equal(withoutMail(joined(source)), joined(source), file)
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
