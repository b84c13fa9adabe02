/** How far a trial prunes, as slimming counts it. */
import type { z } from 'zod'
import { complexity, layersOf, type NetworkSpec } from '../detector'
import { gammaOf, type PruningOptions, planPruning, prunableGammas } from '../slimming'
import type { pruneSchema } from './recipe'

type Prune = z.infer<typeof pruneSchema>

/** The rules of a pruning without its budget. */
export function rulesOf({ floor, cap, multiple, shared, prunable = 'backbone' }: Prune) {
  return { floor, cap, multiple, shared, prunable }
}

/** A pruning of a network to a share of its MACs or parameters. */
export function budgetOf(network: NetworkSpec, options: Prune): PruningOptions {
  const whole = complexity(network)
  const { macs, parameters } = options
  const budget =
    macs !== undefined
      ? { of: 'macs' as const, atMost: (whole.macs * (100 * macs)) / 100 }
      : { of: 'parameters' as const, atMost: whole.parameters * parameters! }
  return { ...rulesOf(options), budget }
}

/**
 * Checks that a network can become as small as asked, which is so whatever its scales are. A budget in milliseconds, or after
 * blocks have been taken out, can only be checked by pruning.
 *
 * @throws Error if even the smallest network that the bounds allow is above the budget
 */
export function checkPrunable(network: NetworkSpec, options: Prune): void {
  if (options.milliseconds !== undefined || options.blocks !== undefined) return
  const widths = layersOf(network).layers.map(({ name, out }) => [gammaOf(name), out] as const)
  const gammas = prunableGammas(network, options.prunable)
  const even = widths.filter(([name]) => gammas.has(name))
  planPruning(
    network,
    new Map(even.map(([name, width]) => [name, { values: new Float32Array(width).fill(1) }])),
    budgetOf(network, options),
  )
}
