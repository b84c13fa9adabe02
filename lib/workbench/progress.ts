import { appendFileSync } from 'node:fs'
import cliProgress from 'cli-progress'
import { escapeHtml, oneLine } from '../base/escape'
import { inNotebook, type MimeBundle, publish } from './display'

/** Progress events of a notebook executed from the command line. */
export type ProgressEvent =
  | { event: 'cell'; index: number; count: number; source: string }
  | { event: 'progress'; label: string; value: number; total: number; text: string }
  | { event: 'late-error'; message: string }

/** Reports progress to the command that executes this notebook, if there is one. */
export function reportProgress(event: ProgressEvent): void {
  const file = process.env.WORKBOOK_PROGRESS
  if (file) appendFileSync(file, `${JSON.stringify(event)}\n`)
}

/** A bar of work under way. */
export interface ProgressBar {
  /** Moves the bar; `note` follows the numbers. Await it in loops that have no other await, so that it is drawn. */
  update(value: number, note?: string): Promise<void>
  /** Ends the bar where it stands. */
  done(note?: string): void
  /** Ends the bar of work done elsewhere: all of it, in this many seconds. */
  finish(total: number, seconds: number, note: string): void
}

const REDRAW_MS = 100
const LINE_MS = 30_000
let bars = 0

/**
 * Shows a bar from 0 to `total`, with the time left. Several bars can be shown at once: in a notebook, on a terminal,
 * and elsewhere (logs, CI) as a line every half minute and one at the end.
 */
export function showProgress(label: string, total: number, note = ''): ProgressBar {
  if (!(total > 0)) throw new RangeError(`showProgress "${label}": expected a total above 0, found ${total}`)
  const id = `progress-${process.pid}-${++bars}`
  const line = inNotebook() ? undefined : terminalLine(total)
  const started = performance.now()
  let drawn = 0
  let shown = false
  let state: BarState = { label, value: 0, total, remark: note, ended: false, seconds: 0 }
  /** The bar's first value: resumed work does not begin at 0. */
  let first: { value: number; seconds: number } | undefined

  const draw = (change: Partial<BarState> = {}): void => {
    drawn = performance.now()
    state = { ...state, seconds: (drawn - started) / 1000, ...change }
    const text = describe(state, first)
    const { value, total, ended } = state
    reportProgress({ event: 'progress', label, value, total, text })
    if (line) line(value, text, ended)
    else publish(picture(text, value / total), { id, update: shown })
    shown = true
  }
  draw()

  return {
    async update(next, remark = '') {
      if (state.ended) return
      const value = Math.min(Math.max(next, 0), total)
      const now = performance.now()
      first ??= { value, seconds: (now - started) / 1000 }
      state = { ...state, value, remark }
      if (now - drawn < REDRAW_MS) return
      draw()
      await new Promise(setImmediate)
    },
    done(remark = state.remark) {
      if (!state.ended) draw({ ended: true, remark })
    },
    finish(all, seconds, remark) {
      if (!state.ended) draw({ ended: true, value: all, total: all, seconds, remark })
    },
  }
}

/** Shows the final bar of work done before, which took this many seconds. */
export function showFinished(label: string, total: number, seconds: number, note: string): void {
  const text = describe({ label, value: total, total, remark: note, ended: true, seconds })
  if (inNotebook()) publish(picture(text, 1))
  else terminalLine(total)(total, text, true)
}

/** Bars on the terminal, redrawn together. */
let terminal: cliProgress.MultiBar | undefined
let open = 0

/** A bar's line outside of notebooks; the first call with `ended` ends it. */
function terminalLine(total: number): (value: number, text: string, ended: boolean) => void {
  const { stderr } = process
  if (!stderr.isTTY) {
    let told = performance.now()
    return (_, text, ended) => {
      if (!ended && performance.now() - told < LINE_MS) return
      told = performance.now()
      stderr.write(`${text}\n`)
    }
  }
  const options = {
    format: '{bar} {text}',
    hideCursor: true,
    clearOnComplete: true,
    barsize: 20,
    stream: stderr,
  }
  terminal ??= new cliProgress.MultiBar(options, cliProgress.Presets.shades_grey)
  const bars = terminal
  const bar = bars.create(total, 0, { text: '' })
  open++
  return (value, text, ended) => {
    bar.update(value, { text })
    if (!ended) return
    bars.remove(bar)
    if (--open > 0) {
      bars.log(`${text}\n`) // above the bars still running
      return
    }
    bars.stop()
    terminal = undefined
    stderr.write(`${text}\n`)
  }
}

interface BarState {
  label: string
  value: number
  total: number
  remark: string
  ended: boolean
  seconds: number
}

function describe(
  { label, value, total, remark, ended, seconds }: BarState,
  first?: { readonly value: number; readonly seconds: number },
): string {
  // Work already done when the bar was first moved took unknown time.
  const left =
    first && value > first.value
      ? ((seconds - first.seconds) / (value - first.value)) * (total - value)
      : Number.NaN
  const time = ended ? formatSeconds(seconds) : Number.isFinite(left) ? `${formatSeconds(left)} left` : ''
  return [`${oneLine(label)} ${Math.round((100 * value) / total)} % (${value}/${total})`, time, remark]
    .filter(Boolean)
    .join(', ')
}

function picture(text: string, fraction: number): MimeBundle {
  const percent = (100 * fraction).toFixed(1)
  return {
    'text/html':
      '<div style="display:flex;align-items:center;gap:0.8em;font-size:90%">' +
      '<div style="flex:0 0 16em;height:0.8em;border:1px solid #8884;border-radius:3px;overflow:hidden">' +
      `<div class="workbook-bar" style="width:${percent}%;height:100%;background:#3b7dd8"></div></div>` +
      `<span>${escapeHtml(text)}</span></div>`,
    'text/plain': text,
  }
}

/** 0.4 s, 12 s, 3 min 05 s, 2 h 07 min */
export function formatSeconds(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)} s`
  const whole = Math.round(seconds)
  if (whole < 60) return `${whole} s`
  const two = (n: number): string => String(n).padStart(2, '0')
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`
  return `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))} min`
}
