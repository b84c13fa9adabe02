/** Files from outside, read whole: only files (no pipe, no device), and none that is larger than what may become of it. */
import { promises, readFileSync, type Stats, statSync } from 'node:fs'

/** What to say of a file that cannot be read. */
export function unreadable(file: string, cause: unknown): Error {
  const { code, message } = cause as NodeJS.ErrnoException
  const found = { ENOENT: 'nothing', EISDIR: 'a folder', EACCES: 'one that may not be read' }[code ?? '']
  return new Error(`${file}: expected a file, found ${found ?? message}`, { cause })
}

/** A file is larger than what is read. */
export class TooLargeError extends Error {
  constructor(
    file: string,
    readonly reason: string,
  ) {
    super(`${file}: ${reason}`)
  }
}

/** @throws Error naming file and limit where it is no file, or a larger one */
function expectWithin(file: string, stats: Stats, most: number): void {
  if (!stats.isFile()) {
    const found = stats.isDirectory() ? 'a folder' : 'a pipe or a device'
    throw new Error(`${file}: expected a file, found ${found}`)
  }
  if (stats.size > most)
    throw new TooLargeError(file, `expected at most ${most} bytes, found ${stats.size}; split the file`)
}

/** Throws as `readWhole` does, and reads nothing. */
export async function expectFile(file: string, most: number): Promise<void> {
  try {
    expectWithin(file, await promises.stat(file), most)
  } catch (cause) {
    throw isSystemError(cause) ? unreadable(file, cause) : cause
  }
}

/**
 * The bytes of a file.
 * @param most bytes at most
 * @throws Error naming the file where it is missing, no file (a pipe would be waited for) or larger than `most`
 */
export function readWhole(file: string, most: number): Buffer {
  try {
    expectWithin(file, statSync(file), most)
    return readFileSync(file)
  } catch (cause) {
    throw isSystemError(cause) ? unreadable(file, cause) : cause
  }
}

/** The same without blocking. */
export async function readWholeLater(file: string, most: number): Promise<Buffer> {
  try {
    expectWithin(file, await promises.stat(file), most)
    return await promises.readFile(file)
  } catch (cause) {
    throw isSystemError(cause) ? unreadable(file, cause) : cause
  }
}

const isSystemError = (error: unknown): boolean => error instanceof Error && 'code' in error
