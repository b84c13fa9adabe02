/** Shared by all figures: their form as Plotly data, colours, fonts. */
import { METHOD_NAMES } from '../../losses'
import type { Role } from '../../study'

/** Plotly's layout; the report moves the title out of it. */
export interface Layout {
  readonly [key: string]: unknown
  readonly title: { readonly [key: string]: unknown; readonly text: string }
}

/** A Plotly figure as data, its texts as they are to be seen (see base/plotly.ts); `showPlot` draws it in a notebook. */
export interface Figure {
  data: readonly Readonly<Record<string, unknown>>[]
  layout: Layout
}

/** Okabe & Ito's colours, distinguishable with any form of colour blindness. */
const COLOURS = {
  black: '#1b1f24',
  grey: '#8a929c',
  blue: '#0072B2',
  orange: '#E69F00',
  green: '#009E73',
  purple: '#CC79A7',
  sky: '#56B4E9',
  vermilion: '#D55E00',
} as const

export const NEUTRAL = COLOURS.grey
export const ACCENT = COLOURS.blue

/** Colours of the methods, by position in the list: Okabe & Ito's, then three more as distant from them as possible. */
const METHOD_COLOURS = [
  COLOURS.orange,
  COLOURS.sky,
  COLOURS.green,
  COLOURS.vermilion,
  COLOURS.purple,
  '#7a5c2e',
  '#6a3d9a',
  '#a6a300',
]

const NAMED_COLOURS: ReadonlyMap<string, string> = new Map([
  ['teacher', COLOURS.black],
  ['student', COLOURS.grey],
  ['control', COLOURS.blue],
  ['control, equal compute', '#5b9bd5'],
  ['teacher trained on', '#4d5560'],
  ['from scratch', '#b07aa1'],
  ...METHOD_NAMES.map((name, i): [string, string] => [name, METHOD_COLOURS[i % METHOD_COLOURS.length]!]),
])

const ROLE_STYLES = {
  teacher: { colour: COLOURS.black, symbol: 'diamond' },
  student: { colour: COLOURS.grey, symbol: 'square' },
  pruned: { colour: COLOURS.grey, symbol: 'square' },
  control: { colour: COLOURS.blue, symbol: 'square' },
  method: { colour: COLOURS.green, symbol: 'circle' },
} as const

/** An arm's colour and marker, the same in every figure; a name without a colour gets that of the n-th series. */
export function styleOf(
  arm: { readonly role: Role; readonly name: string },
  index?: number,
): { colour: string; symbol: string } {
  const { colour, symbol } = ROLE_STYLES[arm.role]
  const own = index === undefined ? (NAMED_COLOURS.get(arm.name) ?? colour) : colourOf(arm.name, index)
  return { colour: own, symbol }
}

/** The colour of a model by its name, or else of the n-th series. */
export function colourOf(name: string, index = 0): string {
  const series = [COLOURS.blue, COLOURS.vermilion, COLOURS.green, COLOURS.purple, COLOURS.orange, COLOURS.sky]
  return NAMED_COLOURS.get(name) ?? series[index % series.length]!
}

/** A colour of six hexadecimal digits with an opacity. */
export function translucent(colour: string, opacity: number): string {
  const [red, green, blue] = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16))
  return `rgba(${red}, ${green}, ${blue}, ${opacity})`
}

/** An axis with its title, in the style of all figures. */
export function axis(title: string, more: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return {
    title: { text: title, standoff: 12, font: { size: 13 } },
    gridcolor: '#e6e9ed',
    linecolor: '#b6bec8',
    zerolinecolor: '#b6bec8',
    ticks: 'outside',
    tickcolor: '#b6bec8',
    automargin: true,
    ...more,
  }
}

/** A logarithmic axis with all labels written out, fitted to `values`, which may lie close together. */
export function logAxis(title: string, values: readonly number[] = []): Record<string, unknown> {
  const shown = values.filter((value) => value > 0)
  const [low, high] = [Math.min(...shown), Math.max(...shown)]
  const ticks = high / low < 8 ? evenTicks(low, high) : decadeTicks()
  return axis(title, { type: 'log', tickvals: ticks, ticktext: ticks.map(String) })
}

/** 1, 2 and 5 of every power of ten. */
function decadeTicks(): number[] {
  const decades = Array.from({ length: 13 }, (_, i) => 10 ** (i - 6))
  return decades.flatMap((decade) => [1, 2, 5].map((digit) => Number((digit * decade).toPrecision(1))))
}

/** Four to ten round numbers between two positive ones, and one beyond each. */
function evenTicks(low: number, high: number): number[] {
  const rough = Math.max(high - low, 0.01 * high) / 5
  const decade = 10 ** Math.floor(Math.log10(rough))
  const step = [1, 2, 5, 10].find((digit) => digit * decade >= rough)! * decade
  const first = Math.floor(low / step)
  const count = Math.ceil(high / step) - first + 1
  return Array.from({ length: count }, (_, i) => Number(((first + i) * step).toPrecision(3))).filter(
    (tick) => tick > 0,
  )
}

/** The layout of all figures, with a title; `more` replaces parts of it. */
export function layout(title: string, more: Readonly<Record<string, unknown>> = {}): Layout {
  return {
    font: { family: 'system-ui, "Segoe UI", Helvetica, Arial, sans-serif', size: 13, color: COLOURS.black },
    paper_bgcolor: '#ffffff',
    plot_bgcolor: '#ffffff',
    height: 400,
    margin: { l: 60, r: 20, t: 56, b: 56 },
    hovermode: 'closest',
    legend: { orientation: 'h', yanchor: 'bottom', y: 1, xanchor: 'right', x: 1 },
    ...more,
    title: { text: title, x: 0, xref: 'paper', xanchor: 'left', font: { size: 15 } },
  }
}

/** Plotly's error bars for asymmetric intervals. */
export function errorBars(
  intervals: readonly { readonly value: number; readonly lower: number; readonly upper: number }[],
): Record<string, unknown> {
  return {
    type: 'data',
    symmetric: false,
    array: intervals.map(({ value, upper }) => upper - value),
    arrayminus: intervals.map(({ value, lower }) => value - lower),
    thickness: 1.5,
    width: 4,
  }
}

const DOTTED = { width: 1.5, dash: 'dot' }

/** A dotted line over the whole height, at x. */
export function verticalLine(x: number, color: string): Record<string, unknown> {
  return { type: 'line', yref: 'paper', y0: 0, y1: 1, x0: x, x1: x, line: { color, ...DOTTED } }
}

/** A dotted line over the whole width, at y. */
export function horizontalLine(y: number): Record<string, unknown> {
  return { type: 'line', xref: 'paper', x0: 0, x1: 1, y0: y, y1: y, line: { color: NEUTRAL, ...DOTTED } }
}

/** Small words beside a line. */
export function lineNote(text: string, place: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return { text, showarrow: false, font: { size: 11, color: NEUTRAL }, ...place }
}

/** A legend beside the figure. */
export const LEGEND_BESIDE = { orientation: 'v', x: 1.02, y: 1 } as const
