import assert from 'node:assert/strict'
import { test } from 'node:test'
import { darknet21, yolov3 } from '../../lib/detector'
import { loadProfile, trialMemory, workersOf } from '../../lib/study'

const profile = loadProfile('default')
const machine = { device: 'CPU', cores: 8, free: 64e9 } as const

test('one trial per core if memory allows, otherwise fewer, at least one', () => {
  assert.equal(profile.workers, 'auto')
  assert.equal(workersOf(profile, machine), 8)
  assert.equal(workersOf(profile, { ...machine, free: 3.5 * trialMemory(profile) }), 3)
  assert.equal(workersOf(profile, { ...machine, free: 0.5 * trialMemory(profile) }), 1)
})

test('a card runs one trial at a time, and an explicit number is kept', () => {
  assert.equal(workersOf(profile, { ...machine, device: 'GPU' }), 1)
  assert.equal(workersOf({ ...profile, workers: 5 }, { ...machine, free: 0 }), 5)
})

test('larger batches, pixels and widths need more memory', () => {
  assert.ok(trialMemory(loadProfile('smoke')) < trialMemory(profile))
  assert.ok(trialMemory(loadProfile('paper')) > 10 * trialMemory(profile))
})

test('a network of one’s own needs the memory of its own maps and weights', () => {
  const own = trialMemory(profile, [yolov3({ input: [416, 416] })])
  // 16 images of 416x416 through YOLOv3, 332 values a pixel, 20 bytes each.
  assert.ok(own > 16 * 416 * 416 * 332 * 20 && own < 25e9, `${own}`)
  assert.ok(workersOf(profile, { ...machine, free: 30e9 }, [yolov3({ input: [416, 416] })]) === 1)
  const paper = loadProfile('paper')
  const [formula, counted] = [trialMemory(paper), trialMemory(paper, [darknet21()])]
  assert.ok(Math.abs(counted / formula - 1) < 0.1, `${formula} and ${counted}`)
})
