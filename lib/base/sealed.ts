/**
 * Files that cannot change unnoticed. Every file that a result depends on follows one of three rules:
 *
 * - A JSON file carries its seal in the key `document`: the SHA-256 of its other keys, as JSON without white space and with
 *   sorted keys (`writeSealed`, `readSealed`).
 * - Any other file has the SHA-256 of its bytes in a sealed JSON file beside it, and is checked against it when it is read
 *   (`expectHash`).
 * - A cache file, which no other file mentions, begins with 32 bytes, the SHA-256 of its name and of the rest
 *   (`writeCached`, `readCached`).
 */
import { createHash } from 'node:crypto'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import stringify from 'safe-stable-stringify'
import { writeAtomically } from './atomic'
import { jsonOf, parseDocument, readJson, readText, type Schema, type Wording } from './document'
import { sha256 } from './hash'
import { spaceError } from './space'
import { removeLeft, temporaryName } from './temporary'

/** The key that holds the seal of a JSON file. */
const SEAL = 'document'
const SEAL_BYTES = 32

/** A file differs from what was written, or is missing. */
export class DamagedError extends Error {
  override name = 'Damaged'
  /**
   * @param problem file, what was expected and what was found
   * @param advice how to go on
   */
  constructor(
    readonly problem: string,
    advice: string,
  ) {
    super(`${problem}; ${advice}`)
  }
}

/** The seal for this content; what JSON drops or rounds is dropped or rounded first. */
function sealOf(content: object): string {
  return sha256(stringify(JSON.parse(JSON.stringify(content))) ?? '')
}

/**
 * Whether a JSON file has a seal.
 * @throws DamagedError if the seal does not match the content
 */
export function isSealed(file: string): boolean {
  const { seal, content } = unsealed(readJson(file))
  if (seal !== undefined) expectSeal(file, content, String(seal), 'restore the file')
  return seal !== undefined
}

/**
 * Writes an object as a sealed JSON file (`writeAtomically`).
 *
 * @param layout makes the text of the sealed object, which must not change its content
 */
export function writeSealed(file: string, content: object, layout = pretty): void {
  writeAtomically(file, layout({ ...content, [SEAL]: sealOf(content) }))
}

const pretty = (document: object): string => `${JSON.stringify(document, null, 2)}\n`

/**
 * Reads a sealed JSON file and checks it against a schema; the result is without the seal.
 *
 * @throws DamagedError naming the file, what was expected and found, and the way on
 * @throws Error when there is no such file
 */
export function readSealed<T>(
  file: string,
  schema: Schema<T>,
  { what, advice, within = file }: SealedWording,
): T {
  const text = readText(file)
  const { seal, content } = damagedUnless(advice, () => unsealed(jsonOf(text, file)))
  // A wrong key says more than two hashes.
  const value = damagedUnless(advice, () => parseDocument(content, schema, file, { what }))
  if (seal === undefined) {
    throw new DamagedError(
      `${file}: expected its seal, the key "${SEAL}", found none`,
      `an earlier version wrote it, or it was written by hand: "npx workbook seal ${within}" seals it as it is; or ${advice}`,
    )
  }
  expectSeal(file, content, String(seal), advice)
  return value
}

/** Wording of errors about a sealed file, which always say how to go on. */
export interface SealedWording extends Wording {
  readonly advice: string
  /** The folder to seal if this file was written before there were seals; default: the file alone. */
  readonly within?: string
}

function damagedUnless<T>(advice: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw error instanceof Error ? new DamagedError(error.message, advice) : error
  }
}

/** Content and seal of a JSON document; no seal if it has none or is no object. */
function unsealed(value: unknown): { readonly content: unknown; readonly seal?: unknown } {
  if (!isRecord(value)) return { content: value }
  const { [SEAL]: seal, ...content } = value
  return { content, seal }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function expectSeal(file: string, content: unknown, seal: string, advice: string): void {
  const found = sha256(stringify(content) ?? '')
  if (found !== seal) throw otherHash(file, seal, found, `its key "${SEAL}"`, advice)
}

/**
 * Checks a file's bytes against the hash in another file.
 *
 * @param by the file with the hash, as in "metrics.json"
 * @throws DamagedError naming the file, both hashes and the way on
 */
export function expectHash(
  file: string,
  bytes: Uint8Array | string,
  expected: string,
  { by, advice }: { readonly by: string; readonly advice: string },
): void {
  const found = sha256(bytes)
  if (found !== expected) throw otherHash(file, expected, found, by, advice)
}

function otherHash(file: string, expected: string, found: string, by: string, advice: string): DamagedError {
  const problem = `${file}: expected SHA-256 ${expected} as ${by} says, found ${found}`
  return new DamagedError(problem, `the file is damaged or was replaced: ${advice}`)
}

const cleaned = new Set<string>()

/**
 * Writes a cache file under a temporary name and renames it.
 *
 * @throws Error naming file, folder and size if the disk is full; nothing of the file is left then
 */
export async function writeCached(file: string, content: Uint8Array): Promise<void> {
  const folder = dirname(file)
  const temporary = temporaryName(file)
  try {
    await mkdir(folder, { recursive: true })
    // A cache holds thousands of files: look through it once.
    if (!cleaned.has(folder)) removeLeft(folder)
    cleaned.add(folder)
    await writeFile(temporary, Buffer.concat([cacheSeal(file, content), content]))
    await rename(temporary, file)
  } catch (error) {
    await rm(temporary, { force: true })
    throw spaceError(error, file, SEAL_BYTES + content.length)
  }
}

/** The content of a cache file; undefined if there is none, 'damaged' if it is not what was written. */
export async function readCached(file: string): Promise<Buffer | 'damaged' | undefined> {
  let sealed: Buffer
  try {
    sealed = await readFile(file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  const content = sealed.subarray(SEAL_BYTES)
  return cacheSeal(file, content).equals(sealed.subarray(0, SEAL_BYTES)) ? content : 'damaged'
}

function cacheSeal(file: string, content: Uint8Array): Buffer {
  return createHash('sha256').update(basename(file)).update(content).digest()
}
