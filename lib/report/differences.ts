/** Paired differences to references: the list of them, as tables, and in words. */
import {
  type ArmNumbers,
  LEADING_METRICS,
  METRICS,
  type MetricName,
  type PairedDifference,
  type Split,
  type Verdict,
} from '../study'
import type { TableRow } from './document'
import { pointsInterval, trainingSeeds } from './format'

/** Arms and their references, of a study or a sweep. */
export interface Compared {
  readonly arms: readonly ArmNumbers[]
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

/** Paired differences of every arm to a reference, in points, with their verdicts. */
export function differenceTable(
  { arms }: Pick<Compared, 'arms'>,
  split: Split,
  reference: string,
  metrics: readonly MetricName[] = LEADING_METRICS,
): TableRow[] {
  return comparedWith(arms, reference).flatMap((arm): TableRow[] => {
    const differences = arm.splits[split]?.differences[reference]
    const cells = metrics.flatMap((metric): [string, string][] => {
      const difference = differences?.[metric]
      if (!difference) return []
      const { name } = METRICS[metric]
      const points: [string, string] = [`${name}, points`, pointsInterval(difference)]
      return metric === metrics[0]
        ? [points, ['p', difference.pValue.toFixed(3)], ['verdict', difference.verdict]]
        : [points, [`verdict of ${name}`, difference.verdict]]
    })
    return cells.length > 0 ? [{ model: arm.name, ...Object.fromEntries(cells) }] : []
  })
}

/** The differences to all references, one row per pair. */
export function differencesTable({ arms, references }: Compared, split: Split): TableRow[] {
  return references.flatMap((reference) =>
    differenceTable({ arms }, split, reference).map(({ model, ...rest }) => ({
      model: model!,
      minus: reference,
      ...rest,
    })),
  )
}

/** A verdict between two names: "the arm beats the reference". */
export const VERDICT_WORDS: { readonly [verdict in Verdict]: string } = {
  better: 'beats',
  worse: 'is beaten by',
  'no difference shown': 'is not distinguishable from',
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
  return (
    `${name} minus ${reference}: ${pointsInterval(mAP50)} points of mAP@0.5 (${mAP50.verdict}), ` +
    `${pointsInterval(AP)} points of COCO AP (${AP.verdict}); ${split}, ${mAP50.images} images, ${trainingSeeds(mAP50.seeds)}`
  )
}
