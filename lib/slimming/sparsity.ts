import type { Gammas } from './plan'

/**
 * The s of sparsity training, gradient(gamma) += s * sign(gamma), at which the L1 term alone moves a scale by
 * `distance` over a training: SGD with momentum m and learning rates r_t moves it by s * sum(r_t) / (1 - m). The
 * published 1e-3 belongs to the published schedule; another one needs another s for the same effect.
 *
 * @param distance above 0; trained scales start at 1
 * @param rates the learning rate of every step
 */
export function sparsityStrength(distance: number, rates: Iterable<number>, momentum: number): number {
  let sum = 0
  for (const rate of rates) sum += rate
  const strength = (distance * (1 - momentum)) / sum
  if (!(strength > 0) || !Number.isFinite(strength)) {
    throw new Error(
      `sparsity strength: expected a distance above 0, learning rates with a sum above 0 and a momentum below 1, ` +
        `found ${distance}, ${sum} and ${momentum}`,
    )
  }
  return strength
}

/** Bins of the histogram. */
export interface GammaHistogramOptions {
  /** Number of bins of equal width. */
  readonly bins?: number
  /** Upper end of the last bin, which also takes what lies above; give one for all when several are compared. */
  readonly max?: number
}

/** How large the batch-norm scales are. */
export interface GammaHistogram {
  /** Borders of the bins on |gamma|, from 0 to max: one more than there are bins. */
  readonly edges: readonly number[]
  /** Numbers of channels by bin, of all layers together and of each. */
  readonly counts: readonly number[]
  readonly byLayer: ReadonlyMap<string, readonly number[]>
  /** |gamma| below which 5, 25, 50, 75 and 95 % of the channels lie (linear interpolation). */
  readonly quantiles: readonly number[]
}

const QUANTILES = [0.05, 0.25, 0.5, 0.75, 0.95]

/**
 * How |gamma| is spread over the channels.
 *
 * @param weights all weights of a network, or its scales alone
 * @param gammas names of the scales, from `prunableGammas`
 */
export function gammaHistogram(
  weights: Gammas,
  gammas: ReadonlySet<string>,
  options: GammaHistogramOptions = {},
): GammaHistogram {
  const sizes = new Map(
    [...gammas].map((name) => {
      const found = weights.get(name)
      if (!found) throw new Error(`${name}: expected in the weights, found none`)
      return [name, Array.from(found.values, Math.abs)]
    }),
  )
  const sorted = [...sizes.values()].flat().sort((a, b) => a - b)
  const { bins = 40, max = sorted.at(-1) || 1 } = options
  if (sorted.length === 0 || !Number.isInteger(bins) || bins < 1 || !(max > 0)) {
    throw new Error(
      `gamma histogram: expected scales, a whole number of bins and max above 0, found ${sorted.length} scales, ` +
        `bins = ${bins} and max = ${max}`,
    )
  }
  const count = (values: readonly number[]) => {
    const counts = new Array<number>(bins).fill(0)
    for (const value of values) counts[Math.min(bins - 1, Math.floor((value / max) * bins))]!++
    return counts
  }
  const quantile = (share: number) => {
    const at = share * (sorted.length - 1)
    const [low, high] = [sorted[Math.floor(at)]!, sorted[Math.ceil(at)]!]
    return low + (high - low) * (at % 1)
  }
  return {
    edges: Array.from({ length: bins + 1 }, (_, i) => (i * max) / bins),
    counts: count(sorted),
    byLayer: new Map([...sizes].map(([name, values]) => [name.replace(/\/gamma$/, ''), count(values)])),
    quantiles: QUANTILES.map(quantile),
  }
}
