/** Paired differences to references: the list of them, as tables, and in words. */
import { evenRows, type TableRow } from '../base'
import {
  type ArmNumbers,
  type FailedArm,
  LEADING_METRICS,
  METRICS,
  type MetricName,
  type PairedDifference,
  type Split,
  type Verdict,
  verdictText,
} from '../study'
import { pointsInterval, trainingSeeds } from './format'

/** Arms and their references, of a study or a sweep. */
export interface Compared {
  readonly arms: readonly ArmNumbers[]
  /** Arms without a result. */
  readonly failed?: readonly FailedArm[]
  readonly references: readonly string[]
}

/**
 * Arms to compare with a reference. That excludes the reference itself, ablations, the teacher among students (it is not
 * one), and the network right after pruning, before any training.
 */
export function comparedWith(arms: readonly ArmNumbers[], reference: string): ArmNumbers[] {
  const other = arms.find(({ name }) => name === reference)
  return arms.filter(
    ({ name, role, steps, variation }) =>
      name !== reference &&
      !variation &&
      (role !== 'teacher' || (other?.role === 'teacher' && name !== 'teacher')) &&
      (role !== 'pruned' || steps > 0),
  )
}

/** What tables say in place of numbers: "failed: diverged at step 3: box is NaN". */
export const failedCell = ({ failed: [first] }: Pick<FailedArm, 'failed'>): string =>
  `failed: ${first?.reason}`

/** Seeds that an arm was to have; the models that it starts from have none. */
export function plannedSeeds({ splits, failed = [] }: Pick<ArmNumbers, 'splits' | 'failed'>): number {
  const measured = Object.values(splits).flatMap((numbers) => numbers?.seeds ?? [])
  return new Set([...measured, ...failed.flatMap(({ seed }) => seed ?? [])]).size
}

/** Seeds on which a difference stands, of those that it was to have: "2 of 3"; undefined where none is missing. */
function seedsLeft(arm: ArmNumbers, other: ArmNumbers | undefined, { seeds }: PairedDifference) {
  const planned = Math.max(plannedSeeds(arm), other ? plannedSeeds(other) : 0)
  return seeds > 0 && seeds < planned && (arm.failed || other?.failed) ? `${seeds} of ${planned}` : undefined
}

/** Paired differences of every arm to a reference, in points, with their verdicts; of one that failed, why. */
export function differenceTable(
  { arms, failed = [] }: Pick<Compared, 'arms' | 'failed'>,
  split: Split,
  reference: string,
  metrics: readonly MetricName[] = LEADING_METRICS,
): TableRow[] {
  const [first = 'mAP50'] = metrics
  const column = `${METRICS[first].name}, points`
  const other = arms.find(({ name }) => name === reference)
  const lost = failed.find(({ name }) => name === reference)
  const rows = comparedWith(arms, reference).flatMap((arm): TableRow[] => {
    if (lost) return [{ model: arm.name, [column]: `${reference} ${failedCell(lost)}` }]
    const differences = arm.splits[split]?.differences[reference]
    const cells = metrics.flatMap((metric): [string, string][] => {
      const difference = differences?.[metric]
      if (!difference) return []
      const { name } = METRICS[metric]
      const points: [string, string] = [`${name}, points`, pointsInterval(difference)]
      if (metric !== first) return [points, [`verdict of ${name}`, verdictText(difference)]]
      const left = seedsLeft(arm, other, difference)
      const seeds: [string, string][] = left === undefined ? [] : [['seeds', left]]
      return [points, ['p', difference.pValue.toFixed(3)], ['verdict', verdictText(difference)], ...seeds]
    })
    return cells.length > 0 ? [{ model: arm.name, ...Object.fromEntries(cells) }] : []
  })
  const without = failed.filter(({ name, variation }) => name !== reference && !variation)
  return evenRows([...rows, ...without.map((arm) => ({ model: arm.name, [column]: failedCell(arm) }))])
}

/** The differences to all references, one row per pair. */
export function differencesTable({ arms, failed, references }: Compared, split: Split): TableRow[] {
  const rows = references.flatMap((reference) =>
    differenceTable({ arms, failed }, split, reference).map(({ model, ...rest }) => ({
      model: model!,
      minus: reference,
      ...rest,
    })),
  )
  return evenRows(rows)
}

/** Every trial that failed: what happened, what grew before, what is left of it, and what to change. */
export function failuresTable({ arms, failed = [] }: Pick<Compared, 'arms' | 'failed'>): TableRow[] {
  return [...arms, ...failed].flatMap(({ name, failed: trials = [] }) =>
    trials.map(({ seed, split, reason, grown = '–', checkpoint, advice = '–' }) => ({
      model: name,
      seed: seed ?? '–',
      'what happened': split ? `on ${split}: ${reason}` : reason,
      'what grew before': grown,
      'last good checkpoint': checkpoint === undefined ? '–' : `step ${checkpoint}`,
      'what to change': advice,
    })),
  )
}

/** A verdict between two names: "the arm beats the reference". */
export const VERDICT_WORDS: { readonly [verdict in Verdict]: string } = {
  better: 'beats',
  worse: 'is beaten by',
  'no difference shown': 'is not distinguishable from',
  'not shown': 'was measured too little to be distinguished from',
}

/** An arm's paired differences to a reference, by metric. @throws Error if the two were not compared */
export function differenceOf(
  arms: readonly ArmNumbers[],
  name: string,
  reference: string,
  split: Split = 'validation',
): { readonly [metric in 'mAP50' | 'AP']: PairedDifference } {
  const found = arms.find((arm) => arm.name === name)?.splits[split]?.differences[reference]
  const [mAP50, AP] = [found?.mAP50, found?.AP]
  if (!mAP50 || !AP) {
    throw new Error(`expected ${name} compared with ${reference} on ${split}, found no such comparison`)
  }
  return { mAP50, AP }
}

/** The verdict on one arm against a reference, as a sentence. */
export function verdictSentence(
  arms: readonly ArmNumbers[],
  name: string,
  reference: string,
  split: Split = 'validation',
): string {
  const { mAP50, AP } = differenceOf(arms, name, reference, split)
  const [planned = 0] = arms
    .filter((arm) => arm.name === name || arm.name === reference)
    .map(plannedSeeds)
    .sort((a, b) => b - a)
  return (
    `${name} minus ${reference}: ${pointsInterval(mAP50)} points of mAP@0.5 (${verdictText(mAP50)}), ` +
    `${pointsInterval(AP)} points of COCO AP (${verdictText(AP)}); ${split}, ${mAP50.images} images, ` +
    trainingSeeds(mAP50.seeds, mAP50.seeds && Math.max(planned, mAP50.seeds))
  )
}
