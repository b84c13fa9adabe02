'use strict'

const { spawn } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { cache, root, SetupError } = require('./project.cjs')

const log = path.join(cache, 'log')
const TAIL_LINES = 25

const NETWORK =
  /ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ECONNREFUSED|ECONNRESET|ENETUNREACH|name resolution|NewConnectionError|ProxyError|No matching distribution/

/**
 * Runs a tool; its output goes to the log and its last line to `onLine`.
 *
 * @param {string} program
 * @param {string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, onLine?: import('./project.cjs').OnLine, hint?: string }} [options]
 * @returns {Promise<string>} the end of the output
 * @throws SetupError with the end of the output when the tool fails
 */
async function runTool(program, args, { cwd = root, env = {}, onLine, hint = '' } = {}) {
  fs.mkdirSync(cache, { recursive: true })
  const file = fs.openSync(log, 'a')
  const command = [program, ...args].join(' ')
  fs.writeSync(file, `\n$ ${command}\n`)
  let output = ''
  try {
    /** @type {number | NodeJS.Signals | null} */
    const code = await new Promise((resolve, reject) => {
      const child = spawn(program, args, {
        cwd,
        env: { ...process.env, ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding('utf8').on('data', (/** @type {string} */ text) => {
          fs.writeSync(file, text)
          output = (output + text).slice(-65536)
          const line = text.trim().split('\n').at(-1)
          if (line) onLine?.(line.trim())
        })
      }
      child.once('error', (error) =>
        reject(new SetupError(`${command} could not be started: ${error.message}`)),
      )
      child.once('close', (status, signal) => resolve(status ?? signal))
    })
    if (code === 0) return output
    const tail = output.trimEnd().split('\n').slice(-TAIL_LINES).join('\n')
    const advice = NETWORK.test(output)
      ? 'The package index was not reachable, or lacks the package. Check the network and, behind a proxy, HTTPS_PROXY;\n' +
        'to see the addresses in use:  npm config get registry    and    python3 -m pip config list'
      : hint
    throw new SetupError(
      [`${command} ended with ${code}:`, tail, advice, `The whole output: ${path.relative(root, log)}`]
        .filter(Boolean)
        .join('\n\n'),
    )
  } finally {
    fs.closeSync(file)
  }
}

/**
 * A list of steps on the terminal: one line each, redrawn with the time and the tool's last line while it runs.
 *
 * @returns {(title: string, work: (onLine: import('./project.cjs').OnLine) => Promise<void>) => Promise<void>}
 */
function stepList(stream = process.stderr) {
  return async (title, work) => {
    const started = performance.now()
    const seconds = () => `${((performance.now() - started) / 1000).toFixed(0)} s`
    let detail = ''
    const draw = () => {
      const line = `  … ${title}  ${seconds()}  ${detail}`
      stream.write(`\r\x1b[2K${line.slice(0, (stream.columns ?? 80) - 1)}`)
    }
    if (!stream.isTTY) stream.write(`  … ${title}\n`)
    const timer = stream.isTTY ? setInterval(draw, 200) : undefined
    try {
      await work((line) => {
        detail = line
      })
      stream.write(`${stream.isTTY ? '\r\x1b[2K' : ''}  ✓ ${title}  ${seconds()}\n`)
    } catch (error) {
      stream.write(`${stream.isTTY ? '\r\x1b[2K' : ''}  ✗ ${title}  ${seconds()}\n`)
      throw error
    } finally {
      clearInterval(timer)
    }
  }
}

module.exports = { runTool, stepList }
