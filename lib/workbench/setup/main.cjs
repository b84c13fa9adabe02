'use strict'

const { spawn } = require('node:child_process')
const { constants } = require('node:os')
const path = require('node:path')
const { root, SetupError } = require('./project.cjs')
const { copyWithoutGreeting } = require('./quiet.cjs')
const { setUp } = require('./steps.cjs')

/** Commands with a program of their own; the others are those of the command line. */
const PROGRAMS = new Map([
  ['test', 'lib/workbench/test.cjs'],
  ['bench', 'test/bench/cli.ts'],
])

/** Sets up what is missing, runs the command in its environment and ends with its exit code. */
async function main(args) {
  const devices = ['--cuda', '--cpu']
  const [command = 'setup', ...rest] = args
  const device = command === 'setup' ? rest.find((argument) => devices.includes(argument)) : undefined
  try {
    const unknown = command === 'setup' && rest.find((argument) => !devices.includes(argument))
    if (unknown) throw new SetupError(`setup: unknown option ${unknown}; it knows ${devices.join(' and ')}.`)
    const environment = await setUp({ device: device?.slice(2) })
    if (command === 'setup') return
    const own = PROGRAMS.get(command)
    const words = own ? [path.join(root, own)] : [path.join(root, 'lib/workbench/cli.ts'), command]
    const loader = own?.endsWith('.cjs') ? [] : ['--require', path.join(root, 'lib/engine/loader.cjs')]
    process.exit(await run([...loader, ...words, ...rest], environment))
  } catch (error) {
    if (!(error instanceof SetupError)) throw error
    process.stderr.write(`\n${error.message}\n`)
    process.exit(1)
  }
}

/**
 * Runs Node with the arguments, hands signals on, and answers with the exit code. The command runs in the caller's
 * folder, where the paths that it was given begin.
 */
async function run(args, environment) {
  const isTerminal = process.stderr.isTTY === true
  const quiet = isTerminal ? ['--require', path.join(__dirname, 'quiet.cjs')] : []
  const child = spawn(process.execPath, [...quiet, ...args], {
    env: {
      ...environment,
      TSX_TSCONFIG_PATH: path.join(root, 'tsconfig.json'), // else the caller's folder is searched
      ...(isTerminal && { WORKBOOK_TERMINAL: String(process.pid) }),
    },
    stdio: ['inherit', 'inherit', 'pipe', ...(isTerminal ? [process.stderr] : [])],
  })
  copyWithoutGreeting(child.stderr, process.stderr)
  // On a terminal Ctrl-C reaches the child anyway; twice would read as "stop at once".
  process.on('SIGINT', () => process.stdin.isTTY || child.kill('SIGINT'))
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  const drained = new Promise((resolve) => child.stderr.once('close', resolve))
  const code = await new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (status, signal) => resolve(status ?? 128 + (constants.signals[signal] ?? 0)))
  })
  // A process that the command left behind may hold the pipe open.
  await Promise.race([drained, new Promise((resolve) => setTimeout(resolve, 500))])
  return code
}

module.exports = { main }
