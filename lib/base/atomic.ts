import { randomBytes } from 'node:crypto'
import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

/** Writes a file under a temporary name and renames it, so that nobody ever reads a half-written one. */
export function writeAtomically(file: string, content: Buffer | string): void {
  mkdirSync(dirname(file), { recursive: true })
  const temporary = `${file}.${process.pid}.${randomBytes(4).toString('hex')}.tmp`
  writeFileSync(temporary, content)
  renameSync(temporary, file)
}
