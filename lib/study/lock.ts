import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'

/**
 * Takes a trial's folder for this process, so that two runs never share one. A lock whose process was killed is taken over.
 * @returns a function that gives it back
 * @throws Error when another process has it
 */
export function lockFolder(folder: string): () => void {
  mkdirSync(folder, { recursive: true })
  const file = join(folder, 'lock')
  const claim = `${file}.takeover`
  const own = `${process.pid} ${hostname()}`
  let found: string | undefined
  for (let attempt = 0; attempt < 4; attempt++) {
    if (createFile(file, own)) return () => rmSync(file, { force: true })
    found = readFile(file)
    if (found === undefined) continue
    if (isAtWork(found)) break
    // Only one of all who see that its process is gone removes the lock, and none removes the next owner's.
    if (!createFile(claim, own)) continue
    if (readFile(file) === found) rmSync(file)
    rmSync(claim)
  }
  throw new Error(
    `${folder}: expected a folder of its own, found process ${found ?? 'unknown'} at work in it; wait for it, or remove ` +
      `${file}* if there is no such process`,
  )
}

/** False where the file is there already. */
function createFile(file: string, content: string): boolean {
  try {
    writeFileSync(file, content, { flag: 'wx' })
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

function readFile(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** Whether the process of a lock lives. Of another machine's nothing can be known, nor of a lock that is being written. */
function isAtWork(lock: string): boolean {
  const [pid, host = hostname()] = lock.split(' ')
  if (!pid || host !== hostname()) return true
  try {
    process.kill(Number(pid), 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}
