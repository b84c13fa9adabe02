import assert from 'node:assert/strict'
import { test } from 'node:test'
import { learningRate, scheduleSchema, warmUpSchema } from '../../lib/train'
import { allclose } from '../allclose'
import oracle from './oracle/restarts.json'

const WARM = { steps: 0, from: 0.1 }

const close = (actual: number, expected: number) => allclose(actual, expected, { rtol: 1e-12 })

test('cosine: the full rate at first, the middle half way, almost the final fraction at the end', () => {
  const schedule = { kind: 'cosine', rate: 0.04, final: 0.01 } as const
  const at = (step: number) => learningRate(schedule, WARM, { step, steps: 100, stepsPerEpoch: 7 })
  close(at(0), 0.04)
  close(at(50), 0.04 * (0.01 + 0.99 / 2))
  // cos(pi / 4) = 1 / sqrt(2)
  close(at(25), 0.04 * (0.01 + (0.99 * (1 + Math.SQRT1_2)) / 2))
  close(at(99), 0.04 * (0.01 + (0.99 * (1 + Math.cos(0.99 * Math.PI))) / 2))
  for (let step = 1; step < 100; step++) assert.ok(at(step) < at(step - 1))
})

test('poly: (1e-3 - 1e-6) (1 - e / 100)^0.9 + 1e-6 by whole epochs, as published', () => {
  const schedule = scheduleSchema.parse({ kind: 'poly', rate: 1e-3, epochs: 100 })
  const at = (step: number) => learningRate(schedule, WARM, { step, steps: 31_200, stepsPerEpoch: 312 })
  close(at(0), 1e-3)
  close(at(311), 1e-3)
  // 0.5^0.9 = 0.5358867312681466
  close(at(312), 0.000999 * 0.99 ** 0.9 + 1e-6)
  close(at(50 * 312), 0.000999 * 0.5358867312681466 + 1e-6)
  close(at(50 * 312 + 311), at(50 * 312))
  // 0.01^0.9 = 10^-1.8
  close(at(31_199), 0.000999 * 10 ** -1.8 + 1e-6)
  close(at(31_200), 1e-6)
  close(at(40_000), 1e-6)
})

test('a cosine over fewer steps stays at its final fraction, and one over more is cut off', () => {
  const at = (step: number, over: number) =>
    learningRate({ kind: 'cosine', rate: 1, final: 0.1, over }, WARM, { step, steps: 100, stepsPerEpoch: 7 })
  close(at(20, 40), 0.55)
  for (const step of [40, 41, 99]) close(at(step, 40), 0.1)
  close(at(100, 200), 0.55)
})

test("warm restarts are PyTorch's", () => {
  for (const { factor, rates } of oracle.cycles) {
    const schedule = scheduleSchema.parse({
      kind: 'restarts',
      rate: oracle.rate,
      period: oracle.period,
      factor,
    })
    rates.forEach((rate, step) => {
      close(learningRate(schedule, WARM, { step, steps: 40, stepsPerEpoch: 7 }), rate)
    })
  }
  // By hand: periods of 5, 10 and 20 begin at steps 0, 5, 15 and 35.
  const [, doubled] = oracle.cycles
  for (const start of [0, 5, 15, 35]) close(doubled!.rates[start]!, 0.4)
  close(doubled!.rates[10]!, 0.4 * (0.01 + 0.99 / 2))
})

test('plateau: the full rate until the decay begins, then half a cosine to the final fraction', () => {
  const schedule = scheduleSchema.parse({ kind: 'plateau', rate: 0.04, decay: 20 })
  const at = (step: number, decayFrom?: number) =>
    learningRate(schedule, WARM, { step, steps: 100, stepsPerEpoch: 7, decayFrom })
  for (const step of [0, 50, 99]) close(at(step), 0.04)
  for (const from of [10, 80]) {
    close(at(from - 1, from), 0.04)
    close(at(from, from), 0.04)
    close(at(from + 10, from), 0.04 * (0.01 + 0.99 / 2))
    close(at(from + 5, from), 0.04 * (0.01 + (0.99 * (1 + Math.SQRT1_2)) / 2))
    close(at(from + 20, from), 0.04 * 0.01)
  }
})

test('warm-up rises linearly from its fraction to the full schedule', () => {
  const schedule = { kind: 'poly', rate: 1, floor: 0, power: 1, epochs: 10 } as const
  const warmUp = { steps: 20, from: 0.1 }
  const at = (step: number) => learningRate(schedule, warmUp, { step, steps: 100, stepsPerEpoch: 10 })
  close(at(0), 0.1)
  close(at(5), 0.325)
  // The second epoch has begun, where the schedule is at 0.9.
  close(at(10), 0.9 * 0.55)
  close(at(19), 0.9 * 0.955)
  close(at(20), 0.8)
})

test('defaults and limits of the options', () => {
  assert.deepEqual(scheduleSchema.parse({ kind: 'cosine', rate: 1 }), {
    kind: 'cosine',
    rate: 1,
    final: 0.01,
  })
  assert.deepEqual(warmUpSchema.parse({ steps: 3 }), { steps: 3, from: 0.1 })
  assert.throws(() => scheduleSchema.parse({ kind: 'step', rate: 1 }), /Invalid discriminator value/)
  assert.throws(() => scheduleSchema.parse({ kind: 'cosine', rate: 0 }), /greater than 0/)
  assert.throws(() => scheduleSchema.parse({ kind: 'cosine', rate: 1, floor: 0 }), /Unrecognized key.*floor/s)
})

test('an impossible schedule, warm-up or position in the run is refused by name', () => {
  const cosine = { kind: 'cosine', rate: 0.04, final: 0.01 } as const
  const at = { step: 0, steps: 10, stepsPerEpoch: 1 }
  assert.throws(
    () => learningRate({ ...cosine, rate: 0 }, WARM, at),
    /learningRate: at "schedule\.rate": expected a number above 0, found 0/,
  )
  assert.throws(
    () => learningRate(cosine, { steps: 2, from: 2 }, at),
    /at "warmUp\.from": expected a number of at most 1/,
  )
  assert.throws(
    () => learningRate(cosine, WARM, { ...at, steps: 0 }),
    /at "steps": expected a number above 0, found 0/,
  )
  assert.throws(
    () => learningRate(cosine, WARM, { ...at, step: -1 }),
    /at "step": expected a number of at least 0, found -1/,
  )
})
