/**
 * The lines that a training writes as it goes. They feed curves, never the numbers of a result, so a damaged line is left out
 * with a warning. A killed process may leave half a line at the end: readers ignore it, and the next process cuts it off
 * (`appendLines`).
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { jsonOf, parseDocument, type Schema, sha256, warn, wholeLines } from '../base'
import { type ValidationRow, validationRowSchema } from '../train'
import { FILES, type Vouched, vouchedHash } from './results'

/** pino adds a level and the time. */
const rowSchema = z
  .object({ step: z.number(), level: z.unknown(), time: z.unknown() })
  .catchall(z.number())
  .transform(({ level: _, time: __, ...row }): LogRow => row)

/** One line of a training's log: `step`, `rate`, `imagesPerSecond`, `total`, `gradientNorm` and the losses' terms. */
export interface LogRow {
  readonly step: number
  readonly [measured: string]: number
}

/**
 * The log of a trial's training in the order of steps; empty if there is none. Steps repeated after an interruption
 * count once.
 */
export function readLog(folder: string): LogRow[] {
  return readLogFile(join(folder, FILES.log))
}

/** Like `readLog`, for a log file. */
export function readLogFile(file: string): LogRow[] {
  return readRows(file, FILES.log, rowSchema, "a line of a training's log")
}

/**
 * The evaluations during a trial's training, in the order of steps; empty if there were none. Steps repeated after an
 * interruption count once.
 */
export function readValidation(folder: string): ValidationRow[] {
  return readValidationFile(join(folder, FILES.validation))
}

/** Like `readValidation`, for a file of evaluations. */
export function readValidationFile(file: string): ValidationRow[] {
  return readRows(file, FILES.validation, validationRowSchema, "an evaluation of a training's weights")
}

const pseudoRowSchema = z
  .object({
    step: z.number(),
    images: z.number(),
    objects: z.number(),
    ignored: z.number(),
    thresholds: z.array(z.number().nullable()),
  })
  .strict()

/** A round of pseudo-labels: its step, the number of images, the boxes, and each class's score threshold. */
export type PseudoRow = z.infer<typeof pseudoRowSchema>

/**
 * The rounds of pseudo-labels of a trial's training, in the order of steps; empty if there were none. Rounds
 * repeated after an interruption count once.
 */
export function readPseudo(folder: string): PseudoRow[] {
  return readRows(join(folder, FILES.pseudo), FILES.pseudo, pseudoRowSchema, 'a record of pseudo-labels')
}

/** The last line of a log that a training may still be writing; undefined if there is none yet. */
export function lastLogRow(folder: string): LogRow | undefined {
  const file = join(folder, FILES.log)
  if (!existsSync(file)) return undefined
  const last = wholeLines(readFileSync(file, 'utf8')).slice(-1)
  return rowsOf(last, file, rowSchema, "a line of a training's log")[0]
}

const gammasSchema = z.object({
  step: z.number(),
  edges: z.array(z.number()),
  counts: z.array(z.number()),
  quantiles: z.array(z.number()),
})

/** Distribution of |gamma| over the channels after a number of steps; see `gammaHistogram`. */
export type GammaRow = z.infer<typeof gammasSchema>

/**
 * The record of a sparsity training's scales in the order of steps; repeated steps count once.
 */
export function readGammas(file: string): GammaRow[] {
  return readRows(file, FILES.gammas, gammasSchema, "a record of a training's scales")
}

/** The rows of a file in the order of steps, the last of each step; warns if the file does not have the hash in the metrics. */
function readRows<T extends { readonly step: number }>(
  file: string,
  name: Vouched,
  schema: Schema<T>,
  what: string,
): T[] {
  if (!existsSync(file)) return []
  const text = readFileSync(file, 'utf8')
  const expected = vouchedHash(file, name)
  const found = sha256(text)
  if (expected !== undefined && found !== expected) {
    warn(
      `${file}: expected SHA-256 ${expected} as the metrics beside it say, found ${found}; curves drawn from it may be ` +
        "wrong, but none of the trial's numbers depend on it",
    )
  }
  const rows = new Map(rowsOf(wholeLines(text), file, schema, what).map((row) => [row.step, row]))
  return [...rows.values()].sort((a, b) => a.step - b.step)
}

function rowsOf<T>(lines: ReturnType<typeof wholeLines>, file: string, schema: Schema<T>, what: string): T[] {
  return lines.flatMap(({ line, number }) => {
    const place = `${file}:${number}`
    try {
      return [parseDocument(jsonOf(line, place), schema, place, { what })]
    } catch (error) {
      warn(`${error instanceof Error ? error.message : String(error)}; the line is left out`)
      return []
    }
  })
}
