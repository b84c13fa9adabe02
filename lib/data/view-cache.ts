/**
 * Numbers that were computed from training views, kept on disk: one file a view, found again by the view's pixels.
 *
 * A file's name is the SHA-256 of how its numbers were computed (`ViewCache.key`) and of the pixels that they were
 * computed from, so that whatever changes a view (data, crop, augmentation, seed, epoch, input size, the code that makes
 * views) changes the name: nothing that is found can be out of date. A file that is not what was written (`sealed`) counts
 * as not found.
 */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { readSealed, SEAL_BYTES, writeSealed } from './sealed'

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

/** Writes a view's numbers. */
export function writeView(folder: string, name: string, values: Float32Array): Promise<void> {
  return writeSealed(join(folder, name), bytesOf(values))
}

/** Bytes of a file that holds so many numbers. */
export const viewBytes = (values: number): number => SEAL_BYTES + values * Float32Array.BYTES_PER_ELEMENT

function nameOf(key: string, pixels: Float32Array): string {
  return createHash('sha256').update(key).update(bytesOf(pixels)).digest('hex')
}

async function readEntry(folder: string, name: string): Promise<Float32Array | 'damaged' | undefined> {
  const content = await readSealed(join(folder, name))
  if (content === undefined || content === 'damaged') return content
  return new Float32Array(content.buffer.slice(content.byteOffset, content.byteOffset + content.byteLength))
}

function bytesOf(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
}
