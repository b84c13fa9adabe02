/** Reference values of a study's metrics, to compare a rerun with. */

import { existsSync } from 'node:fs'
import { z } from 'zod'
import { readDocument, recordOf } from '../../lib/base'
import { namedTrials, type Study } from '../../lib/study'
import { findTrial, type Metrics, type TrialConfig } from '../../lib/trial'

const referenceSchema = z
  .object({
    profile: z.string(),
    /** Where the values were made; there a rerun must give the same bits. */
    madeOn: z
      .object({
        device: z.string(),
        tensorflow: z.string(),
        /** Revision of the engine's graphs. */
        engine: z.number(),
        precision: z.string(),
      })
      .strict(),
    data: z.string(),
    /** Elsewhere: largest absolute difference of counts' ratios, of mAP and AP, and relative difference of losses. */
    tolerances: z.object({ mAP: z.number(), loss: z.number() }).strict(),
    trials: recordOf(recordOf(z.number())),
  })
  .strict()
export type Reference = z.infer<typeof referenceSchema>

/** The numbers of a trial that a rerun must reproduce. */
function numbersOf(metrics: Metrics): { [name: string]: number } {
  const { evaluation, complexity, training, gradients } = metrics
  const numbers = Object.fromEntries([
    ['macs', complexity.macs],
    ['parameters', complexity.parameters],
    ['mAP@0.5', evaluation.voc.mAP ?? -1],
    ['AP@[.5:.95]', evaluation.coco.AP ?? -1],
  ])
  for (const [name, value] of Object.entries(training?.last ?? {})) numbers[`loss ${name}`] = value
  for (const { method, unitRatio } of gradients ?? []) numbers[`gradient ratio ${method}`] = unitRatio
  return numbers
}

/**
 * The numbers of a study's trials, as a reference.
 * @param others trials not in the plan, by name
 * @throws Error naming an unfinished trial
 */
export function referenceOf(
  study: Study,
  tolerances: Reference['tolerances'],
  others: ReadonlyMap<string, TrialConfig> = new Map(),
): Reference {
  const trials = new Map<string, { readonly [name: string]: number }>()
  let madeOn = { device: '', tensorflow: '', engine: 0, precision: study.precision }
  for (const [name, config] of [...namedTrials(study), ...others]) {
    const result = findTrial(study.runs, config)
    if (!result) throw new Error(`${study.runs}: expected the finished trial "${name}", found none`)
    trials.set(name, numbersOf(result.metrics))
    const { device, tensorflow, engine } = result.metrics.provenance
    madeOn = {
      ...madeOn,
      device: String(device),
      tensorflow: String(tensorflow),
      engine: Number(engine),
    }
  }
  const { name } = study.profile
  return { profile: name, madeOn, data: study.dataset.hash, tolerances, trials: Object.fromEntries(trials) }
}

/** Reads a reference file. */
export function readReference(file: string): Reference {
  if (!existsSync(file))
    throw new Error(`${file}: expected reference values, found none; "repro --update" writes them`)
  return readDocument(file, referenceSchema, { what: 'reference values' })
}

export interface Deviation {
  readonly trial: string
  readonly metric: string
  readonly expected: number
  readonly found: number | undefined
  readonly allowed: number
}

/**
 * Differences between a rerun and the reference. On the machine type, TensorFlow, engine and precision that made the
 * reference everything must be equal; elsewhere counts must be equal, mAP and AP within `tolerances.mAP` (absolute),
 * and losses and gradient ratios within `tolerances.loss` (relative).
 */
export function compareWithReference(
  expected: Reference,
  found: Reference,
): { exact: boolean; deviations: Deviation[] } {
  const exact = JSON.stringify(expected.madeOn) === JSON.stringify(found.madeOn)
  const deviations: Deviation[] = []
  if (expected.data !== found.data) {
    throw new Error(`expected data with hash ${expected.data} as in the reference, found ${found.data}`)
  }
  for (const [trial, numbers] of Object.entries(expected.trials)) {
    for (const [metric, value] of Object.entries(numbers)) {
      const other = found.trials[trial]?.[metric]
      const allowed = exact ? 0 : allowance(metric, value, expected.tolerances)
      if (other === undefined || !(Math.abs(other - value) <= allowed)) {
        deviations.push({ trial, metric, expected: value, found: other, allowed })
      }
    }
  }
  return { exact, deviations }
}

function allowance(metric: string, value: number, { mAP, loss }: Reference['tolerances']): number {
  if (metric === 'macs' || metric === 'parameters') return 0
  return metric.includes('AP') ? mAP : Math.abs(value) * loss
}
