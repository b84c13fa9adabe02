'use strict'

const { createHash } = require('node:crypto')
const fs = require('node:fs')
const path = require('node:path')

const root = path.resolve(__dirname, '../../..')
/** Stamps, lock and log of the setup. */
const cache = path.join(root, '.cache/setup')

/** @typedef {'cpu' | 'cuda'} Device */
/** @typedef {(line: string) => void} OnLine gets the last line of a running tool */

/** Something the user can fix; the message says how. */
class SetupError extends Error {}

/**
 * @param {unknown} error
 * @param {...string} codes of the system, e.g. ENOENT
 */
const hasCode = (error, ...codes) =>
  error instanceof Error && 'code' in error && codes.includes(String(error.code))

/**
 * @param {string} file
 * @returns the text, or null where there is no file
 */
const read = (file) => {
  try {
    return fs.readFileSync(file, 'utf8')
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return null
    throw error
  }
}

/**
 * Writes a file completely or not at all.
 *
 * @param {string} file
 * @param {string} text
 */
function writeWhole(file, text) {
  fs.mkdirSync(path.dirname(file), { recursive: true })
  const temporary = `${file}.${process.pid}.tmp`
  fs.writeFileSync(temporary, text)
  fs.renameSync(temporary, file)
}

/** @param {...unknown} parts */
const hash = (...parts) => createHash('sha256').update(JSON.stringify(parts)).digest('hex')

/**
 * Path of a program on PATH, or null.
 *
 * @param {string} name
 */
function onPath(name) {
  for (const folder of (process.env.PATH ?? '').split(path.delimiter)) {
    const file = path.join(folder, name)
    try {
      fs.accessSync(file, fs.constants.X_OK)
      if (fs.statSync(file).isFile()) return file
    } catch {
      // not in this folder
    }
  }
  return null
}

module.exports = { root, cache, SetupError, hasCode, read, writeWhole, hash, onPath }
