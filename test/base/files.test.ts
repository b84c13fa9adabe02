import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { appendFileSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { z } from 'zod'
import {
  appendLines,
  DamagedError,
  expectHash,
  readCached,
  readSealed,
  removeLeft,
  sha256,
  temporaryName,
  wholeLines,
  writeAtomically,
  writeCached,
  writeSealed,
} from '../../lib/base'
import { temporary } from '../train/tiny'
import { deadEnding } from './dead'

const schema = z.object({ name: z.string(), values: z.array(z.number()) }).strict()
const content = { name: 'über\n', values: [0.1, -2e-7, 3], nothing: undefined }
const read = (file: string) => readSealed(file, schema, { advice: 'make it again' })

test('a sealed file is read in any layout, and in no other wording', () => {
  const file = join(temporary(), 'a/b.json')
  writeSealed(file, content)
  const { nothing: _, ...kept } = content
  assert.deepEqual(read(file), kept)
  const { document, values, name } = JSON.parse(readFileSync(file, 'utf8'))
  writeFileSync(file, JSON.stringify({ document, values, name }))
  assert.deepEqual(read(file), kept)
  for (const change of [{ name: 'uber\n' }, { values: [0.1, -2e-7] }, { document: sha256('') }]) {
    writeFileSync(file, JSON.stringify({ document, values, name, ...change }))
    assert.throws(() => read(file), {
      name: 'Damaged',
      message:
        /b\.json: expected SHA-256 [0-9a-f]{64} as its key "document" says, found [0-9a-f]{64}; .*: make it again$/,
    })
  }
  writeFileSync(file, JSON.stringify({ document, values, name, more: 1 }))
  assert.throws(() => read(file), /b\.json: at "more": unknown key; make it again$/)
  writeFileSync(file, '{"name": ')
  assert.throws(() => read(file), /b\.json:1: expected JSON, found: .*; make it again$/)
  writeFileSync(file, '[1]')
  assert.throws(() => read(file), DamagedError)
})

test('a key that a program could take for more than a name is sealed as any other', () => {
  const file = join(temporary(), 'a.json')
  const anything = z.unknown()
  writeSealed(file, JSON.parse('{"__proto__": {"classes": 1}, "constructor": 2}'))
  readSealed(file, anything, { advice: '' })
  writeFileSync(file, readFileSync(file, 'utf8').replace('"classes": 1', '"classes": 2'))
  assert.throws(() => readSealed(file, anything, { advice: '' }), DamagedError)
})

test('another file is held against the hash that a sealed one says', () => {
  const told = { by: 'metrics.json', advice: 'make it again' }
  expectHash('a.bin', 'one', sha256('one'), told)
  assert.throws(
    () => expectHash('a.bin', 'two', sha256('one'), told),
    new RegExp(`a\\.bin: expected SHA-256 ${sha256('one')} as metrics\\.json says, found ${sha256('two')}; `),
  )
})

test('a file of a cache knows its name and its content', async () => {
  const file = join(temporary(), 'folder/a.rgb')
  const bytes = Buffer.from('some pixels')
  await writeCached(file, bytes)
  assert.deepEqual(await readCached(file), bytes)
  assert.equal(await readCached(`${file}.other`), undefined)
  writeFileSync(`${file}.other`, readFileSync(file))
  assert.equal(await readCached(`${file}.other`), 'damaged')
})

test('lines are added whole: half of one that a killed process has left goes', () => {
  const file = join(temporary(), 'log.jsonl')
  appendLines(file, 'one\n')
  appendFileSync(file, 'tw')
  assert.deepEqual(wholeLines(readFileSync(file, 'utf8')), [{ line: 'one', number: 1 }])
  appendLines(file, 'two\nthree\n')
  assert.equal(readFileSync(file, 'utf8'), 'one\ntwo\nthree\n')
  writeFileSync(file, 'no end')
  appendLines(file, 'one\n')
  assert.equal(readFileSync(file, 'utf8'), 'one\n')
})

test('what processes that have ended were writing is removed, and nothing else', () => {
  const folder = temporary()
  const own = temporaryName(join(folder, 'mine'))
  const foreign = (name: string, days: number) => {
    const file = join(folder, `${name}.1-7@elsewhere.0a1b2c3d.tmp`)
    writeFileSync(file, '')
    const then = Date.now() / 1000 - 86_400 * days
    utimesSync(file, then, then)
    return file
  }
  const [young, old] = [foreign('young', 1), foreign('old', 30)]
  mkdirSync(join(folder, `scenes${deadEnding()}`, 'train'), { recursive: true })
  for (const name of [`model.json${deadEnding()}`, 'notes.tmp']) writeFileSync(join(folder, name), '')
  // This process's id, but started at another time.
  writeFileSync(join(folder, `reused.${process.pid}-1@${own.split('@')[1]}`), '')
  writeFileSync(own, '')
  removeLeft(folder)
  assert.deepEqual(
    readdirSync(folder)
      .map((name) => join(folder, name))
      .sort(),
    [own, young, join(folder, 'notes.tmp')].sort(),
  )
  assert.notEqual(old, young)
})

test('a process that is killed while it writes leaves the file as it was, and the next write takes its traces away', () => {
  const file = join(temporary(), 'numbers.json')
  writeAtomically(file, 'before')
  const program = `
    const fs = require('node:fs')
    fs.renameSync = () => process.kill(process.pid, 'SIGKILL')
    require(${JSON.stringify(join(__dirname, '../../lib/base/atomic'))}).writeAtomically(${JSON.stringify(file)}, 'new')`
  const { signal } = spawnSync(process.execPath, ['--require', 'tsx/cjs', '-e', program], {
    cwd: join(__dirname, '../..'),
  })
  assert.equal(signal, 'SIGKILL')
  assert.equal(readFileSync(file, 'utf8'), 'before')
  assert.equal(readdirSync(join(file, '..')).length, 2)
  writeAtomically(file, 'after')
  assert.deepEqual(readdirSync(join(file, '..')), ['numbers.json'])
})
