import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { weightSchema } from '../../lib/trial'
import { parameter } from '../../lib/workbench/parameter'

afterEach(() => {
  delete process.env.WORKBOOK_LAMBDA
})
const lambda = (text: string) => {
  process.env.WORKBOOK_LAMBDA = text
  return parameter('lambda', weightSchema)
}

test('a parameter comes from the environment as JSON, and is undefined where it is not set', () => {
  assert.equal(parameter('lambda', weightSchema), undefined)
  assert.equal(lambda(''), undefined)
  assert.equal(lambda('3'), 3)
  assert.deepEqual(lambda('{"ratio": 0.3}'), { ratio: 0.3 })
})

test('a parameter of another kind is an error that names it', () => {
  assert.throws(
    () => lambda('three'),
    /^Error: WORKBOOK_LAMBDA: expected a number or other JSON, found three$/,
  )
  assert.throws(() => lambda('-1'), /^Error: WORKBOOK_LAMBDA: expected a number of at least 0, found -1$/)
})
