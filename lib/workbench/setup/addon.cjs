'use strict'

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { onPath, read, root, SetupError } = require('./project.cjs')
const { runTool } = require('./tools.cjs')

const folder = path.join(root, 'node_modules/@tensorflow/tfjs-node-gpu')
const binary = path.join(folder, 'lib/napi-v8/tfjs_binding.node')

/**
 * Links the headers and libraries in TensorFlow's Python wheel to where the addon's build expects them.
 *
 * @param {string} site the folder site-packages
 */
function linkTensorFlow(site) {
  const tensorflow = path.join(site, 'tensorflow')
  const links = {
    include: 'include',
    'lib/libtensorflow.so': 'libtensorflow_cc.so.2',
    'lib/libtensorflow_cc.so.2': 'libtensorflow_cc.so.2',
    'lib/libtensorflow_framework.so': 'libtensorflow_framework.so.2',
    'lib/libtensorflow_framework.so.2': 'libtensorflow_framework.so.2',
  }
  for (const [name, target] of Object.entries(links)) {
    const link = path.join(folder, 'deps', name)
    fs.mkdirSync(path.dirname(link), { recursive: true })
    const temporary = `${link}.${process.pid}`
    fs.symlinkSync(path.join(tensorflow, target), temporary)
    fs.renameSync(temporary, link)
  }
}

/**
 * Whether the addon exists and Node can load it with the linked TensorFlow.
 *
 * @param {NodeJS.ProcessEnv} environment
 */
function loads(environment) {
  if (!fs.existsSync(binary)) return false
  const { status } = spawnSync(process.execPath, ['-e', `require(${JSON.stringify(binary)})`], {
    env: environment,
    stdio: 'ignore',
  })
  return status === 0
}

/** Node's headers beside Node itself, if their version is the same; otherwise node-gyp fetches them. */
function nodeHeaders() {
  const prefix = path.resolve(fs.realpathSync(process.execPath), '../..')
  const header = read(path.join(prefix, 'include/node/node_version.h')) ?? ''
  /** @param {string} name */
  const number = (name) => new RegExp(`#define NODE_${name}_VERSION (\\d+)`).exec(header)?.[1]
  const version = ['MAJOR', 'MINOR', 'PATCH'].map(number).join('.')
  return version === process.versions.node ? { npm_config_nodedir: prefix } : {}
}

/**
 * @param {NodeJS.ProcessEnv} environment
 * @param {import('./project.cjs').OnLine} onLine
 */
async function build(environment, onLine) {
  const compiler = process.env.CXX
    ? onPath(process.env.CXX)
    : (onPath('c++') ?? onPath('g++') ?? onPath('clang++'))
  const missing = [compiler ? '' : 'a C++ compiler', onPath('make') ? '' : 'make'].filter(Boolean)
  if (missing.length > 0) {
    throw new SetupError(
      `TensorFlow's addon for Node must be built here, but ${missing.join(' and ')} is missing.\n` +
        'Install it:  sudo apt-get install -y build-essential    (Fedora: sudo dnf install -y gcc-c++ make)',
    )
  }
  await runTool('npm', ['run', 'build-addon-from-source'], {
    cwd: folder,
    env: { ...nodeHeaders(), npm_config_loglevel: 'warn' },
    onLine,
    hint: "node-gyp needs Node's headers: beside Node (include/node) or from the network.",
  })
  if (!loads(environment)) {
    const { stderr } = spawnSync(process.execPath, ['-e', `require(${JSON.stringify(binary)})`], {
      env: environment,
      encoding: 'utf8',
    })
    throw new SetupError(`TensorFlow's addon was built but cannot be loaded:\n${stderr}`)
  }
}

module.exports = { binary, build, linkTensorFlow, loads }
