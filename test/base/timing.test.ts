import assert from 'node:assert/strict'
import { test } from 'node:test'
import { latencyFrom, timeInTurns } from '../../lib/base'

test('contenders take turns, a call each, and every round starts with the next; the warm-up is not timed', () => {
  const seen: string[] = []
  const contender = (name: string) => (call: number) => void seen.push(`${name}${call}`)
  const times = timeInTurns([contender('a'), contender('b')], { calls: 2, warmUp: 1 })
  assert.deepEqual(seen, ['a0', 'b0', 'b1', 'a1', 'a2', 'b2'])
  assert.deepEqual(
    times.map(({ length }) => length),
    [2, 2],
  )
})

test('a latency is the median and the 95th percentile', () => {
  const { median, p95 } = latencyFrom(Array.from({ length: 101 }, (_, i) => 100 - i))
  assert.equal(median, 50)
  assert.equal(p95, 95)
})

test('an aborted timing stops before its next call', () => {
  const abort = new AbortController()
  let calls = 0
  const stopping = () => {
    calls++
    abort.abort(new Error('stopped'))
  }
  assert.throws(() => timeInTurns([stopping], { calls: 5, warmUp: 0, signal: abort.signal }), /stopped/)
  assert.equal(calls, 1)
})
