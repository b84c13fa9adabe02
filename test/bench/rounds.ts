/** Interleaved timing: in every round each contestant has one turn; each round starts with the next contestant. */
import { quantile } from 'simple-statistics'
import type { Answer, Request, Work } from './protocol'
import type { Device, Side, Sides } from './workers'

export interface Spread {
  readonly median: number
  readonly low: number
  readonly high: number
}

/** Median and quartiles. */
export function spread(values: readonly number[]): Spread {
  const [low = Number.NaN, median = Number.NaN, high = Number.NaN] = quantile([...values], [0.25, 0.5, 0.75])
  return { low, median, high }
}

export interface Contestant {
  readonly name: string
  readonly side: Side
  readonly work: Work
}

export interface Timed extends Contestant {
  /** Seconds of a step, the median of each round's turn; of processes side by side, the time in which they do one step together. */
  readonly rounds: readonly number[]
  readonly seconds: Spread
  /** The number of the first run on which all processes of both sides must agree. */
  readonly first: number
}

export interface RoundOptions {
  readonly device: Device
  readonly rounds: number
  /** A turn repeats its step until it has lasted about this long. */
  readonly secondsPerTurn: number
  readonly onProgress: (text: string) => void
}

/** Relative differences of the first loss, or of the logits' mean size, that rounding explains; a card uses TF32 for float32. */
const AGREEMENT = {
  cpu: { float32: 1e-3, bfloat16: 0.05, float16: 0.01 },
  cuda: { float32: 0.01, bfloat16: 0.05, float16: 0.01 },
} as const

/**
 * Prepares all contestants on one problem, checks that they compute the same, and times them round by round.
 * @param teams one process of each side, or several, which then take their turns at the same time
 * @throws Error when a contestant's first result differs from the first contestant's of the same kind
 */
export async function race(
  teams: readonly Sides[],
  file: string,
  contestants: readonly Contestant[],
  { device, rounds, secondsPerTurn, onProgress }: RoundOptions,
): Promise<Timed[]> {
  const askAll = <O extends Request['op']>(
    side: Side,
    request: Extract<Request, { op: O }>,
  ): Promise<Answer<O>[]> => Promise.all(teams.map((sides) => sides[side].ask(request)))
  const entries: {
    contestant: Contestant
    key: string
    firsts: readonly number[]
    iterations: number
    turns: number[]
  }[] = []
  for (const [i, contestant] of contestants.entries()) {
    onProgress(`preparing ${contestant.name}`)
    const key = String(i)
    const prepared = await askAll(contestant.side, { op: 'prepare', key, file, ...contestant.work })
    const fastest = Math.min(...prepared.flatMap(({ seconds }) => seconds))
    entries.push({
      contestant,
      key,
      firsts: prepared.map(({ first }) => first),
      iterations: Math.max(1, Math.ceil(secondsPerTurn / fastest)),
      turns: [],
    })
  }
  checkAgreement(entries, AGREEMENT[device])
  for (let round = 0; round < rounds; round++) {
    onProgress(`round ${round + 1} of ${rounds}`)
    for (let i = 0; i < entries.length; i++) {
      const { contestant, key, iterations, turns } = entries[(i + round) % entries.length]!
      const answers = await askAll(contestant.side, { op: 'run', key, iterations })
      const rates = answers.map(({ seconds }) => 1 / spread(seconds).median)
      turns.push(1 / rates.reduce((sum, rate) => sum + rate))
    }
  }
  for (const { contestant, key } of entries) await askAll(contestant.side, { op: 'release', key })
  return entries.map(({ contestant, firsts, turns }) => ({
    ...contestant,
    first: firsts[0]!,
    rounds: turns,
    seconds: spread(turns),
  }))
}

function checkAgreement(
  entries: readonly { contestant: Contestant; firsts: readonly number[] }[],
  agreement: { readonly [precision in Work['precision']]: number },
): void {
  const task = ({ work }: Contestant) => `${work.network} ${work.kind} ${work.method ?? ''}`
  for (const { contestant, firsts } of entries) {
    const reference = entries.find((other) => task(other.contestant) === task(contestant))!
    const expected = reference.firsts[0]!
    const allowed = agreement[contestant.work.precision]
    const different = firsts.find((first) => !(Math.abs(first - expected) / Math.abs(expected) <= allowed))
    if (different !== undefined) {
      throw new Error(
        `${task(contestant)}: expected ${contestant.name} to compute what ${reference.contestant.name} computes, found ` +
          `${different} instead of ${expected} in the first step; times of different computations cannot be compared`,
      )
    }
  }
}

/** How many times as fast as `reference`, round by round. */
export function timesAsFast(timed: Pick<Timed, 'rounds'>, reference: Pick<Timed, 'rounds'>): Spread {
  return spread(timed.rounds.map((seconds, i) => reference.rounds[i]! / seconds))
}
