/** YAML of files of the user's: bounded in size, depth and aliases; every scalar is the text that stands there. */
import { isNode, LineCounter, parseDocument } from 'yaml'
import type { Report } from '../problem'

const MOST_BYTES = 2 ** 20
/** Longest run of blanks: the parser takes the square of it in time. */
const MOST_BLANKS = 1000
const MOST_DEPTH = 100

export interface Yaml {
  readonly value: unknown
  /** Line of the value at a path of keys, or of the last part of it that is there. */
  readonly lineOf: (path: readonly (string | number)[]) => number | undefined
}

/** The value of a YAML text, or undefined after a report that names the line. */
export function parseYaml(text: string, file: string, report: Report): Yaml | undefined {
  const limit = (message: string) => {
    report({ kind: 'limit', file, message })
    return undefined
  }
  if (text.length > MOST_BYTES)
    return limit(`expected at most ${MOST_BYTES} characters of YAML, found ${text.length}`)
  if (longestBlanks(text) > MOST_BLANKS)
    return limit(`expected at most ${MOST_BLANKS} blanks in a row, found ${longestBlanks(text)}`)
  if (bracketDepth(text) > MOST_DEPTH) return limit(`expected YAML nested at most ${MOST_DEPTH} deep`)
  const lines = new LineCounter()
  try {
    const document = parseDocument(text, { lineCounter: lines, schema: 'failsafe' })
    const error = document.errors[0]
    if (error !== undefined) {
      const { line } = lines.linePos(error.pos[0])
      report({ kind: 'syntax', file, line, message: `expected YAML, found: ${error.message.split('\n')[0]}` })
      return undefined
    }
    const lineOf: Yaml['lineOf'] = (path) => {
      for (let length = path.length; length > 0; length--) {
        const node = document.getIn(path.slice(0, length), true)
        if (isNode(node) && node.range) return lines.linePos(node.range[0]).line
      }
      return undefined
    }
    return { value: document.toJS({ maxAliasCount: 100 }), lineOf }
  } catch (error) {
    if (error instanceof RangeError) return limit(`expected YAML nested at most ${MOST_DEPTH} deep`)
    if (error instanceof ReferenceError) return limit(`expected at most 100 aliases, found: ${error.message}`)
    throw error
  }
}

function longestBlanks(text: string): number {
  let [longest, run] = [0, 0]
  for (let at = 0; at < text.length; at++) {
    run = text.charCodeAt(at) === 32 ? run + 1 : 0
    if (run > longest) longest = run
  }
  return longest
}

/** Brackets that are open at once, and dashes of lists that begin on one line. */
function bracketDepth(text: string): number {
  let [level, depth] = [0, 0]
  for (let at = 0; at < text.length; at++) {
    const character = text[at]
    if (character === '[' || character === '{') depth = Math.max(depth, ++level)
    else if (character === ']' || character === '}') level = Math.max(0, level - 1)
  }
  for (const line of text.split('\n')) depth = Math.max(depth, line.split('- ').length - 1)
  return depth
}
