/** The arms of the comparison: each a model, or one model a training seed, measured on the same images. */

import type { MatchTable } from '../evaluate'
import { readDetections, type TrialResult } from '../trial'
import { type Candidate, type Selection, select } from './selection'
import {
  type BootstrapOptions,
  type Metric,
  metricTable,
  type PairedDifference,
  pairedDifference,
  tableValue,
} from './statistics'

/** One training seed of an arm. */
export interface ArmRun {
  readonly seed: number
  /** The trial that trained the model; its evaluation is on validation. Absent for a model that is shipped. */
  readonly training?: TrialResult
  /** Evaluation on validation where `training` is absent. */
  readonly validation?: TrialResult
  readonly test?: TrialResult
}

/**
 * `teacher`; `student`: fine-tuned after pruning, before distillation; `control`: the student trained on without a
 * teacher; `method`: with distillation.
 */
export interface Arm {
  readonly role: 'teacher' | 'student' | 'control' | 'method'
  /** For people; unique within a study. */
  readonly name: string
  readonly runs: readonly ArmRun[]
}

export type Split = 'validation' | 'test'

/** The trial in which a run's model was measured on a split; undefined where it was not. */
export function measured(run: ArmRun, split: Split): TrialResult | undefined {
  const trial = split === 'test' ? run.test : (run.validation ?? run.training)
  if (trial && trial.metrics.evaluation.split !== split) {
    throw new Error(
      `${trial.folder}: expected an evaluation on ${split}, found one on ${trial.metrics.evaluation.split}`,
    )
  }
  return trial
}

/** A run's match table on a split. */
export interface SeedTable {
  readonly seed: number
  readonly table: MatchTable
}

/** By folder, metric and the time at which the trial ended: finished trials do not change. */
const known = new Map<string, { readonly ids: string; readonly table: MatchTable }>()

/**
 * A trial's match table for a metric, and the ids of its images as text. Both are kept: the bootstrap's resamples are kept
 * with a table, so that a second look at the same trials, beside others or on one more split, is cheap.
 */
export function trialTable(
  { folder, metrics }: TrialResult,
  metric: Metric,
): { readonly ids: string; readonly table: MatchTable } {
  const key = JSON.stringify([folder, metric, metrics.hash, metrics.provenance.finished])
  const found = known.get(key)
  if (found) return found
  const detections = readDetections(folder)
  const made = { ids: JSON.stringify(detections.ids), table: metricTable(detections, metric) }
  known.set(key, made)
  return made
}

/**
 * A metric's match tables of every arm on a split, from the stored detections; no entry for an arm that was not measured
 * there.
 * @throws Error naming the folder whose images are not those of the others
 */
export function readTables(
  arms: readonly Arm[],
  split: Split,
  metric: Metric = 'mAP50',
): ReadonlyMap<Arm, readonly SeedTable[]> {
  let expected: { folder: string; ids: string } | undefined
  const tables = new Map<Arm, SeedTable[]>()
  for (const arm of arms) {
    for (const run of arm.runs) {
      const trial = measured(run, split)
      if (!trial) continue
      const { ids, table } = trialTable(trial, metric)
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

/** Two arms' tables over the seeds that both have, in the same order; undefined where there is none. */
function pairSeeds(
  a: readonly SeedTable[],
  b: readonly SeedTable[],
): readonly [readonly MatchTable[], readonly MatchTable[]] | undefined {
  const common = a.filter(({ seed }) => b.some((other) => other.seed === seed))
  if (common.length === 0) return undefined
  const inOrder = (tables: readonly SeedTable[]) =>
    common.map(({ seed }) => tables.find((other) => other.seed === seed)!.table)
  return [inOrder(a), inOrder(b)]
}

/**
 * Paired difference of two arms: seed by seed over the seeds that both have. A teacher or a student of a single run is one
 * fixed model, from which all seeds of the other arm start, and is paired with each of them.
 * @returns undefined where they have no seed in common
 */
export function armDifference(
  [a, tablesOfA]: readonly [Arm, readonly SeedTable[]],
  [b, tablesOfB]: readonly [Arm, readonly SeedTable[]],
  options: BootstrapOptions = {},
): PairedDifference | undefined {
  const fixed = (arm: Arm) => arm.runs.length === 1 && (arm.role === 'teacher' || arm.role === 'student')
  const all = (tables: readonly SeedTable[]) => tables.map(({ table }) => table)
  if (fixed(a) || fixed(b)) return pairedDifference(all(tablesOfA), all(tablesOfB), options)
  const pairs = pairSeeds(tablesOfA, tablesOfB)
  return pairs && pairedDifference(...pairs, options)
}

/** Applies the selection rule to a study's arms; undefined where there is no teacher, or nothing to choose from. */
export function selectStudent(
  arms: readonly Arm[],
  tables: ReadonlyMap<Arm, readonly SeedTable[]>,
  options: BootstrapOptions = {},
): Selection<ArmCandidate> | undefined {
  const teacher = arms.find(({ role }) => role === 'teacher')
  const reference = teacher && tables.get(teacher)
  if (!teacher || !reference) return undefined
  const candidates = arms.flatMap((arm): ArmCandidate[] => {
    const own = tables.get(arm)
    const toTeacher = own && armDifference([arm, own], [teacher, reference], options)
    if (arm === teacher || !toTeacher) return []
    const runs = own.map(({ seed, table }) => ({ seed, mAP50: tableValue(table) }))
    return [{ arm, name: arm.name, macs: macsOf(arm), runs, toTeacher }]
  })
  return candidates.length > 0 ? select(candidates, macsOf(teacher)) : undefined
}

export interface ArmCandidate extends Candidate {
  readonly arm: Arm
}

function macsOf({ name, runs }: Arm): number {
  const trial = runs.map((run) => measured(run, 'validation') ?? run.test).find(Boolean)
  if (!trial) throw new Error(`arm ${name}: expected a trial that was measured, found none`)
  return trial.metrics.complexity.macs
}
