/** Where distillation pays: distilled arms of many sweeps by what they had to learn from. */

import type { TableRow } from '../base'
import {
  type ArmNumbers,
  hasOwnTeachers,
  METRICS,
  type MetricName,
  type PairedDifference,
  type Split,
  type Sweep,
  type SweepFile,
  shortOf,
} from '../study'
import { count, pointsInterval } from './format'

/** What an arm learnt from: a row of the map. */
interface Labels {
  /** Images with labels; undefined: all of the data set's. */
  readonly images: number | undefined
  /** Whether labels were taken away or changed on purpose. */
  readonly isSpoilt: boolean
  /** Images with labels of the teacher; undefined: all of the data set's. */
  readonly teachers: number | undefined
}

/** A distilled arm beside models that were trained without a teacher. */
export interface Payoff {
  readonly sweep: string
  readonly arm: string
  /** Hash of the images. Arms on other data belong to another map. */
  readonly data: string
  readonly split: Split
  readonly labels: Labels
  /** Whether it also saw frames that only the teacher labelled. */
  readonly unlabelled: boolean
  readonly steps: number
  /** Cost of its training, the teacher's passes included. */
  readonly trainingMacs: number
  /** Distilled minus the control of as many steps. */
  readonly equalSteps?: PairedDifference
  /** Distilled minus the control that was given as much compute, or more. */
  readonly equalCompute?: PairedDifference
  /** Distilled minus its teacher. */
  readonly teacher?: PairedDifference
}

/** Above it a training is as costly as another one; steps are whole, so that equal costs differ by up to half a step. */
const AS_COSTLY = 0.99

/**
 * The distilled arms of sweeps that have the images and seeds for a verdict, in the order of their labels (fewest first),
 * unlabelled frames and compute. An arm that several sweeps share is one row, of the first of them.
 *
 * Controls are networks as large as the arm's, trained without a teacher: at equal steps the one that was given as many, at equal
 * compute the cheapest that was given at least the MACs that the arm cost, a backward pass counted as two forward ones, the teacher's
 * passes included.
 */
export function payoffs(results: Iterable<SweepFile>, metric: MetricName = 'mAP50'): Payoff[] {
  const found = [...results].flatMap((result) =>
    result.arms.flatMap((arm) =>
      payoffOf(arm, result, metric).map((payoff) => ({ payoff, trials: trialsOf(arm, result) })),
    ),
  )
  return found
    .filter(({ trials }, i) => found.findIndex((other) => other.trials === trials) === i)
    .map(({ payoff }) => payoff)
    .sort(
      (a, b) =>
        compare(a.labels.images ?? Number.POSITIVE_INFINITY, b.labels.images ?? Number.POSITIVE_INFINITY) ||
        compare(Number(a.labels.isSpoilt), Number(b.labels.isSpoilt)) ||
        compare(Number(a.unlabelled), Number(b.unlabelled)) ||
        compare(a.trainingMacs, b.trainingMacs),
    )
}

/** What an arm's numbers were measured on: its trainings and the split. */
const trialsOf = ({ trials }: ArmNumbers, { sweep }: SweepFile): string =>
  [sweep.split, ...trials.map(({ hash }) => hash)].join()

/** A training that its rule ended before had the rest of its steps and compute, too. */
const given = ({ budget, steps, trainingMacs }: ArmNumbers): NonNullable<ArmNumbers['budget']> =>
  budget ?? { steps, trainingMacs }

const compare = (a: number, b: number): number => (a === b ? 0 : a < b ? -1 : 1)

function payoffOf(arm: ArmNumbers, { sweep, arms, provenance }: SweepFile, metric: MetricName): Payoff[] {
  const planned = sweep.arms.find(({ name }) => name === arm.name)
  if (arm.role !== 'method' || !planned) return []
  const differences = arm.splits[sweep.split]?.differences ?? {}
  const against = (reference: ArmNumbers | undefined) => reference && differences[reference.name]?.[metric]
  const controls = arms
    .filter(({ role, steps, macs }) => role === 'control' && steps > 0 && macs === arm.macs)
    .sort((a, b) => compare(given(a).trainingMacs, given(b).trainingMacs))
  const equalSteps = against(controls.find((other) => given(other).steps === given(arm).steps))
  const equalCompute = against(
    controls.find((other) => given(other).trainingMacs >= AS_COSTLY * arm.trainingMacs),
  )
  const shown = equalSteps ?? equalCompute
  if (!shown || shortOf(shown).length > 0) return []
  return [
    {
      sweep: sweep.name,
      arm: arm.name,
      data: String(provenance.data),
      split: sweep.split,
      labels: labelsOf(planned.labels ?? sweep.labels, sweep),
      unlabelled: planned.unlabelled !== undefined,
      steps: arm.steps,
      trainingMacs: arm.trainingMacs,
      ...(equalSteps && { equalSteps }),
      ...(equalCompute && { equalCompute }),
      ...(differences.teacher?.[metric] && { teacher: differences.teacher[metric] }),
    },
  ]
}

function labelsOf(
  { images, missing = 0, wrongClass = 0 }: NonNullable<Sweep['labels']> = {},
  sweep: Sweep,
): Labels {
  const isSpoilt = missing > 0 || wrongClass > 0
  return { images, isSpoilt, teachers: hasOwnTeachers(sweep) ? sweep.labels?.images : undefined }
}

/** "300", "all, some missing or wrong", "300, the teacher's too". */
export function labelsText({ images, isSpoilt, teachers }: Labels): string {
  return [
    images === undefined ? 'all' : String(images),
    isSpoilt && 'some missing or wrong',
    teachers !== undefined && 'the teacher’s too',
  ]
    .filter((part) => part !== false)
    .join(', ')
}

/** The answer in a few words, from the intervals alone. */
export type Answer = 'pays' | 'only faster a step' | 'costs' | 'not shown'

/**
 * `pays`: better than the control at equal compute; `costs`: worse than it; `only faster a step`: better than the control at equal
 * steps alone; `not shown`: neither.
 */
export function answerOf({ equalSteps, equalCompute }: Payoff): Answer {
  if (equalCompute?.verdict === 'better') return 'pays'
  if (equalCompute?.verdict === 'worse') return 'costs'
  return equalSteps?.verdict === 'better' ? 'only faster a step' : 'not shown'
}

/** The arms that the map draws, in which splits do not mix; its table has all. */
export const onValidation = (found: readonly Payoff[]): Payoff[] =>
  found.filter(({ split }) => split === 'validation')

/** The map as a table, a row an arm. */
export function payoffTable(found: readonly Payoff[], metric: MetricName = 'mAP50'): TableRow[] {
  const { name } = METRICS[metric]
  return found.map((payoff) => ({
    'images with labels': labelsText(payoff.labels),
    'unlabelled frames': payoff.unlabelled ? 'the others' : 'none',
    steps: payoff.steps,
    'MACs of the training': count(payoff.trainingMacs),
    distilled: payoff.arm,
    [`${name} minus equal steps`]: pointsInterval(payoff.equalSteps),
    'minus equal compute': pointsInterval(payoff.equalCompute),
    'minus teacher': pointsInterval(payoff.teacher),
    so: answerOf(payoff),
    'measured on': payoff.split,
    sweep: payoff.sweep,
  }))
}
