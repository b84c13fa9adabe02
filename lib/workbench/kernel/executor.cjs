/** Runs cells: their shared scope, their compiled scripts, and the places of their errors. */
'use strict'

const { createRequire } = require('node:module')
const path = require('node:path')
const vm = require('node:vm')
const { createCompiler, withoutNames } = require('./compiler.cjs')
const { root } = require('./modules.cjs')

/** Where a cell's script finds its arguments. */
const SCOPE = Symbol.for('workbook.cell')
const IN_CELL = /cell\[([\w ]+)\]:(\d+):(\d+)/g

/** @typedef {import('./rewrite.cjs').Place} Place */
/** @typedef {{ [name: string]: unknown }} Names */

/** A cell that does not compile: its messages as `line:column - message`. */
class CompileError extends Error {
  /** @override */
  name = 'TypeScript'
}

class Executor {
  /** @type {Names} */
  exports = {}
  declarations = ''
  /** @type {Map<string, (position: Place) => Place | null>} */
  placesOf = new Map()
  compiler = createCompiler()

  /**
   * @param {import('./control.cjs').Control} control is told when the kernel compiles and when a script begins
   * @param {object} checks functions that cells call to check for an interrupt; see ./rewrite.cjs
   */
  constructor(control, checks) {
    this.control = control
    /** Loads what a cell imports. */
    this.require = createRequire(path.join(root, 'cell.js'))
    /** @type {[Names, NodeRequire, object]} */
    this.scope = [this.exports, this.require, checks]
    Object.defineProperty(globalThis, SCOPE, { value: this.scope })
  }

  /** Forgets what cells have declared. */
  reset() {
    this.scope[0] = this.exports = {} // work of earlier cells that still runs keeps the old one
    this.declarations = ''
    this.placesOf.clear()
  }

  /** @param {string} source */
  compile(source) {
    return this.control.compiling(() => this.compiler.compile(source, this.declarations))
  }

  /**
   * Runs a cell to its end.
   *
   * @param {string} source
   * @param {{ name: string, givenUp: Promise<never>, beforeRun: () => Promise<void> }} run the cell's name in stack
   *   traces; a promise that rejects when the cell is given up; and one that resolves when everything that arrived while it
   *   was being compiled has been handled
   * @returns {Promise<unknown>} the value of its last expression
   * @throws CompileError, or what the cell throws; declarations made until then stay
   */
  async execute(source, { name, givenUp, beforeRun }) {
    const cell = this.compile(source)
    if (!cell.compiled) {
      const lines = cell.diagnostics.map(
        ({ fileName, line, character, message }) =>
          `${fileName ? `${fileName} ` : ''}${line + 1}:${character + 1} - ${message}`,
      )
      throw new CompileError(lines.join('\n'))
    }
    await beforeRun()
    const { compiled } = cell
    this.placesOf.set(name, compiled.placeOf)
    const script = new vm.Script(`${compiled.script}(...globalThis[Symbol.for('${SCOPE.description}')])`, {
      filename: `cell[${name}]`,
    })
    try {
      const run = this.control.inScript(() => script.runInThisContext({ breakOnSigint: true }))
      await Promise.race([run, givenUp])
    } catch (error) {
      const missing = compiled.declared.filter((declared) => this.exports[declared] === undefined)
      this.declarations = withoutNames(compiled.declarations, new Set(missing))
      throw error
    }
    this.declarations = compiled.declarations
    const { valueName } = compiled
    if (valueName === undefined) return undefined
    const value = this.exports[valueName]
    delete this.exports[valueName]
    return value
  }

  /**
   * A text in which places in scripts of cells are replaced by those in the cells.
   *
   * @param {string} text
   */
  withPlaces(text) {
    return text.replace(IN_CELL, (_, name, line, column) => {
      const place = this.placesOf.get(name)?.({ line: Number(line) - 1, character: Number(column) - 1 })
      return `cell[${name}]${place ? `:${place.line + 1}:${place.character + 1}` : ''}`
    })
  }

  /**
   * @param {string} source
   * @param {number} position
   */
  inspect(source, position) {
    return this.control.compiling(() => this.compiler.inspect(source, this.declarations, position))
  }

  /**
   * @param {string} source
   * @param {number} position
   */
  complete(source, position) {
    return this.control.compiling(() => this.compiler.complete(source, this.declarations, position))
  }

  close() {
    this.compiler.close()
  }
}

module.exports = { CompileError, Executor }
