/** Sweeps: trials of the user's own choice beside each other, on a profile's data, networks and recipe. */
import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { z } from 'zod'
import type { TrialConfig } from './config'
import { labelsSchema } from './labels'
import { refTo } from './plan'
import { termSchema, unlabelledSchema } from './profile'
import { readDetections, type TrialResult } from './results'
import { type Interval, interval, metricTable, type PairedDifference, pairedDifference } from './statistics'
import type { Study } from './study'

const armSchema = z
  .object({
    name: z.string().min(1),
    /** The model that is trained on. */
    start: z.enum(['student', 'teacher']).default('student'),
    /** Its architecture alone, with new weights. */
    fresh: z.boolean().default(false),
    steps: z.number().int().positive(),
    /** Peak learning rate. */
    rate: z.number().positive(),
    /** Distillation losses, weighted and added; none: ground truth alone. */
    terms: z.array(termSchema).default([]),
    unlabelled: unlabelledSchema.optional(),
    labels: labelsSchema.optional(),
  })
  .strict()
  .refine(({ terms, unlabelled }) => unlabelled === undefined || terms.length > 0, {
    path: ['unlabelled'],
    message: 'expected terms beside it: unlabelled frames teach through distillation alone',
  })

/** A sweep's file. Every unknown key is an error. */
export const sweepSchema = z
  .object({
    name: z.string().min(1),
    /** What it asks, for the reader of its report. */
    question: z.string(),
    /** Name or file of the profile whose data, teacher, student and recipe it uses. */
    profile: z.string(),
    seeds: z.array(z.number().int()).min(1),
    /** Where the models are measured: validation, or the other town. */
    split: z.enum(['validation', 'shifted']).default('validation'),
    /** The arm that the others are compared with. */
    reference: z.string(),
    arms: z.array(armSchema).min(1),
  })
  .strict()
  .superRefine(({ arms, reference }, context) => {
    const names = arms.map(({ name }) => name)
    if (!names.includes(reference)) {
      const message = `expected one of ${names.join(', ')}, found ${reference}`
      context.addIssue({ code: 'custom', path: ['reference'], message })
    }
    names.forEach((name, i) => {
      if (names.indexOf(name) === i) return
      context.addIssue({ code: 'custom', path: ['arms', i, 'name'], message: `${name} is taken` })
    })
  })
export type Sweep = z.infer<typeof sweepSchema>
type SweepArm = Sweep['arms'][number]

/**
 * Reads a sweep's file.
 * @throws Error naming the file and every key that is wrong
 */
export function loadSweep(file: string): Sweep {
  let document: unknown
  try {
    document = parse(readFileSync(file, 'utf8'))
  } catch (error) {
    throw new Error(`${file}: expected YAML: ${error instanceof Error ? error.message : error}`)
  }
  const parsed = sweepSchema.safeParse(document)
  if (parsed.success) return parsed.data
  const problems = parsed.error.issues.map(
    (issue) => `  ${issue.path.join('.') || '(top level)'}: ${issue.message}`,
  )
  throw new Error(`${file}: not a valid sweep:\n${problems.join('\n')}`)
}

/** The trial of an arm and a seed. */
function armTrial(
  { start, fresh, steps, rate, terms, unlabelled, labels }: SweepArm,
  seed: number,
  { plan, profile, precision }: Study,
): TrialConfig {
  const common = {
    data: plan.baselines.teacher.data,
    start: plan[start],
    ...(fresh && { fresh: true as const }),
    training: { steps, rate, seed, recipe: { ...profile.recipe, precision }, ...(labels && { labels }) },
  }
  if (terms.length === 0) return { kind: 'control', ...common }
  return { kind: 'distill', ...common, teacher: plan.teacher, terms, ...(unlabelled && { unlabelled }) }
}

/** The trials of a sweep, arm by arm, each [seed]. */
export function planSweep(sweep: Sweep, study: Study): TrialConfig[][] {
  return sweep.arms.map((arm) => sweep.seeds.map((seed) => armTrial(arm, seed, study)))
}

/** The trial that measures what another one trained on the sweep's split; itself where that is validation. */
function measurement(trial: TrialConfig, { split }: Sweep, { plan }: Study): TrialConfig {
  const like = plan.baselines.teacher
  if (split === 'validation' || like.kind !== 'evaluate') return trial
  return { ...like, start: refTo(trial), split }
}

/** An arm of a sweep, or the teacher or the student it started from, in numbers; means over the seeds. */
export interface SweepRow {
  readonly name: string
  readonly seeds: readonly number[]
  readonly steps: number
  /** Cost of one training: MACs, a backward pass counted as two forward ones, the teacher's passes included. */
  readonly trainingMacs: number
  readonly macs: number
  readonly images: number
  readonly mAP50: Interval
  /** COCO's AP@[.5:.95]. */
  readonly AP: number
  readonly toReference: PairedDifference | undefined
  readonly toTeacher: PairedDifference | undefined
}

export interface SweepResult {
  readonly sweep: Sweep
  readonly rows: readonly SweepRow[]
}

/** Runs trials and gives their results in the same order, as `Study.run` does. */
type Runner = (trials: readonly TrialConfig[]) => Promise<readonly TrialResult[]>

/**
 * Runs a sweep, or finds what of it was run, and compares every arm with the reference, seed by seed, and with the
 * teacher: paired bootstrap over images and seeds.
 */
export async function runSweep(sweep: Sweep, study: Study, run: Runner): Promise<SweepResult> {
  const { plan, profile } = study
  const trials = planSweep(sweep, study)
  const trained = await run(trials.flat())
  const baselines = (['teacher', 'student'] as const).map((role): TrialConfig => {
    const like = plan.baselines[role]
    return like.kind === 'evaluate' ? { ...like, split: sweep.split } : like
  })
  const measured = await run([
    ...baselines,
    ...trials.flat().map((trial) => measurement(trial, sweep, study)),
  ])
  const tables = measured.map(({ folder }) => metricTable(readDetections(folder)))
  const [teacher] = tables
  const own = (arm: number) => {
    const first = baselines.length + arm * sweep.seeds.length
    return { tables: tables.slice(first, first + sweep.seeds.length), first }
  }
  const reference = own(sweep.arms.findIndex(({ name }) => name === sweep.reference))
  const row = (name: string, first: number, count: number): Omit<SweepRow, 'toReference'> => {
    const results = measured.slice(first, first + count)
    const training = trained[first - baselines.length]?.metrics.training
    const { evaluation, complexity } = results[0]!.metrics
    const mine = tables.slice(first, first + count)
    return {
      name,
      seeds: training ? sweep.seeds : [],
      steps: training?.steps ?? 0,
      trainingMacs: training?.macs ?? 0,
      macs: complexity.macs,
      images: evaluation.images,
      mAP50: interval(mine, profile.bootstrap),
      AP: results.reduce((sum, { metrics }) => sum + (metrics.evaluation.coco.AP ?? Number.NaN), 0) / count,
      toTeacher: first === 0 ? undefined : pairedDifference(mine, [teacher!], profile.bootstrap),
    }
  }
  return {
    sweep,
    rows: [
      ...baselines.map((_, i): SweepRow => {
        const toReference = pairedDifference([tables[i]!], reference.tables, profile.bootstrap)
        return { ...row(i === 0 ? 'teacher' : 'student', i, 1), toReference }
      }),
      ...sweep.arms.map(({ name }, i): SweepRow => {
        const { tables: mine, first } = own(i)
        const toReference =
          name === sweep.reference ? undefined : pairedDifference(mine, reference.tables, profile.bootstrap)
        return { ...row(name, first, sweep.seeds.length), toReference }
      }),
    ],
  }
}
