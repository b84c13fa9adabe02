'use strict'

const path = require('node:path')
const util = require('node:util')
const { root } = require('./modules.cjs')

/** @typedef {{ ename: string, evalue: string, traceback: string[] }} Failure as Jupyter shows it */

/**
 * Frames of Node, of tslab, of the kernel itself, and of the caller of a cell's script.
 *
 * @param {string} line
 */
const isOwn = (line) =>
  /^\s+at cell\[[\w ]+\]$/.test(line) ||
  (/^\s+at /.test(line) && ['node:', 'node_modules/tslab/', __dirname].some((place) => line.includes(place)))

/**
 * An error as Jupyter shows it: name, message, and the stack without the kernel's own frames.
 *
 * @param {unknown} error
 * @param {(text: string) => string} withPlaces replaces places in scripts of cells by those in the cells
 * @returns {Failure}
 */
function describeError(error, withPlaces) {
  if (!(error instanceof Error)) {
    const text = typeof error === 'string' ? error : util.inspect(error)
    return { ename: 'Thrown', evalue: text, traceback: [text] }
  }
  const cause =
    error.cause === undefined ? [] : ['Caused by:', ...describeError(error.cause, withPlaces).traceback]
  const stack = typeof error.stack === 'string' ? error.stack : String(error)
  const text = withPlaces(stack)
    .split('\n')
    .filter((line) => !isOwn(line))
    .join('\n')
    .replaceAll(`${root}${path.sep}`, '')
  return { ename: error.name, evalue: error.message, traceback: [text, ...cause] }
}

module.exports = { describeError }
