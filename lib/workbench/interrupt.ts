/**
 * Stopping long work. The kernel aborts the signal of the running cell on an interrupt; on the command line Ctrl-C does.
 * Loops ask `throwIfInterrupted()` at each step and child processes are started with `{ signal: interruptSignal() }`.
 */

/** Thrown where work stops because it was asked to. */
export class InterruptedError extends Error {
  override name = 'Interrupted'
  constructor() {
    super('the work was interrupted')
  }
}

/** Signals that follow each other within this are one. */
const SAME_MS = 500

// Held by the process and not by this module: the kernel loads edited modules anew.
const SLOT = Symbol.for('workbook.interrupt')
const slot = globalThis as typeof globalThis & { [SLOT]?: AbortController }

function controller(): AbortController {
  if (!slot[SLOT]) {
    const created = new AbortController()
    slot[SLOT] = created
    for (const name of ['SIGINT', 'SIGTERM'] as const) {
      const stop = () => {
        created.abort(new InterruptedError())
        // A second Ctrl-C finds no listener and ends the process in the usual way. The same one may arrive twice: from the
        // group of processes, as a batch system stops a job, and from the parent, which hands it on.
        setTimeout(() => process.off(name, stop), SAME_MS).unref()
      }
      process.on(name, stop)
    }
  }
  return slot[SLOT]
}

/** The signal that aborts when the running cell or command is interrupted. */
export function interruptSignal(): AbortSignal {
  return controller().signal
}

/** Whether the running cell or command was interrupted. */
export function interrupted(): boolean {
  return controller().signal.aborted
}

/** @throws InterruptedError when the running cell or command was interrupted. */
export function throwIfInterrupted(): void {
  if (interrupted()) throw new InterruptedError()
}

/** The kernel calls this at the start of every cell. */
export function beginCell(): void {
  slot[SLOT] = new AbortController()
}

/** The kernel calls this on an interrupt. */
export function abortCell(): void {
  slot[SLOT]?.abort(new InterruptedError())
}
