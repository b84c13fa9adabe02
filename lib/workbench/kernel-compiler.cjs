/**
 * tslab's compiler, repaired: the options of tsconfig.json, { x } and const { x: y } of earlier cells' variables,
 * `await (expression)`, and files of lib/ checked by tslab but loaded by Node.
 */
'use strict'

const fs = require('node:fs')
const path = require('node:path')

const root = path.resolve(__dirname, '../..')
const lib = path.join(root, 'lib') + path.sep

// tslab reads its compiler through getters that cannot be replaced, so the module itself is: by a copy.
const compilerPath = require.resolve('@tslab/typescript-for-tslab', { paths: [require.resolve('tslab')] })
const ts = { ...require(compilerPath) }
require.cache[compilerPath].exports = ts

function projectOptions() {
  const file = path.join(root, 'tsconfig.json')
  const { config, error } = ts.readConfigFile(file, ts.sys.readFile)
  if (error) throw new Error(`${file}: ${ts.flattenDiagnosticMessageText(error.messageText, '\n')}`)
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, root)
  // Where and what to emit stays tslab's own business.
  for (const name of ['noEmit', 'target', 'lib', 'module', 'types']) delete options[name]
  return options
}

// Instead of watching the file system, files are looked at just before a cell is compiled: no change can be missed
// and no watcher keeps the process alive. Packages do not change under a running kernel.
const watched = new Map()
const directories = new Set()
const modified = (file) => fs.statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0
const isPackage = (file) => file.includes('/node_modules/')

const sys = Object.create(ts.sys)
sys.watchFile = (file, callback) => {
  const watcher = { file, callback, time: modified(file) }
  if (!isPackage(file)) watched.set(watcher, watcher)
  return { close: () => watched.delete(watcher) }
}
sys.watchDirectory = (directory, callback) => {
  const watcher = { directory, callback }
  if (!isPackage(`${directory}/`)) directories.add(watcher)
  return { close: () => directories.delete(watcher) }
}
ts.sys = sys

let knownFiles = new Set()
function notifyChanges() {
  for (const watcher of [...watched.values()]) {
    const time = modified(watcher.file)
    if (time === watcher.time) continue
    const kind = ts.FileWatcherEventKind[watcher.time === 0 ? 'Created' : time === 0 ? 'Deleted' : 'Changed']
    watcher.time = time
    watcher.callback(watcher.file, kind)
  }
  const files = new Set(fs.readdirSync(lib, { recursive: true }).map((name) => path.join(lib, name)))
  for (const file of files) {
    if (knownFiles.has(file)) continue
    for (const { directory, callback } of [...directories]) {
      if (file.startsWith(`${directory}${path.sep}`)) callback(file)
    }
  }
  knownFiles = files
}

// tslab checks and emits every file that a cell imports, seven seconds a notebook for all of lib/. Node loads those
// files itself, so none is emitted, and of lib/ only what was edited since set-up is checked: `npm test` checks the rest.
const setUp = modified(path.join(root, 'node_modules/.package-lock.json'))
const { createWatchCompilerHost, getPreEmitDiagnosticsOfFiles } = ts
ts.getPreEmitDiagnosticsOfFiles = (program, files, ...rest) => {
  const checked = files.filter(({ fileName }) => !fileName.startsWith(lib) || modified(fileName) > setUp)
  return getPreEmitDiagnosticsOfFiles(program, checked, ...rest)
}
ts.createWatchCompilerHost = (files, options, ...rest) => {
  const host = createWatchCompilerHost(files, { ...options, ...projectOptions() }, ...rest)
  const { createProgram } = host
  host.createProgram = (...words) => {
    const builder = createProgram(...words)
    const { emit } = builder
    builder.emit = (file, ...more) =>
      file?.fileName.startsWith(lib) ? { emitSkipped: true, diagnostics: [] } : emit(file, ...more)
    return builder
  }
  // tslab has one timer and TypeScript two: files that appear are looked at at once, so that only the rebuild waits.
  const { setTimeout } = host
  host.setTimeout = (callback, ...more) => {
    if (callback.name !== 'invalidateResolutionsOfFailedLookup') return setTimeout(callback, ...more)
    callback()
  }
  return host
}

/**
 * The cell's text with what tslab's compiler trips over written out, and where text was inserted:
 * { x } becomes { x: x }, const { x: y } becomes const { 'x': y }, and a cell whose only `await` stands before a
 * parenthesis gets one that is recognised.
 */
function writeOut(source) {
  const file = ts.createSourceFile('cell.ts', source, ts.ScriptTarget.Latest, true)
  const insertions = []
  let callsAwait = false
  const visit = (node) => {
    if (ts.isShorthandPropertyAssignment(node)) {
      insertions.push({ at: node.name.end, text: `: ${node.name.text}` })
    } else if (ts.isBindingElement(node) && node.propertyName && ts.isIdentifier(node.propertyName)) {
      insertions.push(
        { at: node.propertyName.getStart(file), text: "'" },
        { at: node.propertyName.end, text: "'" },
      )
    } else if (
      ts.isCallExpression(node) &&
      ts.isIdentifier(node.expression) &&
      node.expression.text === 'await'
    ) {
      callsAwait = true
    }
    ts.forEachChild(node, visit)
  }
  visit(file)
  if (callsAwait) insertions.unshift({ at: 0, text: 'await 0; ' })
  let text = ''
  let from = 0
  for (const { at, text: inserted } of insertions) {
    text += source.slice(from, at) + inserted
    from = at
  }
  return { text: text + source.slice(from), insertions }
}

/** Moves a position of the written-out text back to the column in the cell as it was typed. */
function originalPosition(position, source, insertions) {
  const lineStart = source.split('\n').slice(0, position.line).join('\n').length + (position.line > 0 ? 1 : 0)
  let { character } = position
  for (const { at, text } of insertions) {
    if (at >= lineStart && at < lineStart + character) character -= text.length
    else if (at === 0 && lineStart === 0) character -= text.length
  }
  return { ...position, character: Math.max(0, character) }
}

function createConverters() {
  const { createConverter } = require('tslab/dist/converter')
  const node = createConverter({ isJS: false, isBrowser: false })
  const { convert } = node
  node.convert = (declarations, source) => {
    notifyChanges()
    const { text, insertions } = writeOut(source)
    const result = convert(declarations, text)
    for (const diagnostic of result.diagnostics) {
      if (!diagnostic.fileName) diagnostic.start = originalPosition(diagnostic.start, source, insertions)
    }
    // Node loads the modules itself; what tslab compiled of them is not run.
    return { ...result, sideOutputs: undefined }
  }
  return { node, browser: node, close: () => node.close() }
}

const loadedAt = new Map()
/** The loaded TypeScript modules of the project; packages do not change under a running kernel. */
const projectModules = () =>
  Object.values(require.cache).filter(
    (entry) =>
      entry?.filename.startsWith(root + path.sep) &&
      entry.filename.endsWith('.ts') &&
      !isPackage(entry.filename),
  )

/** Remembers how old the modules are that a cell has loaded. */
function noteLoaded() {
  for (const { filename } of projectModules()) {
    if (!loadedAt.has(filename)) loadedAt.set(filename, modified(filename))
  }
}

/** Forgets edited modules and all that import them, so that the next import loads them anew. */
function reloadEdited() {
  const modules = projectModules()
  const stale = new Set()
  for (const { filename } of modules) {
    if (loadedAt.has(filename) && loadedAt.get(filename) !== modified(filename)) stale.add(filename)
  }
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
}

module.exports = { createConverters, noteLoaded, reloadEdited, typescriptVersion: ts.version }
