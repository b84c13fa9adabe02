import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import ts from 'typescript'
import { root } from '../../lib/workbench/project'

/** Runs a package's program; node_modules/.bin would have the tsc of whichever package came last. */
function passes(program: string, ...args: string[]): void {
  const words = [path.join(root, 'node_modules', program), ...args]
  const { status, stdout, stderr } = spawnSync(process.execPath, words, { cwd: root, encoding: 'utf8' })
  assert.equal(status, 0, `${words.join(' ')}\n${stdout}${stderr}`)
}
const TSC = 'typescript/bin/tsc'

test('types: tsc --project .', () => passes(TSC, '--project', '.'))

test('types of the plain JavaScript: tsc --project lib/jsconfig.json', () =>
  passes(TSC, '--project', 'lib/jsconfig.json'))

test('types of what runs in a browser: tsc --project lib/deploy/page/browser', () =>
  passes(TSC, '--project', 'lib/deploy/page/browser'))

test('every exported name is documented, and every link leads somewhere: typedoc', () =>
  passes('typedoc/bin/typedoc', '--emit', 'none'))

test('format and lint: biome ci', () => passes('@biomejs/biome/bin/biome', 'ci', '--colors=off'))

const lib = path.join(root, 'lib')
const ROOMS =
  'base engine data detector quantise losses evaluate slimming train trial study deploy report workbench'.split(
    ' ',
  )
/** Runs exported files on the WebAssembly backend, in a process of its own. */
const BROWSER_RUNTIME = 'deploy/runtimes/tfjs.ts'
/** Bundled into a page. */
const BROWSER = path.join('deploy', 'page', 'browser') + path.sep
/** Not a room: the entry points from outside. */
const ENTRIES = 'entries'

/** The code of lib/ by its place in lib/, with what each file imports or requires. */
const files = new Map(
  readdirSync(lib, { recursive: true, encoding: 'utf8' })
    .filter(
      (name) => /\.(ts|cjs)$/.test(name) && !name.endsWith('.d.ts') && !name.startsWith(ENTRIES + path.sep),
    )
    .map((name) => {
      const text = readFileSync(path.join(lib, name), 'utf8')
      return [name, { text, imports: importsOf(text) }] as const
    }),
)

function importsOf(text: string): string[] {
  const names = ts.preProcessFile(text, true, true).importedFiles.map(({ fileName }) => fileName)
  // A type imported where it is used: import('...').
  for (const [, name = ''] of text.matchAll(/\b(?:import|require)\(\s*'([^']+)'\s*\)/g)) names.push(name)
  return names
}

/** The texts in a file's code, whole or as the parts of a template. */
function textsOf(text: string): string[] {
  const found: string[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isStringLiteralLike(node) || ts.isTemplateHead(node) || ts.isTemplateMiddleOrTemplateTail(node))
      found.push(node.text)
    ts.forEachChild(node, visit)
  }
  visit(ts.createSourceFile('file.ts', text, ts.ScriptTarget.Latest))
  return found
}

/** The file of lib/ that an import leads to; undefined for packages and what lies outside. */
function target(from: string, name: string): string | undefined {
  if (!name.startsWith('.')) return undefined
  const place = path.join(path.dirname(from), name)
  return ['', '.ts', '/index.ts', '.cjs']
    .map((ending) => place + ending)
    .find((file) => files.has(path.normalize(file)))
}
const roomOf = (file: string): number => ROOMS.indexOf(file.split(path.sep)[0] ?? '')

test('every folder of lib/ is a room', () => {
  const folders = readdirSync(lib, { withFileTypes: true }).filter((entry) => entry.isDirectory())
  assert.deepEqual(folders.map(({ name }) => name).sort(), [...ROOMS, ENTRIES].sort())
})

test('rooms import only from earlier rooms, and only engine imports TensorFlow', () => {
  const broken: string[] = []
  for (const [file, { imports }] of files) {
    const room = roomOf(file)
    if (room < 0) continue // lib/index.ts, which has all of them
    for (const name of imports) {
      const other = target(file, name)
      const isLater = other !== undefined && (roomOf(other) > room || roomOf(other) < 0)
      const isBrowsers = file === BROWSER_RUNTIME || file.startsWith(BROWSER)
      const isNative = name.startsWith('@tensorflow/') && ROOMS[room] !== 'engine' && !isBrowsers
      if (isLater || isNative) broken.push(`lib/${file} imports ${name}`)
    }
  }
  assert.deepEqual(broken, [])
})

test('nothing in lib/ imports from outside of it, or files that do not exist', () => {
  const broken: string[] = []
  for (const [file, { imports }] of files) {
    for (const name of imports) {
      const isThere = target(file, name) ?? existsSync(path.join(lib, path.dirname(file), name))
      const isOutside = path.join(path.dirname(file), name).startsWith('..')
      if (name.startsWith('.') && (isOutside || !isThere)) broken.push(`lib/${file} imports ${name}`)
    }
  }
  assert.deepEqual(broken, [])
})

test('nothing below the workbench names it or the command line, not even in a string', () => {
  const broken: string[] = []
  for (const [file, { text }] of files) {
    if (roomOf(file) < 0 || file.startsWith('workbench')) continue
    for (const part of textsOf(text)) {
      if (/\bworkbench\b|\bcli\.ts|bootstrap\.cjs/.test(part)) broken.push(`lib/${file}: ${part}`)
    }
  }
  assert.deepEqual(broken, [])
})

test('no two files of lib/ import each other, types included', () => {
  const imported = new Map(
    [...files].map(
      ([file, { imports }]) => [file, new Set(imports.map((name) => target(file, name)))] as const,
    ),
  )
  const circles: string[] = []
  for (const [file, others] of imported) {
    for (const other of others) {
      if (other !== undefined && file < other && imported.get(other)?.has(file))
        circles.push(`${file} and ${other}`)
    }
  }
  assert.deepEqual(circles, [])
})

test('the checks find what they look for', () => {
  const text = `import type { A } from './a'\nexport * from './b'\nconst c = require('./c') as typeof import('./d')`
  assert.deepEqual(new Set(importsOf(text)), new Set(['./a', './b', './c', './d']))
  assert.equal(target('workbench/cli.ts', './project'), 'workbench/project.ts')
  assert.equal(target('workbench/cli.ts', '../base'), 'base/index.ts')
  assert.equal(target('trial/trial.ts', '../../test/tiny'), undefined)
  assert.deepEqual(textsOf("join('a/workbench', `c`) // d"), ['a/workbench', 'c'])
  assert.ok([...files].filter(([, { imports }]) => imports.length > 0).length > 200)
  assert.ok(existsSync(path.join(root, 'node_modules', TSC)))
})

test('package-lock.json names no host', () => {
  assert.doesNotMatch(readFileSync(path.join(root, 'package-lock.json'), 'utf8'), /"resolved": "[a-z+]+:\/\//)
})
