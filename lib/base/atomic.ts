import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { spaceError } from './space'
import { removeLeft, temporaryName } from './temporary'

/** Codes of file systems on which folders cannot be synced. */
const NO_FOLDER_SYNC = ['EINVAL', 'ENOTSUP', 'EISDIR', 'EPERM', 'EACCES']

/**
 * Writes a file under a temporary name and renames it, so nobody ever reads a half-written one. File and folder are synced
 * to the disk, so an announced result survives a power loss too. Leftovers of killed processes in the folder are removed.
 *
 * @throws Error naming file, folder and size if the disk is full; nothing of the file is left then
 */
export function writeAtomically(file: string, content: Uint8Array | string): void {
  const folder = dirname(file)
  const temporary = temporaryName(file)
  try {
    const made = mkdirSync(folder, { recursive: true })
    removeLeft(folder)
    writeSynced(temporary, content)
    renameSync(temporary, file)
    syncFolder(folder)
    if (made !== undefined) syncFolder(dirname(made))
  } catch (error) {
    rmSync(temporary, { force: true })
    throw spaceError(error, file, Buffer.byteLength(content))
  }
}

function writeSynced(file: string, content: Uint8Array | string): void {
  const descriptor = openSync(file, 'wx')
  try {
    writeFileSync(descriptor, content)
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

/** Syncs a folder to the disk, after a file in it was renamed. */
export function syncFolder(folder: string): void {
  try {
    const descriptor = openSync(folder, 'r')
    try {
      fsyncSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
  } catch (error) {
    if (!NO_FOLDER_SYNC.includes((error as NodeJS.ErrnoException).code ?? '')) throw error
  }
}
