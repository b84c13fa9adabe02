/** Reads JSON and YAML from outside, checks them against schemas, and refuses them naming file, key and remedy. */
import { type ParseError, parse as parseWithComments } from 'jsonc-parser'
import { z } from 'zod'
import { infinities } from './finite'
import { readWhole } from './read'
import { parseYamlText, YamlError } from './yaml'

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
    return parseYamlText(text).value
  } catch (error) {
    const isLimit = error instanceof YamlError && error.kind === 'limit'
    throw new Error(`${file}: ${isLimit ? '' : 'expected YAML, found: '}${reasonOf(error)}`)
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

/**
 * A schema of an object whose keys are names from data or configuration, such as those of classes and arms: all of them are
 * kept, `__proto__` too, which zod's own record drops.
 */
export function recordOf<T>(schema: Schema<T>): Schema<{ readonly [name: string]: T }> {
  return z.unknown().transform((value, context) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      const received = z.getParsedType(value)
      context.addIssue({ code: 'invalid_type', expected: 'object', received })
      return z.NEVER
    }
    const entries: [string, T][] = []
    for (const [name, inner] of Object.entries(value)) {
      const result = schema.safeParse(inner)
      if (result.success) entries.push([name, result.data])
      else
        for (const { path, ...issue } of result.error.issues)
          context.addIssue({ ...issue, path: [name, ...path] })
    }
    return Object.fromEntries(entries)
  })
}

/** A path within a document as a user would write it: "arms[3].steps". */
export function keyOf(path: readonly (string | number)[]): string {
  return path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${part}`))
    .join('')
    .replace(/^\./, '')
}

/** Deepest nesting of JSON that is read. */
export const MOST_DEPTH = 100
/** Most values of a document of this project's own; a schema's complaint of each must find room in memory. */
const MOST_VALUES = 5_000_000

/**
 * Text as JSON.
 * @throws Error naming the place and the line when it is not, or the limit that it goes beyond
 */
export function jsonOf(text: string, place: string): unknown {
  const { depth, values } = sizeOfJson(text)
  if (depth > MOST_DEPTH)
    throw new Error(`${place}: expected JSON nested at most ${MOST_DEPTH} deep, found a depth of ${depth}`)
  if (values > MOST_VALUES)
    throw new Error(`${place}: expected at most ${MOST_VALUES} values, found ${values}`)
  try {
    return JSON.parse(text)
  } catch (error) {
    const at = jsonErrorAt(text)
    const line = at === undefined ? '' : `:${lineAt(text, at)}`
    throw new Error(`${place}${line}: expected JSON, found: ${reasonOf(error)}`)
  }
}

/** How deep a JSON text is nested, and how many values it has about; the text need not be valid. */
function sizeOfJson(text: string): { depth: number; values: number } {
  let [level, depth, values] = [0, 0, 1]
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === 34 /* " */) {
      for (at++; at < text.length && text.charCodeAt(at) !== 34; at++) if (text.charCodeAt(at) === 92) at++
    } else if (code === 123 /* { */ || code === 91 /* [ */) {
      depth = Math.max(depth, ++level)
      values++
    } else if (code === 125 || code === 93) level--
    else if (code === 44 /* , */) values++
  }
  return { depth, values }
}

/**
 * Where a text stops being JSON, or its length where it is cut off (or valid); undefined where it is too deep to tell.
 * JSON.parse gives no position for the commonest mistakes: NaN and a trailing comma.
 */
export function jsonErrorAt(text: string): number | undefined {
  const errors: ParseError[] = []
  try {
    parseWithComments(text, errors, { disallowComments: true })
  } catch (error) {
    // A quote that is not closed can hide the brackets behind it from whoever has looked for the depth.
    if (error instanceof RangeError) return undefined
    throw error
  }
  return errors.reduce((first, { offset }) => Math.min(first, offset), text.length)
}

/** Line number, from 1, of a position in a text. */
export function lineAt(text: string, position: number): number {
  let line = 1
  for (let i = text.indexOf('\n'); i !== -1 && i < position; i = text.indexOf('\n', i + 1)) line++
  return line
}

/** Largest document in bytes. */
const MOST_BYTES = 256 * 2 ** 20

/**
 * Reads a file of text in UTF-8.
 * @throws Error naming the file when it cannot be read, is a pipe or device, or larger than documents are
 */
export function readText(file: string): string {
  return readWhole(file, MOST_BYTES).toString('utf8')
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
    (inner, part) =>
      inner instanceof Object && Object.hasOwn(inner, part) ? Reflect.get(inner, part) : undefined,
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
      return [
        ...new Set(issue.unionErrors.flatMap(({ issues }) => issues.map((one) => variantOf(one, issue)))),
      ]
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

/** What one variant of a union expects: of an object the key that is missing or wrong. */
function variantOf(issue: z.ZodIssue, { path }: z.ZodIssue): string {
  const key = issue.path[path.length]
  return typeof key === 'string' ? `an object with ${JSON.stringify(key)}` : expectedOf(issue)
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
