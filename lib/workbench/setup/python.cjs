'use strict'

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { cache, onPath, read, root, SetupError, writeWhole } = require('./project.cjs')

/** @typedef {import('./project.cjs').Device} Device */

/** TensorFlow publishes wheels for these versions of Python. */
const PYTHONS = ['3.11', '3.12', '3.13']

/**
 * The pip section of environment.yml, which is its last.
 *
 * @param {Device} device
 * @param {string} [text] of the file
 */
function requirements(device, text = read(path.join(root, 'environment.yml')) ?? '') {
  const lines = text.split('\n')
  const start = lines.findIndex((line) => /^\s*- pip:\s*$/.test(line))
  const list = []
  for (const [i, line] of lines.entries()) {
    if (start < 0 || i <= start || /^\s*(#.*)?$/.test(line)) continue
    const item = /^\s+- ([^\s=]+==[^\s=]+)\s*(#.*)?$/.exec(line)?.[1]
    if (!item) {
      throw new SetupError(
        `environment.yml:${i + 1}: expected a package with its exact version ("- name==1.2.3"), found "${line.trim()}".`,
      )
    }
    list.push(item)
  }
  if (list.length === 0) throw new SetupError('environment.yml: expected a "- pip:" section, found none.')
  return list.map((item) =>
    device === 'cuda' ? item.replace(/^tensorflow-cpu==/, 'tensorflow[and-cuda]==') : item,
  )
}

/**
 * cuda if NVIDIA's driver is present, unless `setup --cpu` or `--cuda` said otherwise; the choice is kept.
 *
 * @param {Device} [asked]
 * @returns {Device}
 */
function chooseDevice(asked) {
  const file = path.join(cache, 'device')
  if (asked) writeWhole(file, `${asked}\n`)
  const kept = read(file)?.trim()
  if (kept === 'cpu' || kept === 'cuda') return kept
  return fs.existsSync('/proc/driver/nvidia/version') || onPath('nvidia-smi') ? 'cuda' : 'cpu'
}

/**
 * The site-packages folder of an environment with TensorFlow, or null.
 *
 * @param {string} prefix the environment's folder
 */
function sitePackages(prefix) {
  const lib = path.join(prefix, 'lib')
  const folders = fs.existsSync(lib) ? fs.readdirSync(lib).filter((name) => name.startsWith('python3.')) : []
  const found = folders.map((name) => path.join(lib, name, 'site-packages'))
  return (
    found.find((folder) => fs.existsSync(path.join(folder, 'tensorflow', 'libtensorflow_cc.so.2'))) ?? null
  )
}

/**
 * The site-packages folder of the environment's TensorFlow, after earlier steps have made the environment.
 *
 * @param {string} prefix
 */
function tensorFlowIn(prefix) {
  const site = sitePackages(prefix)
  if (site === null) throw new SetupError(`${prefix}: expected TensorFlow's package, found none.`)
  return site
}

/** An activated conda environment with TensorFlow and Jupyter is used as it is; otherwise .venv. */
function choosePrefix() {
  const conda = process.env.CONDA_PREFIX
  if (conda && sitePackages(conda) && fs.existsSync(path.join(conda, 'bin/jupyter'))) {
    return { prefix: conda, isConda: true }
  }
  return { prefix: path.join(root, '.venv'), isConda: false }
}

/** A Python that can create the environment. */
function findPython() {
  const tried = []
  for (const name of ['python3', ...PYTHONS.map((version) => `python${version}`)]) {
    const file = onPath(name)
    if (!file) continue
    const code = 'import sys, venv, ensurepip; print("%d.%d" % sys.version_info[:2])'
    const { status, stdout, stderr } = spawnSync(file, ['-c', code], { encoding: 'utf8' })
    const version = stdout?.trim() ?? ''
    if (status === 0 && PYTHONS.includes(version)) return { python: file, version }
    tried.push(`${name}: ${status === 0 ? version : (stderr ?? '').trim().split('\n').at(-1)}`)
  }
  throw new SetupError(
    `Python ${PYTHONS[0]} to ${PYTHONS.at(-1)} with its venv module is needed` +
      `${tried.length > 0 ? `; found ${tried.join('; ')}` : '; found none'}.\n` +
      'Install it:  sudo apt-get install -y python3 python3-venv    (Fedora: sudo dnf install -y python3.12)',
  )
}

/**
 * What an environment lacks of the list, as text; empty if it has everything.
 *
 * @param {string} prefix
 * @param {readonly string[]} list
 */
function missingFrom(prefix, list) {
  const code = `
import sys, importlib.metadata as m
for item in sys.argv[1:]:
    name, version = item.split("==")
    try:
        found = m.version(name.split("[")[0])
    except m.PackageNotFoundError:
        found = "nothing"
    if found != version:
        print(f"{item} (found {found})")
`
  const result = spawnSync(path.join(prefix, 'bin/python'), ['-c', code, ...list], { encoding: 'utf8' })
  if (result.status !== 0) return list.join(', ')
  return result.stdout.trim().split('\n').filter(Boolean).join(', ')
}

/**
 * Removes packages that pip did not finish: it writes RECORD last, so one without it must not count as installed.
 *
 * @param {string} prefix
 */
function removeHalfInstalled(prefix) {
  const lib = path.join(prefix, 'lib')
  if (!fs.existsSync(lib)) return
  for (const name of fs.readdirSync(lib)) {
    const site = path.join(lib, name, 'site-packages')
    if (!fs.existsSync(site)) continue
    for (const entry of fs.readdirSync(site)) {
      const isCut = entry.endsWith('.dist-info') && !fs.existsSync(path.join(site, entry, 'RECORD'))
      if (isCut || entry.startsWith('~')) fs.rmSync(path.join(site, entry), { recursive: true, force: true })
    }
  }
}

/**
 * Folders of NVIDIA's libraries inside site-packages.
 *
 * @param {string} site
 * @returns {{ libraries: string[], programs: string[] }}
 */
function cudaFolders(site) {
  const nvidia = path.join(site, 'nvidia')
  if (!fs.existsSync(nvidia)) return { libraries: [], programs: [] }
  /** @param {string} name */
  const inside = (name) =>
    fs
      .readdirSync(nvidia)
      .map((part) => path.join(nvidia, part, name))
      .filter((folder) => fs.existsSync(folder))
  return { libraries: inside('lib'), programs: inside('bin') }
}

module.exports = {
  chooseDevice,
  choosePrefix,
  cudaFolders,
  findPython,
  missingFrom,
  removeHalfInstalled,
  requirements,
  sitePackages,
  tensorFlowIn,
}
