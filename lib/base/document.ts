/** Reads JSON and YAML from outside, checks them against schemas, and refuses them naming file, key and remedy. */
import { readFileSync } from 'node:fs'
import { type ParseError, parse as parseWithComments } from 'jsonc-parser'
import { parse as parseYaml } from 'yaml'
import type { z } from 'zod'
import { infinities } from './finite'

/** A schema whose output is T, whatever the input. */
export type Schema<T> = z.ZodType<T, z.ZodTypeDef, unknown>

/** How an error refers to a document. */
export interface Wording {
  /** What the document should be: "a profile". */
  readonly what?: string
  /** What to do about it: "run the sweep again". */
  readonly advice?: string
}

/** What a schema says about one key. */
export interface Complaint {
  /** As a user would write it: "arms[3].steps"; empty for the document itself. */
  readonly key: string
  /** "expected ..., found ...". */
  readonly message: string
}

/**
 * Reads a file of JSON.
 * @throws Error naming the file and the line when it is missing or not JSON
 */
export function readJson(file: string): unknown {
  return jsonOf(readText(file), file)
}

/**
 * Reads a file of YAML.
 * @throws Error naming the file and the line when it is missing or not YAML
 */
export function readYaml(file: string): unknown {
  const text = readText(file)
  try {
    return parseYaml(text)
  } catch (error) {
    throw new Error(`${file}: expected YAML, found: ${reasonOf(error)}`)
  }
}

/**
 * Reads a JSON file, or a YAML file by its extension, and checks it against a schema (see `parseFinite`).
 * @throws Error naming the file, every wrong key, what was expected and found, and the advice
 */
export function readDocument<T>(file: string, schema: Schema<T>, wording: Wording = {}): T {
  return parseFinite(/\.ya?ml$/i.test(file) ? readYaml(file) : readJson(file), schema, file, wording)
}

/**
 * Checks the content of a file against a schema. No number in it may be NaN or infinite, as YAML's .nan and .inf are, and 1e999
 * in JSON too.
 * @throws Error naming the place, every wrong key, what was expected and found, and the advice
 */
export function parseFinite<T>(content: unknown, schema: Schema<T>, place: string, wording: Wording = {}): T {
  const infinite = infinities(content).map(
    ({ path, value }): Complaint => ({
      key: keyOf(path),
      message: `expected a finite number, found ${value}`,
    }),
  )
  if (infinite.length > 0) throw complain(place, infinite, wording)
  return parseDocument(content, schema, place, wording)
}

/**
 * Checks a value against a schema.
 * @param place the file it comes from, or another name that users know
 * @throws Error naming the place, every wrong key, what was expected and found, and the advice
 */
export function parseDocument<T>(value: unknown, schema: Schema<T>, place: string, wording: Wording = {}): T {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  throw complain(place, complaintsOf(result.error, value), wording)
}

function complain(place: string, complaints: readonly Complaint[], { what, advice }: Wording): Error {
  const said = complaints.map(({ key, message }) => (key === '' ? message : `at "${key}": ${message}`))
  const head = what ? `${place}: expected ${what}` : place
  const [only] = said
  const text = said.length === 1 ? `${head}: ${only}` : `${head}:\n  ${said.join('\n  ')}`
  return new Error(advice ? `${text}${said.length === 1 ? '; ' : '\n'}${advice}` : text)
}

/** What a schema found wrong with a value, key by key. */
export function complaintsOf({ issues }: z.ZodError, value: unknown): Complaint[] {
  return issues.flatMap((issue): Complaint[] =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => ({ key: keyOf([...issue.path, key]), message: 'unknown key' }))
      : [{ key: keyOf(issue.path), message: explain(issue, value) }],
  )
}

/** A path within a document as a user would write it: "arms[3].steps". */
export function keyOf(path: readonly (string | number)[]): string {
  return path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${part}`))
    .join('')
    .replace(/^\./, '')
}

/**
 * Text as JSON.
 * @throws Error naming the place and the line when it is not
 */
export function jsonOf(text: string, place: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new Error(`${place}:${lineAt(text, jsonErrorAt(text))}: expected JSON, found: ${reasonOf(error)}`)
  }
}

/**
 * Where a text stops being JSON, or its length where it is cut off (or valid). JSON.parse gives no position for the
 * commonest mistakes: NaN and a trailing comma.
 */
export function jsonErrorAt(text: string): number {
  const errors: ParseError[] = []
  parseWithComments(text, errors, { disallowComments: true })
  return errors.reduce((first, { offset }) => Math.min(first, offset), text.length)
}

/** Line number, from 1, of a position in a text. */
export function lineAt(text: string, position: number): number {
  let line = 1
  for (let i = text.indexOf('\n'); i !== -1 && i < position; i = text.indexOf('\n', i + 1)) line++
  return line
}

/** The error for a file that cannot be read. */
export function unreadable(file: string, cause: unknown): Error {
  const { code, message } = cause as NodeJS.ErrnoException
  const found = { ENOENT: 'nothing', EISDIR: 'a folder', EACCES: 'one that may not be read' }[code ?? '']
  return new Error(`${file}: expected a file, found ${found ?? message}`, { cause })
}

/**
 * Reads a file of text in UTF-8.
 * @throws Error naming the file when it cannot be read
 */
export function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw unreadable(file, cause)
  }
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** A schema's issue as "expected ..., found ...". */
function explain(issue: z.ZodIssue, value: unknown): string {
  const expected = expectedOf(issue)
  const found = foundAt(issue.path, value)
  if (expected) return `expected ${expected}, found ${found}`
  return /\bfound\b/.test(issue.message) ? issue.message : `${issue.message}, found ${found}`
}

function foundAt(path: readonly (string | number)[], value: unknown): string {
  const at = path.reduce<unknown>(
    (inner, part) => (inner instanceof Object ? Reflect.get(inner, part) : undefined),
    value,
  )
  // JSON has neither NaN nor infinity.
  const text = typeof at === 'number' ? String(at) : (JSON.stringify(at) ?? 'nothing')
  return text.length > 60 ? `${text.slice(0, 57)}...` : text
}

const TYPES: ReadonlyMap<string, string> = new Map([
  ['integer', 'a whole number'],
  ['number', 'a number'],
  ['string', 'a text'],
  ['boolean', 'true or false'],
  ['array', 'a list'],
  ['object', 'an object'],
])

/** What an issue expects; empty where its own message has to say it. */
function expectedOf(issue: z.ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return TYPES.get(issue.expected) ?? choice(issue.expected)
    case 'invalid_literal':
      return JSON.stringify(issue.expected)
    case 'invalid_enum_value':
      return `one of ${issue.options.join(', ')}`
    case 'invalid_union':
      return [...new Set(issue.unionErrors.flatMap(({ issues }) => issues.map(expectedOf)))]
        .filter(Boolean)
        .join(' or ')
    case 'invalid_union_discriminator':
      return `one of ${issue.options.map(String).join(', ')}`
    case 'too_small':
      return bound(issue, issue.minimum, issue.inclusive ? 'at least' : 'more than')
    case 'too_big':
      return bound(issue, issue.maximum, issue.inclusive ? 'at most' : 'less than')
    case 'not_finite':
      return 'a finite number'
    default:
      return ''
  }
}

/** The values of an enum, which zod writes as a type: 'a' | 'b'. */
function choice(type: string): string {
  return type.startsWith("'") ? `one of ${type.replaceAll("'", '').replaceAll(' | ', ', ')}` : type
}

function bound(
  { type, exact, message }: z.ZodTooSmallIssue | z.ZodTooBigIssue,
  limit: number | bigint,
  comparison: string,
): string {
  if (message && /\bexpected\b/.test(message)) return ''
  const number = exact ? `exactly ${limit}` : `${comparison} ${limit}`
  if (type === 'array' || type === 'set') return `${number} ${limit === 1 ? 'entry' : 'entries'}`
  if (type === 'string') return `${number} ${limit === 1 ? 'character' : 'characters'}`
  return `a number of ${number}`.replace('of more than', 'above').replace('of less than', 'below')
}
