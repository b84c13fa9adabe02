/** The library as other programs import it: from the checkout, and from a project that has it as a file dependency. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { entryFiles } from '../../lib/workbench/entries'
import { root } from '../../lib/workbench/project'

const project = mkdtempSync(path.join(tmpdir(), 'package-test-'))
after(() => rmSync(project, { recursive: true }))
const workbook = path.join(root, 'lib/workbench/bootstrap.cjs')

/** Runs a program in the other project, without this test process's own options and environment. */
function run(program: string, words: readonly string[], cwd = project) {
  const { TSX_TSCONFIG_PATH: _, NODE_OPTIONS: __, ...env } = process.env
  return spawnSync(program, words, { cwd, encoding: 'utf8', env })
}
function succeeds(program: string, words: readonly string[], cwd = project): string {
  const { status, stdout, stderr } = run(program, words, cwd)
  assert.equal(status, 0, `${program} ${words.join(' ')}\n${stdout}${stderr}`)
  return stdout
}
function write(name: string, text: string): string {
  writeFileSync(path.join(project, name), text)
  return name
}

before(() => {
  succeeds(process.execPath, [workbook, 'setup']) // the types as lib/ now is
  write('package.json', JSON.stringify({ name: 'other', version: '1.0.0', private: true }))
  succeeds('npm', ['install', '--offline', '--no-audit', '--no-fund', `file:${root}`])
})

test('lib/entries has one entry per room, and one for all, with the exported names', () => {
  const files = entryFiles()
  const rooms =
    'base engine data detector quantise losses evaluate slimming train trial study deploy report workbench'.split(
      ' ',
    )
  const expected = ['index', ...rooms].map((name) => `${name}.cjs`).sort()
  assert.deepEqual(readdirSync(path.join(root, 'lib/entries')).sort(), expected)
  for (const [file, text] of files) {
    const name = path.relative(root, file)
    assert.equal(readFileSync(file, 'utf8'), text, `${name} is out of date; run: npx workbook entries`)
  }
})

/** The loss of no truths and no logits above 0: a value that needs TensorFlow. */
const COMPUTE = `const { tf } = engine
const total = tf.tidy(() => tf.sum(tf.sigmoid(tf.zeros([8]))).dataSync()[0])
console.log(typeof yoloLoss, typeof evaluateCoco, total)`
const EXPECTED = 'function function 4\n'

test('CommonJS requires the root and rooms, which are one module', () => {
  const file = write(
    'main.cjs',
    `const { yoloLoss, evaluateCoco } = require('detector-distillation-workbook')
const engine = require('detector-distillation-workbook/engine')
if (require('detector-distillation-workbook/losses').yoloLoss !== yoloLoss) throw new Error('two of one')
${COMPUTE}`,
  )
  assert.equal(succeeds(process.execPath, [file]), EXPECTED)
})

const MODULE = `import { evaluateCoco, yoloLoss } from 'detector-distillation-workbook'
import * as engine from 'detector-distillation-workbook/engine'
import { yoloLoss as same } from 'detector-distillation-workbook/losses'
if ((await Promise.resolve(same)) !== yoloLoss) throw new Error('two of one')
${COMPUTE}`

test('ES modules import them by name, with top-level await', () => {
  assert.equal(succeeds(process.execPath, [write('main.mjs', MODULE)]), EXPECTED)
})

test('in the checkout the name leads to the library too', () => {
  assert.equal(succeeds(process.execPath, ['--input-type=module', '--eval', MODULE], root), EXPECTED)
})

test('script runs TypeScript and JavaScript of both kinds, with its arguments, without a greeting', () => {
  const commonJs = `import { evaluateCoco, yoloLoss } from 'detector-distillation-workbook'
import * as engine from 'detector-distillation-workbook/engine'
const words: readonly string[] = process.argv.slice(2)
if (require.main !== module || words.join() !== '--help,x') throw new Error(words.join())
${COMPUTE}`
  write(
    'typed.mts',
    `const typed: number = 1\n${MODULE}\nif (typed !== 1 || !import.meta.url) throw new Error()`,
  )
  write('typed.cts', commonJs)
  write('typed.ts', commonJs)
  write(
    'plain.js',
    `const { evaluateCoco, yoloLoss } = require('detector-distillation-workbook')
const engine = require('detector-distillation-workbook/engine')
${COMPUTE}`,
  )
  const program = path.join(project, 'node_modules/.bin/workbook')
  for (const name of ['typed.mts', 'typed.cts', 'typed.ts', 'plain.js', 'main.mjs', 'main.cjs']) {
    const { status, stdout, stderr } = run(program, ['script', name, '--help', 'x'])
    assert.deepEqual({ status, stdout, stderr }, { status: 0, stdout: EXPECTED, stderr: '' }, name)
  }
})

test("a script's own error has its stack trace, with the script's lines", () => {
  write('failing.mts', `interface Nothing {}\n\nthrow new Error('on line three') as Nothing`)
  const { status, stderr } = run(workbook, ['script', 'failing.mts'])
  assert.equal(status, 1)
  assert.match(stderr, /Error: on line three/)
  assert.match(stderr, /failing\.mts:3/)
})

test('the other project is type-checked, strictly, in every way of resolving modules', () => {
  write(
    'checked.mts',
    `import { evaluateCoco, type Truths, yoloLoss } from 'detector-distillation-workbook'
import { tf } from 'detector-distillation-workbook/engine'
import type { Detections } from 'detector-distillation-workbook/evaluate'
const truths: Truths = { images: 1, classes: 1, image: Int32Array.of(0), label: Int32Array.of(0), box: Float64Array.of(0, 0, 1, 1) }
const detections: Detections = { ...truths, score: Float64Array.of(1) }
export const ap: number = evaluateCoco(truths, detections).AP
export const loss: (...words: never[]) => { readonly total: tf.Scalar } = yoloLoss
// @ts-expect-error AP is a number
export const wrong: string = evaluateCoco(truths, detections).AP
// @ts-expect-error there is no such export
export { nothing } from 'detector-distillation-workbook/losses'
`,
  )
  const strict = [
    'strict',
    'exactOptionalPropertyTypes',
    'noUncheckedIndexedAccess',
    'noUnusedLocals',
    'isolatedModules',
  ]
  const flags = [
    ...strict,
    'noPropertyAccessFromIndexSignature',
    'verbatimModuleSyntax',
    'skipLibCheck',
    'noEmit',
  ]
  const tsc = path.join(root, 'node_modules/typescript/bin/tsc')
  for (const [module, resolution] of [
    ['NodeNext', 'NodeNext'],
    ['ESNext', 'Bundler'],
  ] as const) {
    const words = ['--module', module, '--moduleResolution', resolution, '--target', 'ES2022']
    succeeds(process.execPath, [tsc, ...words, ...flags.map((flag) => `--${flag}`), 'checked.mts'])
  }
})

test('a checkout that is not set up says so', () => {
  const lonely = mkdtempSync(path.join(project, 'lonely-'))
  for (const [name, text] of [
    ['entry.cjs', readFileSync(path.join(root, 'lib/engine/entry.cjs'), 'utf8')],
    ['main.cjs', "require('./entry.cjs').room('losses')"],
  ] as const)
    writeFileSync(path.join(lonely, name), text)
  const { status, stderr } = run(process.execPath, [path.join(lonely, 'main.cjs')])
  assert.equal(status, 1)
  assert.match(stderr, /detector-distillation-workbook is not set up: run "npx workbook setup" in /)
})
