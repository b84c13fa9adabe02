import Table from 'cli-table3'
import { oneLine } from '../base/escape'
import { cellOf, columnsOf, type TableRow } from '../base/page/table'

/** How a table for terminals is drawn. */
export interface TextTableOptions {
  /** Lines between rows, too. */
  readonly lines?: boolean
  /** So many columns are words, the others numbers, which stand at the right. Default: all are words. */
  readonly words?: number
}

/** A table as text: a line a row, whatever the cells hold. */
export function textTable(
  head: readonly string[],
  rows: readonly (readonly unknown[])[],
  { lines = false, words = head.length }: TextTableOptions = {},
): string {
  const table = new Table({
    head: head.map(oneLine),
    colAligns: head.map((_, i) => (i < words ? 'left' : 'right')),
    style: { head: [], border: [], compact: !lines },
  })
  for (const row of rows) table.push(row.map((cell) => oneLine(String(cell ?? ''))))
  return table.toString()
}

/** Rows with named columns as text. */
export function rowsTable(rows: readonly TableRow[], options?: TextTableOptions): string {
  const columns = columnsOf(rows)
  return textTable(
    columns,
    rows.map((row) => columns.map((column) => cellOf(row, column))),
    options,
  )
}
