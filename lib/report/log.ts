import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { FILES } from '../study'

const rowSchema = z.object({ step: z.number() }).catchall(z.number())

/** One line of a training's log: `step`, `rate`, `imagesPerSecond`, `total`, `gradientNorm` and the losses' terms. */
export type LogRow = z.infer<typeof rowSchema>

/**
 * The log of a trial's training in the order of steps; empty where there is none. Steps that were done again after an
 * interruption count once.
 * @throws Error naming file and line where one is no row
 */
export function readLog(folder: string): LogRow[] {
  return readLogFile(join(folder, FILES.log))
}

/** The same of a log file. */
export function readLogFile(file: string): LogRow[] {
  if (!existsSync(file)) return []
  const rows = new Map<number, LogRow>()
  for (const [i, line] of readFileSync(file, 'utf8').split('\n').entries()) {
    if (line.trim() === '') continue
    const { level: _, time: __, ...row } = parseRow(line, `${file}:${i + 1}`)
    rows.set(row.step, row)
  }
  return [...rows.values()].sort((a, b) => a.step - b.step)
}

function parseRow(line: string, place: string): LogRow {
  try {
    return rowSchema.parse(JSON.parse(line))
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new Error(
      `${place}: expected a line of a training's log (${reason}); remove the folder to redo the trial`,
    )
  }
}
