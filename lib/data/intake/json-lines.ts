/** Keys to find below a position in a JSON text, and the names of those that end there. */
interface Wanted {
  readonly below: Map<string, Wanted>
  readonly names: string[]
}

/**
 * The lines, from 1, on which the values of keys begin in a JSON text. Keys are written as problems name them
 * ("annotations[3].bbox[0]", "[7].name"); of a key that is missing, the last part that is there counts. One pass over
 * the text for all keys, which must be valid JSON; where it is cut off, lines that are not there are missing.
 */
export function linesOfKeys(text: string, keys: readonly string[]): Map<string, number> {
  const root: Wanted = { below: new Map(), names: [] }
  for (const key of keys) place(root, key)
  const lines = new Map<string, number>()
  let at = 0
  let line = 1

  const skipBlanks = () => {
    for (; ; at++) {
      const code = text.charCodeAt(at)
      if (code === 10) line++
      else if (code !== 32 && code !== 13 && code !== 9) return
    }
  }
  const string = (): string => {
    const start = at++
    while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1
    return text.slice(start, ++at)
  }
  const value = (wanted: Wanted | undefined): void => {
    skipBlanks()
    if (wanted !== undefined) mark(wanted, line, lines)
    if (text[at] === '{') {
      members('}', () => {
        skipBlanks()
        const name = wanted === undefined ? void string() : nameOf(string())
        skipBlanks()
        at++ // the colon
        value(name === undefined ? undefined : wanted?.below.get(name))
      })
    } else if (text[at] === '[') {
      let index = 0
      members(']', () => value(wanted?.below.get(String(index++))))
    } else if (text[at] === '"') string()
    else while (at < text.length && !/[,\]}\s]/.test(text[at]!)) at++
  }
  const members = (end: '}' | ']', one: () => void): void => {
    at++
    for (skipBlanks(); at < text.length && text[at] !== end; skipBlanks()) {
      one()
      skipBlanks()
      if (text[at] === ',') at++
    }
    at++
  }
  value(root)
  return lines
}

/** The name that stands between quotes; a file that has changed since it was parsed may hold something else there. */
function nameOf(text: string): string | undefined {
  try {
    return String(JSON.parse(text))
  } catch {
    return undefined
  }
}

/** Adds a key to the tree of wanted ones. */
function place(root: Wanted, key: string): void {
  let node = root
  for (const [part] of key.matchAll(/[^.[\]]+/g)) {
    const next = node.below.get(part) ?? { below: new Map(), names: [] }
    node.below.set(part, next)
    node = next
  }
  node.names.push(key)
}

/** All keys at and below a position begin here, unless something closer is found. */
function mark(wanted: Wanted, line: number, lines: Map<string, number>): void {
  for (const name of wanted.names) lines.set(name, line)
  for (const next of wanted.below.values()) mark(next, line, lines)
}
