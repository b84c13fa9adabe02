/** Trainings that diverge: what happened, which terms of the loss grew before, and what to change. */
import type { Measurements } from './step'

/** What a step measured. Steps count from 1, as in the log. */
export interface MeasuredStep {
  readonly step: number
  readonly measurements: Measurements
}

/** A term of the loss that has grown, or that is not finite any more. */
export interface Growth {
  readonly term: string
  /** The first step at which it was larger than before by `GROWN`, or not finite. */
  readonly since: number
  /** The first step that was looked at. */
  readonly from: { readonly step: number; readonly value: number }
  /** The last one at which it was finite; that of `from` where it was at none after it. */
  readonly to: { readonly step: number; readonly value: number }
  /** The second value over the first. */
  readonly factor: number
}

/** A training that has become not finite. */
export interface Divergence {
  /** The step that was not finite, counted from 1. */
  readonly step: number
  /** What was not finite first, with its value. */
  readonly what: string
  /** All that the step measured; some of it NaN or infinite. */
  readonly values: Measurements
  /** The terms that grew over the last steps, the first one first; of several at once the one that grew most. */
  readonly grown: readonly Growth[]
  /** The step of the last checkpoint, whose weights are finite; undefined where there is none. */
  readonly checkpoint: number | undefined
  /** What to change. */
  readonly advice: string
}

/** A training has come to a loss, a gradient or a weight that is not finite. */
export class DivergedError extends Error {
  override name = 'Diverged'
  constructor(readonly divergence: Divergence) {
    const { step, what, grown, advice } = divergence
    const [first] = grown
    super(
      `training diverged: ${what} at step ${step}${first ? ` (${describeGrowth(first)})` : ''}; ${advice}`,
    )
  }
}

/** So many steps before the one that failed are looked at. */
export const LOOKED_AT = 20
/** A term has grown when it is more than so many times what it was at the first of them. */
const GROWN = 2

/** What is measured beside the terms. */
const isTerm = (name: string): boolean => name !== 'total' && name !== 'gradientNorm'
/** Terms of a distillation loss are called "method/part". */
const methodOf = (term: string): string | undefined => (term.includes('/') ? term.split('/')[0] : undefined)

/**
 * The terms of the loss that grew up to a step that was not finite: those that come to more than `GROWN` times their first
 * value, or are not finite. The first to do so comes first, of several at one step the one that grew by the largest factor.
 *
 * @param history finite steps before it, in their order
 */
export function growthOf(history: readonly MeasuredStep[], failed: MeasuredStep): Growth[] {
  const steps = [...history, failed]
  const growth = Object.keys(failed.measurements)
    .filter(isTerm)
    .flatMap((term): Growth[] => {
      const values = steps.flatMap(({ step, measurements: { [term]: value } }) =>
        value === undefined ? [] : [{ step, value }],
      )
      const start = values.findIndex(({ value }) => value !== 0)
      const [from, ...later] = start < 0 ? [] : values.slice(start)
      if (!from) return []
      const isGrown = ({ value }: typeof from) => !Number.isFinite(value) || value > GROWN * from.value
      const since = [from, ...later].find(isGrown)
      if (!since) return []
      const to = later.filter(({ value }) => Number.isFinite(value)).at(-1) ?? from
      return [{ term, since: since.step, from, to, factor: to.value / from.value }]
    })
  const size = ({ factor }: Growth) => (Number.isNaN(factor) ? 0 : factor)
  return growth.sort((a, b) => a.since - b.since || size(b) - size(a))
}

/** Whether a term was seen to grow, and was not just finite at one step and not at the next. */
const hasGrown = ({ from, to }: Growth): boolean => to.step > from.step

/** "box came to 340 times what it was at step 1". */
export function describeGrowth({ term, from, factor }: Growth): string {
  return `${term} came to ${Number(factor.toPrecision(2))} times what it was at step ${from.step}`
}

/** What a training was run with, as far as it can make one diverge. */
export interface DivergenceSettings {
  /** Of the step that failed. */
  readonly rate: number
  /** Largest norm of the gradients together. */
  readonly clip: number
  readonly precision: string
  /** What the step measured is finite, and the weights that it left are not. Default false. */
  readonly isUpdate?: boolean
}

/**
 * What to change so that a training does not diverge: where a term of a distillation loss grew first, or alone is not finite,
 * its weight; otherwise the learning rate and the clipping. At the first step nothing has been learnt that could be at fault.
 */
export function adviceOn(
  grown: readonly Growth[],
  { step, measurements }: MeasuredStep,
  { rate, clip, precision, isUpdate = false }: DivergenceSettings,
): string {
  const [first] = grown
  const method = first && methodOf(first.term)
  if (first && method !== undefined) {
    const alone = grown.some(({ term, since }) => since === first.since && methodOf(term) === undefined)
    if (!alone || hasGrown(first))
      return `the distillation term ${first.term} grew first: give ${method} a smaller weight (lambda), or a ramp in its schedule`
  }
  if (step === 1 && !isUpdate) {
    return (
      'no weight had been changed yet, so the rate is not at fault: look at the model that it starts from, and at the ' +
      'weights (lambda) of its terms'
    )
  }
  const lower = `lower the learning rate (${Number(rate.toPrecision(3))} at this step), or clip gradients at less than ${clip}`
  const finer = precision === 'float32' ? '' : `, or train in float32 instead of ${precision}`
  if (first && hasGrown(first)) return `${first.term} grew first: ${lower}${finer}`
  const sound = Object.entries(measurements).every(([name, value]) => !isTerm(name) || Number.isFinite(value))
  return sound ? `its terms are finite, the update was not: ${lower}${finer}` : `${lower}${finer}`
}
