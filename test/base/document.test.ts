import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { z } from 'zod'
import { parseDocument, readDocument, readJson, readYaml, unreadable } from '../../lib/base'

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
