import { statfsSync } from 'node:fs'
import { dirname } from 'node:path'

const FULL: ReadonlyMap<string | undefined, string> = new Map([
  ['ENOSPC', 'none left on the disk'],
  ['EDQUOT', 'the quota used up'],
])

/**
 * The error for a file that could not be written because the disk is full or the quota is used up: it names file, folder and
 * the room needed. Any other error is returned unchanged.
 *
 * @param bytes size of the whole file, if known
 */
export function spaceError(error: unknown, file: string, bytes?: number): unknown {
  const found = FULL.get((error as NodeJS.ErrnoException).code)
  if (found === undefined) return error
  const folder = dirname(file)
  const needed = bytes === undefined ? 'room' : `room for ${bytes} bytes`
  return new Error(
    `${file}: expected ${needed} in ${folder}, found ${found} (${freeIn(folder)}); make room there and run the same ` +
      'command again to continue',
    { cause: error },
  )
}

function freeIn(folder: string): string {
  try {
    const { bavail, bsize } = statfsSync(folder)
    return `${bavail * bsize} bytes free`
  } catch {
    return 'free space unknown'
  }
}
