import { createHash } from 'node:crypto'
import prand, { type RandomGenerator } from 'pure-rand'

/**
 * Reproducible random numbers (xoroshiro128+). A key names a stream: the same key gives the same numbers on every
 * machine, and streams of different keys are independent. So an image's augmentation depends on (seed, epoch, index)
 * and never on the number of workers.
 */
export class Random {
  private readonly generator: RandomGenerator

  constructor(...key: readonly (number | string)[]) {
    const digest = createHash('sha256').update(JSON.stringify(key)).digest()
    const state = [0, 4, 8, 12].map((offset) => digest.readInt32LE(offset))
    this.generator = prand.xoroshiro128plus.fromState(state)
  }

  /** Uniform in [0, 1), 32 bits. */
  next(): number {
    return (this.generator.unsafeNext() >>> 0) / 4294967296
  }

  /** Uniform in [low, high). */
  uniform(low: number, high: number): number {
    return low + (high - low) * this.next()
  }

  /** Uniform integer in [0, count). */
  integer(count: number): number {
    return Math.floor(this.next() * count)
  }

  /** Standard normal (Box-Muller). */
  normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.next())) * Math.cos(2 * Math.PI * this.next())
  }

  /** True with the given probability. */
  chance(probability: number): boolean {
    return this.next() < probability
  }

  /** One of the items, all equally likely. */
  pick<T>(items: readonly T[]): T {
    if (items.length === 0) throw new RangeError('Random.pick: expected at least one item, found none')
    return items[this.integer(items.length)] as T
  }

  /** The numbers 0 .. count - 1 in random order (Fisher-Yates). */
  permutation(count: number): Int32Array {
    const order = Int32Array.from({ length: count }, (_, i) => i)
    for (let i = count - 1; i > 0; i--) {
      const j = this.integer(i + 1)
      const kept = order[i]!
      order[i] = order[j]!
      order[j] = kept
    }
    return order
  }
}
