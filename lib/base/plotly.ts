/** Figures on their way to Plotly, which reads tags, formulae and variables in the texts that it shows. */
import { escapePlotly } from './escape'

/** A figure with texts as they are to be seen; a line end breaks a line. */
export interface PlainFigure {
  readonly data: readonly Readonly<Record<string, unknown>>[]
  readonly layout?: Readonly<Record<string, unknown>>
}

/** Keys whose texts are shown. Templates (`hovertemplate`) are Plotly's own language: what is put into them is escaped there. */
const SHOWN = new Set(['text', 'hovertext', 'ticktext', 'title', 'name', 'labels'])
/** Keys whose texts are categories too, which Plotly looks up in an object of its own. */
const CATEGORIES = new Set(['x', 'y', 'categoryarray'])

/** The figure as data for Plotly: typed arrays as lists, every text that it shows escaped. Hand it over once. */
export function plotlyFigure({ data, layout = {} }: PlainFigure): { data: unknown; layout: unknown } {
  return { data: converted(data, ''), layout: converted(layout, '') }
}

function converted(value: unknown, key: string): unknown {
  if (typeof value === 'string') {
    if (SHOWN.has(key)) return escapePlotly(value)
    return CATEGORIES.has(key) ? category(value) : value
  }
  if (typeof value !== 'object' || value === null) return value
  if (ArrayBuffer.isView(value)) return value instanceof DataView ? value : Array.from(value as Float32Array)
  if (Array.isArray(value)) return value.map((item) => converted(item, key))
  return Object.fromEntries(Object.entries(value).map(([inner, item]) => [inner, converted(item, inner)]))
}

/** A name that every object has, or none at all, is no category to Plotly: a blank without width makes it one. */
function category(name: string): string {
  return name === '' || name in Object.prototype ? `\u200b${name}` : escapePlotly(name)
}
