/** Text of users' files: whatever the bytes are, they are decoded as declared, or refused with file and line. */
import { isUtf8 } from 'node:buffer'
import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { readWholeLater, TooLargeError } from '../../base'
import { DatasetError, type Problem } from '../problem'

/** Largest text file that is read: a JavaScript string cannot hold more. */
const MOST_BYTES = 500 * 2 ** 20
/** Most lines that hold something: each takes about 100 bytes of memory. */
const MOST_LINES = 10_000_000

/**
 * The text of a file: UTF-8, or as declared by its byte-order mark or XML declaration.
 * @throws DatasetError naming the file, and the line of the first byte that is invalid in the encoding
 */
export async function readText(file: string): Promise<string> {
  try {
    return decodeText(await readWholeLater(file, MOST_BYTES), file)
  } catch (error) {
    if (error instanceof TooLargeError) throw new DatasetError({ kind: 'limit', file, message: error.reason })
    throw error
  }
}

/** `readText` for bytes already read; `file` is for error messages. */
export function decodeText(bytes: Uint8Array, file: string): string {
  const refuse = (message: string, line?: number): never => {
    throw new DatasetError({ kind: 'encoding', file, line, message })
  }
  if (bytes.length > MOST_BYTES)
    throw new DatasetError({
      kind: 'limit',
      file,
      message: `expected at most ${MOST_BYTES} bytes, found ${bytes.length}; split the file`,
    })
  const encoding = markedEncoding(bytes) ?? declaredEncoding(bytes)
  if (encoding === undefined || /^utf-?8$/i.test(encoding)) {
    if (!isUtf8(bytes)) {
      const { line, byte } = firstBadByte(bytes)
      const hint = encoding === undefined ? '' : ' as its declaration says'
      refuse(`expected UTF-8${hint}, found the byte 0x${byte.toString(16)}; save the file as UTF-8`, line)
    }
    if (bytes.includes(0)) {
      const line = lineOfByte(bytes, bytes.indexOf(0))
      refuse('expected text, found a zero byte; save the file as UTF-8', line)
    }
    return new TextDecoder('utf-8').decode(bytes)
  }
  let decoder: InstanceType<typeof TextDecoder>
  try {
    decoder = new TextDecoder(encoding, { fatal: true })
  } catch {
    return refuse(`expected a known encoding, found "${encoding}"; save the file as UTF-8`, 1)
  }
  try {
    return decoder.decode(bytes)
  } catch {
    return refuse(`expected text in ${encoding} as the file itself says, found other bytes; save it as UTF-8`)
  }
}

/** A path given by the user: relative to the data set's folder, or to the current one. */
export async function givenPath(root: string, path: string, option: string): Promise<string> {
  for (const place of [resolve(root, path), resolve(path)])
    if (await stat(place).catch(() => undefined)) return place
  throw new Error(`${resolve(root, path)}: expected what ${option} names, found nothing`)
}

/** A line of a text with its number, from 1; blanks at both ends are removed. */
export interface Line {
  readonly text: string
  readonly line: number
}

/**
 * The lines of a text that hold something. A line ends with LF, CR LF or CR.
 * @throws DatasetError naming the file where there are more of them than memory may hold
 */
export function filledLines(text: string, file: string): Line[] {
  const lines: Line[] = []
  const ends = /\r\n|\r|\n|$/g
  for (let [start, line] = [0, 1]; start <= text.length; line++) {
    ends.lastIndex = start
    const end = ends.exec(text)!
    const content = text.slice(start, end.index).trim()
    start = end.index + Math.max(1, end[0].length)
    if (content === '') continue
    if (lines.length === MOST_LINES)
      throw new DatasetError({
        kind: 'limit',
        file,
        line,
        message: `expected at most ${MOST_LINES} lines, found more; split the file`,
      })
    lines.push({ text: content, line })
  }
  return lines
}

/** The blank-separated fields of a line. */
export function fieldsOf(text: string): string[] {
  return text.split(/\s+/)
}

/** A finite number, or undefined after a report. */
export function parseNumber(
  text: string | undefined,
  what: string,
  place: { file: string; line?: number },
  report: (problem: Problem) => void,
): number | undefined {
  const value = text === undefined || text.trim() === '' ? Number.NaN : Number(text)
  if (Number.isFinite(value)) return value
  const found = text === undefined ? 'nothing' : `"${shortened(text)}"`
  report({ kind: 'syntax', ...place, message: `${what}: expected a number, found ${found}` })
  return undefined
}

/** The first of names that may be many, for a message. */
export function someOf(names: Iterable<string>, most = 20): string {
  const shown: string[] = []
  for (const name of names) {
    if (shown.push(name) > most) return `${shown.slice(0, most).join(', ')}, ...`
  }
  return shown.join(', ')
}

/** The beginning of a possibly long text, for a message. */
export function shortened(text: string, most = 60): string {
  return text.length > most ? `${text.slice(0, most - 3)}...` : text
}

function markedEncoding(bytes: Uint8Array): string | undefined {
  const [a, b, c, d] = bytes
  if (a === 0xff && b === 0xfe && c === 0 && d === 0) return 'UTF-32'
  if (a === 0xff && b === 0xfe) return 'UTF-16LE'
  if (a === 0xfe && b === 0xff) return 'UTF-16BE'
  return a === 0xef && b === 0xbb && c === 0xbf ? 'UTF-8' : undefined
}

function declaredEncoding(bytes: Uint8Array): string | undefined {
  const start = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 200)).toString('latin1')
  return /^\s*<\?xml\s[^>]*?encoding\s*=\s*["']([\w.:-]+)["']/.exec(start)?.[1]
}

function firstBadByte(bytes: Uint8Array): { line: number; byte: number } {
  let start = 0
  for (let line = 1; ; line++) {
    const end = bytes.indexOf(10, start)
    const part = bytes.subarray(start, end < 0 ? bytes.length : end)
    if (!isUtf8(part)) {
      // Loose decoding replaces invalid bytes by U+FFFD; every byte before it is sound.
      const loose = new TextDecoder('utf-8', { ignoreBOM: true }).decode(part)
      const sound = Buffer.byteLength(loose.slice(0, loose.indexOf('\ufffd')))
      return { line, byte: part[sound] ?? 0 }
    }
    if (end < 0) return { line, byte: bytes.at(-1) ?? 0 }
    start = end + 1
  }
}

function lineOfByte(bytes: Uint8Array, at: number): number {
  let line = 1
  for (let i = bytes.indexOf(10); i !== -1 && i < at; i = bytes.indexOf(10, i + 1)) line++
  return line
}
