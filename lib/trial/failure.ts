/** What a trial that failed leaves behind, so that others go on without it and a report can say why it is missing. */
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { readDocument, writeAtomically } from '../base'
import { DivergedError } from '../train'
import { type TrialConfig, trialHash } from './config'
import { provenance } from './provenance'
import { FILES } from './results'

/** A number that a diverged training has measured; JSON has no others. */
const measured = z.union([z.number(), z.enum(['NaN', 'Infinity', '-Infinity'])])
const at = z.object({ step: z.number(), value: measured }).strict()
const common = {
  format: z.literal('trial-failure/1'),
  /** Of the trial's config. */
  hash: z.string(),
  message: z.string(),
  provenance: z.record(z.unknown()),
}

/** A trial's `failed.json`. */
const failureSchema = z.discriminatedUnion('kind', [
  z
    .object({
      ...common,
      kind: z.literal('diverged'),
      /** The step that was not finite, counted from 1. */
      step: z.number(),
      /** What was not finite first, with its value. */
      what: z.string(),
      /** All that the step measured. */
      values: z.record(measured),
      /** The terms that grew over the last steps, the first one first; see `growthOf`. */
      grown: z.array(
        z.object({ term: z.string(), since: z.number(), from: at, to: at, factor: measured }).strict(),
      ),
      /** Step of the last checkpoint, whose weights are finite; null where there is none. */
      checkpoint: z.number().nullable(),
      advice: z.string(),
    })
    .strict(),
  z
    .object({
      ...common,
      kind: z.literal('error'),
      /** Hash of the trial that failed before, where this one starts from it. */
      of: z.string().optional(),
    })
    .strict(),
])
/** Why a trial has no result. */
export type TrialFailure = z.infer<typeof failureSchema>

/** What makes a training diverge again at the same step. */
const SAME = ['device', 'tensorflow', 'engine'] as const

const number = (value: number): z.infer<typeof measured> =>
  Number.isFinite(value) ? value : (String(value) as 'NaN' | 'Infinity' | '-Infinity')

/** A failure as its file holds it. */
export function failureOf(config: TrialConfig, error: unknown): TrialFailure {
  const common = { format: 'trial-failure/1', hash: trialHash(config), provenance: provenance() } as const
  const message = error instanceof Error ? error.message : String(error)
  if (!(error instanceof DivergedError)) return { ...common, kind: 'error', message }
  const { step, what, values, grown, checkpoint = null, advice } = error.divergence
  const place = ({ step, value }: { readonly step: number; readonly value: number }) => ({
    step,
    value: number(value),
  })
  return {
    ...common,
    ...{ kind: 'diverged', message, step, what, checkpoint, advice },
    values: Object.fromEntries(Object.entries(values).map(([name, value]) => [name, number(value)])),
    grown: grown.map(({ term, since, from, to, factor }) => ({
      ...{ term, since, from: place(from), to: place(to), factor: number(factor) },
    })),
  }
}

/** Writes the record of a failure into a trial's folder. */
export function writeFailure(folder: string, failure: TrialFailure): TrialFailure {
  writeAtomically(join(folder, FILES.failed), `${JSON.stringify(failure, null, 2)}\n`)
  return failure
}

/**
 * The record of a trial's failure; undefined where it has none, or has been finished since.
 * @throws Error naming the file and its keys where it is none
 */
export function readFailure(folder: string): TrialFailure | undefined {
  const file = join(folder, FILES.failed)
  if (!existsSync(file) || existsSync(join(folder, FILES.metrics))) return undefined
  return readDocument(file, failureSchema, { advice: 'remove it to run the trial again' })
}

/** The failure of the trial with a hash under `runs`; undefined where there is none. */
export function findFailure(hash: string, runs: string): TrialFailure | undefined {
  if (!existsSync(runs)) return undefined
  return readdirSync(runs)
    .filter((name) => name.endsWith(`-${hash.slice(0, 12)}`))
    .map((name) => readFailure(join(runs, name)))
    .find((failure) => failure?.hash === hash)
}

/** Removes the record of a trial's failure: it is tried again. */
export function forgetFailure(folder: string): void {
  rmSync(join(folder, FILES.failed), { force: true })
}

/** Removes the records of all failures under `runs`. */
export function forgetFailures(runs: string): void {
  if (existsSync(runs)) for (const name of readdirSync(runs)) forgetFailure(join(runs, name))
}

/**
 * Whether a trial is not tried again: a training that diverged would diverge again, bit for bit, with the same software on the
 * same kind of machine. Other failures (a lack of memory, a file that was missing) may have passed, unless they are of
 * this very run.
 *
 * @param since when the run began, as ISO 8601
 */
export function isSettled({ kind, provenance: made }: TrialFailure, since?: string): boolean {
  if (since !== undefined && String(made.finished) >= since) return true
  if (kind !== 'diverged') return false
  const now = provenance()
  return SAME.every((key) => made[key] === now[key])
}

/** A failure in a few words. */
export function describeFailure(failure: TrialFailure): string {
  if (failure.kind === 'diverged') return `diverged at step ${failure.step}: ${failure.what}`
  const [line = ''] = failure.message.split('\n')
  return line.length > 160 ? `${line.slice(0, 157)}...` : line
}
