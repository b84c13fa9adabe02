import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { lockFolder } from '../../lib/base'
import { deadProcess } from '../base/dead'
import { temporary } from '../train/tiny'

/** When a process was started, as /proc says it. */
const startOf = (pid: number): string =>
  readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ')[19]!

/** What a lock of this process says. */
const OWN = `${process.pid} ${hostname()} ${startOf(process.pid)}`

test('a folder is taken once, until it is given back', async () => {
  const folder = join(temporary(), 'new')
  const release = await lockFolder(folder)
  await assert.rejects(lockFolder(folder), (error: Error) => {
    assert.ok(error.message.startsWith(`${folder}: `))
    assert.match(
      error.message,
      new RegExp(`found process ${process.pid} .*at work in it; wait for it, or remove`),
    )
    return true
  })
  release()
  const again = await lockFolder(folder)
  again()
  assert.deepEqual(readdirSync(folder), [])
})

test('the lock of a killed process is taken over', async () => {
  for (const host of ['', ` ${hostname()}`]) {
    const folder = temporary()
    writeFileSync(join(folder, 'lock'), `${deadProcess()}${host}`)
    const release = await lockFolder(folder)
    assert.equal(readFileSync(join(folder, 'lock'), 'utf8'), OWN)
    release()
    assert.deepEqual(readdirSync(folder), [])
  }
})

test('a lock whose process had the id that another one has now is taken over, and that of the living one is not', async () => {
  const folder = temporary()
  const file = join(folder, 'lock')
  writeFileSync(file, `${process.ppid} ${hostname()} ${startOf(process.ppid)}`)
  await assert.rejects(lockFolder(folder), new RegExp(`found process ${process.ppid} `))
  writeFileSync(file, `${process.ppid} ${hostname()} 1`)
  const release = await lockFolder(folder)
  assert.equal(readFileSync(file, 'utf8'), OWN)
  release()
})

test('a process that was killed after its end is known, but not yet asked for, has no lock', async () => {
  const program = `const { spawn } = require('node:child_process')
    console.log(spawn('sleep', ['0']).pid)
    while (true) {}` // never asks for its child's end
  const parent = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    const [line] = await once(parent.stdout, 'data')
    const pid = Number(line)
    while (!/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))) await setTimeout(5)
    const folder = temporary()
    writeFileSync(join(folder, 'lock'), `${pid} ${hostname()} ${startOf(pid)}`)
    const release = await lockFolder(folder)
    release()
  } finally {
    parent.kill('SIGKILL')
  }
})

test('who was killed while it took over a lock keeps nobody from it', async () => {
  // Each of these ends at another line of the takeover: behind its claim, behind the lock that it removed.
  for (const point of ['claimed', 'removed']) {
    const folder = temporary()
    const file = join(folder, 'lock')
    writeFileSync(file, `${deadProcess()} ${hostname()} 1`)
    const program = `
      const fs = require('node:fs')
      const { rmSync } = fs
      fs.rmSync = (path, options) => {
        if (path !== ${JSON.stringify(file)}) return rmSync(path, options)
        if (${JSON.stringify(point)} === 'removed') rmSync(path, options)
        process.kill(process.pid, 'SIGKILL')
      }
      require(${JSON.stringify(join(__dirname, '../../lib/base/lock'))}).lockFolder(${JSON.stringify(folder)})`
    const { signal } = spawnSync(process.execPath, ['--require', 'tsx/cjs', '-e', program], {
      cwd: join(__dirname, '../..'),
    })
    assert.equal(signal, 'SIGKILL')
    assert.equal(readdirSync(folder).length, point === 'claimed' ? 2 : 1, 'what it has left')
    const release = await lockFolder(folder)
    assert.deepEqual(readdirSync(folder), ['lock'])
    release()
  }
})

test('a lock of another machine, or not yet written, is taken over when nobody touches it', async () => {
  for (const lock of [`${process.pid} another-machine`, '']) {
    const folder = temporary()
    writeFileSync(join(folder, 'lock'), lock)
    const release = await lockFolder(folder, { silence: 100 })
    assert.equal(readFileSync(join(folder, 'lock'), 'utf8'), OWN)
    release()
  }
})

test('a lock of another machine that is touched stays', async () => {
  const folder = temporary()
  const file = join(folder, 'lock')
  writeFileSync(file, `${deadProcess()} another-machine`)
  let touched = 0
  // Its clock is far behind, and goes.
  const owner = setInterval(() => utimesSync(file, ++touched, touched), 20)
  try {
    await assert.rejects(lockFolder(folder), /found process \d+ another-machine at work in it/)
  } finally {
    clearInterval(owner)
  }
  assert.ok(touched > 0)
})

test('the owner touches its lock even while its main thread is blocked', async () => {
  const folder = temporary()
  const file = join(folder, 'lock')
  const release = await lockFolder(folder, { beat: 10 })
  const first = statSync(file).mtimeMs
  const start = performance.now()
  while (statSync(file).mtimeMs === first && performance.now() < start + 60_000) {}
  assert.notEqual(statSync(file).mtimeMs, first)
  release()
  assert.deepEqual(readdirSync(folder), [])
})

test('of processes that take over a lock at the same moment one gets it', async () => {
  const folder = temporary()
  writeFileSync(join(folder, 'lock'), String(deadProcess()))
  const lock = JSON.stringify(join(__dirname, '../../lib/base/lock'))
  // All begin at the same moment, once the modules are loaded; the one with the folder keeps it until the end.
  const program = `
    const { lockFolder } = require(${lock})
    const [folder, start] = process.argv.slice(1)
    while (Date.now() < Number(start)) {}
    lockFolder(folder).then(() => console.log('taken'), (error) => console.log(error.message))
    process.stdin.on('end', () => process.exit()).resume()`
  const start = String(Date.now() + 1000)
  const children = Array.from({ length: 4 }, () =>
    spawn(process.execPath, ['--require', 'tsx/cjs', '-e', program, folder, start], {
      cwd: join(__dirname, '../..'),
      stdio: ['pipe', 'pipe', 'inherit'],
    }),
  )
  await Promise.all(
    children.map((child) => new Promise<void>((resolve) => child.stdout.once('readable', () => resolve()))),
  )
  for (const child of children) child.stdin.end()
  const answers = await Promise.all(children.map((child) => text(child.stdout)))
  assert.equal(answers.filter((answer) => answer === 'taken\n').length, 1, answers.join(''))
  assert.equal(answers.filter((answer) => answer.includes('expected a folder of its own')).length, 3)
  assert.deepEqual(readdirSync(folder), ['lock'])
})
