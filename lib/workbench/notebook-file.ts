/** Notebooks as files: their content, and why a cell failed. */
import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { readDocument, writeAtomically } from '../base'

/** A notebook failed: the message names the cell and includes its error. */
export class NotebookError extends Error {
  override name = 'NotebookError'
  constructor(
    readonly notebook: string,
    /** 1-based number of the failed code cell, or null if no cell failed. */
    readonly cell: number | null,
    readonly detail: string,
    /** The notebook as far as it was executed. */
    readonly partial: string | null,
    /** The name of the error that the cell threw. */
    readonly reason: string | null = null,
  ) {
    const where = cell === null ? notebook : `${notebook}, code cell ${cell}`
    const look = partial ? `\nAs far as it ran: ${partial}` : ''
    super(`${where} failed:\n${detail}${look}`)
  }
}

export const sourceSchema = z.union([z.string(), z.array(z.string())])
const outputSchema = z
  .object({
    output_type: z.string(),
    data: z.record(z.unknown()).optional(),
    ename: z.string().optional(),
    evalue: z.string().optional(),
    traceback: z.array(z.string()).optional(),
  })
  .passthrough()
const cellSchema = z
  .object({ cell_type: z.string(), source: sourceSchema, outputs: z.array(outputSchema).optional() })
  .passthrough()
const notebookSchema = z.object({ cells: z.array(cellSchema), nbformat: z.number() }).passthrough()
export type Notebook = z.infer<typeof notebookSchema>

/** @throws naming the file if it is not a notebook */
export function readNotebook(file: string): Notebook {
  return readDocument(file, notebookSchema, { what: 'a Jupyter notebook' })
}

/** A cell's text, which the file may hold as one string or as lines. */
export function joined(source: string | readonly string[]): string {
  return typeof source === 'string' ? source : source.join('')
}

/** The first failed code cell (1-based) of an executed notebook, and its error; null if none failed. */
export function failedCell(file: string): { cell: number; detail: string; reason: string } | null {
  const code = readNotebook(file).cells.filter((cell) => cell.cell_type === 'code')
  for (const [i, cell] of code.entries()) {
    const error = cell.outputs?.find((output) => output.output_type === 'error')
    if (!error) continue
    const trace = error.traceback?.join('\n') ?? ''
    const summary = `${error.ename}: ${error.evalue}`
    const message = trace.includes(error.evalue ?? '') && error.ename !== 'TypeScript' ? trace : summary
    return { cell: i + 1, detail: message, reason: error.ename ?? '' }
  }
  return null
}

/** Copies a file so that it appears whole; returns its path. */
export function copyWhole(from: string, to: string): string {
  writeAtomically(to, readFileSync(from))
  return to
}
