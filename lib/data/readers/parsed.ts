import type { z } from 'zod'
import { complaintsOf, jsonErrorAt, lineAt } from '../../base'
import type { Report } from '../problem'

/** A box as an annotation file gives it, with its place in that file. */
export interface ParsedBox {
  readonly x1: number
  readonly y1: number
  readonly x2: number
  readonly y2: number
  /** Name of the class. */
  readonly name: string
  readonly difficult?: boolean
  readonly crowd?: boolean
  readonly area?: number
  readonly line?: number
  readonly key?: string
}

/** An image as an annotation file describes it, before anybody has looked at its pixels. */
export interface ParsedImage {
  /** Path or name of the image as written; the annotation file's own name where it gives none. */
  readonly image: string
  /** Size as written. */
  readonly width?: number
  readonly height?: number
  /** undefined: nobody has labelled the image. */
  readonly boxes: readonly ParsedBox[] | undefined
  /** Boxes are shares of the image's width and height, not pixels. */
  readonly relative?: boolean
  /** The annotation file, and the place in it. */
  readonly source: string
  readonly line?: number
  readonly key?: string
}

/**
 * A share of a side in pixels. Shares are written with six decimals as a rule; a corner that lies within that
 * rounding of a whole pixel is that pixel, so that boxes on whole pixels are the same in every notation.
 */
export function pixelsOf(share: number, side: number): number {
  const pixels = share * side
  const whole = Math.round(pixels)
  return Math.abs(pixels - whole) <= 1e-6 * side ? whole : pixels
}

/** JSON text, or undefined after a report that names the line. */
export function parseJson(text: string, file: string, report: Report): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    const line = lineAt(text, jsonErrorAt(text))
    report({ kind: 'syntax', file, line, message: `expected JSON, found: ${reason}` })
    return undefined
  }
}

/** Outside data against a schema: the value, or undefined after a report of every mismatch by its key. */
export function parseWith<T extends z.ZodTypeAny>(
  schema: T,
  value: unknown,
  place: { file: string; key?: string; line?: number },
  report: Report,
): z.output<T> | undefined {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  for (const { key: inner, message } of complaintsOf(result.error, value)) {
    const key = [place.key, inner].filter(Boolean).join('.').replaceAll('.[', '[')
    report({ kind: 'syntax', file: place.file, line: place.line, key, message })
  }
  return undefined
}

/** A finite number written out, or undefined after a report. */
export function parseNumber(
  text: string | undefined,
  what: string,
  place: { file: string; line?: number },
  report: Report,
): number | undefined {
  const value = text === undefined || text.trim() === '' ? Number.NaN : Number(text)
  if (Number.isFinite(value)) return value
  const found = text === undefined ? 'nothing' : `"${text}"`
  report({ kind: 'syntax', ...place, message: `${what}: expected a number, found ${found}` })
  return undefined
}

/** The lines of a text that hold something, with their numbers from 1. */
export function filledLines(text: string): { text: string; line: number }[] {
  return text
    .split(/\r?\n/)
    .map((line, i) => ({ text: line.trim(), line: i + 1 }))
    .filter(({ text: content }) => content !== '')
}
