import assert from 'node:assert/strict'
import { test } from 'node:test'
import { contestants } from './parts'
import type { Request } from './protocol'
import { race } from './rounds'
import { SIDES, type Side, type Sides } from './workers'

const OPTIONS = { device: 'cpu', rounds: 2, secondsPerTurn: 0, patience: 60, onProgress: () => {} } as const
const FIELD = contestants(
  { network: 'teacher', kind: 'training' },
  ['float32', 'bfloat16'],
  ['PyTorch compiled'],
)

/** Processes of which each answers as `compiled` says for its side that compiles, and at once for the others. */
function sidesOf(
  asked: string[],
  compiled: (request: Request, limit: AbortSignal | undefined) => Promise<object>,
): Sides {
  const fine = (request: Request) =>
    Promise.resolve(request.op === 'prepare' ? { first: 1, seconds: [1] } : { seconds: [1] })
  const ask = (side: Side) => (request: Request, limit?: AbortSignal) => {
    asked.push(`${side} ${request.op} ${'key' in request ? request.key : ''}`)
    return side === 'PyTorch compiled' && request.op === 'prepare' ? compiled(request, limit) : fine(request)
  }
  return Object.fromEntries(SIDES.map((side) => [side, { ask: ask(side) }])) as unknown as Sides
}

test('a contestant whose compiler fails is left out with the reason, and the others race', async () => {
  const sides = sidesOf([], () => Promise.reject(new Error('no C++ compiler\nand more')))
  const { timed, missing } = await race([sides], 'file', FIELD, OPTIONS)
  assert.equal(timed.length, 6)
  assert.deepEqual(missing, [
    'PyTorch float32 compiled, teacher training: no C++ compiler',
    'PyTorch bfloat16 compiled, teacher training: no C++ compiler',
  ])
})

test('one that compiles for too long is left out, and what its process had prepared before is prepared again', async () => {
  const asked: string[] = []
  const sides = sidesOf(asked, (request, limit) =>
    'precision' in request && request.precision === 'float32'
      ? Promise.resolve({ first: 1, seconds: [1] })
      : new Promise((_, reject) => {
          const busy = setInterval(() => {}, 1000)
          limit?.addEventListener('abort', () => {
            clearInterval(busy)
            reject(limit.reason)
          })
        }),
  )
  const { timed, missing } = await race([sides], 'file', FIELD, { ...OPTIONS, patience: 0.01 })
  assert.deepEqual(missing, [
    'PyTorch bfloat16 compiled, teacher training: not ready after 0 seconds of compiling',
  ])
  assert.deepEqual(
    timed.filter(({ side }) => side === 'PyTorch compiled').map(({ name }) => name),
    ['PyTorch float32 compiled, teacher training'],
  )
  const prepared = asked.filter((line) => line.startsWith('PyTorch compiled prepare'))
  assert.deepEqual(
    prepared,
    ['3', '7', '3'].map((key) => `PyTorch compiled prepare ${key}`),
  )
})

test('a contestant that computes something else stops the race', async () => {
  const sides = sidesOf([], () => Promise.resolve({ first: 2, seconds: [1] }))
  await assert.rejects(
    race([sides], 'file', FIELD, OPTIONS),
    /expected PyTorch float32 compiled, .* found 2 instead of 1/,
  )
})
