/** The project's modules loaded by cells: edited ones are reloaded. */
'use strict'

const fs = require('node:fs')
const path = require('node:path')

const root = path.resolve(__dirname, '../../..')
/** @type {Map<string, number>} */
const loadedAt = new Map()

/**
 * Time of a file's last modification, or 0 if there is none.
 *
 * @param {string} file
 */
const modified = (file) => fs.statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0
/**
 * Packages do not change under a running kernel.
 *
 * @param {string} file
 */
const isPackage = (file) => file.includes('/node_modules/')

const projectModules = () =>
  Object.values(require.cache).flatMap((entry) =>
    entry?.filename.startsWith(root + path.sep) &&
    entry.filename.endsWith('.ts') &&
    !isPackage(entry.filename)
      ? [entry]
      : [],
  )

/** Records the age of the modules that a cell has loaded. */
function noteLoaded() {
  for (const { filename } of projectModules()) {
    if (!loadedAt.has(filename)) loadedAt.set(filename, modified(filename))
  }
}

/** Forgets edited modules and all that import them, so that the next import reloads them; returns the edited ones. */
function forgetEdited() {
  const modules = projectModules()
  const edited = modules
    .map(({ filename }) => filename)
    .filter((name) => loadedAt.has(name) && loadedAt.get(name) !== modified(name))
  const stale = new Set(edited)
  for (let size = -1; size !== stale.size; ) {
    size = stale.size
    for (const { filename, children } of modules) {
      if (children.some((child) => stale.has(child.filename))) stale.add(filename)
    }
  }
  for (const filename of stale) {
    delete require.cache[filename]
    loadedAt.delete(filename)
  }
  return edited
}

/** Forgets modules whose loading was interrupted: their exports are incomplete. */
function forgetUnfinished() {
  for (const [name, entry] of Object.entries(require.cache)) {
    if (entry && !entry.loaded) delete require.cache[name]
  }
}

/** @param {string} file */
const isLoaded = (file) => file in require.cache

module.exports = { forgetEdited, forgetUnfinished, isLoaded, isPackage, modified, noteLoaded, root }
