/**
 * The entry point for programs outside of lib/; package.json's "exports" lead here through lib/entries. The library is
 * TypeScript, so its loader comes first. A GPU's libraries must be set when a process starts, which `npx workbook script`
 * does; without it a program computes on the CPU.
 */
'use strict'

const path = require('node:path')

const root = path.resolve(__dirname, '../..')

/**
 * A room of lib/, or all of lib/.
 *
 * @param {string} name of the room, '' for all
 * @returns {object} what its index.ts exports
 */
function room(name) {
  process.env.TSX_TSCONFIG_PATH ??= path.join(root, 'tsconfig.json') // else tsx searches the program's folder
  process.env.TF_CPP_MIN_LOG_LEVEL ??= '2'
  try {
    require.resolve('tsx/cjs')
    require.resolve('@tensorflow/tfjs-node-gpu')
  } catch (cause) {
    throw new Error(`detector-distillation-workbook is not set up: run "npx workbook setup" in ${root}.`, {
      cause,
    })
  }
  require('./loader.cjs')
  return require(path.join(root, 'lib', name, 'index.ts'))
}

module.exports = { room }
