import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { lockFolder } from '../../lib/base'
import { temporary } from '../train/tiny'

/** The id of a process that has ended. */
const deadProcess = (): number => spawnSync(process.execPath, ['--version']).pid

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
    assert.equal(readFileSync(join(folder, 'lock'), 'utf8'), `${process.pid} ${hostname()}`)
    release()
    assert.ok(!existsSync(join(folder, 'lock')))
  }
})

test('a lock of another machine, or not yet written, is taken over when nobody touches it', async () => {
  for (const lock of [`${process.pid} another-machine`, '']) {
    const folder = temporary()
    writeFileSync(join(folder, 'lock'), lock)
    const release = await lockFolder(folder, { silence: 100 })
    assert.equal(readFileSync(join(folder, 'lock'), 'utf8'), `${process.pid} ${hostname()}`)
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
