'use strict'

const fs = require('node:fs')
const path = require('node:path')
const { cache, hasCode, read } = require('./project.cjs')

const POLL_MS = 200

/**
 * A process is identified by its id and start time, since ids are reused.
 *
 * @param {string | number | undefined} pid
 */
function startTime(pid) {
  const stat = read(`/proc/${pid}/stat`)
  return stat === null ? null : stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
}

/** @param {string} owner */
function isAlive(owner) {
  const [pid, started] = owner.split(' ')
  return startTime(pid) === started
}

/**
 * Waits until no other setup runs in this folder, runs the work, and lets the next one in.
 *
 * @template T
 * @param {() => Promise<T>} work
 * @param {{ onWait: (pid: string) => void, file?: string }} options `onWait` is called with the process it waits for
 * @returns {Promise<T>}
 */
async function withLock(work, { onWait, file = path.join(cache, 'lock') }) {
  fs.mkdirSync(path.dirname(file), { recursive: true })
  const mine = `${process.pid} ${startTime(process.pid)}`
  const draft = `${file}.${process.pid}`
  removeLeft(file)
  fs.writeFileSync(draft, mine)
  let told = false
  try {
    for (;;) {
      try {
        fs.linkSync(draft, file) // the lock appears together with its owner's name
        break
      } catch (error) {
        if (!hasCode(error, 'EEXIST')) throw error
      }
      const owner = read(file)
      if (owner === null) continue
      if (isAlive(owner)) {
        if (!told) onWait(owner.split(' ')[0] ?? '')
        told = true
        await new Promise((resolve) => setTimeout(resolve, POLL_MS))
      } else {
        takeAway(file, owner, draft)
      }
    }
    try {
      return await work()
    } finally {
      if (read(file) === mine) fs.rmSync(file, { force: true })
    }
  } finally {
    fs.rmSync(draft, { force: true })
  }
}

/**
 * Removes the lock of a dead process. Only the process that creates a claim, a file named after this owner, removes it, so nobody
 * removes the next owner's lock. If that process is killed first, its claim is removed the same way.
 *
 * @param {string} file
 * @param {string} owner
 * @param {string} draft names this process
 */
function takeAway(file, owner, draft) {
  const claim = `${file}.over-${owner.replace(/\W+/g, '-')}`
  try {
    fs.linkSync(draft, claim)
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error
    const other = read(claim)
    if (other !== null && !isAlive(other)) takeAway(claim, other, draft)
    return
  }
  if (read(file) === owner) fs.rmSync(file)
  fs.rmSync(claim)
}

/**
 * Removes what killed processes have left beside the lock: claims, drafts, and half-written stamps (`writeWhole`).
 *
 * @param {string} file
 */
function removeLeft(file) {
  const folder = path.dirname(file)
  for (const name of fs.readdirSync(folder)) {
    const left = path.join(folder, name)
    const [, writer] = /\.(\d+)\.tmp$/.exec(name) ?? []
    if (writer !== undefined && startTime(writer) === null) fs.rmSync(left, { force: true })
    if (!name.startsWith(`${path.basename(file)}.`)) continue
    const owner = read(left)
    // An empty one is being written.
    if (owner && !isAlive(owner)) fs.rmSync(left, { force: true })
  }
}

module.exports = { withLock }
