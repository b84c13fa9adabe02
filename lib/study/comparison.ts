/**
 * The comparison of arms: seeds x splits x metrics x references. The study, its ablations, shipped sweeps and users'
 * sweeps all go through here.
 */
import { describeFailure, type TrialFailure, type TrialResult } from '../trial'
import type { ArmNumbers, FailedArm, FailedTrial, Split, SplitNumbers, TermNumbers } from './arm-numbers'
import {
  type Arm,
  type ArmFailure,
  type ArmTables,
  armDifference,
  evaluationOn,
  readTables,
} from './arm-tables'
import { METRIC_NAMES, METRICS, type MetricName } from './metric'
import { type BootstrapOptions, interval, leastResamples } from './statistics'

type Grown = Extract<TrialFailure, { kind: 'diverged' }>['grown'][number]

/** What arms are compared with, where, and by which metrics. */
export interface ComparisonOptions {
  /** Names of the arms to compare the others with, the most important one first. */
  readonly references: readonly string[]
  /** Default: validation. */
  readonly splits?: readonly Split[]
  /** Default: all. */
  readonly metrics?: readonly MetricName[]
  readonly bootstrap?: BootstrapOptions
}

/** Arms that failed altogether; `compareArms` has the others. */
export function failedArms(arms: readonly Arm[]): FailedArm[] {
  return arms.flatMap(({ role, name, series, variation, runs, failed = [] }) =>
    runs.length > 0 || failed.length === 0
      ? []
      : {
          ...{ role, name },
          ...(series !== undefined && { series }),
          ...(variation && { variation }),
          failed: failed.map(describeFailed),
        },
  )
}

function describeFailed({ seed, split, failure }: ArmFailure): FailedTrial {
  const about = { ...(seed !== undefined && { seed }), ...(split && { split }) }
  const reason = describeFailure(failure)
  if (failure.kind === 'error') return { ...about, kind: failure.kind, reason }
  const { checkpoint, advice } = failure
  const grown = failure.grown.flatMap(describeGrown)
  return {
    ...{ ...about, kind: failure.kind, reason, advice },
    ...(grown.length > 0 && { grown: grown.join(', ') }),
    ...(checkpoint !== null && { checkpoint }),
  }
}

/** "box 34 times from step 3 to 9"; nothing where a term was finite at one step and not at the next. */
function describeGrown({ term, from, to, factor }: Grown): string[] {
  if (typeof factor !== 'number' || to.step <= from.step) return []
  return [`${term} ${Number(factor.toPrecision(2))} times from step ${from.step} to ${to.step}`]
}

/** Every arm in numbers, compared with the references, as far as it has run; arms without a run are left out. */
export function compareArms(arms: readonly Arm[], options: ComparisonOptions): ArmNumbers[] {
  const { references, splits = ['validation'], metrics = METRIC_NAMES } = options
  const shown = arms.filter(({ runs }) => runs.length > 0)
  const teacherMacs = macsOf(shown.find(({ role }) => role === 'teacher'))
  const tables = new Map(
    splits.map((split) => [
      split,
      new Map(
        metrics
          .map((metric) => [metric, readTables(shown, split, metric, metrics)] as const)
          // Nothing can be said about sizes that no object has.
          .filter(([, ofMetric]) => [...ofMetric.values()].some(([first]) => first?.table.truthImage.length)),
      ),
    ]),
  )
  const others = references.flatMap((name) => shown.find((arm) => arm.name === name) ?? [])
  return shown.map((arm): ArmNumbers => {
    const bySplit = splits.flatMap((split) => {
      const numbers = splitNumbers(arm, others, { split, tables: tables.get(split)!, options })
      return numbers ? [[split, numbers] as const] : []
    })
    return {
      ...describeArm(arm, teacherMacs),
      splits: Object.fromEntries(bySplit),
    }
  })
}

/** The role and cost of an arm. */
function describeArm(arm: Arm, teacherMacs: number | undefined): Omit<ArmNumbers, 'splits'> {
  const { role, name, series, variation, runs, failed = [] } = arm
  const trainings = runs.flatMap(({ training }) => training?.metrics.training ?? [])
  const { macs, mmdet, parameters } = firstTrial(arm).metrics.complexity
  const [first] = runs
  return {
    role,
    name,
    ...(series !== undefined && { series }),
    ...(variation && { variation }),
    ...(failed.length > 0 && { failed: failed.map(describeFailed) }),
    ...costOf(runs),
    seconds: trainings.reduce((sum, { seconds }) => sum + seconds, 0),
    macs,
    mmdet,
    parameters,
    ...(teacherMacs !== undefined && { macsShare: macs / teacherMacs }),
    terms: first?.training ? termsOf(first.training) : [],
    trials: runs.flatMap(({ seed, training, evaluations }) => {
      const trial = evaluations.validation ?? evaluations.test ?? evaluations.shifted
      if (!trial) return []
      const { evaluation, weights } = trial.metrics
      return [
        {
          ...(seed !== undefined && { seed }),
          hash: (training ?? trial).metrics.hash,
          weights,
          mAP50: evaluation.voc.mAP ?? Number.NaN,
          AP: evaluation.coco.AP ?? Number.NaN,
        },
      ]
    }),
  }
}

/** Steps and MACs of an arm's trainings, and what these were given. */
function costOf(runs: Arm['runs']): Pick<ArmNumbers, 'steps' | 'trainingMacs' | 'budget'> {
  const trainings = runs.flatMap(({ training: { config, metrics } = {} }) => {
    if (!config || !('training' in config) || !metrics?.training) return []
    const { steps, macs } = metrics.training
    const given = config.training.steps
    return [{ steps, macs, given, allowed: steps > 0 ? (macs * given) / steps : macs }]
  })
  if (trainings.length === 0) return { steps: 0, trainingMacs: 0 }
  const over = (value: (training: (typeof trainings)[number]) => number) => mean(trainings.map(value))
  return {
    steps: Math.round(over(({ steps }) => steps)),
    trainingMacs: over(({ macs }) => macs),
    ...(trainings.some(({ steps, given }) => steps < given) && {
      budget: { steps: over(({ given }) => given), trainingMacs: over(({ allowed }) => allowed) },
    }),
  }
}

/** Weights of a distillation trial's terms; none for other trials. */
export function termsOf({ config, metrics }: TrialResult): TermNumbers[] {
  if (config.kind !== 'distill') return []
  return (metrics.gradients ?? []).map(({ method, lambda, ratio, cosine }) => {
    const { threshold, temperature } = config.terms.find((term) => term.method === method) ?? {}
    return {
      ...{ method, lambda, ratio, cosine },
      ...(threshold !== undefined && { threshold }),
      ...(temperature !== undefined && { temperature }),
    }
  })
}

interface SplitContext {
  readonly split: Split
  readonly tables: ReadonlyMap<MetricName, ArmTables>
  readonly options: ComparisonOptions
}

function splitNumbers(arm: Arm, others: readonly Arm[], context: SplitContext): SplitNumbers | undefined {
  const { split, tables, options } = context
  const evaluations = arm.runs.flatMap((run) => evaluationOn(run, split)?.metrics.evaluation ?? [])
  const [first] = evaluations
  if (!first) return undefined
  const values = [...tables].map(([metric, ofMetric]) => {
    const own = ofMetric.get(arm)!.map(({ table }) => table)
    return [metric, interval(own, bootstrapOf(metric, options))] as const
  })
  const differences = others.flatMap((other) => {
    if (other === arm) return []
    const byMetric = [...tables].flatMap(([metric, ofMetric]) => {
      const difference = armDifference(arm, other, ofMetric, bootstrapOf(metric, options))
      return difference ? [[metric, difference] as const] : []
    })
    return byMetric.length > 0 ? [[other.name, Object.fromEntries(byMetric)] as const] : []
  })
  return {
    images: first.images,
    seeds: arm.runs.flatMap((run) => (evaluationOn(run, split) ? (run.seed ?? []) : [])),
    values: Object.fromEntries(values),
    differences: Object.fromEntries(differences),
    perClass: first.perClass.map(({ name, truths }, label) => ({
      name,
      truths,
      ap: meanOrNull(evaluations.map(({ perClass }) => perClass[label]?.ap ?? null)),
    })),
    secondsPerImage: mean(evaluations.map(({ secondsPerImage }) => secondsPerImage)),
  }
}

/** The options of a metric's bootstrap: an expensive metric gets fewer resamples. */
export function bootstrapOf(
  metric: MetricName,
  { bootstrap = {} }: Pick<ComparisonOptions, 'bootstrap'>,
): BootstrapOptions {
  const { resamples: dear = Number.POSITIVE_INFINITY }: { readonly resamples?: number } = METRICS[metric]
  const most = Math.max(dear, leastResamples(bootstrap.confidence))
  return bootstrap.resamples !== undefined && bootstrap.resamples > most
    ? { ...bootstrap, resamples: most }
    : bootstrap
}

function macsOf(arm: Arm | undefined): number | undefined {
  return arm && firstTrial(arm).metrics.complexity.macs
}

function firstTrial({ name, runs: [run] }: Arm): TrialResult {
  const trial = run?.training ?? Object.values(run?.evaluations ?? {})[0]
  if (!trial) throw new Error(`arm ${name}: expected at least one trial, found none`)
  return trial
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

function meanOrNull(values: readonly (number | null)[]): number | null {
  const defined = values.filter((value): value is number => value !== null)
  return defined.length === 0 ? null : mean(defined)
}
