import { countBoxes } from '../data'
import type { MethodName } from '../losses'
import {
  type Arm,
  type ArmRun,
  CONTROL_NAMES,
  findSweep,
  SIDE_SWEEPS,
  type Study,
  shippedSweeps,
  sideSweep,
  testTrial,
} from '../study'
import { findTrial, type ModelRef, refTo, type TrialConfig, type TrialResult } from '../trial'
import type { Ablation, ReportInput } from './summary-types'

export interface CollectOptions {
  /** These methods alone, beside teacher, student and the control at equal steps. Default: all, and all controls. */
  readonly methods?: readonly MethodName[]
  /** Whether the test split is looked at. Default true. */
  readonly test?: boolean
  /** Whether the side sweeps are taken in, this study's own and those that come with the workbook. Default false. */
  readonly sweeps?: boolean
}

/** The study as far as it was run: every finished trial of its plan, in its place. Arms without one are left out. */
export function collectStudy(study: Study, options: CollectOptions = {}): ReportInput {
  const { methods, test = true, sweeps = false } = options
  const { plan, profile, dataset, precision, runs, settings } = study
  const find = (trial: TrialConfig) => findTrial(runs, trial)
  const onTest = (start: ModelRef, like: TrialConfig) =>
    test ? find(testTrial(start, like, precision)) : undefined
  const fixed = (role: 'teacher' | 'student'): Arm => {
    const validation = find(plan.baselines[role])
    const test = onTest(plan[role], plan.baselines[role])
    // Both are made with the first seed, also where they are shipped.
    const runs = validation || test ? [{ seed: profile.seeds[0]!, validation, test }] : []
    return { role, name: role, runs }
  }
  const trained = (role: 'control' | 'method', name: string, trials: readonly TrialConfig[]): Arm => {
    const runs = trials.flatMap((trial): ArmRun[] => {
      const training = find(trial)
      if (!training || !('training' in trial)) return []
      return [{ seed: trial.training.seed, training, test: onTest(refTo(trial), trial) }]
    })
    return { role, name, runs }
  }
  const wanted = ({ method }: { readonly method: string }) =>
    methods === undefined || methods.some((name) => name === method)
  const arms = [
    fixed('teacher'),
    fixed('student'),
    trained('control', CONTROL_NAMES.steps, plan.control),
    ...(methods === undefined ? plan.otherControls : []).map(({ name, trials }) =>
      trained('control', name, trials),
    ),
    ...plan.methods
      .filter(({ term }) => wanted(term))
      .map(({ term, trials }) => trained('method', term.method, trials)),
  ]
  const ablation = (points: typeof plan.lambdaAblation): Ablation[] =>
    points.filter(wanted).flatMap((point) => {
      const trial = find(point.trial)
      return trial ? [{ ...point, trial }] : []
    })
  return {
    profile,
    data: {
      name: dataset.name,
      hash: dataset.hash,
      ownData: settings.data !== undefined,
      classes: dataset.classes,
      splits: countBoxes(dataset),
    },
    arms: arms.filter(({ runs }) => runs.length > 0),
    ablations: { lambda: ablation(plan.lambdaAblation), threshold: ablation(plan.thresholdAblation) },
    ...(sweeps && {
      sweeps: SIDE_SWEEPS.flatMap((name) => findSweep(sideSweep(name, study), study) ?? []),
      shipped: [...shippedSweeps().values()],
    }),
    preparation: plan.preparation.map(find).filter((trial): trial is TrialResult => trial !== undefined),
  }
}
