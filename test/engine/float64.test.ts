import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inFloat64, nativeBackend, tf } from '../../lib/engine'

/** Doubles of all sizes, signs and special values; a linear congruential generator. */
function doubles(count: number, seed: number): Float64Array {
  let state = seed >>> 0
  const next = () => {
    state = (Math.imul(1664525, state) + 1013904223) >>> 0
    return state / 4294967296
  }
  const special = [0, -0, 1, -1, 1 / 3, Number.MAX_VALUE, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  return Float64Array.from({ length: count }, (_, i) =>
    i < special.length
      ? special[i]!
      : (next() - 0.5 + next() * 2 ** -32) * 10 ** Math.floor(60 * next() - 30),
  )
}

/** Bit for bit, NaN of any kind included. */
function same(found: Float64Array, expected: Float64Array, what: string): void {
  assert.equal(found.length, expected.length)
  found.forEach((value, i) => {
    assert.ok(Object.is(value, expected[i]), `${what}, ${i}: expected ${expected[i]}, found ${value}`)
  })
}

test("the device's doubles are JavaScript's, to the last bit", () => {
  const a = doubles(20000, 1)
  const b = doubles(20000, 2).reverse()
  const each = (f: (x: number, y: number) => number) => a.map((x, i) => f(x, b[i]!))
  inFloat64((device) => {
    const [x, y] = [device.upload(a), device.upload(b)]
    same(device.read(x), a, 'there and back')
    same(
      device.read(device.add(x, y)),
      each((p, q) => p + q),
      'add',
    )
    same(
      device.read(device.subtract(x, y)),
      each((p, q) => p - q),
      'subtract',
    )
    same(
      device.read(device.multiply(x, y)),
      each((p, q) => p * q),
      'multiply',
    )
    same(
      device.read(device.divide(x, y)),
      each((p, q) => (q === 0 ? 0 : p / q)),
      'divide',
    )
    same(device.read(device.maximum(x, y)), each(Math.max), 'maximum')
    same(device.read(device.minimum(x, y)), each(Math.min), 'minimum')
    const mixed = each((p, q) => (p > 0 ? p : q))
    const picked = device.select(device.equal(x, device.upload(mixed)), y, x)
    same(
      device.read(picked),
      each((p, q) => (p > 0 ? q : p)),
      'select',
    )
  })
})

test('float32 tensors are widened exactly, and results are rounded once', () => {
  const [third, small] = [Math.fround(1 / 3), 2 ** -30]
  const x = tf.tensor2d([[third, 1, -0]])
  const narrowed = inFloat64((device) => {
    const wide = device.widen(x)
    assert.deepEqual(wide.shape, [1, 3])
    const sum = device.add(wide, device.upload(Float64Array.of(small)))
    same(device.read(sum), Float64Array.of(third + small, 1 + small, small), 'sum')
    return device.narrow(device.compute('Sqrt', [sum]))
  })
  assert.deepEqual(
    [...narrowed.dataSync()],
    [third + small, 1 + small, small].map(Math.sqrt).map(Math.fround),
  )
  tf.dispose([x, narrowed])
})

test('descending order: exact where float32 sees ties, equal values by ascending number', () => {
  const close = Float64Array.from({ length: 300 }, (_, i) => 0.5 + ((i * 7) % 5) * 2 ** -50)
  const values = Float64Array.from([...close, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, 0.5])
  const expected = [...values.keys()].sort((i, j) => values[j]! - values[i]! || i - j)
  const found = inFloat64((device) => device.readIndices(device.descending(device.upload(values))))
  assert.deepEqual([...found], expected)
})

test('gathering, and rows', () => {
  inFloat64((device) => {
    const table = device.upload(Float64Array.of(1, 2, 3, 4, 5, 6), [2, 3])
    const picked = device.gather(table, device.indices(Int32Array.of(2, 0, 2, 2)), 1)
    assert.deepEqual(picked.shape, [2, 4])
    const [first, second] = device.rows(picked)
    assert.deepEqual([...device.read(first!)], [3, 1, 3, 3])
    assert.deepEqual([...device.read(second!)], [6, 4, 6, 6])
  })
})

test('a scope frees what was made in it, even when it throws', () => {
  const count = () => nativeBackend().binding.getNumOfTensors()
  const before = count()
  inFloat64((device) => {
    const x = device.upload(Float64Array.of(1, 2))
    device.free(device.add(x, x))
    device.multiply(x, x)
    device.read(x)
    assert.equal(count(), before + 2)
  })
  assert.equal(count(), before)
  assert.throws(() =>
    inFloat64((device) =>
      device.add(device.upload(Float64Array.of(1, 2)), device.upload(Float64Array.of(1, 2, 3))),
    ),
  )
  assert.equal(count(), before)
})
