/**
 * Arms beside each other: seeds x splits x metrics x references. The study, its ablations, the sweeps that come with the
 * workbook and those of a user all go through here.
 */
import { z } from 'zod'
import type { MatchTable } from '../evaluate'
import { type Metrics, readDetections, type TrialResult } from '../trial'
import { METRICS, type MetricName, metricTable } from './metric'
import { type BootstrapOptions, interval, type PairedDifference, pairedDifference } from './statistics'

export const ROLES = ['teacher', 'student', 'pruned', 'control', 'method'] as const
/**
 * `teacher`: also the teacher trained on; `pruned`: right after pruning; `student`: fine-tuned after pruning, before
 * distillation; `control`: a student trained on without a teacher; `method`: with distillation.
 */
export type Role = (typeof ROLES)[number]

export type Split = Metrics['evaluation']['split']

/** One training seed of an arm, or a model that the arms start from. */
export interface ArmRun {
  /** Absent for a model that no training of the comparison made. */
  readonly seed?: number
  /** The trial that trained the model. */
  readonly training?: TrialResult
  /** The trials that measured it, by split. One that trains measures on validation itself. */
  readonly evaluations: { readonly [split in Split]?: TrialResult }
}

const ablationSchema = z
  .object({
    method: z.string(),
    varied: z.enum(['lambda', 'threshold']),
    /** lambda as a multiple of the method's own, or the threshold. */
    value: z.number(),
    /** The method's own setting. */
    own: z.boolean().default(false),
  })
  .strict()
/** What an arm varies of a method. */
export type Variation = z.infer<typeof ablationSchema>

/** A model, or one model a training seed. */
export interface Arm {
  readonly role: Role
  /** For people; unique within a comparison. */
  readonly name: string
  /** Arms of one series are joined by a line in the figure of accuracy against compute. */
  readonly series?: string
  readonly variation?: Variation
  readonly runs: readonly ArmRun[]
}

const number = z.number()
const intervalSchema = z.object({ value: number, lower: number, upper: number }).strict()
const differenceSchema = z
  .object({
    difference: number,
    lower: number,
    upper: number,
    verdict: z.enum(['better', 'worse', 'no difference shown']),
    pValue: number,
    resamples: number,
    confidence: number,
    images: number,
    seeds: number,
  })
  .strict()

const splitSchema = z
  .object({
    images: number,
    /** Seeds of the runs that were measured here; none of a fixed model. */
    seeds: z.array(number),
    /** By metric: the mean over the seeds with its interval over images and seeds. */
    values: z.record(intervalSchema),
    /** By reference and metric: this arm minus the reference, paired. */
    differences: z.record(z.record(differenceSchema)),
    /** VOC's AP at IoU 0.5, mean over the seeds; null without truths. */
    perClass: z
      .array(z.object({ name: z.string(), truths: number, ap: number.nullable() }).strict())
      .default([]),
    secondsPerImage: number.optional(),
  })
  .strict()
/** An arm on a split. */
export type SplitNumbers = z.infer<typeof splitSchema>

const termSchema = z
  .object({
    method: z.string(),
    lambda: number,
    /** Norm of the weighted distillation gradient over that of the ground truth's, at the start. */
    ratio: number,
    cosine: number.nullable(),
    threshold: number.optional(),
  })
  .strict()
/** What a distillation term weighed. */
export type TermNumbers = z.infer<typeof termSchema>

/** An arm in numbers, as results store it. */
export const armNumbersSchema = z
  .object({
    role: z.enum(ROLES),
    name: z.string(),
    series: z.string().optional(),
    variation: ablationSchema.optional(),
    /** Steps of a training; 0 for a model that no training of the comparison made. */
    steps: number,
    /** Cost of one training: MACs, a backward pass counted as two forward ones, the teacher's passes included. */
    trainingMacs: number,
    /** Wall time of the trainings, all seeds together. */
    seconds: number,
    /** Of one image. */
    macs: number,
    mmdet: number.optional(),
    parameters: number.optional(),
    /** MACs over the teacher's. */
    macsShare: number.optional(),
    /** Of the first seed. */
    terms: z.array(termSchema),
    trials: z.array(
      z
        .object({ seed: number.optional(), hash: z.string(), weights: z.string(), mAP50: number, AP: number })
        .strict(),
    ),
    splits: z.object({
      validation: splitSchema.optional(),
      test: splitSchema.optional(),
      shifted: splitSchema.optional(),
    }),
  })
  .strict()
export type ArmNumbers = z.infer<typeof armNumbersSchema>

export interface ComparisonOptions {
  /** Names of the arms that the others are compared with, the most important one first. */
  readonly references: readonly string[]
  /** Default: validation. */
  readonly splits?: readonly Split[]
  /** Default: all. */
  readonly metrics?: readonly MetricName[]
  readonly bootstrap?: BootstrapOptions
}

/** Every arm in numbers, beside the references, as far as it was run; arms without a run are left out. */
export function compareArms(arms: readonly Arm[], options: ComparisonOptions): ArmNumbers[] {
  const { references, splits = ['validation'], metrics = Object.keys(METRICS) as MetricName[] } = options
  const shown = arms.filter(({ runs }) => runs.length > 0)
  const teacherMacs = macsOf(shown.find(({ role }) => role === 'teacher'))
  const tables = new Map(
    splits.map((split) => [
      split,
      new Map(
        metrics
          .map((metric) => [metric, readTables(shown, split, metric)] as const)
          // Of sizes that no object has there is nothing to say.
          .filter(([, ofMetric]) => [...ofMetric.values()].some(([first]) => first?.table.truthImage.length)),
      ),
    ]),
  )
  const others = references.flatMap((name) => shown.find((arm) => arm.name === name) ?? [])
  return shown.map((arm): ArmNumbers => {
    const bySplit = splits.flatMap((split) => {
      const numbers = splitNumbers(arm, others, { split, tables: tables.get(split)!, options })
      return numbers ? [[split, numbers] as const] : []
    })
    return {
      ...describeArm(arm, teacherMacs),
      splits: Object.fromEntries(bySplit),
    }
  })
}

/** What an arm is and what it cost. */
function describeArm(arm: Arm, teacherMacs: number | undefined): Omit<ArmNumbers, 'splits'> {
  const { role, name, series, variation, runs } = arm
  const trainings = runs.flatMap(({ training }) => training?.metrics.training ?? [])
  const { macs, mmdet, parameters } = firstTrial(arm).metrics.complexity
  const [first] = runs
  return {
    role,
    name,
    ...(series !== undefined && { series }),
    ...(variation && { variation }),
    steps: trainings[0]?.steps ?? 0,
    trainingMacs: trainings.length > 0 ? mean(trainings.map((training) => training.macs)) : 0,
    seconds: trainings.reduce((sum, { seconds }) => sum + seconds, 0),
    macs,
    mmdet,
    parameters,
    ...(teacherMacs !== undefined && { macsShare: macs / teacherMacs }),
    terms: first?.training ? termsOf(first.training) : [],
    trials: runs.flatMap(({ seed, training, evaluations }) => {
      const trial = evaluations.validation ?? evaluations.test ?? evaluations.shifted
      if (!trial) return []
      const { evaluation, weights } = trial.metrics
      return [
        {
          ...(seed !== undefined && { seed }),
          hash: (training ?? trial).metrics.hash,
          weights,
          mAP50: evaluation.voc.mAP ?? Number.NaN,
          AP: evaluation.coco.AP ?? Number.NaN,
        },
      ]
    }),
  }
}

/** Weights of a distillation trial's terms; none of other trials. */
export function termsOf({ config, metrics }: TrialResult): TermNumbers[] {
  if (config.kind !== 'distill') return []
  return (metrics.gradients ?? []).map(({ method, lambda, ratio, cosine }) => {
    const threshold = config.terms.find((term) => term.method === method)?.threshold
    return { method, lambda, ratio, cosine, ...(threshold !== undefined && { threshold }) }
  })
}

interface SplitContext {
  readonly split: Split
  readonly tables: ReadonlyMap<MetricName, ArmTables>
  readonly options: ComparisonOptions
}

function splitNumbers(arm: Arm, others: readonly Arm[], context: SplitContext): SplitNumbers | undefined {
  const { split, tables, options } = context
  const evaluations = arm.runs.flatMap((run) => evaluationOn(run, split)?.metrics.evaluation ?? [])
  const [first] = evaluations
  if (!first) return undefined
  const values = [...tables].map(([metric, ofMetric]) => {
    const own = ofMetric.get(arm)!.map(({ table }) => table)
    return [metric, interval(own, bootstrapOf(metric, options))] as const
  })
  const differences = others.flatMap((other) => {
    if (other === arm) return []
    const byMetric = [...tables].flatMap(([metric, ofMetric]) => {
      const difference = armDifference(arm, other, ofMetric, bootstrapOf(metric, options))
      return difference ? [[metric, difference] as const] : []
    })
    return byMetric.length > 0 ? [[other.name, Object.fromEntries(byMetric)] as const] : []
  })
  return {
    images: first.images,
    seeds: arm.runs.flatMap((run) => (evaluationOn(run, split) ? (run.seed ?? []) : [])),
    values: Object.fromEntries(values),
    differences: Object.fromEntries(differences),
    perClass: first.perClass.map(({ name, truths }, label) => ({
      name,
      truths,
      ap: meanOrNull(evaluations.map(({ perClass }) => perClass[label]?.ap ?? null)),
    })),
    secondsPerImage: mean(evaluations.map(({ secondsPerImage }) => secondsPerImage)),
  }
}

/** The options of a metric's bootstrap: of a dear one fewer resamples are drawn. */
export function bootstrapOf(
  metric: MetricName,
  { bootstrap = {} }: Pick<ComparisonOptions, 'bootstrap'>,
): BootstrapOptions {
  const { resamples = Number.POSITIVE_INFINITY }: { readonly resamples?: number } = METRICS[metric]
  return bootstrap.resamples !== undefined && bootstrap.resamples > resamples
    ? { ...bootstrap, resamples }
    : bootstrap
}

/**
 * The trial in which a run's model was measured on a split; undefined where it was not.
 * @throws Error where the trial was evaluated on another split
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

/** Match tables of arms, one a run that was measured. */
export type ArmTables = ReadonlyMap<Arm, readonly SeedTable[]>

/**
 * A metric's match tables of every arm on a split, from the stored detections; no entry for an arm that was not measured
 * there.
 * @throws Error naming the folder whose images are not those of the others
 */
export function readTables(arms: readonly Arm[], split: Split, metric: MetricName = 'mAP50'): ArmTables {
  let expected: { folder: string; ids: string } | undefined
  const tables = new Map<Arm, SeedTable[]>()
  for (const arm of arms) {
    for (const run of arm.runs) {
      const trial = evaluationOn(run, split)
      if (!trial) continue
      const { ids, table } = tableOf(trial, metric)
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

/** By folder, metric and the time at which the trial ended: finished trials do not change. */
const tablesMade = new Map<string, { readonly ids: string; readonly table: MatchTable }>()

/**
 * A trial's match table for a metric, and the ids of its images as text. Both are kept: the bootstrap's resamples are kept
 * with a table, so that a second look at the same trials, beside others or on one more split, is cheap.
 */
function tableOf(
  { folder, metrics }: TrialResult,
  metric: MetricName,
): { readonly ids: string; readonly table: MatchTable } {
  const key = JSON.stringify([folder, metric, metrics.hash, metrics.provenance.finished])
  const made = tablesMade.get(key)
  if (made) return made
  const detections = readDetections(folder)
  const fresh = { ids: JSON.stringify(detections.ids), table: metricTable(detections, metric) }
  tablesMade.set(key, fresh)
  return fresh
}

/**
 * Paired difference of two arms: seed by seed over the seeds that both have. A model that no training of the comparison made
 * is fixed: all seeds of the other arm start from it, and it is paired with each of them.
 * @returns undefined where one was not measured, or they have no seed in common
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
  if (isFixed(a) || isFixed(b)) return pairedDifference(all(ofA), all(ofB), options)
  const pairs = pairSeeds(ofA, ofB)
  return pairs && pairedDifference(...pairs, options)
}

const isFixed = ({ runs }: Arm): boolean => runs.length === 1 && runs[0]?.training === undefined

/** Two arms' tables over the seeds that both have, in the same order; undefined where there is none. */
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

function macsOf(arm: Arm | undefined): number | undefined {
  return arm && firstTrial(arm).metrics.complexity.macs
}

function firstTrial({ name, runs: [run] }: Arm): TrialResult {
  const trial = run?.training ?? Object.values(run?.evaluations ?? {})[0]
  if (!trial) throw new Error(`arm ${name}: expected at least one trial, found none`)
  return trial
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

function meanOrNull(values: readonly (number | null)[]): number | null {
  const defined = values.filter((value): value is number => value !== null)
  return defined.length === 0 ? null : mean(defined)
}
