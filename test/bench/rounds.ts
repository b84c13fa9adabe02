/** Interleaved timing: in every round each contestant has one turn; each round starts with the next contestant. */
import { quantile } from 'simple-statistics'
import type { Answer, Request, Work } from './protocol'
import { type Device, isCompiled, type Side, type Sides } from './workers'

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
  /** Seconds in which a side that compiles must be ready for its first turn; if it is not, it is left out. */
  readonly patience: number
  /** Ends the race, and the process that is at work. */
  readonly limit?: AbortSignal
  readonly onProgress: (text: string) => void
}

/** Relative differences of the first loss, or of the logits' mean size, that rounding explains; a card uses TF32 for float32. */
const AGREEMENT = {
  cpu: { float32: 1e-3, bfloat16: 0.05, float16: 0.01 },
  cuda: { float32: 0.01, bfloat16: 0.05, float16: 0.01 },
} as const

export interface Race {
  readonly timed: readonly Timed[]
  /** Contestants that were left out, each with the reason. */
  readonly missing: readonly string[]
}

interface Entry {
  readonly contestant: Contestant
  readonly key: string
  readonly firsts: readonly number[]
  readonly iterations: number
  readonly turns: number[]
}

/** Asks the processes of a side, all teams' at the same time. */
function askAll<O extends Request['op']>(
  teams: readonly Sides[],
  side: Side,
  request: Extract<Request, { op: O }>,
  limit: AbortSignal | undefined,
): Promise<Answer<O>[]> {
  return Promise.all(teams.map((sides) => sides[side].ask(request, limit)))
}

/**
 * Prepares all contestants on one problem, checks that they compute the same, and times them round by round. One whose side
 * compiles is left out where the compiler fails, or needs too long.
 * @param teams one process of each side, or several, which then take their turns at the same time
 * @throws Error when a contestant's first result differs from the first contestant's of the same kind
 */
export async function race(
  teams: readonly Sides[],
  file: string,
  contestants: readonly Contestant[],
  options: RoundOptions,
): Promise<Race> {
  const { device, rounds, limit, onProgress } = options
  const { entries, missing } = await prepareAll(teams, file, contestants, options)
  checkAgreement(entries, AGREEMENT[device])
  for (let round = 0; round < rounds; round++) {
    onProgress(`round ${round + 1} of ${rounds}`)
    for (let i = 0; i < entries.length; i++) {
      const { contestant, key, iterations, turns } = entries[(i + round) % entries.length]!
      const answers = await askAll(teams, contestant.side, { op: 'run', key, iterations }, limit)
      const rates = answers.map(({ seconds }) => 1 / spread(seconds).median)
      turns.push(1 / rates.reduce((sum, rate) => sum + rate))
    }
  }
  for (const { contestant, key } of entries)
    await askAll(teams, contestant.side, { op: 'release', key }, limit)
  const timed = entries.map(({ contestant, firsts, turns }) => ({
    ...contestant,
    first: firsts[0]!,
    rounds: turns,
    seconds: spread(turns),
  }))
  return { timed, missing }
}

async function prepareAll(
  teams: readonly Sides[],
  file: string,
  contestants: readonly Contestant[],
  { secondsPerTurn, patience, limit, onProgress }: RoundOptions,
): Promise<{ entries: readonly Entry[]; missing: readonly string[] }> {
  const prepare = async (contestant: Contestant, key: string, signal = limit): Promise<Entry> => {
    onProgress(`preparing ${contestant.name}`)
    const request = { op: 'prepare', key, file, ...contestant.work } as const
    const prepared = await askAll(teams, contestant.side, request, signal)
    const fastest = Math.min(...prepared.flatMap(({ seconds }) => seconds))
    return {
      ...{ contestant, key, turns: [] },
      firsts: prepared.map(({ first }) => first),
      iterations: Math.max(1, Math.ceil(secondsPerTurn / fastest)),
    }
  }
  const entries: Entry[] = []
  const missing: string[] = []
  for (const [i, contestant] of contestants.entries()) {
    const late = isCompiled(contestant.side) ? AbortSignal.timeout(Math.round(1000 * patience)) : undefined
    try {
      entries.push(await prepare(contestant, String(i), AbortSignal.any([late, limit].filter(isGiven))))
    } catch (error) {
      limit?.throwIfAborted()
      if (!late) throw error
      const reason = late.aborted
        ? `not ready after ${patience.toFixed(0)} seconds of compiling`
        : inOneLine(error)
      missing.push(`${contestant.name}: ${reason}`)
      onProgress(missing.at(-1) ?? '')
      if (!late.aborted) continue
      // Its process was ended, and with it what was prepared there; the compilers keep on disk what they have compiled.
      for (const [at, { contestant: other, key }] of entries.entries())
        if (other.side === contestant.side) entries[at] = await prepare(other, key)
    }
  }
  return { entries, missing }
}

const isGiven = <T>(value: T | undefined): value is T => value !== undefined

/** The first line of an error's message. */
const inOneLine = (error: unknown) =>
  (error instanceof Error ? error.message : String(error)).split('\n', 1)[0]!

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
