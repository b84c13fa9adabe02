'use strict'

const { createHash } = require('node:crypto')
const fs = require('node:fs')
const path = require('node:path')

const root = path.resolve(__dirname, '../../..')
/** Stamps, lock and log of the setup. */
const cache = path.join(root, '.cache/setup')

/** Something that the user can put right; the message says how. */
class SetupError extends Error {}

const read = (file) => {
  try {
    return fs.readFileSync(file, 'utf8')
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null
    throw error
  }
}

/** Writes a file so that it is there completely or not at all. */
function writeWhole(file, text) {
  fs.mkdirSync(path.dirname(file), { recursive: true })
  const temporary = `${file}.${process.pid}.tmp`
  fs.writeFileSync(temporary, text)
  fs.renameSync(temporary, file)
}

const hash = (...parts) => createHash('sha256').update(JSON.stringify(parts)).digest('hex')

/** Where a program is on PATH, or null. */
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

module.exports = { root, cache, SetupError, read, writeWhole, hash, onPath }
