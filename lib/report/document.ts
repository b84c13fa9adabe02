/** A report as data, independent of its output formats. */
import type { Figure } from './figures'

/** Columns are the keys of the rows, in the order in which they first occur. */
export type TableRow = { readonly [column: string]: string | number }

export type Block =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'list'; readonly items: readonly string[] }
  | { readonly kind: 'table'; readonly caption: string; readonly rows: readonly TableRow[] }
  | { readonly kind: 'figure'; readonly caption: string; readonly figure: Figure }
  /** Collapsed until opened, if the format supports it. */
  | { readonly kind: 'details'; readonly summary: string; readonly blocks: readonly Block[] }

export interface Section {
  /** Anchor within the page. */
  readonly id: string
  readonly title: string
  readonly blocks: readonly Block[]
}

export const text = (content: string): Block => ({ kind: 'text', text: content })
export const list = (items: readonly string[]): Block => ({ kind: 'list', items })
export const table = (caption: string, rows: readonly TableRow[]): Block => ({ kind: 'table', caption, rows })
export const figure = (caption: string, drawn: Figure): Block => ({ kind: 'figure', caption, figure: drawn })
export const details = (summary: string, blocks: readonly Block[]): Block => ({
  kind: 'details',
  summary,
  blocks,
})

/** What a row has in a column; nothing where it lacks it, whatever the column is called. */
export function cellOf(row: TableRow, column: string): string | number {
  return (Object.hasOwn(row, column) ? row[column] : undefined) ?? ''
}

export function columnsOf(rows: readonly TableRow[]): string[] {
  return [...new Set(rows.flatMap((row) => Object.keys(row)))]
}

/** The same rows, each with every column: empty where it had none. */
export function evenRows(rows: readonly TableRow[]): TableRow[] {
  const columns = columnsOf(rows)
  return rows.map((row) => Object.fromEntries(columns.map((column) => [column, row[column] ?? ''])))
}

/** Whether a column contains numbers, which are aligned right. */
export function isNumeric(rows: readonly TableRow[], column: string): boolean {
  return rows.every((row) => {
    const value = cellOf(row, column)
    return typeof value !== 'string' || /^([-+−]?\d[\d.]*(,? |$)|–$|$)/.test(value)
  })
}

/** A section with its non-empty blocks; without any if only prose is left. */
export function section(id: string, title: string, blocks: readonly (Block | false | undefined)[]): Section {
  const shown = present(blocks)
  // Prose alone would refer to tables and figures that this run does not have.
  return { id, title, blocks: shown.every(({ kind }) => kind === 'text') ? [] : shown }
}

/** The non-empty blocks. */
function present(blocks: readonly (Block | false | undefined)[]): Block[] {
  return blocks.flatMap((block): Block[] => {
    if (!block || (block.kind === 'table' && block.rows.length === 0)) return []
    if (block.kind === 'list' && block.items.length === 0) return []
    if (block.kind === 'figure' && block.figure.data.length === 0) return []
    if (block.kind !== 'details') return [block]
    const inner = present(block.blocks)
    return inner.length === 0 ? [] : [{ ...block, blocks: inner }]
  })
}
