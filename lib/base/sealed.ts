/**
 * Files of a cache that tell whether they are what was written: 32 bytes, the SHA-256 of the file's name and content, then
 * the content.
 */
import { createHash, randomUUID } from 'node:crypto'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { basename, dirname } from 'node:path'

const SEAL_BYTES = 32
/** How the names of half-written files end. */
const TEMPORARY = '.tmp'

/** Writes under a temporary name and renames the file, so that other processes see all of it or nothing. */
export async function writeSealed(file: string, content: Uint8Array): Promise<void> {
  const sealed = Buffer.concat([sealOf(file, content), content])
  const temporary = `${file}.${randomUUID()}${TEMPORARY}`
  try {
    await writeFile(temporary, sealed)
  } catch (error) {
    if (!isMissing(error)) throw error
    await mkdir(dirname(file), { recursive: true })
    await writeFile(temporary, sealed)
  }
  await rename(temporary, file)
}

/** The content; undefined where there is no file, 'damaged' where it is not what was written. */
export async function readSealed(file: string): Promise<Buffer | 'damaged' | undefined> {
  let sealed: Buffer
  try {
    sealed = await readFile(file)
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
  const content = sealed.subarray(SEAL_BYTES)
  return sealOf(file, content).equals(sealed.subarray(0, SEAL_BYTES)) ? content : 'damaged'
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}

function sealOf(file: string, content: Uint8Array): Buffer {
  return createHash('sha256').update(basename(file)).update(content).digest()
}
