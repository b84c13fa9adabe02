/** The models of an arm as finished trials, and their match tables. */
import type { MatchTable } from '../evaluate'
import { readDetections, type TrialFailure, type TrialResult } from '../trial'
import type { Role, Split, Variation } from './arm-numbers'
import { type MetricName, metricTables } from './metric'
import { type BootstrapOptions, type PairedDifference, pairedDifference } from './statistics'

/** One training seed of an arm, or a model that the arms start from. */
export interface ArmRun {
  /** Absent for a model not trained in the comparison. */
  readonly seed?: number
  /** The trial that trained the model. */
  readonly training?: TrialResult
  /** The trials that measured it, by split. A training trial itself measures on validation. */
  readonly evaluations: { readonly [split in Split]?: TrialResult }
}

/** A trial of an arm that has no result. */
export interface ArmFailure {
  readonly seed?: number
  /** Where it was to measure a model that was trained. */
  readonly split?: Split
  readonly failure: TrialFailure
  /** The trial's folder, with its log as far as it came; undefined where it could not even be planned. */
  readonly folder?: string
}

/** A model, or one model per training seed. */
export interface Arm {
  readonly role: Role
  /** A readable name, unique within a comparison. */
  readonly name: string
  /** Arms of one series are joined by a line in the figure of accuracy against compute. */
  readonly series?: string
  readonly variation?: Variation
  readonly runs: readonly ArmRun[]
  /** Its trials that failed. */
  readonly failed?: readonly ArmFailure[]
}

/**
 * The trial in which a run's model was measured on a split; undefined if it was not.
 * @throws Error if the trial was evaluated on another split
 */
export function evaluationOn({ evaluations }: ArmRun, split: Split): TrialResult | undefined {
  const trial = evaluations[split]
  const found = trial?.metrics.evaluation.split
  if (trial && found !== split) {
    throw new Error(`${trial.folder}: expected an evaluation on ${split}, found one on ${found}`)
  }
  return trial
}

/** A run's match table on a split. */
export interface SeedTable {
  readonly seed: number | undefined
  readonly table: MatchTable
}

/** Match tables of arms, one per measured run. */
export type ArmTables = ReadonlyMap<Arm, readonly SeedTable[]>

/**
 * A metric's match tables of every arm on a split, from the stored detections; arms not measured there have no entry.
 *
 * @param asked the metrics whose tables are asked for one after the other, which are then made together
 * @throws Error naming the folder whose images differ from the others'
 */
export function readTables(
  arms: readonly Arm[],
  split: Split,
  metric: MetricName = 'mAP50',
  asked: readonly MetricName[] = [metric],
): ArmTables {
  let expected: { folder: string; ids: string } | undefined
  const tables = new Map<Arm, SeedTable[]>()
  for (const arm of arms) {
    for (const run of arm.runs) {
      const trial = evaluationOn(run, split)
      if (!trial) continue
      const { ids, table } = tableOf(trial, metric, asked)
      expected ??= { folder: trial.folder, ids }
      if (ids !== expected.ids) {
        throw new Error(
          `${trial.folder}: expected detections on the images of ${expected.folder}, found other images; both models ` +
            'must be evaluated on the same data',
        )
      }
      tables.set(arm, [...(tables.get(arm) ?? []), { seed: run.seed, table }])
    }
  }
  return tables
}

/** By folder, metric and the trial's end time: finished trials do not change. */
const tablesMade = new Map<string, { readonly ids: string; readonly table: MatchTable }>()

/**
 * A trial's match table for a metric, and the ids of its images as text. Both are cached, and the bootstrap's resamples with
 * the table, so that another look at the same trials, with others or on one more split, is cheap.
 */
function tableOf(
  { folder, metrics }: TrialResult,
  metric: MetricName,
  asked: readonly MetricName[],
): { readonly ids: string; readonly table: MatchTable } {
  const keyOf = (name: MetricName) =>
    JSON.stringify([folder, name, metrics.hash, metrics.provenance.finished])
  const known = tablesMade.get(keyOf(metric))
  if (known) return known
  const detections = readDetections(folder)
  const ids = JSON.stringify(detections.ids)
  const missing = [...new Set([metric, ...asked])].filter((name) => !tablesMade.has(keyOf(name)))
  for (const [name, table] of metricTables(detections, missing)) tablesMade.set(keyOf(name), { ids, table })
  return tablesMade.get(keyOf(metric))!
}

/**
 * Paired difference of two arms, seed by seed over the seeds that both have. A model not trained in the comparison
 * is fixed: all seeds of the other arm start from it, and it is paired with each of them.
 * @returns undefined if one was not measured, or they have no seed in common
 */
export function armDifference(
  a: Arm,
  b: Arm,
  tables: ArmTables,
  options: BootstrapOptions = {},
): PairedDifference | undefined {
  const [ofA, ofB] = [tables.get(a), tables.get(b)]
  if (!ofA || !ofB) return undefined
  const all = (own: readonly SeedTable[]) => own.map(({ table }) => table)
  const seeded = !isFixed(a) || !isFixed(b)
  if (isFixed(a) || isFixed(b)) return pairedDifference(all(ofA), all(ofB), { ...options, seeded })
  const pairs = pairSeeds(ofA, ofB)
  return pairs && pairedDifference(...pairs, options)
}

const isFixed = ({ runs }: Arm): boolean => runs.length === 1 && runs[0]?.training === undefined

/** Two arms' tables over the seeds that both have, in the same order; undefined if there are none. */
export function pairSeeds(
  a: readonly SeedTable[],
  b: readonly SeedTable[],
): readonly [readonly MatchTable[], readonly MatchTable[]] | undefined {
  const pairs = a.flatMap(({ seed, table }) => {
    const other = b.find((candidate) => candidate.seed === seed)
    return other ? [[table, other.table] as const] : []
  })
  return pairs.length === 0 ? undefined : [pairs.map(([first]) => first), pairs.map(([, second]) => second)]
}
