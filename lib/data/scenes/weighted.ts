import type { Random } from '../../base'

/** A random index, with probability proportional to its weight. */
export function weighted(random: Random, weights: readonly number[]): number {
  let u = random.next() * weights.reduce((sum, weight) => sum + weight, 0)
  for (let i = 0; i < weights.length; i++) {
    u -= weights[i]!
    if (u < 0) return i
  }
  return weights.length - 1
}
