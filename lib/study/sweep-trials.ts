/** All trials of a sweep, by name; its models as far as they have run; and their comparison. */
import { join } from 'node:path'
import { findFailure, findTrial, refTo, type TrialConfig, trialFolder, trialHash } from '../trial'
import { armNamed, isModelRole, type SweepArm, teachersOfArm } from './arm'
import type { ArmNumbers, Split } from './arm-numbers'
import type { Arm, ArmFailure, ArmRun } from './arm-tables'
import { compareArms } from './comparison'
import type { MetricName } from './metric'
import type { Planned } from './plan'
import type { Sweep } from './sweep'
import {
  baseRuns,
  fixedModels,
  measurementOf,
  type PlannedRun,
  planArms,
  sweepPreparation,
} from './sweep-arms'

/** The trials of a sweep, with the name of each by its hash. */
export interface SweepTrials {
  /** Arm by arm and seed by seed. */
  readonly training: readonly TrialConfig[]
  /** Trials that measure the results; a training trial itself measures on validation. */
  readonly measuring: readonly TrialConfig[]
  readonly names: ReadonlyMap<string, string>
}

/** The trials of a sweep on some splits, by default its own. The models its arms start from must exist. */
export function sweepTrials(
  sweep: Sweep,
  study: Planned,
  splits: readonly Split[] = [sweep.split],
): SweepTrials {
  const names = new Map<string, string>()
  const named = (trial: TrialConfig, name: string): TrialConfig => {
    if (!names.has(trialHash(trial))) names.set(trialHash(trial), name)
    return trial
  }
  const planned = planArms(sweep, study).flatMap(({ arm, runs }) =>
    runs.map((run) => ({ ...run, name: runName(arm, run) })),
  )
  return {
    training: planned.flatMap(({ trial, pruning, name }) => [
      ...(pruning ? [named(pruning, `${name}, pruned`)] : []),
      named(trial, name),
    ]),
    measuring: splits.flatMap((split) => [
      ...fixedModels(sweep).flatMap((role) =>
        baseRuns(role, sweep, study).map(({ seed, trial, model }) => {
          const name = seed === undefined ? `${role} on ${split}` : `${role}, seed ${seed}, on ${split}`
          return named(measurementOf(model, trial, split, study), name)
        }),
      ),
      ...planned.map(({ trial, name }) =>
        named(measurementOf(refTo(trial), trial, split, study), `${name}, on ${split}`),
      ),
    ]),
    names,
  }
}

/**
 * The trials that can be planned before any model exists. In chains these are also the arms whose steps do not follow from a
 * model's cost, so that those of a seed need not wait for the teachers of the others.
 */
export function earlyTrials(sweep: Sweep, study: Planned): SweepTrials {
  const preparation = sweepPreparation(sweep, study)
  if (!sweep.chain) return { training: preparation, measuring: [], names: new Map() }
  const isEarly = (arm: SweepArm): boolean =>
    typeof arm.steps !== 'object' &&
    [arm.start, ...teachersOfArm(arm)].every(
      (model) => typeof model !== 'string' || isModelRole(model) || isEarly(armNamed(model, sweep.arms)),
    )
  const { training, measuring, names } = sweepTrials({ ...sweep, arms: sweep.arms.filter(isEarly) }, study)
  return { training: [...preparation, ...training], measuring, names }
}

/** Name of an arm's run; for an ablation, which has one seed, the arm's name alone. */
export function runName({ name, variation }: SweepArm, { seed }: Pick<PlannedRun, 'seed'>): string {
  return variation || seed === undefined ? name : `${name}, seed ${seed}`
}

/** A sweep's models as far as they have run or failed: its starting points, then its arms. */
export function findArms(sweep: Sweep, study: Planned, splits: readonly Split[] = [sweep.split]): Arm[] {
  const { runs: folder } = study
  const find = (trial: TrialConfig) => findTrial(folder, trial)
  const evaluations = (of: (split: Split) => TrialConfig): ArmRun['evaluations'] =>
    Object.fromEntries(splits.map((split) => [split, find(of(split))]))
  const failureOf = (trial: TrialConfig, about: Pick<ArmFailure, 'seed' | 'split'>): ArmFailure[] => {
    const failure = findFailure(trialHash(trial), folder)
    return failure ? [{ ...about, failure, folder: join(folder, trialFolder(trial)) }] : []
  }
  const fixed = fixedModels(sweep).map((role): Arm => {
    const base = baseRuns(role, sweep, study)
    const runs = base.flatMap(({ seed, trial, model }): ArmRun[] => {
      const measured = evaluations((split) => measurementOf(model, trial, split, study))
      if (!Object.values(measured).some((result) => result !== undefined)) return []
      const made = trial && 'training' in trial ? find(trial) : undefined
      return [{ ...(seed !== undefined && { seed }), ...(made && { training: made }), evaluations: measured }]
    })
    const failed = base.flatMap(({ seed, trial, model }) =>
      splits.flatMap((split) => failureOf(measurementOf(model, trial, split, study), { seed, split })),
    )
    return { role, name: role, runs, ...(failed.length > 0 && { failed }) }
  })
  const trained = planArms(sweep, study).map(({ arm, role, runs: planned, failed: unplanned }): Arm => {
    const runs = planned.flatMap(({ seed, trial }): ArmRun[] => {
      const made = find(trial)
      if (!made) return []
      const measured = evaluations((split) => measurementOf(refTo(trial), trial, split, study))
      const training = 'training' in trial ? made : undefined
      return [{ ...(seed !== undefined && { seed }), ...(training && { training }), evaluations: measured }]
    })
    const failed = planned.flatMap(({ seed, trial }): ArmFailure[] => {
      const training = failureOf(trial, { seed })
      if (training.length > 0) return training
      return splits.flatMap((split) => {
        const measuring = measurementOf(refTo(trial), trial, split, study)
        return measuring === trial ? [] : failureOf(measuring, { seed, split })
      })
    })
    const { name, series, variation } = arm
    const all = [...unplanned, ...failed]
    return {
      ...{ role, name, series, runs },
      ...(all.length > 0 && { failed: all }),
      ...(variation && { variation: { ...variation, own: false } }),
    }
  })
  return [...fixed, ...trained]
}

/** Compares a sweep's arms with its references, as far as they have run. */
export function compareSweep(
  sweep: Sweep,
  study: Planned,
  { metrics }: { readonly metrics?: readonly MetricName[] } = {},
): ArmNumbers[] {
  const { references, split } = sweep
  const { bootstrap } = study.profile
  return compareArms(findArms(sweep, study), { references, splits: [split], metrics, bootstrap })
}
