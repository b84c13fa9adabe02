import { appendFileSync } from 'node:fs'
import { escapeHtml, inNotebook, type MimeBundle, publish } from './display'

/** What a notebook that is executed from the command line tells about its progress. */
export type ProgressEvent =
  | { event: 'cell'; index: number; count: number; source: string }
  | { event: 'progress'; label: string; value: number; total: number; text: string }
  | { event: 'late-error'; message: string }

/** Tells the command that executes this notebook, if there is one, how far it is. */
export function reportProgress(event: ProgressEvent): void {
  const file = process.env.WORKBOOK_PROGRESS
  if (file) appendFileSync(file, `${JSON.stringify(event)}\n`)
}

export interface ProgressBar {
  /** Moves the bar; `note` follows the numbers. Await it in loops without another await, so that it is drawn. */
  update(value: number, note?: string): Promise<void>
  /** Ends the bar where it stands. */
  done(note?: string): void
}

const REDRAW_MS = 100
let bars = 0

/**
 * Shows a bar that runs from 0 to `total`, with the time left. Several bars live side by side.
 * Without a notebook one line is printed at the end.
 */
export function showProgress(label: string, total: number): ProgressBar {
  if (!(total > 0)) throw new RangeError(`showProgress "${label}": expected a total above 0, found ${total}`)
  const id = `progress-${process.pid}-${++bars}`
  const started = performance.now()
  let drawn = 0
  let shown = false
  let value = 0
  let remark = ''
  let ended = false

  const draw = (): void => {
    drawn = performance.now()
    const text = describe({ label, value, total, remark, ended, seconds: (drawn - started) / 1000 })
    reportProgress({ event: 'progress', label, value, total, text })
    if (inNotebook()) publish(picture(text, value / total), { id, update: shown })
    else if (ended) publish({ 'text/plain': text })
    shown = true
  }
  draw()

  return {
    async update(next, note = '') {
      value = Math.min(Math.max(next, 0), total)
      remark = note
      if (performance.now() - drawn < REDRAW_MS) return
      draw()
      await new Promise(setImmediate)
    },
    done(note) {
      if (ended) return
      ended = true
      remark = note ?? remark
      draw()
    },
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

function describe({ label, value, total, remark, ended, seconds }: BarState): string {
  const left = value > 0 ? (seconds / value) * (total - value) : Number.NaN
  const time = ended ? formatSeconds(seconds) : Number.isFinite(left) ? `${formatSeconds(left)} left` : ''
  return [`${label} ${Math.round((100 * value) / total)} % (${value}/${total})`, time, remark]
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
