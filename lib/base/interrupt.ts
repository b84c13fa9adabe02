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
const slot = globalThis as typeof globalThis & {
  [SLOT]?: { controller: AbortController; pending: () => boolean }
}

function current(): { controller: AbortController; pending: () => boolean } {
  if (!slot[SLOT]) {
    const controller = new AbortController()
    slot[SLOT] = { controller, pending: () => false }
    for (const name of ['SIGINT', 'SIGTERM'] as const) {
      const stop = () => {
        controller.abort(new InterruptedError())
        // A second Ctrl-C finds no listener and ends the process in the usual way. The same one may arrive twice: from the
        // group of processes, as a batch system stops a job, and from the parent, which hands it on.
        setTimeout(() => process.off(name, stop), SAME_MS).unref()
      }
      process.on(name, stop)
    }
  }
  return slot[SLOT]
}

/**
 * The signal that aborts when the running cell or command is interrupted. What takes longer than a second between two
 * looks at it should get it once and keep it: a cell that does not stop is given up, and the next one has a new signal.
 */
export function interruptSignal(): AbortSignal {
  return current().controller.signal
}

/** Whether the running cell or command was interrupted. */
export function interrupted(): boolean {
  const { controller, pending } = current()
  return controller.signal.aborted || pending()
}

/** @throws InterruptedError when the running cell or command was interrupted */
export function throwIfInterrupted(): void {
  if (interrupted()) throw new InterruptedError()
}

/** Whether an error is nothing but the consequence of an interrupt. */
export function isInterrupt(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  return error.name === 'Interrupted' || (error.name === 'AbortError' && isInterrupt(error.cause))
}

/**
 * The kernel calls this at the start of every cell.
 *
 * @param pending says whether an interrupt has come that the kernel had no time for yet
 */
export function beginCell(pending: () => boolean = () => false): void {
  if (slot[SLOT]?.controller.signal.aborted === false) return // what earlier cells have left behind is stopped too
  slot[SLOT] = { controller: new AbortController(), pending }
}

/** The kernel calls this on an interrupt. */
export function abortCells(): void {
  slot[SLOT]?.controller.abort(new InterruptedError())
}
