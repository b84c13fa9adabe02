/**
 * The notebook kernel: tslab 1.0.22 with its known faults repaired from outside, and this project's own rules.
 * Jupyter starts it as `node main.cjs <connection file>` in the notebook's folder.
 *
 * - Cells see tsconfig.json: strict, Bundler resolution, and imports relative to the project's root ('./lib/losses').
 * - Modules of lib/ are loaded by Node through tsx; tslab only checks their types. An edited file is reloaded
 *   when the importing cell is run again.
 * - Requests run one after another; a failed cell cancels waiting ones; no output and no message is lost.
 * - A rejected promise or a throwing timer fails the running cell, or the next one.
 * - An interrupt aborts the signal of ../../base/interrupt and makes the cell throw at its next await or loop iteration. A
 *   cell that reaches neither is broken off.
 * - While the kernel is idle it loads and checks what nearly every notebook imports.
 * - The cell `%reset` stops work left by earlier ones (at its next await or loop iteration; timers continue) and forgets
 *   their declarations; modules stay loaded.
 */
'use strict'

const fs = require('node:fs')
const modules = require('./modules.cjs')

process.env.NOTEBOOK_DIR = process.cwd()
process.chdir(modules.root)
require('../../engine/loader.cjs')

const { Cells, eventsSeen } = require('./cells.cjs')
const { Server } = require('./server.cjs')

const MOST_IMPORTED = ['./lib/index', 'danfojs-node']

const connectionFile = process.argv[2]
if (!connectionFile || !fs.existsSync(connectionFile)) {
  throw new Error(
    `The kernel is started by Jupyter with a connection file; found ${connectionFile ?? 'none'}. Start: npx workbook lab`,
  )
}
const cells = new Cells()
process.on('SIGINT', () => cells.interrupt())
process.on('uncaughtException', cells.surfaced)
process.on('unhandledRejection', cells.surfaced)
const server = new Server(cells, warmUp, connectionFile)
server.init()

/** Until the first cell comes, does in advance, piece by piece, what that cell would otherwise wait for. */
async function warmUp() {
  const { executor } = cells
  const compile = () => {
    const imports = MOST_IMPORTED.map((name, i) => `import * as m${i} from '${name}'`)
    executor.compile(imports.join('\n'))
  }
  /** @param {string} name */
  const load = (name) => () => {
    try {
      executor.require(name)
    } catch {
      modules.forgetUnfinished() // the cell that imports it will meet the error and report it
    }
    cells.noteLoaded()
  }
  for (const piece of [compile, ...MOST_IMPORTED.map(load)]) {
    await eventsSeen()
    if (server.arrived > 0 || cells.closed) return
    piece()
  }
}
