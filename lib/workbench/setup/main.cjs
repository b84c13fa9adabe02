'use strict'

const { spawn } = require('node:child_process')
const fs = require('node:fs')
const { constants } = require('node:os')
const path = require('node:path')
const { inspect } = require('node:util')
const { makeDeclarations } = require('../kernel/declarations.cjs')
const { read, root, SetupError } = require('./project.cjs')
const { copyWithoutGreeting } = require('./quiet.cjs')
const { setUp } = require('./steps.cjs')

/**
 * A command: its summary, and perhaps a program that replaces commands/<name>.ts.
 *
 * @typedef {{ summary: string, hidden?: boolean, computes?: boolean, program?: string }} Entry
 */
/** @type {Map<string, Entry>} */
const COMMANDS = new Map(Object.entries(require('../commands.json')))
/** @type {Map<string, import('./project.cjs').Device>} */
const DEVICES = new Map([
  ['--cuda', 'cuda'],
  ['--cpu', 'cpu'],
])

/** Switches that every command takes, for a card: TensorFlow's own compiler, and kernels that give the same bits every time. */
const SWITCHES = new Map([
  ['--no-xla', ['WORKBOOK_XLA', '0']],
  ['--no-deterministic', ['TF_DETERMINISTIC_OPS', '0']],
])

/**
 * Does what the switches say and returns the other words.
 *
 * @param {string[]} words
 */
function withoutSwitches(words) {
  const own = ownWords(words)
  for (const word of own) {
    const [name, value] = SWITCHES.get(word) ?? []
    if (name) process.env[name] = value
  }
  return [...own.filter((word) => !SWITCHES.has(word)), ...words.slice(own.length)]
}

/** Installs the runtimes of exported files too, which the command itself does. */
const DEPLOY = '--deploy'

/**
 * Sets up what is missing, runs the command in its environment and exits with its exit code.
 *
 * @param {string[]} words of the command line
 */
async function main(words) {
  const isDebug = ownWords(words).includes('--debug')
  /** @param {unknown} error */
  const fail = (error) => {
    process.stderr.write(`\n${describe(error, isDebug)}\n`)
    process.exit(1)
  }
  process.on('uncaughtException', fail)
  try {
    process.exit(await perform(withoutSwitches(words)))
  } catch (error) {
    fail(error)
  }
}

/**
 * @param {unknown} error
 * @param {boolean} isDebug
 */
function describe(error, isDebug) {
  if (isDebug) return inspect(error)
  if (!(error instanceof Error)) return String(error)
  if (error instanceof SetupError) return error.message
  return `The set-up failed: ${error.message}\n--debug shows where this comes from.`
}

/**
 * The words that are not passed on to another program.
 *
 * @param {string[]} words
 */
function ownWords(words) {
  const end = words.indexOf('--')
  return end < 0 ? words : words.slice(0, end)
}

/**
 * @param {string[]} words
 * @returns {Promise<number>} the exit code
 */
async function perform(words) {
  const [command = '', ...rest] = words[0] === '--debug' ? words.slice(1) : words
  const devices = rest.filter((word) => word !== '--debug')
  if (command === 'setup' && devices.every((word) => DEVICES.has(word) || word === DEPLOY)) {
    const chosen = devices.filter((word) => word !== DEPLOY).at(-1) ?? ''
    const environment = await setUp({ device: DEVICES.get(chosen) })
    await makeDeclarations() // the steps make them only for the lib/ of that time
    if (!devices.includes(DEPLOY)) return 0
    return run(['--require', loader(false), path.join(root, 'lib/workbench/cli.ts'), ...words], environment)
  }
  if (command === 'script' && rest[0] && !rest[0].startsWith('-')) {
    const file = path.resolve(rest[0])
    if (!fs.existsSync(file)) throw new SetupError(`script: expected a file, found nothing at ${file}`)
    const modules = ['--import', path.join(root, 'node_modules/tsx/dist/esm/index.mjs')]
    return run(['--require', loader(true), ...modules, file, ...rest.slice(1)], await setUp())
  }
  const own = ownWords(words)
  const [first, second] = own.filter((word) => !word.startsWith('-'))
  const entry = COMMANDS.get(first ?? '')
  const isQuestion = !entry || own.some((word) => ['-h', '--help', '--version'].includes(word))
  if (!entry && first !== 'help' && !fs.existsSync(path.join(root, 'node_modules/commander')))
    return outline(first, own)
  const environment = await setUp({ packagesOnly: isQuestion })
  const asksOther = first === 'help' && COMMANDS.get(second ?? '')?.program
  const file = asksOther || entry?.program || 'lib/workbench/cli.ts'
  const given = asksOther ? ['--help'] : entry?.program ? rest : words
  const computes = !isQuestion && entry.computes !== false
  return run(['--require', loader(computes), path.join(root, file), ...given], environment)
}

/**
 * Node's options that load TypeScript, with or without the engine.
 *
 * @param {boolean} computes
 */
function loader(computes) {
  return path.join(root, computes ? 'lib/engine/loader.cjs' : 'node_modules/tsx/dist/cjs/index.cjs')
}

/**
 * The list of commands, for when the packages that know more are not installed yet.
 *
 * @param {string | undefined} wrong a command that does not exist
 * @param {string[]} own
 * @returns {number} the exit code
 */
function outline(wrong, own) {
  if (own.includes('--version')) {
    process.stdout.write(`${JSON.parse(read(path.join(root, 'package.json')) ?? '{}').version}\n`)
    return 0
  }
  const shown = [...COMMANDS].filter(([, entry]) => !entry.hidden)
  const lines = shown.map(([name, { summary }]) => `  ${name.padEnd(12)}${summary}`)
  const text = [
    'Usage: npx workbook <command>',
    '',
    ...lines,
    '',
    'For details: npx workbook <command> --help',
    '',
  ]
  if (wrong === undefined) process.stdout.write(text.join('\n'))
  else process.stderr.write(`error: unknown command '${wrong}'\n${text.join('\n')}`)
  return wrong === undefined ? 0 : 1
}

/**
 * Runs Node with the arguments, forwards signals, and returns the exit code. The command runs in the caller's
 * folder, since given paths are relative to it.
 *
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} environment
 * @returns {Promise<number>}
 */
async function run(args, environment) {
  const isTerminal = process.stderr.isTTY === true
  const quiet = isTerminal ? ['--require', path.join(__dirname, 'quiet.cjs')] : []
  const child = spawn(process.execPath, [...quiet, ...args], {
    env: {
      ...environment,
      TSX_TSCONFIG_PATH: path.join(root, 'tsconfig.json'), // else tsx searches the caller's folder
      ...(isTerminal && { WORKBOOK_TERMINAL: String(process.pid) }),
    },
    stdio: ['inherit', 'inherit', 'pipe', ...(isTerminal ? [process.stderr] : [])],
  })
  const errors = /** @type {import('node:stream').Readable} */ (child.stderr)
  copyWithoutGreeting(errors, process.stderr)
  // On a terminal Ctrl-C reaches the child anyway; a second one would mean "stop at once".
  process.on('SIGINT', () => process.stdin.isTTY || child.kill('SIGINT'))
  for (const signal of /** @type {const} */ (['SIGTERM', 'SIGHUP']))
    process.on(signal, () => child.kill(signal))
  const drained = new Promise((resolve) => errors.once('close', resolve))
  /** @type {number} */
  const code = await new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (/** @type {number | null} */ status, /** @type {NodeJS.Signals | null} */ signal) =>
      resolve(status ?? 128 + (signal ? constants.signals[signal] : 0)),
    )
  })
  // A process left by the command may hold the pipe open.
  await Promise.race([drained, new Promise((resolve) => setTimeout(resolve, 500))])
  return code
}

module.exports = { main }
