import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { sha256 } from './hash'
import { isRunning, type Owner, thisProcess } from './owner'
import { spaceError } from './space'

/** Names of the files that `removeDead` creates. */
const CLAIM = /^lock(\.[0-9a-f]{8})+$/

export interface LockOptions {
  /** How often the owner touches its lock, in milliseconds. */
  readonly beat?: number
  /** After this time without a touch, in milliseconds, a lock is abandoned if its process cannot be checked. */
  readonly silence?: number
  /** Stops the waiting. */
  readonly signal?: AbortSignal
}

/**
 * Takes a trial's folder for this process, so that two runs never share one, on one machine or on several that see the same
 * folder. The lock of an ended process is taken over: at once if it ran on this machine (ids are reused, so a lock also holds
 * its process's start time); another machine's after it was watched for `silence` and nobody has touched it.
 *
 * @returns a function that releases it
 * @throws Error when another process has it
 */
export async function lockFolder(
  folder: string,
  { beat = 10_000, silence = 60_000, signal }: LockOptions = {},
): Promise<() => void> {
  mkdirSync(folder, { recursive: true })
  const file = join(folder, 'lock')
  const { pid, host, started } = thisProcess()
  const own = [pid, host, started].filter((part) => part !== undefined).join(' ')
  let found: Lock | undefined
  for (let attempt = 0; attempt < 4; attempt++) {
    if (createFile(file, own)) {
      removeClaims(folder)
      const stop = keepTouching(file, beat)
      return () => {
        stop()
        rmSync(file, { force: true })
      }
    }
    found = readLock(file)
    if (found === undefined) continue
    if (await isAtWork(file, found, { silence, signal })) break
    await removeDead(file, found, own, { silence, signal })
  }
  throw new Error(
    `${folder}: expected a folder of its own, found process ${found?.owner || 'unknown'} at work in it; wait for it, or ` +
      `remove ${file}* if there is no such process`,
  )
}

/**
 * Removes the lock of an ended process. Only the process that creates a claim, a file named after this very lock, removes it,
 * so nobody removes the next owner's lock. If that process is killed first, its claim is removed the same way.
 */
async function removeDead(
  file: string,
  dead: Lock,
  own: string,
  watch: { readonly silence: number; readonly signal?: AbortSignal },
): Promise<void> {
  const claim = `${file}.${sha256(`${dead.owner} ${dead.touched}`).slice(0, 8)}`
  if (!createFile(claim, own)) {
    const other = readLock(claim)
    if (other && !(await isAtWork(claim, other, watch))) await removeDead(claim, other, own, watch)
    return
  }
  const now = readLock(file)
  if (now?.owner === dead.owner && now.touched === dead.touched) rmSync(file)
  rmSync(claim)
}

/** Removes claims of processes that were killed during a takeover. */
function removeClaims(folder: string): void {
  for (const name of readdirSync(folder).filter((other) => CLAIM.test(other))) {
    const claim = readLock(join(folder, name))
    const owner = claim && ownerOf(claim)
    if (owner && isRunning(owner) === false) rmSync(join(folder, name), { force: true })
  }
}

/**
 * Watches, during a wait, whether another process holds a folder.
 *
 * @returns a function that says whether it still does; for a process on another machine, whether it touched its lock
 * within the last `silence`
 */
export function watchFolder(
  folder: string,
  { silence = 60_000 }: Pick<LockOptions, 'silence'> = {},
): () => boolean {
  const file = join(folder, 'lock')
  let last: Lock | undefined
  let seen = 0
  return () => {
    const now = readLock(file)
    if (now === undefined) return false
    const owner = ownerOf(now)
    const running = owner && isRunning(owner)
    if (owner && running !== undefined) return owner.pid !== process.pid && running
    if (now.owner !== last?.owner || now.touched !== last.touched) seen = performance.now()
    last = now
    return performance.now() - seen < silence
  }
}

interface Lock {
  /** Id of the process, its machine, and its start time. */
  readonly owner: string
  /** Time of its last touch, by the owner's clock. */
  readonly touched: number
}

/** Creates a file; false if it already exists. */
function createFile(file: string, content: string): boolean {
  try {
    writeFileSync(file, content, { flag: 'wx' })
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    const told = spaceError(error, file, content.length)
    if (told !== error) rmSync(file, { force: true })
    throw told
  }
}

function readLock(file: string): Lock | undefined {
  try {
    // Network file systems query the server again when a file is opened, but not always for a mere stat.
    const descriptor = openSync(file, 'r')
    try {
      return { owner: readFileSync(descriptor, 'utf8'), touched: fstatSync(descriptor).mtimeMs }
    } finally {
      closeSync(descriptor)
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** Whether the process of a lock is alive. A process on another machine shows it by touching the lock. */
async function isAtWork(
  file: string,
  lock: Lock,
  { silence, signal }: { readonly silence: number; readonly signal?: AbortSignal },
): Promise<boolean> {
  const owner = ownerOf(lock)
  const running = owner && isRunning(owner)
  if (running !== undefined) return running
  // Clocks of two machines differ, so wait for a change instead of computing an age.
  const end = performance.now() + silence
  while (performance.now() < end) {
    await setTimeout(Math.min(1000, silence / 10), undefined, { signal })
    const now = readLock(file)
    if (now === undefined) return false
    if (now.owner !== lock.owner || now.touched !== lock.touched) return true
  }
  return false
}

/** The process that a lock names; undefined where nothing is written yet. */
function ownerOf({ owner }: Lock): Owner | undefined {
  const [pid, host = hostname(), started] = owner.split(' ')
  return pid ? { pid: Number(pid), host, started } : undefined
}

/** Touches a file from a separate thread: a training step may block the main one for longer than the silence. */
function keepTouching(file: string, beat: number): () => void {
  const program = `
    const { utimesSync } = require('node:fs')
    const { file, beat } = require('node:worker_threads').workerData
    const touch = () => {
      try {
        utimesSync(file, new Date(), new Date())
      } catch (error) {
        // The file is gone once the lock is released. Any other error ends the process, which can no longer hold the lock.
        if (error.code !== 'ENOENT') throw error
      }
    }
    setInterval(touch, beat)`
  const worker = new Worker(program, { eval: true, execArgv: [], workerData: { file, beat } })
  worker.unref()
  return () => void worker.terminate()
}
