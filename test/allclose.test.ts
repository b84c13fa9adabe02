import assert from 'node:assert/strict'
import { test } from 'node:test'
import { allclose } from './allclose'

const message = (text: string | RegExp) => ({ name: 'AssertionError', message: text })

test('numbers within both tolerances together are close, those beyond are not', () => {
  allclose(101.5, 100, { rtol: 0.01, atol: 0.5 })
  allclose(-98.5, -100, { rtol: 0.01, atol: 0.5 })
  assert.throws(
    () => allclose(102, 100, { rtol: 0.01, atol: 0.5 }),
    message(
      'values: expected 100, found 102; they differ by 2, and 1.5 is allowed (1 of 1 numbers are too far apart)',
    ),
  )
  assert.throws(() => allclose(1, 1 + 2 ** -52, {}), /they differ by 2.2/)
})

test('lists, typed arrays and lists of them are compared element by element, and the worst one is named with its place', () => {
  allclose(Float32Array.of(1, 2), [1, 2], {})
  allclose([[1], Float64Array.of(2, 3)], [Int32Array.of(1), [2, 3]], {})
  assert.throws(
    () =>
      allclose(
        [[1, 2.5], Float64Array.of(3, 7)],
        [
          [1, 2],
          [3, 4],
        ],
        { atol: 0.1, what: 'boxes' },
      ),
    message(
      'boxes[1][1]: expected 4, found 7; they differ by 3, and 0.1 is allowed (2 of 4 numbers are too far apart)',
    ),
  )
})

test('different lengths and different forms are not close', () => {
  assert.throws(() => allclose([1, 2], [1, 2, 3], { atol: 9 }), /values: number of elements/)
  assert.throws(
    () => allclose([1, [2]], [1, 2], { atol: 9 }),
    message('values[1]: expected 2, found a list of 1'),
  )
})

test('infinity and NaN are close only to themselves, whatever the tolerance', () => {
  const { POSITIVE_INFINITY: infinity, NEGATIVE_INFINITY: less, NaN: nothing } = Number
  allclose([infinity, less, nothing], [infinity, less, nothing], {})
  for (const [actual, expected] of [
    [infinity, less],
    [1, infinity],
    [infinity, 1],
    [nothing, 1],
    [1, nothing],
  ] as const)
    assert.throws(() => allclose(actual, expected, { rtol: 1, atol: 1e9 }), /too far apart/)
})
