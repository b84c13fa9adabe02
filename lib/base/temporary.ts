/** Names of half-written files. They identify the writing process, so the next run can remove what a killed one left. */
import { randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isRunning, type Owner, thisProcess } from './owner'

const ENDING = '.tmp'
const NAME = /\.(\d+)-(\d*)@(.+)\.[0-9a-f]{8}\.tmp$/
/** Another machine's process cannot be checked; no file takes this long to write. */
const FOREIGN_MS = 7 * 24 * 3600 * 1000

/** A name beside a file or folder, under which this process writes it until it is complete. */
export function temporaryName(path: string): string {
  const { pid, started = '', host } = thisProcess()
  return `${path}.${pid}-${started}@${host}.${randomBytes(4).toString('hex')}${ENDING}`
}

let looked = false

/** A new folder in the system's temporary folder; those left by processes that have ended are removed. */
export function temporaryFolder(name: string): string {
  if (!looked) removeLeft(tmpdir())
  looked = true
  const folder = temporaryName(join(tmpdir(), name))
  mkdirSync(folder, { mode: 0o700 })
  return folder
}

/** Removes from a folder whatever ended processes left half-written. */
export function removeLeft(folder: string): void {
  for (const name of readdirSync(folder)) {
    const owner = ownerIn(name)
    const path = join(folder, name)
    if (owner && isLeft(path, owner)) rmSync(path, { recursive: true, force: true })
  }
}

function ownerIn(name: string): Owner | undefined {
  const [, pid, started, host] = NAME.exec(name) ?? []
  return pid && host ? { pid: Number(pid), started: started || undefined, host } : undefined
}

function isLeft(path: string, owner: Owner): boolean {
  const running = isRunning(owner)
  if (running !== undefined) return !running
  const stat = statSync(path, { throwIfNoEntry: false })
  return stat !== undefined && Date.now() - stat.mtimeMs > FOREIGN_MS
}
