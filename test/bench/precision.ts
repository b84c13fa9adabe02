/**
 * Whether training in bfloat16 or float16 ends where training in float32 does: the default profile's control (the shipped student,
 * trained on with the ground truth alone), with a few seeds in each.
 */

import { join } from 'node:path'
import { armOf, createStudy } from '../../lib/study'
import type { TrialConfig, TrialResult } from '../../lib/trial'
import type { Work } from './protocol'

export interface PrecisionOptions {
  /** Folder of the data and the trials; finished trials are reused. */
  readonly cache: string
  readonly seeds: readonly number[]
  /** float32 and the precisions compared with it. */
  readonly precisions: readonly Work['precision'][]
  /** Only a few steps and images, to see whether it runs. */
  readonly quick: boolean
  readonly signal: AbortSignal
  readonly onProgress: (text: string) => void
}

/** The seeds' trials in one precision, in the order of the seeds. */
export interface PrecisionRow {
  readonly precision: Work['precision']
  readonly mAP50: readonly number[]
  readonly AP: readonly number[]
  /** Seconds of training, one thread. */
  readonly seconds: readonly number[]
}

export interface PrecisionResult {
  readonly steps: number
  readonly batch: number
  /** On validation. */
  readonly images: number
  readonly seeds: readonly number[]
  readonly rows: readonly PrecisionRow[]
}

type Control = Extract<TrialConfig, { kind: 'control' }>

const QUICK = { steps: 2, batch: 4, images: 8 }

/** Runs the trials, two at a time, each with one thread. */
export async function comparePrecisions(options: PrecisionOptions): Promise<PrecisionResult> {
  const { cache, seeds, precisions, quick, signal, onProgress } = options
  const out = join(cache, 'bench', quick ? 'precision-quick' : 'precision')
  const reduce = quick ? QUICK : undefined
  const study = await createStudy({ profile: 'default', out, cache, seeds, reduce, signal })
  const controls = armOf(study, 'control').trials.filter(
    (trial): trial is Control => trial.kind === 'control',
  )
  // A seed's precisions run side by side, so that a slow minute of the machine hits both.
  const trials = controls.flatMap(({ training, ...trial }) =>
    precisions.map(
      (precision): Control => ({
        ...trial,
        training: { ...training, recipe: { ...training.recipe, precision } },
      }),
    ),
  )
  const results = await study.run(trials, {
    onProgress: (trial, { state }) => {
      if (state === 'running' || trial.kind !== 'control') return
      onProgress(`${trial.training.recipe.precision}, seed ${trial.training.seed}: ${state}`)
    },
  })
  const rows = precisions.map((precision): PrecisionRow => {
    const own = results.filter((_, i) => trials[i]?.training.recipe.precision === precision)
    return {
      precision,
      mAP50: own.map((trial) => present(trial, 'mAP@0.5', trial.metrics.evaluation.voc.mAP)),
      AP: own.map((trial) => present(trial, 'AP', trial.metrics.evaluation.coco.AP)),
      seconds: own.map((trial) => present(trial, 'seconds', trial.metrics.training?.seconds)),
    }
  })
  const { steps } = study.profile.stages.distill
  const images = study.dataset.splits.validation?.length ?? 0
  return { steps, batch: study.profile.recipe.batch, images, seeds, rows }
}

function present({ folder }: TrialResult, what: string, value: number | null | undefined): number {
  if (typeof value !== 'number') throw new Error(`${folder}: expected ${what} among its metrics, found none`)
  return value
}

/** Distance of one precision's number from the other's, relative to the spread over seeds. */
export interface PrecisionVerdict {
  /** Mean of the precision - mean of float32. */
  readonly difference: number
  /** Largest - smallest of float32's seeds. */
  readonly spread: number
  readonly isWithin: boolean
}

/** Compares a precision with float32 by a number: the means' difference against the spread of the seeds in float32. */
export function precisionVerdict(
  { rows }: Pick<PrecisionResult, 'rows'>,
  precision: Exclude<Work['precision'], 'float32'>,
  metric: 'mAP50' | 'AP',
): PrecisionVerdict {
  const valuesOf = (name: Work['precision']) => rows.find((row) => row.precision === name)?.[metric] ?? []
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  const [full, low] = [valuesOf('float32'), valuesOf(precision)]
  const difference = mean(low) - mean(full)
  const spread = Math.max(...full) - Math.min(...full)
  return { difference, spread, isWithin: Math.abs(difference) < spread }
}
