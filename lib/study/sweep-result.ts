/** What a sweep's trials gave: every arm in numbers, beside the models that it started from and its references. */

import { existsSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { z } from 'zod'
import { readDocument } from '../base'
import { findTrial, type TrialConfig, type TrialResult, trialHash } from '../trial'
import { trialTable } from './arms'
import { interval, pairedDifference } from './statistics'
import type { Study } from './study'
import {
  isRole,
  type ModelRole,
  measurement,
  measuringTrial,
  planSweep,
  type Sweep,
  sweepSchema,
} from './sweep'

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
/** This arm minus another one, paired. */
const comparisonSchema = z.object({ mAP50: differenceSchema, AP: differenceSchema }).strict()

const rowSchema = z
  .object({
    name: z.string(),
    series: z.string().optional(),
    /** Of the arm; none for the teacher and for what the arms start from. */
    seeds: z.array(number),
    steps: number,
    /** Cost of one training: MACs, a backward pass counted as two forward ones, the teacher's passes included. */
    trainingMacs: number,
    /** Of one image. */
    macs: number,
    images: number,
    /** Means over the seeds with their intervals over images and seeds. */
    mAP50: intervalSchema,
    /** COCO's AP@[.5:.95]. */
    AP: intervalSchema,
    /** By the name of the reference. */
    toReferences: z.record(comparisonSchema),
    toTeacher: comparisonSchema.optional(),
    /** What the distillation terms weighed, first seed. */
    terms: z.array(
      z.object({ method: z.string(), lambda: number, ratio: number, cosine: number.nullable() }).strict(),
    ),
    trials: z.array(
      z
        .object({ seed: number.optional(), hash: z.string(), weights: z.string(), mAP50: number, AP: number })
        .strict(),
    ),
    /** Wall time of the trainings, all seeds together. */
    seconds: number,
  })
  .strict()
export type SweepRow = z.infer<typeof rowSchema>

export const sweepResultSchema = z
  .object({ format: z.literal('sweep/1'), sweep: sweepSchema, rows: z.array(rowSchema) })
  .strict()
export type SweepResult = z.infer<typeof sweepResultSchema>

/** COCO's AP has ten thresholds, so a resample of it costs several times one of mAP@0.5, and fewer are drawn. */
const AP_RESAMPLES = 200

/** Models beside the arms: the teacher, what the arms start from, and what they are compared with. */
function fixedModels({ arms, references }: Sweep): ModelRole[] {
  const starts = arms.filter(({ fresh }) => !fresh).map(({ start }) => start)
  return [...new Set<ModelRole>(['teacher', ...starts, ...references.filter(isRole)])]
}

/**
 * The trials of a sweep: those that train, arm by arm and seed by seed, and those that measure what came out; `names` has what
 * each is called, by its hash. What its arms start from must be there.
 */
export function sweepTrials(
  sweep: Sweep,
  study: Study,
): { training: TrialConfig[]; measuring: TrialConfig[]; names: ReadonlyMap<string, string> } {
  const { arms, seeds, split } = sweep
  const names = new Map<string, string>()
  const named = (trial: TrialConfig, name: string): TrialConfig => {
    if (!names.has(trialHash(trial))) names.set(trialHash(trial), name)
    return trial
  }
  const planned = planSweep(sweep, study).flatMap((trials, arm) =>
    trials.map((trial, i) => ({ trial, name: `${arms[arm]!.name}, seed ${seeds[i]}` })),
  )
  return {
    training: planned.map(({ trial, name }) => named(trial, name)),
    measuring: [
      ...fixedModels(sweep).map((role) =>
        named(measuringTrial(study.plan[role], sweep, study), `${role} on ${split}`),
      ),
      ...planned.map(({ trial, name }) => named(measurement(trial, sweep, study), `${name}, on ${split}`)),
    ],
    names,
  }
}

/**
 * Runs a sweep, or finds what of it was run; see `summariseSweep`.
 * @param run runs trials, called by `names`, and gives their results in the same order, as `Study.run` does
 */
export async function runSweep(
  sweep: Sweep,
  study: Study,
  run: (
    trials: readonly TrialConfig[],
    names: ReadonlyMap<string, string>,
  ) => Promise<readonly TrialResult[]>,
): Promise<SweepResult> {
  const { training, measuring, names } = sweepTrials(sweep, study)
  return summariseSweep(sweep, study, await run(training, names), await run(measuring, names))
}

/** A sweep that was run before; undefined where a trial of it is missing. What its arms start from must be there. */
export function findSweep(sweep: Sweep, study: Study): SweepResult | undefined {
  const { training, measuring } = sweepTrials(sweep, study)
  const found = [...training, ...measuring].flatMap((trial) => findTrial(study.runs, trial) ?? [])
  if (found.length < training.length + measuring.length) return undefined
  return summariseSweep(sweep, study, found.slice(0, training.length), found.slice(training.length))
}

/**
 * Compares every arm with the references, seed by seed, and with the teacher: paired bootstrap over images and seeds.
 * @param trained arm by arm, each [seed]
 * @param measured the teacher and what the arms start from, then as `trained`
 */
function summariseSweep(
  sweep: Sweep,
  { profile }: Study,
  trained: readonly TrialResult[],
  measured: readonly TrialResult[],
): SweepResult {
  const fixed = fixedModels(sweep)
  const options = {
    mAP50: profile.bootstrap,
    AP: { ...profile.bootstrap, resamples: Math.min(profile.bootstrap.resamples, AP_RESAMPLES) },
  }
  const tables = measured.map((trial) => ({
    mAP50: trialTable(trial, 'mAP50').table,
    AP: trialTable(trial, 'AP').table,
  }))
  type Range = readonly [first: number, end: number]
  const of = ([first, end]: Range, metric: 'mAP50' | 'AP') =>
    tables.slice(first, end).map((table) => table[metric])
  const compare = (a: Range, b: Range) => ({
    mAP50: pairedDifference(of(a, 'mAP50'), of(b, 'mAP50'), options.mAP50),
    AP: pairedDifference(of(a, 'AP'), of(b, 'AP'), options.AP),
  })
  const rangeOf = (arm: number): Range => {
    const first = fixed.length + arm * sweep.seeds.length
    return [first, first + sweep.seeds.length]
  }
  const references = sweep.references.map((name) => ({
    name,
    range: isRole(name)
      ? ([fixed.indexOf(name), fixed.indexOf(name) + 1] as const)
      : rangeOf(sweep.arms.findIndex((arm) => arm.name === name)),
  }))
  const row = (name: string, range: Range): SweepRow => {
    const results = measured.slice(...range)
    const trainings =
      range[0] < fixed.length ? [] : trained.slice(range[0] - fixed.length, range[1] - fixed.length)
    const [first] = trainings
    const { evaluation, complexity } = results[0]!.metrics
    const others = references.filter((reference) => reference.range[0] !== range[0])
    return {
      name,
      series: sweep.arms.find((arm) => arm.name === name)?.series,
      seeds: first ? [...sweep.seeds] : [],
      steps: first?.metrics.training?.steps ?? 0,
      trainingMacs: first?.metrics.training?.macs ?? 0,
      macs: complexity.macs,
      images: evaluation.images,
      mAP50: interval(of(range, 'mAP50'), options.mAP50),
      AP: interval(of(range, 'AP'), options.AP),
      toReferences: Object.fromEntries(others.map((other) => [other.name, compare(range, other.range)])),
      ...(range[0] > 0 && { toTeacher: compare(range, [0, 1]) }),
      terms: (first?.metrics.gradients ?? []).map(({ method, lambda, ratio, cosine }) => ({
        method,
        lambda,
        ratio,
        cosine,
      })),
      trials: results.map(({ metrics }, i) => ({
        ...(first && { seed: sweep.seeds[i] }),
        hash: trainings[i]?.metrics.hash ?? metrics.hash,
        weights: metrics.weights,
        mAP50: metrics.evaluation.voc.mAP ?? Number.NaN,
        AP: metrics.evaluation.coco.AP ?? Number.NaN,
      })),
      seconds: trainings.reduce((sum, { metrics }) => sum + (metrics.training?.seconds ?? 0), 0),
    }
  }
  return {
    format: 'sweep/1',
    sweep,
    rows: [
      ...fixed.map((role, i) => row(role, [i, i + 1])),
      ...sweep.arms.map(({ name }, i) => row(name, rangeOf(i))),
    ],
  }
}

/** Results of sweeps that come with the workbook: name, numbers, and with what they were made. */
export const sweepFileSchema = sweepResultSchema.extend({
  command: z.string(),
  provenance: z.record(z.unknown()),
})
export type SweepFile = z.infer<typeof sweepFileSchema>

/** Where results of sweeps lie that come with the workbook. */
export const SWEEPS = join(__dirname, '../../data/sweeps')

/**
 * Reads a sweep's result.
 * @throws Error naming file and key where it is damaged
 */
export function readSweepFile(file: string): SweepFile {
  return readDocument(file, sweepFileSchema, { advice: 'run the sweep again' })
}

/** The results that come with the workbook, by name in alphabetical order. */
export function shippedSweeps(): ReadonlyMap<string, SweepFile> {
  if (!existsSync(SWEEPS)) return new Map()
  const names = readdirSync(SWEEPS)
    .filter((file) => file.endsWith('.json'))
    .map((file) => basename(file, '.json'))
  return new Map(names.sort().map((name) => [name, readSweepFile(join(SWEEPS, `${name}.json`))]))
}
