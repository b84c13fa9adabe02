/** Reads users' JSON files in linear time and bounded depth, keeping all digits of large integers. */
import type { z } from 'zod'
import { complaintsOf, jsonErrorAt, lineAt, MOST_DEPTH } from '../../base'
import type { Report } from '../problem'

/** What one pass over its characters shows about a JSON text, which need not be valid. */
export interface JsonOutline {
  readonly root: '{' | '[' | undefined
  /** Keys of the outermost object, or of the objects in the outermost list. */
  readonly keys: ReadonlySet<string>
  readonly depth: number
  /** Positions of integers beyond 2^53, which would lose digits as numbers. */
  readonly large: readonly (readonly [start: number, end: number])[]
}

export function outlineJson(text: string): JsonOutline {
  const keys = new Set<string>()
  const large: [number, number][] = []
  let root: '{' | '[' | undefined
  let [level, depth] = [0, 0]
  let string: [number, number] | undefined
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === 34 /* " */) {
      const start = at + 1
      for (at++; at < text.length && text.charCodeAt(at) !== 34; at++) if (text.charCodeAt(at) === 92) at++
      string = [start, at]
    } else if (code === 123 /* { */ || code === 91 /* [ */) {
      root ??= code === 123 ? '{' : '['
      depth = Math.max(depth, ++level)
    } else if (code === 125 || code === 93) level--
    else if (code === 58 /* : */ && string !== undefined) {
      if (level === (root === '[' ? 2 : 1)) keys.add(text.slice(...string))
      string = undefined
    } else if ((code >= 48 && code <= 57) || code === 45) {
      const start = at
      while (isOfNumber(text.charCodeAt(at + 1))) at++
      if (at - start >= 15) {
        const digits = text.slice(start, at + 1)
        if (/^-?\d+$/.test(digits) && !Number.isSafeInteger(Number(digits))) large.push([start, at + 1])
      }
    }
  }
  return { root, keys, depth, large }
}

/** Whether a character is a digit, '.', 'e', 'E', '+' or '-'. */
function isOfNumber(code: number): boolean {
  return (
    (code >= 48 && code <= 57) || code === 46 || code === 101 || code === 69 || code === 43 || code === 45
  )
}

/**
 * The value of a JSON text, or undefined after reporting the line of an error. Integers beyond 2^53 become strings of
 * their digits.
 */
export function parseJson(text: string, file: string, report: Report): unknown {
  const { depth, large } = outlineJson(text)
  if (depth > MOST_DEPTH) {
    const message = `expected JSON nested at most ${MOST_DEPTH} deep, found a depth of ${depth}`
    report({ kind: 'limit', file, message })
    return undefined
  }
  try {
    return JSON.parse(large.length > 0 ? quoted(text, large) : text)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    const at = jsonErrorAt(text)
    const line = at === undefined ? undefined : lineAt(text, at)
    report({ kind: 'syntax', file, line, message: `expected JSON, found: ${reason}` })
    return undefined
  }
}

function quoted(text: string, places: JsonOutline['large']): string {
  const parts: string[] = []
  let end = 0
  for (const [from, to] of places) {
    parts.push(text.slice(end, from), '"', text.slice(from, to), '"')
    end = to
  }
  return parts.join('') + text.slice(end)
}

/** Checks outside data against a schema: returns the value, or undefined after reporting every mismatch by its key. */
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
