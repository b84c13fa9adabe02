import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { assigned, changesBetween, readVariant } from '../../lib/base'

const folder = mkdtempSync(path.join(tmpdir(), 'variant-'))
after(() => rmSync(folder, { recursive: true }))

const put = (name: string, text: string): string => {
  const file = path.join(folder, `${name}.yaml`)
  writeFileSync(file, text)
  return file
}
const fileOf = (name: string) => path.join(folder, `${name}.yaml`)

const base = put(
  'base',
  'steps: 5\nrecipe: { rate: 0.1, augment: { flip: 0.5 } }\narms: [{ w: 1 }, { w: 2 }]\n',
)

test('a file without extends stays as it is, without changes', () => {
  assert.deepEqual(readVariant(base, fileOf), {
    content: { steps: 5, recipe: { rate: 0.1, augment: { flip: 0.5 } }, arms: [{ w: 1 }, { w: 2 }] },
    changes: [],
  })
})

test('mappings are merged key by key, lists replaced as a whole, null removes a key; all are listed as changes', () => {
  const mine = put(
    'mine',
    'extends: base\nrecipe: { rate: 0.2, augment: null, clip: 35 }\narms: [{ w: 9 }]\n',
  )
  assert.deepEqual(readVariant(mine, fileOf), {
    content: { steps: 5, recipe: { rate: 0.2, clip: 35 }, arms: [{ w: 9 }] },
    changes: [
      { key: 'recipe.rate', from: 0.1, to: 0.2 },
      { key: 'recipe.augment', from: { flip: 0.5 }, to: undefined },
      { key: 'recipe.clip', from: undefined, to: 35 },
      { key: 'arms', from: [{ w: 1 }, { w: 2 }], to: [{ w: 9 }] },
    ],
  })
})

test('a list takes over entries of the one that it replaces by their names; other texts stay as they are', () => {
  put('named', 'references: [a]\narms: [{ name: a, w: 1 }, { name: b, w: 2 }]\n')
  const mine = put('names', 'extends: named\nreferences: [b]\narms: [b, { name: c, w: 3 }, d]\n')
  const { content } = readVariant(mine, fileOf)
  assert.deepEqual(content, { references: ['b'], arms: [{ name: 'b', w: 2 }, { name: 'c', w: 3 }, 'd'] })
  assert.deepEqual(readVariant(fileOf('named'), fileOf, ['arms=[b]']).content, {
    references: ['a'],
    arms: [{ name: 'b', w: 2 }],
  })
})

test('in a chain of documents the changes are relative to the outermost base', () => {
  put('middle', 'extends: base\nsteps: 6\n')
  const top = put('top', 'extends: middle\nrecipe: { rate: 0.3 }\n')
  assert.deepEqual(readVariant(top, fileOf, ['steps=7']).changes, [
    { key: 'steps', from: 5, to: 7 },
    { key: 'recipe.rate', from: 0.1, to: 0.3 },
  ])
})

test('a circle of extends is named, and so is an invalid name', () => {
  put('a', 'extends: b\n')
  put('b', 'extends: a\n')
  assert.throws(
    () => readVariant(fileOf('a'), fileOf),
    /a\.yaml: expected "extends" to end somewhere, found a circle: a\.yaml > b\.yaml > a\.yaml/,
  )
  assert.throws(
    () => readVariant(put('list', 'extends: [base]\n'), fileOf),
    /list\.yaml: at "extends": expected the name of a document, found \["base"\]/,
  )
})

test('an assignment reaches keys in mappings and lists, with any YAML value', () => {
  const document = { recipe: { rate: 1 }, arms: [{ w: 1 }, { w: 2 }] }
  assert.deepEqual(assigned(document, 'recipe.rate=2e-3'), { ...document, recipe: { rate: 0.002 } })
  assert.deepEqual(assigned(document, 'arms[1].w={ ratio: 0.5 }'), {
    ...document,
    arms: [{ w: 1 }, { w: { ratio: 0.5 } }],
  })
  assert.deepEqual(assigned(document, 'seeds=[1, 2]'), { ...document, seeds: [1, 2] })
  assert.deepEqual(assigned(document, 'data.splits.train=8'), { ...document, data: { splits: { train: 8 } } })
  assert.deepEqual(assigned(document, 'recipe.rate=null'), { ...document, recipe: {} })
  assert.deepEqual(document, { recipe: { rate: 1 }, arms: [{ w: 1 }, { w: 2 }] })
})

test('an impossible assignment is named', () => {
  for (const wrong of ['steps', '=3', 'a..b=1', 'a[x]=1'])
    assert.throws(() => assigned({}, wrong), /--set .*: expected key=value, such as/)
  assert.throws(
    () => assigned({ arms: [1] }, 'arms[1]=2'),
    /--set arms\[1\]=2: expected a list with an entry \[1\], found a list of 1/,
  )
  assert.throws(() => assigned({ arms: 3 }, 'arms[0]=2'), /expected a list with an entry \[0\], found 3/)
  assert.throws(() => assigned({}, 'a={'), /--set a=\{: expected a value in YAML after "=", found \{/)
})

test('a key called __proto__ is a key like any other', () => {
  const changed = assigned(JSON.parse('{"classes":{"car":1}}'), 'classes.__proto__=2')
  assert.equal(JSON.stringify(changed), '{"classes":{"car":1,"__proto__":2}}')
  assert.deepEqual(changesBetween(JSON.parse('{}'), JSON.parse('{"__proto__":1}')), [
    { key: '__proto__', from: undefined, to: 1 },
  ])
})
