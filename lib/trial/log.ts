import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { type ValidationRow, validationRowSchema } from '../train'
import { FILES } from './results'

const rowSchema = z.object({ step: z.number() }).catchall(z.number())

/** One line of a training's log: `step`, `rate`, `imagesPerSecond`, `total`, `gradientNorm` and the losses' terms. */
export type LogRow = z.infer<typeof rowSchema>

/**
 * The log of a trial's training in the order of steps; empty if there is none. Steps repeated after an interruption
 * count once.
 * @throws Error naming file and line of an invalid row
 */
export function readLog(folder: string): LogRow[] {
  return readLogFile(join(folder, FILES.log))
}

/** Like `readLog`, for a log file. */
export function readLogFile(file: string): LogRow[] {
  if (!existsSync(file)) return []
  const rows = new Map<number, LogRow>()
  for (const [i, line] of readFileSync(file, 'utf8').split('\n').entries()) {
    if (line.trim() === '') continue
    const row = parseRow(line, `${file}:${i + 1}`)
    rows.set(row.step, row)
  }
  return [...rows.values()].sort((a, b) => a.step - b.step)
}

/**
 * The evaluations during a trial's training, in the order of steps; empty if there were none. Steps repeated after an
 * interruption count once.
 * @throws Error naming file and line of an invalid evaluation
 */
export function readValidation(folder: string): ValidationRow[] {
  const file = join(folder, FILES.validation)
  return existsSync(file) ? readRows(file, validationRowSchema, "an evaluation of a training's weights") : []
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
 * @throws Error naming file and line of an invalid record
 */
export function readPseudo(folder: string): PseudoRow[] {
  const file = join(folder, FILES.pseudo)
  return existsSync(file) ? readRows(file, pseudoRowSchema, 'a record of pseudo-labels') : []
}

/** The last line of a log that a training may still be writing; undefined if there is none yet. */
export function lastLogRow(folder: string): LogRow | undefined {
  const file = join(folder, FILES.log)
  if (!existsSync(file)) return undefined
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1) // what follows the last line's end is not whole
  const line = lines.at(-1)
  return line === undefined ? undefined : parseRow(line, `${file}:${lines.length}`)
}

function parseRow(line: string, place: string): LogRow {
  const { level: _, time: __, ...row } = parseLine(rowSchema, line, place, "a line of a training's log")
  return row
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
 * @throws Error naming file and line of an invalid record
 */
export function readGammas(file: string): GammaRow[] {
  return readRows(file, gammasSchema, "a record of a training's scales")
}

function readRows<T extends { step: number }>(file: string, schema: z.ZodType<T>, what: string): T[] {
  const rows = new Map<number, T>()
  for (const [i, line] of readFileSync(file, 'utf8').split('\n').entries()) {
    if (line.trim() === '') continue
    const row = parseLine(schema, line, `${file}:${i + 1}`, what)
    rows.set(row.step, row)
  }
  return [...rows.values()].sort((a, b) => a.step - b.step)
}

function parseLine<T>(schema: z.ZodType<T>, line: string, place: string, what: string): T {
  try {
    return schema.parse(JSON.parse(line))
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new Error(`${place}: expected ${what} (${reason}); remove the folder to redo the trial`)
  }
}
