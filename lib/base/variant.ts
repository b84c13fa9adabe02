/**
 * Documents given by their differences from another one: `extends: default` in a file, `--set key=value` on top. The result
 * is a complete document, checked against the same schema as any other, with a list of the changes.
 */
import path from 'node:path'
import { keyOf, readYaml } from './document'
import { parseYamlText } from './yaml'

/** One key that differs from the extended document. */
export interface Change {
  /** As a user would write it: "stages.distill.steps". */
  readonly key: string
  /** Undefined if the base has no such key. */
  readonly from: unknown
  /** Undefined if the key was removed. */
  readonly to: unknown
}

/** A document including everything it takes from others. */
export interface Variant {
  readonly content: unknown
  /** The changes relative to the outermost base; empty for a document that extends none. */
  readonly changes: readonly Change[]
}

type Mapping = Readonly<Record<string, unknown>>

/**
 * Reads a YAML file. If it has `extends: NAME`, its keys override those of the document NAME: mappings key by key,
 * everything else (numbers, texts, lists) as a whole; `null` removes a key. A list may call an entry of the list that it replaces
 * by the entry's `name`.
 *
 * @param fileOf the file of a name in `extends`, as seen from a folder
 * @param assignments `key=value` each, applied last; see `assigned`
 * @throws Error naming the file and what is wrong with `extends` or with an assignment
 */
export function readVariant(
  file: string,
  fileOf: (name: string, folder: string) => string,
  assignments: readonly string[] = [],
): Variant {
  const { content, base } = extended(file, fileOf, [])
  const changed = assignments.reduce(assigned, content)
  const from = base ?? (assignments.length > 0 ? content : undefined)
  return { content: changed, changes: from === undefined ? [] : changesBetween(from, changed) }
}

/** The content of a file, and the outermost document below it; undefined if it extends none. */
function extended(
  file: string,
  fileOf: (name: string, folder: string) => string,
  above: readonly string[],
): { content: unknown; base: unknown } {
  const resolved = path.resolve(file)
  if (above.includes(resolved)) {
    const circle = [...above.slice(above.indexOf(resolved)), resolved].map((each) => path.basename(each))
    throw new Error(`${file}: expected "extends" to end somewhere, found a circle: ${circle.join(' > ')}`)
  }
  const read = readYaml(file)
  if (!isMapping(read) || !Object.hasOwn(read, 'extends')) return { content: read, base: undefined }
  const { extends: name, ...own } = read
  if (typeof name !== 'string')
    throw new Error(`${file}: at "extends": expected the name of a document, found ${JSON.stringify(name)}`)
  const below = extended(fileOf(name, path.dirname(resolved)), fileOf, [...above, resolved])
  return { content: merged(below.content, own), base: below.base ?? below.content }
}

/** `below` with the keys of `over` on top. */
function merged(below: unknown, over: unknown): unknown {
  if (Array.isArray(below) && Array.isArray(over)) {
    const entryNamed = (name: unknown): unknown =>
      below.find((entry) => isMapping(entry) && ownOf(entry, 'name') === name)
    return over.map((entry: unknown) => (typeof entry === 'string' ? (entryNamed(entry) ?? entry) : entry))
  }
  if (!isMapping(below) || !isMapping(over)) return over
  const kept = Object.entries(below).filter(([key]) => !Object.hasOwn(over, key))
  const laid = Object.entries(over).flatMap(([key, value]): [string, unknown][] => {
    if (value === null) return []
    return [[key, Object.hasOwn(below, key) ? merged(below[key], value) : value]]
  })
  // Not by assignment: a key may be called __proto__.
  return Object.fromEntries([...kept, ...laid])
}

/**
 * A document with one key set: `stages.distill.steps=500`, `methods[0].weight.ratio=0.5`, `seeds=[1, 2, 3]`. The value is read
 * as YAML; a mapping is merged into an existing one.
 *
 * @throws Error naming the assignment, with what was expected
 */
export function assigned(document: unknown, assignment: string): unknown {
  const equals = assignment.indexOf('=')
  const key = assignment.slice(0, equals).trim()
  const parts = [...key.matchAll(/([^.[\]]+)|\[(\d+)\]/g)].map(([, name, index]) => name ?? Number(index))
  if (equals < 1 || keyOf(parts) !== key)
    throw new Error(`--set ${assignment}: expected key=value, such as stages.distill.steps=500`)
  const text = assignment.slice(equals + 1)
  let value: unknown
  try {
    value = parseYamlText(text).value
  } catch {
    throw new Error(`--set ${assignment}: expected a value in YAML after "=", found ${text}`)
  }
  const set = (inside: unknown, [part, ...rest]: readonly (string | number)[]): unknown => {
    if (part === undefined) return merged(inside, value)
    if (typeof part === 'number') {
      if (!Array.isArray(inside) || part >= inside.length) {
        const found = Array.isArray(inside) ? `a list of ${inside.length}` : JSON.stringify(inside)
        throw new Error(`--set ${assignment}: expected a list with an entry [${part}], found ${found}`)
      }
      return inside.map((entry: unknown, i) => (i === part ? set(entry, rest) : entry))
    }
    const mapping = isMapping(inside) ? inside : {}
    const now = set(ownOf(mapping, part), rest)
    const others = Object.entries(mapping).filter(([name]) => name !== part)
    return Object.fromEntries(now === null ? others : [...others, [part, now]])
  }
  return set(document, parts)
}

/** Every key in which two documents differ, as deep as possible; lists of different lengths as a whole. */
export function changesBetween(from: unknown, to: unknown, at: readonly (string | number)[] = []): Change[] {
  if (isMapping(from) && isMapping(to)) {
    const keys = [...new Set([...Object.keys(from), ...Object.keys(to)])]
    return keys.flatMap((key) => changesBetween(ownOf(from, key), ownOf(to, key), [...at, key]))
  }
  if (Array.isArray(from) && Array.isArray(to) && from.length === to.length)
    return from.flatMap((entry: unknown, i) => changesBetween(entry, to[i], [...at, i]))
  return JSON.stringify(from) === JSON.stringify(to) ? [] : [{ key: keyOf(at), from, to }]
}

const ownOf = (mapping: Mapping, key: string): unknown =>
  Object.hasOwn(mapping, key) ? mapping[key] : undefined

function isMapping(value: unknown): value is Mapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
