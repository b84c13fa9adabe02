/**
 * Numbers that were computed from training views, kept on disk: one file a view, found again by the view's pixels.
 *
 * A file's name is the SHA-256 of how its numbers were computed (`ViewCache.key`) and of the pixels that they were
 * computed from, so that whatever changes a view (data, crop, augmentation, seed, epoch, input size, the code that makes
 * views) changes the name: nothing that is found can be out of date. The file begins with a SHA-256 of its name and its
 * numbers; where that does not fit, the file was damaged and counts as not found.
 */
import { createHash, randomUUID } from 'node:crypto'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Where numbers of one kind lie. */
export interface ViewCache {
  readonly folder: string
  /** Everything that the numbers depend on beside the pixels, as a hash. */
  readonly key: string
}

/** What is known of a batch's views. */
export interface FoundViews {
  /** The name of each view's file. */
  readonly names: readonly string[]
  /** The numbers of all views, one after the other; undefined unless every view was found. */
  readonly values: Float32Array | undefined
  /** Files whose content is not what was written. */
  readonly damaged: number
}

const DIGEST_BYTES = 32
/** How the names of half-written files end. */
export const TEMPORARY = '.tmp'

/**
 * Looks a batch's views up.
 *
 * @param images pixels of all views, one after the other
 */
export async function findViews(cache: ViewCache, images: Float32Array, views: number): Promise<FoundViews> {
  const size = images.length / views
  const names = Array.from({ length: views }, (_, i) =>
    nameOf(cache.key, images.subarray(i * size, (i + 1) * size)),
  )
  const entries = await Promise.all(names.map((name) => readEntry(cache.folder, name)))
  const damaged = entries.filter((entry) => entry === 'damaged').length
  const found = entries.flatMap((entry) => (entry instanceof Float32Array ? [entry] : []))
  if (found.length < views) return { names, values: undefined, damaged }
  const values = new Float32Array(found.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const entry of found) {
    values.set(entry, at)
    at += entry.length
  }
  return { names, values, damaged }
}

/** Writes a view's numbers under a temporary name and renames the file, so that other processes see all of it or nothing. */
export async function writeView(folder: string, name: string, values: Float32Array): Promise<void> {
  const payload = bytesOf(values)
  const content = Buffer.concat([digestOf(name, payload), payload])
  const temporary = join(folder, `${name}.${randomUUID()}${TEMPORARY}`)
  try {
    await writeFile(temporary, content)
  } catch (error) {
    if (!isMissing(error)) throw error
    await mkdir(folder, { recursive: true })
    await writeFile(temporary, content)
  }
  await rename(temporary, join(folder, name))
}

/** Bytes of a file that holds so many numbers. */
export const viewBytes = (values: number): number => DIGEST_BYTES + values * Float32Array.BYTES_PER_ELEMENT

function nameOf(key: string, pixels: Float32Array): string {
  return createHash('sha256').update(key).update(bytesOf(pixels)).digest('hex')
}

async function readEntry(folder: string, name: string): Promise<Float32Array | 'damaged' | undefined> {
  let content: Buffer
  try {
    content = await readFile(join(folder, name))
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
  const payload = content.subarray(DIGEST_BYTES)
  if (!digestOf(name, payload).equals(content.subarray(0, DIGEST_BYTES))) return 'damaged'
  return new Float32Array(content.buffer.slice(payload.byteOffset, payload.byteOffset + payload.byteLength))
}

function digestOf(name: string, payload: Uint8Array): Buffer {
  return createHash('sha256').update(name).update(payload).digest()
}

function bytesOf(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
}

export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}
