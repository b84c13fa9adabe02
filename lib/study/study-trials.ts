/** The trials of a study by name and in order: those to run before the notebooks, compare with a reference, and show. */
import { findModel, refTo, type TrialConfig } from '../trial'
import { measuringTrial, type Planned } from './plan'
import { CONTROL_NAMES } from './profile-arms'
import { shortSweeps } from './short-sweeps'
import type { Study } from './study'
import { type PlannedArm, planArms } from './sweep-arms'
import { runName, sweepTrials } from './sweep-trials'

/**
 * An arm of the study's own comparison with its trials, one per seed; teacher and student must exist.
 * @throws Error if the study does not have it
 */
export function armOf(study: Planned & Pick<Study, 'sweep'>, name: string): PlannedArm {
  const arms = planArms(study.sweep, study)
  const found = arms.find(({ arm }) => arm.name === name)
  if (found) return found
  const names = arms.map(({ arm }) => arm.name).join(', ')
  throw new Error(`arm ${name}: expected among the study's arms, found ${names}; add it to the profile`)
}

/** Whether the models that the arms start from exist. */
export function isPrepared({ plan, runs }: Planned): boolean {
  return [plan.teacher, plan.student].every((ref) => !('trial' in ref) || findModel(ref.trial, runs))
}

/** The trials that make teacher and student and measure them on validation, by stable names. */
export function preparationTrials({ plan }: Planned): Map<string, TrialConfig> {
  const named = new Map<string, TrialConfig>()
  for (const trial of plan.preparation) named.set(trial.kind, trial)
  named.set('teacher on validation', plan.baselines.teacher)
  named.set('student on validation', plan.baselines.student)
  return named
}

/**
 * Every trial of a study under a name that is the same on all machines, measurements on the test split last. The arms'
 * trials are included once teacher and student exist.
 */
export function namedTrials(study: Planned & Pick<Study, 'sweep'>): ReadonlyMap<string, TrialConfig> {
  const named = preparationTrials(study)
  if (!isPrepared(study)) return named
  const trainings = planArms(study.sweep, study).flatMap(({ arm, runs }) =>
    runs.map((run) => ({ arm, name: runName(arm, run), trial: run.trial })),
  )
  for (const { name, trial } of trainings) named.set(name, trial)
  named.set('teacher on test', measuringTrial(study.plan.teacher, 'test', study))
  named.set('student on test', measuringTrial(study.plan.student, 'test', study))
  for (const { arm, name, trial } of trainings) {
    // Ablations are measured on validation only, where methods are chosen.
    if (!arm.variation) named.set(`${name}, on test`, measuringTrial(refTo(trial), 'test', study))
  }
  return named
}

/**
 * All trials that the notebooks run, short sweeps included, roughly in the order of use; teacher and student
 * must exist.
 */
export function notebookTrials(study: Study): TrialConfig[] {
  const named = [...namedTrials(study).values()]
  const onTest = named.filter((trial) => trial.kind === 'evaluate' && trial.split === 'test')
  const others = planArms(study.sweep, study)
    .filter(({ arm, role }) => role !== 'method' && arm.name !== CONTROL_NAMES.steps)
    .flatMap(({ trials }) => trials)
  const last = new Set([...others, ...onTest].map((trial) => JSON.stringify(trial)))
  const short = shortSweeps(study).map((sweep) => sweepTrials(sweep, study))
  return [
    ...named.filter((trial) => !last.has(JSON.stringify(trial))),
    ...short.flatMap(({ training, measuring }) => [...training, ...measuring]),
    ...others,
    ...onTest,
  ]
}

/** The same distillation trial with other terms: another lambda, a schedule, several methods together. */
export function withTerms(
  trial: TrialConfig,
  ...terms: Extract<TrialConfig, { kind: 'distill' }>['terms']
): TrialConfig {
  if (trial.kind !== 'distill')
    throw new Error(`withTerms: expected a distillation trial, found ${trial.kind}`)
  return { ...trial, terms }
}
