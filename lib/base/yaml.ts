/** YAML from outside: bounded in size, depth, blanks and aliases, so that its parser ends. */
import { type Document, isScalar, LineCounter, parseDocument, visit } from 'yaml'

/** Longest text in characters. */
const MOST_CHARACTERS = 2 ** 20
/** Longest run of blanks: the parser's time is quadratic in it. */
const MOST_BLANKS = 1000
const MOST_DEPTH = 100
const MOST_ALIASES = 100

/** What is wrong with a text: it is no YAML, or goes beyond a limit. */
export class YamlError extends Error {
  constructor(
    readonly kind: 'syntax' | 'limit',
    message: string,
    /** From 1. */
    readonly line?: number,
  ) {
    super(message)
  }
}

/** What a text of YAML holds. */
export interface YamlText {
  readonly value: unknown
  readonly document: Document.Parsed
  readonly lines: LineCounter
}

/**
 * Parses a text.
 * @param schema 'core' knows numbers, true, false and null; in 'failsafe' every scalar is the text that stands there
 * @throws YamlError with what was expected and found
 */
export function parseYamlText(text: string, schema: 'core' | 'failsafe' = 'core'): YamlText {
  const limit = (message: string): never => {
    throw new YamlError('limit', message)
  }
  if (text.length > MOST_CHARACTERS)
    limit(`expected at most ${MOST_CHARACTERS} characters of YAML, found ${text.length}`)
  const blanks = longestBlanks(text)
  if (blanks > MOST_BLANKS) limit(`expected at most ${MOST_BLANKS} blanks in a row, found ${blanks}`)
  if (markedDepth(text) > MOST_DEPTH) limit(`expected YAML nested at most ${MOST_DEPTH} deep`)
  const lines = new LineCounter()
  try {
    // What the parser would only warn of, on the terminal, is for schemas to refuse.
    const document = parseDocument(text, { lineCounter: lines, schema, logLevel: 'error', uniqueKeys: false })
    const [error] = document.errors
    if (error !== undefined)
      throw new YamlError('syntax', error.message.split('\n')[0] ?? '', lines.linePos(error.pos[0]).line)
    expectUniqueKeys(document, lines)
    expectFewAliases(document, lines)
    return { value: document.toJS({ maxAliasCount: MOST_ALIASES }), document, lines }
  } catch (error) {
    if (error instanceof RangeError) return limit(`expected YAML nested at most ${MOST_DEPTH} deep`)
    if (error instanceof ReferenceError)
      return limit(`expected at most ${MOST_ALIASES} aliases, found: ${error.message}`)
    throw error
  }
}

/** The parser's own check compares every key with every other one. @throws YamlError at a key that stands there twice */
function expectUniqueKeys(document: Document.Parsed, lines: LineCounter): void {
  visit(document, {
    Map(_, { items }) {
      const seen = new Set<unknown>()
      for (const { key } of items) {
        if (!isScalar(key)) continue
        const { line, col } = lines.linePos(key.range?.[0] ?? 0)
        if (seen.has(key.value))
          throw new YamlError('syntax', `Map keys must be unique at line ${line}, column ${col}:`, line)
        seen.add(key.value)
      }
    },
  })
}

/**
 * The parser counts how often aliases are repeated, in the square of their number, and makes a ring of one that stands within
 * what it stands for.
 * @throws YamlError at an alias too many, or at such a ring
 */
function expectFewAliases(document: Document.Parsed, lines: LineCounter): void {
  let count = 0
  visit(document, {
    Alias(_, alias, path) {
      const { line } = lines.linePos(alias.range?.[0] ?? 0)
      if (++count > MOST_ALIASES)
        throw new YamlError('limit', `expected at most ${MOST_ALIASES} aliases, found more`, line)
      const source = alias.resolve(document)
      if (source !== undefined && path.includes(source))
        throw new YamlError('syntax', `the alias "${alias.source}" stands within what it stands for`, line)
    },
  })
}

function longestBlanks(text: string): number {
  let [longest, run] = [0, 0]
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    run = code === 32 || code === 9 ? run + 1 : 0
    if (run > longest) longest = run
  }
  return longest
}

/** Brackets that are open at once, and marks of lists and keys that begin on one line. */
function markedDepth(text: string): number {
  let [level, depth, marks] = [0, 0, 0]
  for (let at = 0; at < text.length; at++) {
    const character = text[at]
    if (character === '[' || character === '{') depth = Math.max(depth, ++level)
    else if (character === ']' || character === '}') level = Math.max(0, level - 1)
    else if (character === '\n') marks = 0
    else if ((character === '-' || character === '?') && /[ \t]/.test(text[at + 1] ?? ''))
      depth = Math.max(depth, ++marks)
  }
  return depth
}
