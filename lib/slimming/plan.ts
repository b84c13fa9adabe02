import { z } from 'zod'
import { parseDocument } from '../base'
import { complexity, layersOf, type NetworkSpec } from '../detector'
import {
  gammaOf,
  type Kept,
  type MaskGroup,
  maskGroups,
  narrowed,
  type Prunable,
  prunableSchema,
} from './groups'
import { type LatencyOptions, type LatencyTable, latencyOf, measureLatency, measureNetwork } from './latency'

const share = z.number().min(0).max(1)
/** How layers that share a channel agree on its importance. */
const sharedSchema = z.enum(['union', 'mean'])
/** Milliseconds are those of a table that was measured on this machine: see `measureLatency`. */
const budgetSchema = z.enum(['macs', 'parameters', 'milliseconds'])

/** How far to prune: exactly one of a threshold on |gamma|, a ratio of channels, or a budget. */
export const pruningTargetSchema = z.union([
  /** Channels with |gamma| below it go. */
  z
    .object({ threshold: z.number().min(0).finite() })
    .strict(),
  /** Share of the prunable channels that the threshold takes; a shared channel counts once. */
  z
    .object({ ratio: share })
    .strict(),
  z.object({ budget: z.object({ of: budgetSchema, atMost: z.number().positive() }).strict() }).strict(),
  /** Percent of the given network's count. */
  z
    .object({ budget: z.object({ of: budgetSchema, percent: z.number().positive().max(100) }).strict() })
    .strict(),
])

/** How small a network is to become. */
export type PruningTarget = z.infer<typeof pruningTargetSchema>

/** What bounds the threshold's choice in every group, with the defaults that give the published widths' pattern. */
export const pruningRulesSchema = z
  .object({
    /** Least and largest share of a group's channels that stay. */
    floor: share.default(0.05),
    cap: share.default(0.8),
    /** Numbers of channels are rounded up to multiples of it. */
    multiple: z.number().int().positive().default(2),
    /**
     * The importance of a channel that several layers share: the largest of their |gamma| (`union`: it stays when any
     * of the layers would keep it) or their mean.
     */
    shared: sharedSchema.default('union'),
    /** Which layers are pruned. */
    prunable: prunableSchema.default('backbone'),
  })
  .strict()
  .refine(({ floor, cap }) => floor <= cap, 'expected floor <= cap')

/** Bounds within which channels are chosen. */
export type PruningRules = z.infer<typeof pruningRulesSchema>
/** A budget, with rules of which any may be left out. */
export type PruningOptions = PruningTarget & Partial<PruningRules>

/** Scales by weight name; `Weights` is such a map. */
export type Gammas = ReadonlyMap<string, { readonly values: ArrayLike<number> }>

/** Which channels stay. */
export interface PruningPlan {
  /** Indices in the unpruned network, ascending, by mask group. */
  readonly kept: Kept
  /** The threshold on |gamma| that was used. */
  readonly threshold: number
  /** The layers whose groups they are. */
  readonly prunable: Prunable
  /** The pruned architecture. */
  readonly network: NetworkSpec
}

/** A group's channels with their importance. */
export interface ScoredGroup extends MaskGroup {
  readonly scores: Float64Array
}

/** Importance of every prunable unit: |gamma|, joined over the layers that share it, and within a layer over its channels. */
export function scoreGroups(
  network: NetworkSpec,
  gammas: Gammas,
  shared: PruningRules['shared'],
  prunable: Prunable = 'backbone',
): readonly ScoredGroup[] {
  parseDocument({ shared }, z.object({ shared: sharedSchema }), 'pruning options')
  const widths = new Map(layersOf(network).layers.map(({ name, out }) => [name, out]))
  return maskGroups(network, prunable).map((group) => {
    const scores = new Float64Array(group.channels)
    for (const [layer, units] of group.units) {
      const values = gammas.get(gammaOf(layer))?.values
      const width = widths.get(layer)!
      if (values?.length !== width) {
        throw new Error(
          `${gammaOf(layer)}: expected ${width} values as in the given network, found ` +
            `${values ? values.length : 'none'}; pass the weights of that very network`,
        )
      }
      for (const [unit, channels] of units.entries()) {
        for (const c of channels) {
          const size = Math.abs(values[c]!)
          if (!Number.isFinite(size)) {
            throw new Error(`${gammaOf(layer)}[${c}]: expected a finite number, found ${values[c]}`)
          }
          scores[unit] =
            shared === 'union'
              ? Math.max(scores[unit]!, size)
              : scores[unit]! + size / (group.layers.length * channels.length)
        }
      }
    }
    return { ...group, scores }
  })
}

/** Number of channels that stay: `wanted`, within the bounds, rounded up. */
function boundedCount(wanted: number, channels: number, { floor, cap, multiple }: PruningRules): number {
  const bounded = Math.min(Math.max(wanted, floor * channels, 1), Math.max(cap * channels, 1))
  // 0.07 * 100 is a little above 7 in binary; it must not be rounded up to 8.
  return Math.min(channels, Math.ceil(bounded / multiple - 1e-9) * multiple)
}

/** Keeps the given number of channels of every group: the most important ones, of equal ones the first. */
export function planOfCounts(
  network: NetworkSpec,
  groups: readonly ScoredGroup[],
  counts: ReadonlyMap<string, number>,
  { threshold, prunable }: { readonly threshold: number; readonly prunable: Prunable },
): PruningPlan {
  const kept = groups.map(({ name, channels, scores }): [string, number[]] => {
    const order = Array.from({ length: channels }, (_, c) => c).sort(
      (a, b) => scores[b]! - scores[a]! || a - b,
    )
    return [name, order.slice(0, counts.get(name) ?? channels).sort((a, b) => a - b)]
  })
  const byGroup = Object.fromEntries(kept)
  return { kept: byGroup, threshold, prunable, network: narrowed(network, byGroup, prunable) }
}

/**
 * Chooses the channels that stay by one threshold over all prunable layers (Liu et al. 2017, "Learning Efficient
 * Convolutional Networks through Network Slimming", section 3.4): a channel stays when its |gamma| is at least the
 * threshold; the number of a group's channels is then brought between floor and cap and rounded up, and the group
 * keeps that many, the largest |gamma| first.
 *
 * A budget is met by bisection over the thresholds that can make a difference (the values of |gamma|); the result is
 * the largest network on this path whose count is at most the budget.
 *
 * @param gammas the weights of the network, or its batch-norm scales alone
 * @param latency of this network, for a budget in milliseconds
 * @throws Error when a scale is missing or not finite, options are malformed, or even the smallest network that the
 * bounds allow is above the budget
 */
export function planPruning(
  network: NetworkSpec,
  gammas: Gammas,
  options: PruningOptions,
  latency?: LatencyTable,
): PruningPlan {
  const { threshold, ratio, budget, ...rest }: Partial<Record<'threshold' | 'ratio' | 'budget', unknown>> =
    options
  const rules = parseDocument(rest, pruningRulesSchema, 'pruning options')
  const given = Object.entries({ threshold, ratio, budget }).filter(([, value]) => value !== undefined)
  if (given.length !== 1) {
    const found = given.map(([key]) => key).join(' and ') || 'none'
    throw new Error(`pruning options: expected one of threshold, ratio and budget, found ${found}`)
  }
  const target = parseDocument(Object.fromEntries(given), pruningTargetSchema, 'pruning options')
  const groups = scoreGroups(network, gammas, rules.shared, rules.prunable)
  const scores = groups.flatMap((group) => [...group.scores]).sort((a, b) => a - b)
  const above = 2 * (scores.at(-1) || 1)

  const countsAt = (limit: number) =>
    new Map(
      groups.map((group) => {
        const wanted = group.scores.reduce((count, score) => count + (score >= limit ? 1 : 0), 0)
        return [group.name, boundedCount(wanted, group.channels, rules)]
      }),
    )
  const planAt = (limit: number) =>
    planOfCounts(network, groups, countsAt(limit), { threshold: limit, prunable: rules.prunable })
  if ('threshold' in target) return planAt(target.threshold)
  if ('ratio' in target) return planAt(scores[Math.floor(target.ratio * scores.length)] ?? above)

  const count = target.budget.of
  const costOf = (spec: NetworkSpec): number => {
    if (count !== 'milliseconds') return complexity(spec)[count]
    if (latency) return latencyOf(spec, latency)
    throw new Error(
      'pruning options: expected a table of times for a budget in milliseconds, found none; see measureLatency',
    )
  }
  const atMost =
    'atMost' in target.budget ? target.budget.atMost : (costOf(network) * target.budget.percent) / 100
  const costAt = (limit: number) => costOf(planAt(limit).network)
  // Widths never grow with the threshold, so the first threshold within the budget gives the largest network.
  const limits = [...new Set(scores), above]
  const smallest = costAt(above)
  if (smallest > atMost) {
    throw new Error(
      `budget of ${amount(atMost)} ${count}: the smallest network that floor = ${rules.floor} allows has ` +
        `${amount(smallest)}; raise the budget or lower the floor`,
    )
  }
  let [low, high] = [0, limits.length - 1]
  while (low < high) {
    const middle = (low + high) >> 1
    if (costAt(limits[middle]!) <= atMost) high = middle
    else low = middle + 1
  }
  return planAt(limits[low]!)
}

const amount = (cost: number): string => (cost < 100 ? cost.toPrecision(3) : String(Math.floor(cost)))

/** How near to a budget in milliseconds a network is that counts as within it. */
export const LATENCY_TOLERANCE = 0.1
const ATTEMPTS = 5

/**
 * Like `planPruning` with a budget in milliseconds a call (batch 1, this machine): plans by a table of measured layers,
 * measures the pruned network, and plans again with a budget that makes up for what the table missed, until the network takes
 * the budget within `LATENCY_TOLERANCE`. Measured, so not the same on another machine, nor to the last channel on this one.
 *
 * @throws Error when no attempt comes near enough, naming the times
 */
export function planByLatency(
  network: NetworkSpec,
  gammas: Gammas,
  milliseconds: number,
  rules: Partial<PruningRules> = {},
  options: LatencyOptions = {},
): { readonly plan: PruningPlan; readonly milliseconds: number } {
  const table = measureLatency(network, options)
  let atMost = milliseconds
  const found: number[] = []
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    options.signal?.throwIfAborted()
    const plan = planPruning(network, gammas, { ...rules, budget: { of: 'milliseconds', atMost } }, table)
    const taken = measureNetwork(plan.network, options)
    if (Math.abs(taken - milliseconds) <= LATENCY_TOLERANCE * milliseconds)
      return { plan, milliseconds: taken }
    found.push(taken)
    atMost *= milliseconds / taken
  }
  throw new Error(
    `budget of ${milliseconds} milliseconds: expected a network within ${100 * LATENCY_TOLERANCE} % of it, found ` +
      `${found.map((taken) => taken.toPrecision(3)).join(', ')}; the whole network takes ${table.total.toPrecision(3)}`,
  )
}
