/** Processes, identified by id and start time, since ids are reused. */
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'

/** A process, as recorded in a lock or in the name of a temporary file. */
export interface Owner {
  readonly pid: number
  /** Start time in clock ticks since boot; undefined if unknown. */
  readonly started?: string
  readonly host: string
}

/** This process. */
export function thisProcess(): Owner {
  return { pid: process.pid, started: statOf(process.pid)?.started, host: hostname() }
}

/** Whether a process is still running; undefined for another machine's process, which cannot be checked from here. */
export function isRunning({ pid, started, host }: Owner): boolean | undefined {
  if (host !== hostname()) return undefined
  const stat = statOf(pid)
  if (stat === undefined) return answers(pid)
  // A killed process stays listed until its parent has collected it.
  return stat.state !== 'Z' && (started === undefined || stat.started === started)
}

/** State and start time of a process (fields 3 and 22 of /proc/<pid>/stat); undefined if the system does not provide them. */
function statOf(pid: number): { state: string | undefined; started: string | undefined } | undefined {
  let text: string
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch {
    return undefined // it has ended, or the system has no /proc
  }
  // The second field, the program's name in brackets, may contain spaces and brackets.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return { state: fields[0], started: fields[19] }
}

function answers(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}
