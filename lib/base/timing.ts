/** How long calls take, as one who waits for each of them sees it. */
import { quantile } from 'simple-statistics'

/** Milliseconds of a call. */
export interface Latency {
  readonly median: number
  /** 95th percentile. */
  readonly p95: number
}

/** How long calls are timed in turns. */
export interface TimingOptions {
  /** Timed calls of each. */
  readonly calls: number
  /** Calls of each before, without a clock, in which kernels are chosen and caches filled. */
  readonly warmUp: number
  readonly signal?: AbortSignal
}

/**
 * Milliseconds of each call: one after another, several contenders in turns, a call each, so that what the machine does meanwhile
 * meets all alike; every round starts with the next one.
 *
 * @param contenders each does a call's whole work before it returns; it is told the call's number, from 0 in the warm-up on
 * @returns times by contender, in the order of its calls
 * @throws the signal's reason when it aborts
 */
export function timeInTurns(
  contenders: readonly ((call: number) => void)[],
  { calls, warmUp, signal }: TimingOptions,
): number[][] {
  const times = contenders.map((): number[] => [])
  for (let call = 0; call < warmUp + calls; call++) {
    signal?.throwIfAborted()
    for (let turn = 0; turn < contenders.length; turn++) {
      const i = (turn + call) % contenders.length
      const start = performance.now()
      contenders[i]!(call)
      if (call >= warmUp) times[i]!.push(performance.now() - start)
    }
  }
  return times
}

/** Median and 95th percentile of times; linear between neighbours. */
export function latencyFrom(times: readonly number[]): Latency {
  return { median: quantile([...times], 0.5), p95: quantile([...times], 0.95) }
}
