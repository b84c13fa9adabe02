/**
 * Stops long work. The kernel aborts the running cell's signal on an interrupt; on the command line Ctrl-C does.
 * Loops call `throwIfInterrupted()` at each step, and child processes start with `{ signal: interruptSignal() }`.
 */

/** Thrown where work stops because of an interrupt. */
export class InterruptedError extends Error {
  override name = 'Interrupted'
  constructor() {
    super('the work was interrupted')
  }
}

/** Signals that arrive within this time of each other count as one. */
const SAME_MS = 500

// Belongs to the process, not to this module: the kernel reloads edited modules.
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
        // A second Ctrl-C finds no listener and ends the process as usual. The same one may arrive twice: from the process
        // group, which is how a batch system stops a job, and from the parent, which forwards it.
        setTimeout(() => process.off(name, stop), SAME_MS).unref()
      }
      process.on(name, stop)
    }
  }
  return slot[SLOT]
}

/**
 * The signal that aborts when the running cell or command is interrupted. Work that checks it less than once a second
 * should get it once and keep it: the kernel gives up a cell that does not stop, and the next cell has a new signal.
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

/** Whether an error merely results from an interrupt. */
export function isInterrupt(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  return error.name === 'Interrupted' || (error.name === 'AbortError' && isInterrupt(error.cause))
}

/**
 * The kernel calls this at the start of every cell.
 *
 * @param pending says whether an interrupt has come that the kernel has not handled yet
 */
export function beginCell(pending: () => boolean = () => false): void {
  if (slot[SLOT]?.controller.signal.aborted === false) return // this signal also stops what earlier cells left running
  slot[SLOT] = { controller: new AbortController(), pending }
}

/** The kernel calls this on an interrupt. */
export function abortCells(): void {
  slot[SLOT]?.controller.abort(new InterruptedError())
}
