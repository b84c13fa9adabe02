import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { z } from 'zod'
import { parseDocument, readDocument, readJson, readYaml, recordOf, unreadable } from '../../lib/base'

const folder = mkdtempSync(join(tmpdir(), 'document-'))
after(() => rmSync(folder, { recursive: true }))

const schema = z
  .object({
    name: z.string().min(2),
    kind: z.enum(['small', 'large']),
    weight: z.union([z.number().min(0), z.object({ ratio: z.number().positive() }).strict()]),
    arms: z
      .array(z.object({ steps: z.number().int().positive(), rate: z.number().lt(1).optional() }).strict())
      .min(1),
  })
  .strict()
const right = { name: 'mine', kind: 'small', weight: 1, arms: [{ steps: 3 }] }

function complaint(change: object): string {
  try {
    parseDocument({ ...right, ...change }, schema, 'a.yaml', { what: 'a sweep', advice: 'mend it' })
  } catch (error) {
    assert.ok(error instanceof Error)
    return error.message
  }
  throw new Error('expected a complaint')
}

test('a value that fits is returned', () => {
  assert.deepEqual(parseDocument(right, schema, 'a.yaml'), right)
})

test('one complaint names place, key, what was expected and found, and the advice', () => {
  const wrong: readonly [object, string][] = [
    [{ arms: [{ steps: 0.5 }] }, 'at "arms[0].steps": expected a whole number, found 0.5'],
    [{ arms: [{ steps: -1 }] }, 'at "arms[0].steps": expected a number above 0, found -1'],
    [{ arms: [{ steps: 1, rate: 1 }] }, 'at "arms[0].rate": expected a number below 1, found 1'],
    [{ arms: [{ steps: 1, stepps: 2 }] }, 'at "arms[0].stepps": unknown key'],
    [{ arms: [] }, 'at "arms": expected at least 1 entry, found []'],
    [{ arms: 'many' }, 'at "arms": expected a list, found "many"'],
    [{ name: 'm' }, 'at "name": expected at least 2 characters, found "m"'],
    [{ name: undefined }, 'at "name": expected a text, found nothing'],
    [{ kind: 'huge' }, 'at "kind": expected one of small, large, found "huge"'],
    [{ weight: 'heavy' }, 'at "weight": expected a number or an object, found "heavy"'],
    [{ weight: Number.NaN }, 'at "weight": expected a number or an object, found NaN'],
    [{ weight: { share: 1 } }, 'at "weight": expected a number or an object with "ratio", found {"share":1}'],
  ]
  for (const [change, message] of wrong) {
    assert.equal(complaint(change), `a.yaml: expected a sweep: ${message}; mend it`)
  }
})

test('several complaints are on lines of their own', () => {
  assert.equal(
    complaint({ name: 3, arms: [{ steps: 'x' }], more: 1 }),
    [
      'a.yaml: expected a sweep:',
      '  at "name": expected a text, found 3',
      '  at "arms[0].steps": expected a number, found "x"',
      '  at "more": unknown key',
      'mend it',
    ].join('\n'),
  )
})

test('a long value is cut, and the document itself has no key', () => {
  assert.match(complaint({ kind: 'x'.repeat(500) }), /found "x{56}\.\.\.; mend it$/)
  assert.throws(
    () => parseDocument('text', schema, 'here'),
    /^Error: here: expected an object, found "text"$/,
  )
})

test('files are read as JSON or YAML by their names, and an error names the line', () => {
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text)
    return join(folder, name)
  }
  assert.deepEqual(readDocument(file('a.json', JSON.stringify(right)), schema), right)
  assert.deepEqual(
    readDocument(file('a.yml', 'name: mine\nkind: small\nweight: 1\narms: [{ steps: 3 }]\n'), schema),
    right,
  )
  const broken = file('b.json', '{\n  "a": 1,\n  "b": NaN\n}\n')
  assert.throws(() => readJson(broken), { message: /b\.json:3: expected JSON, found: / })
  assert.throws(() => readYaml(file('b.yaml', 'a: [1\nb: }')), {
    message: /b\.yaml: expected YAML, found: .*line 2/s,
  })
  assert.throws(() => readJson(join(folder, 'none.json')), {
    message: /none\.json: expected a file, found nothing$/,
  })
  assert.throws(() => readJson(folder), { message: /: expected a file, found a folder$/ })
  assert.match(
    unreadable('x', { code: 'EACCES' }).message,
    /^x: expected a file, found one that may not be read$/,
  )
})

test('an object by names keeps every name and complains of the key', () => {
  const schema = recordOf(z.object({ a: z.number() }).strict())
  const value: unknown = JSON.parse('{"__proto__": {"a": 1}, "constructor": {"a": 2}, "": {"a": 3}}')
  const parsed = parseDocument(value, schema, 'x')
  assert.deepEqual(Object.keys(parsed), ['__proto__', 'constructor', ''])
  assert.deepEqual(Object.getOwnPropertyDescriptor(parsed, '__proto__')?.value, { a: 1 })
  const wrong: unknown = JSON.parse('{"__proto__": {"a": "b"}}')
  assert.throws(() => parseDocument(wrong, schema, 'x'), {
    message: 'x: at "__proto__.a": expected a number, found "b"',
  })
  assert.throws(() => parseDocument([], schema, 'x'), { message: 'x: expected an object, found []' })
})

test('documents are bounded in depth and size, and are files', () => {
  const write = (name: string, text: string) => {
    writeFileSync(join(folder, name), text)
    return join(folder, name)
  }
  const deep = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)
  assert.ok(readJson(write('a.json', deep(100))))
  assert.throws(
    () => readJson(write('b.json', deep(101))),
    /b\.json: expected JSON nested at most 100 deep, found a depth of 101$/,
  )
  // The quote hides the brackets; how deep they are is not known, and neither is the line.
  assert.throws(
    () => readJson(write('c.json', `{"a": "\n${'['.repeat(200_000)}`)),
    /c\.json(:1)?: expected JSON, found: /,
  )
  assert.throws(
    () => readYaml(write('d.yaml', `a: ${deep(101)}`)),
    /d\.yaml: expected YAML nested at most 100 deep$/,
  )
  assert.throws(
    () => readYaml(write('e.yaml', `${'? '.repeat(5000)}a`)),
    /e\.yaml: expected YAML nested at most 100 deep$/,
  )
  assert.throws(
    () => readYaml(write('f.yaml', `a:${' '.repeat(70_000)}b`)),
    /f\.yaml: expected at most 1000 blanks in a row, found 70000$/,
  )
  assert.throws(
    () => readYaml(write('g.yaml', `a: &a [x]\nb: [${'*a, '.repeat(200)}]`)),
    /g\.yaml: expected at most 100 aliases/,
  )
  assert.throws(
    () => readYaml(write('h.yaml', '# 1\n'.repeat(300_000))),
    /h\.yaml: expected at most 1048576 characters of YAML, found 1200000$/,
  )
  assert.throws(
    () => readYaml(write('i.yaml', 'a: &a [x, [*a]]')),
    /i\.yaml: expected YAML, found: the alias "a" stands within what it stands for$/,
  )
  const laughs = 'a: &a [x, x]\nb: &b [*a, *a, *a]\nc: &c [*b, *b, *b]\nd: &d [*c, *c, *c]\ne: [*d, *d, *d]'
  assert.throws(() => readYaml(write('j.yaml', laughs)), /j\.yaml: expected at most 100 aliases/)
  assert.throws(
    () => readYaml(write('k.yaml', 'a: 1\nb: 2\na: 3\n')),
    /k\.yaml: expected YAML, found: Map keys must be unique at line 3/,
  )
  assert.throws(
    () => readJson('/dev/zero'),
    /^Error: \/dev\/zero: expected a file, found a pipe or a device$/,
  )
})
