/**
 * tslab's compiler, repaired: cells use the options of tsconfig.json; tslab checks files of lib/, but Node loads
 * them; and a compiled cell is a script that can be interrupted and whose lines are known. See ./rewrite.cjs.
 */
'use strict'

const fs = require('node:fs')
const { SourceMap } = require('node:module')
const path = require('node:path')
const ts = require('./typescript.cjs')
const { declarationFolder, readDeclarations } = require('./declarations.cjs')
const { isPackage, modified, root } = require('./modules.cjs')
const { boundNames, originOf, shareVariables, splitMap, toScript, writeOut } = require('./rewrite.cjs')

/** @typedef {import('./rewrite.cjs').Place} Place */
/** @typedef {import('typescript').SourceFile} SourceFile */
/** @typedef {Place & { fileName: string | undefined, message: string }} Complaint of the compiler */
/**
 * @typedef {object} Compiled a cell
 * @property {string} script a function expression in JavaScript
 * @property {string} declarations valid after it
 * @property {string[]} declared the names of its values
 * @property {string | undefined} valueName the export with the value of its last expression
 * @property {(position: Place) => Place | null} placeOf maps a position in the script to the place in the cell it came from
 */

const lib = path.join(root, 'lib') + path.sep

function projectOptions() {
  const file = path.join(root, 'tsconfig.json')
  const { config, error } = ts.readConfigFile(file, ts.sys.readFile)
  if (error) throw new Error(`${file}: ${ts.flattenDiagnosticMessageText(error.messageText, '\n')}`)
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, root)
  // tslab itself decides where and what to emit.
  for (const name of ['noEmit', 'target', 'lib', 'module', 'types']) delete options[name]
  return { ...options, inlineSourceMap: true }
}

// Instead of watching the file system, files are checked just before a cell is compiled: no change can be missed,
// and no watcher keeps the process alive. Packages do not change under a running kernel.
/** @type {Set<{ file: string, callback: import('typescript').FileWatcherCallback, time: number }>} */
const watched = new Set()
/** @type {Set<{ directory: string, callback: import('typescript').DirectoryWatcherCallback }>} */
const directories = new Set()

const real = ts.sys
/** @type {import('typescript').System} */
const sys = Object.create(real)
sys.watchFile = (file, callback) => {
  const watcher = { file, callback, time: modified(file) }
  if (!isPackage(file)) watched.add(watcher)
  return { close: () => void watched.delete(watcher) }
}
sys.watchDirectory = (directory, callback) => {
  const watcher = { directory, callback }
  if (!isPackage(`${directory}/`)) directories.add(watcher)
  return { close: () => void directories.delete(watcher) }
}
ts.sys = sys

// Here tslab's compiler reads lib/.
let declared = declarationFolder()
/** @param {string} file */
const isLibrary = (file) => file.startsWith(lib) && file.endsWith('.ts')
sys.readFile = (file, encoding) =>
  declared && isLibrary(file) ? readDeclarations(declared, file) : real.readFile(file, encoding)

/** @type {Set<string>} */
let knownFiles = new Set()
function notifyChanges() {
  const before = declared
  declared = declarationFolder()
  for (const watcher of [...watched]) {
    const time = modified(watcher.file)
    if (time === watcher.time && !(declared !== before && isLibrary(watcher.file))) continue
    const { Created, Changed, Deleted } = ts.FileWatcherEventKind
    const kind = watcher.time === 0 ? Created : time === 0 ? Deleted : Changed
    watcher.time = time
    watcher.callback(watcher.file, kind)
  }
  const files = new Set(
    fs.readdirSync(lib, { recursive: true, encoding: 'utf8' }).map((name) => path.join(lib, name)),
  )
  for (const file of files) {
    if (knownFiles.has(file)) continue
    for (const { directory, callback } of [...directories]) {
      if (file.startsWith(`${directory}${path.sep}`)) callback(file)
    }
  }
  knownFiles = files
}

// tslab checks and emits every file that a cell imports, and tracks which file affects which: seven seconds per
// notebook for all of lib/. Node loads those files itself, so only the cell is emitted. Declarations were checked when
// they were made; without them, files of lib/ edited since set-up are checked.
const setUp = modified(path.join(root, 'node_modules/.package-lock.json'))
/** @param {SourceFile} file */
const isChecked = ({ fileName, isDeclarationFile }) => {
  if (isDeclarationFile || isPackage(fileName)) return false
  return !isLibrary(fileName) || (!declared && modified(fileName) > setUp)
}

/** @typedef {{ resolvedModule?: { resolvedFileName: string } }} Resolution */
/**
 * TypeScript's record of a file's imports, missing from its types.
 *
 * @param {SourceFile} file
 * @returns {{ forEach(look: (resolution: Resolution) => void): void } | undefined}
 */
const resolutionsOf = (file) =>
  'resolvedModules' in file ? /** @type {any} */ (file.resolvedModules) : undefined

/**
 * A file of the program and all project files that it imports, directly or not.
 *
 * @param {import('typescript').BuilderProgram} program
 * @param {SourceFile} file
 */
function importedBy(program, file) {
  /** @type {Set<SourceFile>} */
  const found = new Set()
  /** @param {SourceFile | undefined} source */
  const visit = (source) => {
    if (!source || source.isDeclarationFile || isPackage(source.fileName) || found.has(source)) return
    found.add(source)
    resolutionsOf(source)?.forEach(({ resolvedModule }) => {
      if (resolvedModule) visit(program.getSourceFile(resolvedModule.resolvedFileName))
    })
  }
  visit(file)
  return [...found]
}

/** @typedef {import('typescript').BuilderProgram} BuilderProgram */
/** @typedef {import('typescript').CompilerOptions} CompilerOptions */
/** @typedef {import('typescript').WatchCompilerHostOfFilesAndCompilerOptions<BuilderProgram>} Host */
/** @typedef {(files: string[], options: CompilerOptions, ...rest: unknown[]) => Host} MakeHost as tslab calls it */

/** Internal to TypeScript and missing from its types. */
const { bindSourceFile } =
  /** @type {{ bindSourceFile(file: SourceFile, options: CompilerOptions): void }} */ (
    /** @type {unknown} */ (ts)
  )
const createWatchCompilerHost = /** @type {MakeHost} */ (/** @type {unknown} */ (ts.createWatchCompilerHost))
const { transpileModule } = ts

/** @type {MakeHost} */
function makeHost(files, options, ...rest) {
  const host = createWatchCompilerHost(files, { ...options, ...projectOptions() }, ...rest)
  host.createProgram = (...words) => {
    const builder = ts.createAbstractBuilder(...words)
    const { emit } = builder
    // tslab looks for the names that a cell declares before anything else has bound them.
    for (const file of builder.getSourceFiles()) {
      if (file.fileName.endsWith('/__tslab__.ts')) bindSourceFile(file, builder.getCompilerOptions())
    }
    builder.getAllDependencies = (file) =>
      importedBy(builder, file)
        .filter(isChecked)
        .map(({ fileName }) => fileName)
    builder.emit = (file, ...more) =>
      file?.fileName.endsWith('/__tslab__.ts') ? emit(file, ...more) : { emitSkipped: true, diagnostics: [] }
    return builder
  }
  // tslab has one timer, TypeScript two: new files are handled at once, so that only the rebuild waits.
  const { setTimeout = globalThis.setTimeout } = host
  host.setTimeout = (callback, ...more) => {
    if (callback.name !== 'invalidateResolutionsOfFailedLookup') return setTimeout(callback, ...more)
    callback()
    return undefined
  }
  return host
}

/**
 * Maps a place in a cell's JavaScript to its origin in the cell's TypeScript, through both of tslab's steps.
 *
 * @type {(position: Place) => Place | null}
 */
let originInCell = () => null

/** @type {typeof transpileModule} */
function transpile(text, options) {
  const modules = splitMap(text)
  const shared = shareVariables(modules.text)
  const compilerOptions = { ...options.compilerOptions, sourceMap: true }
  const result = transpileModule(shared.text, { ...options, compilerOptions })
  const map = new SourceMap(JSON.parse(result.sourceMapText ?? '{}'))
  originInCell = (position) => {
    const place = originOf(map, position)
    return place && modules.map ? originOf(modules.map, shared.placeIn(place)) : null
  }
  return { ...result, outputText: splitMap(result.outputText).text }
}
Object.assign(ts, { createWatchCompilerHost: makeHost, transpileModule: transpile })

/** @param {import('typescript').Statement} node */
const isNamed = (node) =>
  ts.isFunctionDeclaration(node) ||
  ts.isClassDeclaration(node) ||
  ts.isEnumDeclaration(node) ||
  ts.isModuleDeclaration(node)

/** tslab adds a line before a cell. */
const LINES_BEFORE = 1

/**
 * Declarations without those of some names, which have no value.
 *
 * @param {string} declarations
 * @param {ReadonlySet<string>} names
 */
function withoutNames(declarations, names) {
  const file = ts.createSourceFile('cells.d.ts', declarations, ts.ScriptTarget.Latest, true)
  const printer = ts.createPrinter({ newLine: ts.NewLineKind.LineFeed })
  /** @param {{ readonly name?: import('typescript').DeclarationName }} declaration */
  const keeps = ({ name }) => {
    if (!name) return true
    if (ts.isIdentifier(name)) return !names.has(name.text)
    return !(ts.isBindingName(name) && boundNames(name).some((bound) => names.has(bound)))
  }
  const kept = file.statements.flatMap((statement) => {
    if (isNamed(statement)) return keeps(statement) ? [statement] : []
    if (!ts.isVariableStatement(statement)) return [statement]
    const list = statement.declarationList
    const left = list.declarations.filter(keeps)
    if (left.length === 0) return []
    const { factory } = ts
    const shorter = factory.updateVariableDeclarationList(list, left)
    return [factory.updateVariableStatement(statement, statement.modifiers, shorter)]
  })
  return printer.printList(ts.ListFormat.MultiLine, ts.factory.createNodeArray(kept), file)
}

/**
 * Compiles cells one after another; each sees the declarations of earlier ones.
 */
function createCompiler() {
  const { createConverter } = require('tslab/dist/converter')
  const converter = createConverter({ isJS: false, isBrowser: false })
  return {
    /**
     * @param {string} source
     * @param {string} declarations valid before it
     * @returns {{ diagnostics: Complaint[], compiled?: Compiled }} complaints, or the compiled cell
     */
    compile(source, declarations) {
      notifyChanges()
      const { text, declared, placeIn } = writeOut(source)
      const result = converter.convert(declarations, text)
      const diagnostics = result.diagnostics.map(({ start, messageText, fileName }) => {
        const { line, character } = fileName ? start : placeIn(start)
        return { line, character, fileName, message: messageText }
      })
      if (diagnostics.length > 0) return { diagnostics }
      const script = toScript(result.output ?? '')
      const origin = originInCell
      /** @type {Compiled} */
      const compiled = {
        script: script.text,
        declarations: result.declOutput ?? '',
        declared,
        valueName: result.lastExpressionVar,
        placeOf(position) {
          const inScript = script.placeIn(position)
          const place = inScript && origin(inScript)
          return place && placeIn({ ...place, line: Math.max(0, place.line - LINES_BEFORE) })
        },
      }
      return { diagnostics, compiled }
    },
    /**
     * @param {string} source
     * @param {string} declarations
     * @param {number} position
     */
    inspect: (source, declarations, position) => converter.inspect(declarations, source, position),
    /**
     * @param {string} source
     * @param {string} declarations
     * @param {number} position
     */
    complete: (source, declarations, position) => converter.complete(declarations, source, position),
    close: () => converter.close(),
  }
}

module.exports = { createCompiler, typescriptVersion: ts.version, withoutNames }
