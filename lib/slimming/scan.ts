/** What pruning costs, measured: accuracy against the ratio of channels, and layer by layer. */
import { complexity, type NetworkSpec, type Weights } from '../detector'
import type { Prunable } from './groups'
import { type PruningPlan, type PruningRules, planOfCounts, planPruning, scoreGroups } from './plan'
import { prune } from './prune'

/** Measures a network, for example its mAP over validation images. */
export type Evaluate = (network: NetworkSpec, weights: Weights) => Promise<number>

/** Shares of channels that are taken away, one after the other. */
export interface ScanOptions {
  /** Shares of channels to take away. */
  readonly ratios?: readonly number[]
  readonly signal?: AbortSignal
  /** Called with the points done and their number. */
  readonly onProgress?: (done: number, total: number) => void
}

/** One pruned network without fine-tuning. */
export interface ScanPoint {
  readonly ratio: number
  readonly macs: number
  readonly parameters: number
  /** What `evaluate` gave. */
  readonly score: number
}

export interface LayerPoint extends ScanPoint {
  readonly group: string
  /** Channels that stay of those there were. */
  readonly kept: number
  readonly channels: number
}

const RATIOS = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
const LAYER_RATIOS = [0.25, 0.5, 0.75]

/**
 * Prunes the whole backbone by one threshold at every ratio and measures what is left, without fine-tuning.
 *
 * @param options the rules of `planPruning`; cap is 1 unless given, so that ratio 0 is the unpruned network
 */
export async function accuracyByRatio(
  network: NetworkSpec,
  weights: Weights,
  evaluate: Evaluate,
  options: ScanOptions & Partial<PruningRules> = {},
): Promise<readonly ScanPoint[]> {
  const { ratios = RATIOS, signal, onProgress, ...rules } = options
  checkRatios('accuracy by ratio', ratios)
  const plans = ratios.map((ratio) => ({
    ratio,
    plan: planPruning(network, weights, { cap: 1, ...rules, ratio }),
  }))
  return measure(network, weights, evaluate, plans, { signal, onProgress })
}

/**
 * Prunes one mask group at a time, the least |gamma| first, and leaves all others whole. A group whose score falls
 * early is one that a global threshold should be kept from emptying.
 *
 * @param options.groups names from `maskGroups`; all unless given
 * @param options.shared importance of shared channels, as in `planPruning`
 * @param options.prunable which layers have groups, as in `planPruning`
 */
export async function sensitivityScan(
  network: NetworkSpec,
  weights: Weights,
  evaluate: Evaluate,
  options: ScanOptions & {
    readonly groups?: readonly string[]
    readonly shared?: 'union' | 'mean'
    readonly prunable?: Prunable
  } = {},
): Promise<readonly LayerPoint[]> {
  const {
    ratios = LAYER_RATIOS,
    groups: names,
    shared = 'union',
    prunable = 'backbone',
    signal,
    onProgress,
  } = options
  const groups = scoreGroups(network, weights, shared, prunable)
  const unknown = names?.find((name) => !groups.some((group) => group.name === name))
  if (unknown !== undefined) {
    throw new Error(
      `sensitivity scan: expected names among ${groups.map(({ name }) => name).join(', ')}, found "${unknown}"`,
    )
  }
  checkRatios('sensitivity scan', ratios)
  const plans = groups
    .filter(({ name }) => names?.includes(name) ?? true)
    .flatMap(({ name: group, channels, scores }) =>
      ratios.map((ratio) => {
        const kept = Math.max(1, channels - Math.floor(ratio * channels))
        const threshold = [...scores].sort((a, b) => b - a)[kept - 1]!
        const plan = planOfCounts(network, groups, new Map([[group, kept]]), { threshold, prunable })
        return { group, ratio, kept, channels, plan }
      }),
    )
  return measure(network, weights, evaluate, plans, { signal, onProgress })
}

function checkRatios(scan: string, ratios: readonly number[]): void {
  const wrong = ratios.find((ratio) => !(ratio >= 0 && ratio < 1))
  if (wrong !== undefined) throw new Error(`${scan}: expected ratios in [0, 1), found ${wrong}`)
}

/** One after the other, since every evaluation wants the whole machine. */
async function measure<P extends { readonly ratio: number; readonly plan: PruningPlan }>(
  network: NetworkSpec,
  weights: Weights,
  evaluate: Evaluate,
  plans: readonly P[],
  { signal, onProgress }: Pick<ScanOptions, 'signal' | 'onProgress'>,
): Promise<readonly (Omit<P, 'plan'> & ScanPoint)[]> {
  const points: (Omit<P, 'plan'> & ScanPoint)[] = []
  for (const { plan, ...point } of plans) {
    signal?.throwIfAborted()
    const pruned = prune(network, weights, plan)
    const { macs, parameters } = complexity(pruned.network)
    points.push({ ...point, macs, parameters, score: await evaluate(pruned.network, pruned.weights) })
    onProgress?.(points.length, plans.length)
  }
  return points
}
