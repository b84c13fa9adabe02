/**
 * Declarations of lib/ for the cells' compiler. They spell out types that the sources leave to inference from
 * schemas, so a cell is checked in a third of the time. They are valid only for the exact files they were made from.
 */
'use strict'

const { spawn } = require('node:child_process')
const { createHash, randomUUID } = require('node:crypto')
const fs = require('node:fs')
const path = require('node:path')
const { modified, root } = require('./modules.cjs')

const lib = path.join(root, 'lib')
const places = path.join(root, '.cache/types')
const configFile = path.join(root, 'tsconfig.json')

const sources = () =>
  fs
    .readdirSync(lib, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .sort()
    .map((name) => path.join(lib, name))

const MAKING = 'making-'
const NOW = 'now'

let looked = { times: '', folder: '' }

/** The folder for the declarations of the current lib/, whether it exists or not. */
function folderNow() {
  const files = [configFile, path.join(root, 'package-lock.json'), ...sources()]
  const times = files.map((file) => `${file} ${modified(file)}`).join('\n')
  if (times !== looked.times) {
    const hash = createHash('sha256')
    for (const file of files) hash.update(`${file.slice(root.length)}\n`).update(fs.readFileSync(file))
    looked = { times, folder: path.join(places, hash.digest('hex').slice(0, 16)) }
  }
  return looked.folder
}

/** The folder with the declarations of the current lib/, or null if they have not been made. */
function declarationFolder() {
  const folder = folderNow()
  return fs.existsSync(folder) ? folder : null
}

/**
 * The declarations of a file of lib/ in such a folder.
 *
 * @param {string} folder
 * @param {string} file
 */
function readDeclarations(folder, file) {
  const name = path.relative(root, file).replace(/\.ts$/, '.d.ts')
  return fs.readFileSync(path.join(folder, name), 'utf8')
}

/**
 * Makes the declarations in a process of its own, if they are missing and lib/ has no errors.
 *
 * @returns {Promise<void>} resolves when it is done
 */
function makeDeclarations() {
  if (declarationFolder()) return Promise.resolve()
  const child = spawn(process.execPath, [__filename], { stdio: 'ignore' })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', () => resolve())
  })
}

function make() {
  const ts = require('typescript')
  const folder = folderNow()
  const { config } = ts.readConfigFile(configFile, ts.sys.readFile)
  removeLeft()
  const outDir = path.join(places, `${MAKING}${process.pid}.${randomUUID()}`)
  const emit = { noEmit: false, declaration: true, emitDeclarationOnly: true, outDir, rootDir: root }
  const { fileNames, options } = ts.parseJsonConfigFileContent(config, ts.sys, root, emit)
  const own = fileNames.filter((file) => file.startsWith(lib + path.sep))
  const program = ts.createProgram(own, options)
  // A library with errors has none: then the kernel checks the sources and reports them.
  /** @param {import('typescript').Diagnostic} complaint */
  const isOwn = ({ file }) => !file || file.fileName.startsWith(lib + path.sep)
  if (ts.getPreEmitDiagnostics(program).some(isOwn)) return
  for (const file of sources()) program.emit(program.getSourceFile(file))
  if (folder !== folderNow()) {
    fs.rmSync(outDir, { recursive: true })
    return
  }
  const old = fs.readdirSync(places).filter((name) => !name.startsWith(MAKING))
  fs.renameSync(outDir, folder)
  // Other projects find them here, through package.json's "exports".
  const link = path.join(places, `${MAKING}${process.pid}.${randomUUID()}`)
  fs.symlinkSync(path.basename(folder), link)
  fs.renameSync(link, path.join(places, NOW))
  for (const name of old) {
    if (name !== NOW) fs.rmSync(path.join(places, name), { recursive: true, force: true })
  }
}

/** Removes what killed processes were making. */
function removeLeft() {
  const names = fs.existsSync(places) ? fs.readdirSync(places) : []
  for (const name of names.filter((other) => other.startsWith(MAKING))) {
    try {
      process.kill(Number.parseInt(name.slice(MAKING.length), 10), 0)
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ESRCH')
        fs.rmSync(path.join(places, name), { recursive: true, force: true })
    }
  }
}

if (require.main === module) make()

module.exports = { declarationFolder, makeDeclarations, readDeclarations }
