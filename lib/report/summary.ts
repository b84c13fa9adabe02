/** The study in numbers: everything that the report says follows from this, and this from the trials alone. */

import {
  type Arm,
  type ArmRun,
  armDifference,
  type BootstrapOptions,
  CONTROL_NAMES,
  imagesNeeded,
  interval,
  type Metric,
  measured,
  readTables,
  SELECTION_RULE,
  type SeedTable,
  type Split,
  selectStudent,
} from '../study'
import type { TrialResult } from '../trial'
import type {
  AblationSummary,
  ArmSummary,
  ReportInput,
  SelectionSummary,
  SplitSummary,
  StudySummary,
  TermSummary,
  TrialSummary,
} from './summary-types'

/** COCO's AP has ten thresholds, so a resample of it costs several times one of mAP@0.5, and fewer are drawn. */
const AP_RESAMPLES = 200

/** Computes the study's numbers. Takes a bootstrap of one or two seconds a trial and split with 1500 images. */
export function summariseStudy(input: ReportInput): StudySummary {
  const { profile, data, arms, ablations, preparation = [] } = input
  const bootstrap = { ...profile.bootstrap, seed: 0, ...input.bootstrap }
  const varied = ablationArms(ablations, 'lambda').concat(ablationArms(ablations, 'threshold'))
  const ofAP = { ...bootstrap, resamples: Math.min(bootstrap.resamples, AP_RESAMPLES) }
  const read = (metric: Metric): Tables => ({
    validation: readTables([...arms, ...varied.map(({ arm }) => arm)], 'validation', metric),
    test: readTables(arms, 'test', metric),
  })
  const [tables, apTables] = [read('mAP50'), read('AP')]
  const teacher = arms.find(({ role }) => role === 'teacher')
  const control = arms.find(({ name }) => name === CONTROL_NAMES.steps)
  const computeControl = arms.find(({ name }) => name === CONTROL_NAMES.compute)
  const compare = (arm: Arm, other: Arm | undefined, split: Split, [from, options] = [tables, bootstrap]) => {
    const [own, reference] = [from[split].get(arm), other && from[split].get(other)]
    if (!own || !other || !reference || arm === other) return undefined
    return armDifference([arm, own], [other, reference], options)
  }
  const splitSummary = (arm: Arm, split: Split): SplitSummary | undefined => {
    const own = tables[split].get(arm)
    if (!own) return undefined
    const trials = arm.runs.flatMap((run) => measured(run, split) ?? [])
    const evaluations = trials.map(({ metrics }) => metrics.evaluation)
    return {
      images: evaluations[0]!.images,
      seeds: own.map(({ seed }) => seed),
      mAP50: interval(
        own.map(({ table }) => table),
        bootstrap,
      ),
      AP: interval(
        apTables[split].get(arm)!.map(({ table }) => table),
        ofAP,
      ),
      perClass: evaluations[0]!.perClass.map(({ name, truths }, label) => ({
        name,
        truths,
        ap: meanOrNull(evaluations.map(({ perClass }) => perClass[label]?.ap ?? null)),
      })),
      secondsPerImage: mean(evaluations.map(({ secondsPerImage }) => secondsPerImage)),
      toControl: isTeacher(arm) ? undefined : compare(arm, control, split),
      toCompute: isTeacher(arm) ? undefined : compare(arm, computeControl, split),
      toTeacher: compare(arm, teacher, split),
      toControlAP: isTeacher(arm) ? undefined : compare(arm, control, split, [apTables, ofAP]),
      toComputeAP: isTeacher(arm) ? undefined : compare(arm, computeControl, split, [apTables, ofAP]),
      toTeacherAP: compare(arm, teacher, split, [apTables, ofAP]),
      trainingMacs: mean(arm.runs.map(({ training }) => training?.metrics.training?.macs ?? 0)),
    }
  }
  const teacherMacs = teacher && firstTrial(teacher).metrics.complexity.macs
  const summaries = arms.map((arm): ArmSummary => {
    const { metrics } = firstTrial(arm)
    return {
      role: arm.role,
      name: arm.name,
      complexity: metrics.complexity,
      macsShare: teacherMacs && metrics.complexity.macs / teacherMacs,
      terms: arm.runs[0]?.training ? termsOf(arm.runs[0].training) : [],
      validation: splitSummary(arm, 'validation'),
      test: splitSummary(arm, 'test'),
    }
  })
  const ablationSummaries = (kind: 'lambda' | 'threshold') => {
    const points = varied.filter((point) => point.kind === kind)
    const own = [...new Set(points.map(({ method }) => method))].flatMap((method) =>
      ownSettings(arms, method, points[0]!.run.seed, kind),
    )
    return [...own, ...points]
      .map(({ arm, run, method, value, own }): AblationSummary => {
        const trial = run.training!
        // The arm of a method has further seeds; the ablation has one.
        const single: Arm = own ? { ...arm, runs: [run] } : arm
        const table = tables.validation.get(arm)!.filter(({ seed }) => seed === run.seed)
        const reference = control && tables.validation.get(control)
        return {
          method,
          value,
          own,
          seed: run.seed,
          term: termsOf(trial).find((term) => term.method === method)!,
          mAP50: interval(
            table.map((entry) => entry.table),
            bootstrap,
          ),
          AP: interval(
            apTables.validation
              .get(arm)!
              .filter(({ seed }) => seed === run.seed)
              .map((entry) => entry.table),
            ofAP,
          ),
          toControl: control && reference && armDifference([single, table], [control, reference], bootstrap),
        }
      })
      .sort((a, b) => a.method.localeCompare(b.method) || a.value - b.value)
  }
  return {
    profile,
    data,
    bootstrap,
    arms: summaries,
    lambda: ablationSummaries('lambda'),
    threshold: ablationSummaries('threshold'),
    selection: selection(arms, tables.validation, bootstrap),
    resolution: resolution(arms, control, tables, bootstrap),
    trials: [
      ...preparation.map(
        (trial): TrialSummary => ({
          arm: trial.config.kind,
          role: 'preparation',
          seed: 'training' in trial.config ? trial.config.training.seed : undefined,
          mAP50: undefined,
          trial,
        }),
      ),
      ...arms.flatMap((arm) => trialSummaries(arm, arm.role, tables, bootstrap)),
      ...varied.flatMap(({ arm }) => trialSummaries(arm, 'ablation', tables, bootstrap)),
    ],
  }
}

interface VariedArm {
  readonly kind: 'lambda' | 'threshold'
  readonly method: string
  readonly value: number
  readonly own: boolean
  readonly arm: Arm
  readonly run: ArmRun
}

function ablationArms(ablations: ReportInput['ablations'], kind: 'lambda' | 'threshold'): VariedArm[] {
  return (ablations?.[kind] ?? []).map(({ method, value, trial }) => {
    if (!('training' in trial.config)) {
      throw new Error(
        `${trial.folder}: expected a distillation trial in an ablation, found ${trial.config.kind}`,
      )
    }
    const name = kind === 'lambda' ? `${method}, lambda × ${value}` : `${method}, threshold ${value}`
    const run: ArmRun = { seed: trial.config.training.seed, training: trial }
    return { kind, method, value, own: false, run, arm: { role: 'method', name, runs: [run] } }
  })
}

/** The method's own setting as a point of its ablation, by the same seed. */
function ownSettings(
  arms: readonly Arm[],
  method: string,
  seed: number,
  kind: 'lambda' | 'threshold',
): VariedArm[] {
  return arms.flatMap((arm): VariedArm[] => {
    const run = arm.runs.find((candidate) => candidate.seed === seed)
    const config = run?.training?.config
    if (!run || config?.kind !== 'distill' || config.terms.length !== 1 || config.terms[0]!.method !== method)
      return []
    const value = kind === 'lambda' ? 1 : config.terms[0]!.threshold
    return value === undefined ? [] : [{ kind, method, value, own: true, arm, run }]
  })
}

/** Weights of a distillation trial's terms; none of other trials. */
export function termsOf({ config, metrics }: TrialResult): TermSummary[] {
  if (config.kind !== 'distill') return []
  return (metrics.gradients ?? []).map(({ method, lambda, ratio, cosine }) => {
    const threshold = config.terms.find((term) => term.method === method)?.threshold
    return { method, lambda, ratio, cosine, threshold }
  })
}

type Tables = { readonly [split in Split]: ReadonlyMap<Arm, readonly SeedTable[]> }

function selection(
  arms: readonly Arm[],
  tables: Tables['validation'],
  bootstrap: BootstrapOptions,
): SelectionSummary | undefined {
  const result = selectStudent(arms, tables, bootstrap)
  if (!result) return undefined
  const { chosen, reason, table } = result
  const run = chosen?.candidate.arm.runs.find(({ seed }) => seed === chosen.seed)
  const weights = run && measured(run, 'validation')?.metrics.weights
  return {
    rule: SELECTION_RULE,
    reason,
    table,
    chosen: chosen && weights ? { name: chosen.candidate.name, seed: chosen.seed, weights } : undefined,
  }
}

/** From the first method and the control, on the split whose numbers lead the report. */
function resolution(
  arms: readonly Arm[],
  control: Arm | undefined,
  tables: Tables,
  bootstrap: BootstrapOptions,
): StudySummary['resolution'] {
  const method = arms.find(({ role }) => role === 'method')
  if (!method || !control) return undefined
  const split: Split = tables.test.has(method) && tables.test.has(control) ? 'test' : 'validation'
  const [own, reference] = [tables[split].get(method), tables[split].get(control)]
  const pairs = own?.flatMap(({ seed, table }) => {
    const other = reference?.find((candidate) => candidate.seed === seed)
    return other ? [{ table, other: other.table }] : []
  })
  if (!pairs?.length) return undefined
  const needed = imagesNeeded(
    pairs.map(({ table }) => table),
    pairs.map(({ other }) => other),
    bootstrap,
  )
  return { ...needed, method: method.name, split }
}

function trialSummaries(
  arm: Arm,
  role: TrialSummary['role'],
  tables: Tables,
  bootstrap: BootstrapOptions,
): TrialSummary[] {
  return arm.runs.flatMap((run) =>
    (['validation', 'test'] as const).flatMap((split): TrialSummary[] => {
      const trial = measured(run, split)
      const table = tables[split].get(arm)?.find(({ seed }) => seed === run.seed)?.table
      if (!trial || !table) return []
      return [{ arm: arm.name, role, seed: run.seed, mAP50: interval([table], bootstrap), trial }]
    }),
  )
}

/** The teacher, also trained on: the controls are students, and say nothing about it. */
function isTeacher({ role, name }: Arm): boolean {
  return role === 'teacher' || name === CONTROL_NAMES.teacher
}

function firstTrial(arm: Arm): TrialResult {
  const [run] = arm.runs
  const trial = run?.training ?? run?.validation ?? run?.test
  if (!trial) throw new Error(`arm ${arm.name}: expected at least one trial, found none`)
  return trial
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

function meanOrNull(values: readonly (number | null)[]): number | null {
  const defined = values.filter((value): value is number => value !== null)
  return defined.length === 0 ? null : mean(defined)
}
