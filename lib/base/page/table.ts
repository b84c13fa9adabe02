/** Tables: their rows, and the forms in which they are written. */
import { csvCell } from '../escape'
import { type Html, html } from './html'

/** Columns are the keys of the rows, in the order in which they first occur. */
export type TableRow = { readonly [column: string]: string | number }

/** What a row has in a column; nothing where it lacks it, whatever the column is called. */
export function cellOf(row: TableRow, column: string): string | number {
  return (Object.hasOwn(row, column) ? row[column] : undefined) ?? ''
}

/** The columns of rows, in the order in which they first occur. */
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

const VERDICTS: ReadonlyMap<string, string> = new Map([
  ['better', 'better'],
  ['worse', 'worse'],
  ['no difference shown', 'open'],
  ['not shown', 'open'],
  ['failed', 'worse'],
  ['chosen', 'better'],
])

/** A table of a page. Where the window is narrow a row becomes a card, whose lines have the names of the columns. */
export function renderTable(caption: string, rows: readonly TableRow[]): Html {
  const columns = columnsOf(rows).map((name) => ({ name, side: isNumeric(rows, name) ? 'number' : 'text' }))
  const cell = (row: TableRow, { name, side }: (typeof columns)[number], first: boolean): Html => {
    const value = cellOf(row, name)
    // A verdict that lacks something says what, behind a colon.
    const verdict = VERDICTS.get(String(value).split(':')[0] ?? '')
    const content = verdict ? html`<span class="chip ${verdict}">${value}</span>` : html`${value}`
    return first
      ? html`<th scope="row" role="rowheader">${content}</th>`
      : html`<td class="${side}" role="cell" data-column="${name}">${content}</td>`
  }
  const head = columns.map(
    ({ name, side }) => html`<th scope="col" role="columnheader" class="${side}">${name}</th>`,
  )
  return html`<div class="table"><table role="table">
<caption>${caption}</caption>
<thead role="rowgroup"><tr role="row">${head}</tr></thead>
<tbody role="rowgroup">
${rows.map((row) => html`<tr role="row">${columns.map((column, i) => cell(row, column, i === 0))}</tr>\n`)}</tbody>
</table></div>
`
}

/** Comma-separated values (RFC 4180): values with a comma, quote or line break are quoted, and none is a formula. */
export function renderCsv(rows: readonly TableRow[]): string {
  const columns = columnsOf(rows)
  return [columns, ...rows.map((row) => columns.map((column) => cellOf(row, column)))]
    .map((cells) => `${cells.map(csvCell).join(',')}\r\n`)
    .join('')
}
