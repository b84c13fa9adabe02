'use strict'

const path = require('node:path')
const util = require('node:util')
const { root } = require('./modules.cjs')

/** @typedef {{ ename: string, evalue: string, traceback: string[] }} Failure as Jupyter shows it */

/** Set by `--debug`: every error with its whole stack. */
const DEBUG = 'WORKBOOK_DEBUG'

const isFrame = (/** @type {string} */ line) => /^\s+at /.test(line)

/**
 * Frames of Node, of tslab, of the kernel itself, and of the caller of a cell's script.
 *
 * @param {string} line
 */
const isOwn = (line) =>
  /^\s+at cell\[[\w ]+\]$/.test(line) ||
  (isFrame(line) && ['node:', 'node_modules/tslab/', __dirname].some((place) => line.includes(place)))

/** Where messages are written for who uses the library, and where TensorFlow.js checks its arguments. */
const SPEAKERS = [`${path.join(root, 'lib')}${path.sep}`, 'node_modules/@tensorflow/']
/** V8's own errors, which are mistakes in code unless they say what was expected. */
const MISTAKES = [TypeError, RangeError, ReferenceError, SyntaxError]

/**
 * Whether an error's message says all there is to say to who wrote the cell: it was thrown on purpose, by the library or by a
 * check of arguments.
 *
 * @param {Error} error
 * @param {string[]} frames
 */
const isSentence = (error, frames) =>
  process.env[DEBUG] === undefined &&
  SPEAKERS.some((place) => frames[0]?.includes(place)) &&
  (!MISTAKES.some((kind) => error instanceof kind) || error.message.includes('expected '))

/**
 * An error as Jupyter shows it: name, message, and the stack without the kernel's own frames. Of an error that is a sentence
 * only the places in cells are left of the stack.
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
  const lines = withPlaces(stack)
    .split('\n')
    .filter((line) => !isOwn(line))
  const brief = isSentence(error, lines.filter(isFrame))
  const text = lines
    .filter((line) => !brief || !isFrame(line) || line.includes('cell['))
    .join('\n')
    .replaceAll(`${root}${path.sep}`, '')
  return { ename: error.name, evalue: error.message, traceback: [text, ...cause] }
}

module.exports = { describeError }
