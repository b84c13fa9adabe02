'use strict'

const { spawn } = require('node:child_process')
const { root, SetupError } = require('./project.cjs')
const { setUp } = require('./steps.cjs')

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
    const program =
      command === 'test'
        ? ['lib/workbench/test.cjs']
        : ['--require', 'tsx/cjs', 'lib/workbench/cli.ts', command]
    process.exit(await run([...program, ...rest], environment))
  } catch (error) {
    if (!(error instanceof SetupError)) throw error
    process.stderr.write(`\n${error.message}\n`)
    process.exit(1)
  }
}

/** Runs Node with the arguments, hands signals on, and answers with the exit code. */
function run(args, environment) {
  const child = spawn(process.execPath, args, { cwd: root, env: environment, stdio: 'inherit' })
  // On a terminal Ctrl-C reaches the child anyway; twice would read as "stop at once".
  process.on('SIGINT', () => process.stdin.isTTY || child.kill('SIGINT'))
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code, signal) =>
      resolve(code ?? 128 + (require('node:os').constants.signals[signal] ?? 0)),
    )
  })
}

module.exports = { main }
