import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { removeLeft, temporaryName } from './temporary'

/** @throws Error when a folder is there already and not empty, or is a file: nothing is overwritten */
export async function expectNewFolder(folder: string): Promise<void> {
  const found = await stat(folder).catch(() => undefined)
  if (found === undefined || (found.isDirectory() && (await readdir(folder)).length === 0)) return
  const what = found.isDirectory() ? 'a folder with content' : 'a file'
  throw new Error(`${folder}: expected a new or empty folder, found ${what}; name another one`)
}

/**
 * A new folder that appears whole or not at all: `fill` gets a temporary one beside it, which is renamed at the end.
 * @throws Error as `expectNewFolder` does, or what `fill` throws; then nothing is left behind
 */
export async function writeWholeFolder<T>(
  folder: string,
  fill: (temporary: string) => Promise<T>,
): Promise<T> {
  await expectNewFolder(folder)
  const temporary = temporaryName(folder)
  try {
    await mkdir(dirname(folder), { recursive: true })
    removeLeft(dirname(folder))
    await mkdir(temporary, { recursive: true })
    const result = await fill(temporary)
    await expectNewFolder(folder)
    await rm(folder, { recursive: true, force: true })
    await rename(temporary, folder)
    return result
  } finally {
    await rm(temporary, { recursive: true, force: true })
  }
}
