/** The running cell: its interrupts, errors that surface in it or after it, and how it ends. */
'use strict'

const path = require('node:path')
const { abortCells, beginCell, InterruptedError, isInterrupt } = require('../../base/interrupt')
const { reportProgress } = require('../progress')
const { Control, PATIENCE_MS } = require('./control.cjs')
const { describeError } = require('./errors.cjs')
const { CompileError, Executor } = require('./executor.cjs')
const modules = require('./modules.cjs')

/** @typedef {import('./errors.cjs').Failure} Failure */
/**
 * @typedef {object} Running
 * @property {number} number
 * @property {unknown[]} errors
 * @property {boolean} interrupted
 * @property {boolean} brokenOff in the middle of its work
 * @property {(error: unknown) => void} giveUp stops waiting for it
 */

const BROKEN_OFF =
  'The cell was broken off in the middle of what it did, so nothing was tidied up. Restart the kernel if it then misbehaves.'
const INTERRUPTED = { ename: 'Interrupted', evalue: 'the cell was interrupted' }
const ENGINE = path.join(modules.root, 'lib/engine/index.ts')

/** Resolves when all events that have arrived so far were handled: only the second turn comes after them. */
async function eventsSeen() {
  await new Promise(setImmediate)
  await new Promise(setImmediate)
}

class Cells {
  control = new Control()
  stopIfPending = () => {
    if (this.control.pending()) throw new InterruptedError()
  }
  executor = new Executor(this.control, this.checks())
  /** Number of interrupts: work that began before the last one does not continue. */
  interrupts = 0
  /**
   * The running cell, or null between cells.
   *
   * @type {Running | null}
   */
  current = null
  /**
   * Errors that surfaced between cells; they fail the next one.
   *
   * @type {unknown[]}
   */
  late = []
  /** Whether the kernel is ending: nothing is reported any more. */
  closed = false
  /** @type {NodeJS.Module | undefined} */
  engine

  /** Functions that the scripts of cells call; see ./rewrite.cjs. */
  checks() {
    /** @param {number} began */
    const goOn = (began) => {
      if (began !== this.interrupts || this.control.pending()) throw new InterruptedError()
    }
    return {
      __now__: () => this.interrupts,
      /**
       * @param {number} began
       * @param {unknown} value
       */
      __resume__(began, value) {
        goOn(began)
        return value
      },
      /**
       * @param {number} began
       * @param {AsyncIterable<unknown>} items
       */
      async *__each__(began, items) {
        for await (const item of items) {
          goOn(began)
          yield item
        }
      },
      __step__: this.stopIfPending,
    }
  }

  /** @param {unknown} error */
  describe(error) {
    return describeError(error, (text) => this.executor.withPlaces(text))
  }

  /** After a cell has loaded modules: records their age, and makes TensorFlow's operations stop on an interrupt too. */
  noteLoaded() {
    modules.noteLoaded()
    const loaded = require.cache[ENGINE]
    if (loaded === this.engine || !loaded?.loaded) return
    this.engine = loaded
    loaded.exports.beforeOperations(this.stopIfPending)
  }

  /**
   * An error that nobody has caught.
   *
   * @param {unknown} error
   */
  surfaced = (error) => {
    if (this.closed) return
    // After an interrupt, work left by earlier cells ends with this error; a cell started since must not get it.
    if (isInterrupt(error) && !this.current?.interrupted && !this.control.pending()) return
    if (this.current) {
      this.current.errors.push(error)
      this.current.giveUp(error)
      return
    }
    this.late.push(error)
    const text = this.describe(error).traceback.join('\n')
    reportProgress({ event: 'late-error', message: text })
    process.stderr.write(`Uncaught after the cell had ended: ${text}\n`)
  }

  /**
   * Stops the running cell, and work left by earlier ones.
   *
   * @param {import('./control.cjs').Interrupt} [interrupt]
   */
  interrupt = ({ cell, giveUp = false } = {}) => {
    if (cell !== undefined && cell !== (this.current?.number ?? 0)) return
    this.control.takeNotice()
    this.interrupts++
    abortCells()
    if (!this.current) return
    const asked = this.current
    const again = asked.interrupted
    asked.interrupted = true
    asked.brokenOff ||= giveUp
    if (again || giveUp) asked.giveUp(new InterruptedError())
    else setTimeout(() => asked.giveUp(new InterruptedError()), PATIENCE_MS)
  }

  /**
   * Runs one cell.
   *
   * @param {string} code
   * @param {{ name: string, number: number, onValue: (value: {}) => void }} run its name in stack traces, its number
   *   among all that have arrived, and a callback for the value of its last expression
   * @returns {Promise<Failure | null>} what went wrong
   */
  async run(code, { name, number, onValue }) {
    const [earlier] = this.late.splice(0)
    if (earlier !== undefined) {
      const failure = this.describe(earlier)
      return { ...failure, evalue: `${failure.evalue} (uncaught after an earlier cell had ended)` }
    }
    /** @type {(error: unknown) => void} */
    let giveUp = () => undefined
    /** @type {Promise<never>} */
    const givenUp = new Promise((_, reject) => {
      giveUp = reject
    })
    givenUp.catch(() => undefined) // handled where the cell is awaited
    /** @type {Running} */
    const cell = { number, errors: [], interrupted: false, brokenOff: false, giveUp }
    this.current = cell
    beginCell(this.control.pending)
    const edited = modules.forgetEdited()
    const beforeRun = async () => {
      await eventsSeen()
      if (cell.interrupted || this.control.pending()) throw new InterruptedError()
    }
    try {
      const value = await this.executor.execute(code, { name, givenUp, beforeRun })
      if (value !== undefined && value !== null) onValue(value)
    } catch (error) {
      cell.errors.push(error)
    }
    await eventsSeen() // unhandled rejections surface only now
    this.noteLoaded()
    this.control.end() // an interrupt while the answer is being sent is not for this cell
    this.current = null
    warnOfEdited(edited)
    return this.failureOf(cell)
  }

  /**
   * @param {Running} cell
   * @returns {Failure | null}
   */
  failureOf({ errors, interrupted, brokenOff }) {
    const [error] = errors
    const isBroken =
      error instanceof Error && 'code' in error && error.code === 'ERR_SCRIPT_EXECUTION_INTERRUPTED'
    if (brokenOff || isBroken) {
      modules.forgetUnfinished()
      process.stderr.write(`${BROKEN_OFF}\n`)
    }
    if (interrupted || brokenOff || isBroken || isInterrupt(error)) {
      const where = errors.find(
        (one) => one instanceof Error && isInterrupt(one) && /cell\[/.test(one.stack ?? ''),
      )
      return { ...INTERRUPTED, traceback: where ? this.describe(where).traceback : ['Interrupted'] }
    }
    if (error instanceof CompileError)
      return { ename: error.name, evalue: error.message, traceback: [error.message] }
    return error === undefined ? null : this.describe(error)
  }

  /**
   * Makes room for another notebook: stops work left by this one, and forgets its declarations.
   *
   * @param {number} patience milliseconds in which errors of that work may surface
   * @returns {Promise<Failure | null>} such an error
   */
  async reset(patience) {
    this.interrupts++
    abortCells()
    await new Promise((resolve) => setTimeout(resolve, patience))
    this.executor.reset()
    const [error] = this.late.splice(0)
    return error === undefined ? null : this.describe(error)
  }
}

/** @param {readonly string[]} edited files */
function warnOfEdited(edited) {
  const old = edited
    .filter((file) => !modules.isLoaded(file))
    .map((file) => path.relative(modules.root, file))
  if (old.length === 0) return
  process.stderr.write(`Edited: ${old.join(', ')}. Run the cells again that import it to see the change.\n`)
}

module.exports = { Cells, eventsSeen }
