/** A disk that is full: what is said, and what is left. Needs the right to mount a small one in memory. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { appendLines, lockFolder, wholeLines, writeCached, writeSealed } from '../lib/base'
import { generateScenes } from '../lib/data'
import { loadCheckpoint, saveCheckpoint } from '../lib/train'
import { readTrial, runTask, trialFolder, writeTask } from '../lib/trial'
import { TINY_SOURCE, teacherTrial, tinyData } from './study/tiny'
import { temporary, tinyDetector, tinyWeights } from './train/tiny'

// Not one of the temporary folders that are removed while it is mounted.
const disk = mkdtempSync(join(tmpdir(), 'full-disk-'))
const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', disk], {
  encoding: 'utf8',
})
const skip = status === 0 ? false : `no small disk can be mounted here: ${stderr?.trim() || 'no "mount"'}`
after(() => {
  if (!skip) spawnSync('umount', [disk])
  rmdirSync(disk)
})

const filler = join(disk, 'filler')

/** Leaves so many bytes of the disk free, in whole pages. */
function leave(bytes: number): void {
  rmSync(filler, { force: true })
  const { bavail, bsize } = statfsSync(disk)
  writeFileSync(filler, Buffer.alloc(Math.max(0, bavail * bsize - bytes)))
}

/** A new folder on the disk, which has room. */
function folder(name: string): string {
  rmSync(filler, { force: true })
  const path = join(disk, name)
  rmSync(path, { recursive: true, force: true })
  mkdirSync(path, { recursive: true })
  return path
}

/** The error names file, folder and need. */
const full = (file: string, inFolder: string) => (error: Error) => {
  assert.ok(error.message.startsWith(file), error.message)
  assert.match(
    error.message,
    /: expected room( for \d+ bytes)? in .*, found none left on the disk \(\d+ bytes free\); make room/,
  )
  assert.ok(error.message.includes(` in ${inFolder}`), error.message)
  return true
}

const big = () => ({
  network: tinyDetector(),
  classes: [],
  step: 1,
  weights: new Map([['w', { shape: [50_000], values: new Float32Array(50_000).fill(1) }]]),
  optimizer: new Map(),
  provenance: {},
})

test('a checkpoint: the one before stays whole, and nothing else is left', { skip }, () => {
  const place = folder('checkpoint')
  const path = join(place, 'checkpoint.json')
  saveCheckpoint(path, { ...big(), step: 0, weights: tinyWeights() })
  const before = readdirSync(place)
  leave(65_536)
  assert.throws(() => saveCheckpoint(path, big()), full(join(place, 'checkpoint.'), place))
  assert.deepEqual(readdirSync(place), before)
  assert.equal(loadCheckpoint(path).step, 0)
  leave(1_000_000)
  saveCheckpoint(path, big())
  assert.equal(loadCheckpoint(path).step, 1)
})

test('a sealed file, a frame of the cache and a lock: nothing is left', { skip }, async () => {
  const place = folder('files')
  leave(0)
  const file = join(place, 'metrics.json')
  assert.throws(() => writeSealed(file, { values: 'v'.repeat(10_000) }), full(file, place))
  const frame = join(place, 'frame.rgb')
  await assert.rejects(writeCached(frame, Buffer.alloc(10_000)), full(frame, place))
  await assert.rejects(lockFolder(place), full(join(place, 'lock'), place))
  assert.deepEqual(readdirSync(place), [])
})

test('a log ends with a whole line, and goes on when there is room', { skip }, () => {
  const file = join(folder('log'), 'log.jsonl')
  appendLines(file, `${JSON.stringify({ step: 0 })}\n`)
  leave(0)
  let steps = 0
  const fill = () => {
    for (;;) {
      appendLines(file, `${JSON.stringify({ step: steps + 1, text: 'x'.repeat(700) })}\n`)
      steps++
    }
  }
  assert.throws(fill, full(file, join(file, '..')))
  assert.ok(steps > 0)
  const rows = () => wholeLines(readFileSync(file, 'utf8')).map(({ line }) => JSON.parse(line).step as number)
  assert.deepEqual(rows(), [...Array(steps + 1).keys()])
  assert.ok(readFileSync(file, 'utf8').endsWith('\n'))
  leave(100_000)
  appendLines(file, `${JSON.stringify({ step: 'last' })}\n`)
  assert.equal(rows().length, steps + 2)
})

test('rendering: no folder is left, and it is done anew when there is room', { skip }, async () => {
  const place = folder('scenes')
  const config = { splits: { train: 24 }, width: 128, height: 48 }
  leave(65_536)
  await assert.rejects(generateScenes(place, config, { workers: 1 }), full(place, place))
  assert.deepEqual(readdirSync(place), [])
  leave(1_000_000)
  const { splits } = await generateScenes(place, config, { workers: 1 })
  assert.equal(splits.train?.length, 24)
})

test('a trial stops with the reason, and ends with the same model when there is room', { skip }, async () => {
  const cache = temporary()
  const config = teacherTrial(await tinyData(cache), 3)
  const told = { source: TINY_SOURCE, cache, checkpointEvery: 1, logEvery: 1 }
  const run = async (runs: string) =>
    runTask(writeTask(config, { runs, ...told }).file, join(runs, trialFolder(config)))
  const expected = await run(temporary())
  const runs = folder('trials')
  const own = join(runs, trialFolder(config))
  leave(49_152)
  await assert.rejects(run(runs), full(own, own))
  assert.equal(readTrial(own), undefined)
  assert.ok(!existsSync(join(own, 'lock')))
  assert.ok(!readdirSync(own).some((name) => name.endsWith('.tmp')))
  leave(1_000_000)
  assert.equal((await run(runs)).metrics.weights, expected.metrics.weights)
})
