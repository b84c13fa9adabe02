import { inspect } from 'node:util'
import { escapeHtml, type Markdown, type MarkdownValue, markdown, withoutMail } from '../base/escape'
import { type PlainFigure, plotlyFigure } from '../base/plotly'
import { textTable } from './text-table'

/** One output in several formats; a viewer takes the richest that it knows. Every output has plain text. */
export interface MimeBundle {
  'text/plain': string
  [mime: string]: unknown
}

export interface PublishOptions {
  /** Id of an output that will be redrawn. */
  id?: string
  /** Redraws the output published under the same id. */
  update?: boolean
}

/** The kernel stores the function that sends an output to the notebook under this key of globalThis. */
export const DISPLAY_HOOK = Symbol.for('workbook.display')
const host = globalThis as typeof globalThis & {
  [DISPLAY_HOOK]?: (bundle: MimeBundle, options: PublishOptions) => void
}

/** Whether outputs go to a notebook. Otherwise they are printed as text. */
export function inNotebook(): boolean {
  return host[DISPLAY_HOOK] !== undefined
}

/** Sends one output to the notebook; without a notebook its text is printed (updates are not). */
export function publish(bundle: MimeBundle, options: PublishOptions = {}): void {
  const hook = host[DISPLAY_HOOK]
  if (hook) hook(bundle, options)
  else if (!options.update) process.stdout.write(`${bundle['text/plain'].replace(/\n+$/, '')}\n`)
}

/**
 * Shows a Plotly figure (https://plotly.com/javascript/reference). Titles, names, categories and the like are shown as they
 * stand, a line end breaks a line; Plotly's tags are read in templates alone.
 */
export function showPlot(figure: PlainFigure): void {
  const title = figure.layout?.title
  const name = typeof title === 'object' && title !== null && 'text' in title ? title.text : title
  const traces = figure.data.map((trace) => trace.name ?? trace.type ?? 'trace')
  publish({
    'application/vnd.plotly.v1+json': plotlyFigure(figure),
    'text/plain': `[figure${name ? ` "${String(name)}"` : ''}: ${traces.join(', ')}]`,
  })
}

/** The interface of a danfojs DataFrame that is used. */
export interface Columns {
  columns: readonly string[]
  values: readonly unknown[]
}

/** What can be shown as a table: rows, or a danfojs DataFrame. */
export type TableSource = Columns | readonly Readonly<Record<string, unknown>>[]

/** How a table is shown. */
export interface TableOptions {
  caption?: string
  /** Significant digits of numbers that are not integers. Default 4. */
  digits?: number
  /** Rows shown; the rest are counted. Default 200. */
  limit?: number
}

/** Longest text of a cell, in characters, that is not wrapped. */
const SHORT_TEXT = 32

/** Shows rows, or a danfojs DataFrame, as a table. */
export function showTable(source: TableSource, options: TableOptions = {}): void {
  publish(describeTable(source, options))
}

/**
 * Shows Markdown with formulae between dollar signs: showMarkdown`**${name}** has ...`. Texts that stand in the template are
 * escaped, as in `markdown`; a text that is given between parentheses counts as Markdown.
 */
export function showMarkdown(text: Markdown | string): void
export function showMarkdown(parts: TemplateStringsArray, ...values: readonly MarkdownValue[]): void
export function showMarkdown(
  text: Markdown | string | TemplateStringsArray,
  ...values: readonly MarkdownValue[]
): void {
  const shown = typeof text === 'object' && 'raw' in text ? markdown(text, ...values) : text
  const source = typeof shown === 'string' ? shown : shown.markdown
  publish({ 'text/markdown': withoutMail(source), 'text/plain': source })
}

/** Shows a piece of HTML; `text` replaces it where HTML cannot be shown. */
export function showHtml(html: string, text = html.replace(/<[^>]+>/g, ' ').trim()): void {
  publish({ 'text/html': html, 'text/plain': text })
}

/** Shows a picture: the text of an SVG, or the bytes of a PNG. */
export function showImage(image: string | Uint8Array, alternative = 'image'): void {
  const text = `[${alternative}]`
  if (typeof image === 'string') publish({ 'image/svg+xml': image, 'text/plain': text })
  else publish({ 'image/png': Buffer.from(image).toString('base64'), 'text/plain': text })
}

/** How a cell's last value is shown: as a table if it has columns and values, otherwise as text. */
export function describeValue(value: unknown): MimeBundle {
  if (isColumns(value)) return describeTable(value)
  return { 'text/plain': typeof value === 'string' ? value : inspect(value) }
}

function isColumns(value: unknown): value is Columns {
  if (typeof value !== 'object' || value === null || !('columns' in value) || !('values' in value))
    return false
  const { columns, values } = value
  if (!Array.isArray(columns) || !Array.isArray(values)) return false
  return columns.every((name) => typeof name === 'string') && values.every((row) => Array.isArray(row))
}

function describeTable(
  source: TableSource,
  { caption, digits = 4, limit = 200 }: TableOptions = {},
): MimeBundle {
  const { names, rows } = tableRows(source)
  const shown = rows.slice(0, limit)
  const cells = shown.map((row) => row.map((value) => formatValue(value, digits)))
  const more = rows.length > limit ? `${rows.length - limit} more rows` : ''

  const text = textTable(names, cells)

  // Columns of numbers are aligned right; short texts are not wrapped.
  const styles = names.map((_, column) => {
    const isNumber = shown.every((row) => typeof row[column] === 'number' || row[column] == null)
    const isShort = cells.every((row) => row[column]!.length <= SHORT_TEXT)
    return `text-align:${isNumber ? 'right' : 'left'}${isShort ? ';white-space:nowrap' : ''}`
  })
  const head = names.map((name, column) => {
    const align = styles[column]!.split(';')[0]
    return `<th style="${align};vertical-align:bottom">${escapeHtml(name)}</th>`
  })
  const body = cells.map((row) => {
    const columns = row.map((cell, column) => `<td style="${styles[column]}">${escapeHtml(cell)}</td>`)
    return `<tr>${columns.join('')}</tr>`
  })
  const title = caption
    ? `<caption style="text-align:left;white-space:nowrap">${escapeHtml(caption)}</caption>`
    : ''
  const note = more ? `<p>${more}</p>` : ''
  return {
    'text/html': `<table>${title}<thead><tr>${head.join('')}</tr></thead><tbody>${body.join('')}</tbody></table>${note}`,
    'text/plain': [caption, text, more].filter(Boolean).join('\n'),
  }
}

function tableRows(source: TableSource): { names: readonly string[]; rows: readonly (readonly unknown[])[] } {
  if (isColumns(source))
    return { names: source.columns, rows: source.values as readonly (readonly unknown[])[] }
  if (!Array.isArray(source)) {
    throw new TypeError(`showTable: expected rows or a DataFrame, found ${inspect(source, { depth: 0 })}`)
  }
  const objects: readonly Readonly<Record<string, unknown>>[] = source
  const names = [...new Set(objects.flatMap((row) => Object.keys(row)))]
  return {
    names,
    rows: objects.map((row) => names.map((name) => (Object.hasOwn(row, name) ? row[name] : undefined))),
  }
}

function formatValue(value: unknown, digits: number): string {
  if (value === undefined || value === null) return ''
  if (typeof value === 'string') return value
  if (typeof value !== 'number') return inspect(value, { breakLength: Infinity })
  return Number.isInteger(value) || !Number.isFinite(value) ? String(value) : value.toPrecision(digits)
}
