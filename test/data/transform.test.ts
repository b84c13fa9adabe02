import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compose, cropRegion, placeBoxes, toImage, toInput } from '../../lib/data/transform'

const halved = { scaleX: 0.5, shiftX: 10, scaleY: 0.25, shiftY: 0 }
const mirrored = { scaleX: -1, shiftX: 100, scaleY: 1, shiftY: 0 }
const box = { x1: 20, y1: 40, x2: 60, y2: 80, label: 3 }

test('a placement scales and shifts a box, and takes it back', () => {
  assert.deepEqual(toInput(box, halved), { x1: 20, y1: 10, x2: 40, y2: 20, label: 3 })
  assert.deepEqual(toImage(toInput(box, halved), halved), box)
})

test('a mirror exchanges left and right', () => {
  assert.deepEqual(toInput(box, mirrored), { x1: 40, y1: 40, x2: 80, y2: 80, label: 3 })
  assert.deepEqual(toImage(toInput(box, mirrored), mirrored), box)
})

test('compose applies the first, then the second', () => {
  // x -> 100 - (x / 2 + 10): 20 -> 80, 60 -> 60
  assert.deepEqual(toInput(box, compose(halved, mirrored)), { x1: 60, y1: 10, x2: 80, y2: 20, label: 3 })
})

test('boxes are clipped, and dropped when too little or too small a part is left', () => {
  const same = { scaleX: 1, shiftX: 0, scaleY: 1, shiftY: 0 }
  const bounds = { x1: 0, y1: 0, x2: 50, y2: 50 }
  const rule = { minKept: 0.3, minSide: 2 }
  const place = (x1: number, y1: number, x2: number, y2: number) =>
    placeBoxes([{ x1, y1, x2, y2, label: 0 }], same, bounds, rule).map((b) => [b.x1, b.y1, b.x2, b.y2])
  assert.deepEqual(place(10, 10, 20, 20), [[10, 10, 20, 20]])
  // 3 of 10 columns are inside: exactly the least share
  assert.deepEqual(place(47, 10, 57, 20), [[47, 10, 50, 20]])
  assert.deepEqual(place(47.1, 10, 57.1, 20), [])
  assert.deepEqual(place(48.5, 10, 51.5, 20), [])
  assert.deepEqual(place(60, 10, 70, 20), [])
  assert.deepEqual(place(10, 10, 11.9, 20), [])
  assert.deepEqual(place(10, 10, 10, 20), [])
})

test('the area of a segmentation shrinks with scale and clipping', () => {
  const [placed] = placeBoxes(
    [{ x1: 0, y1: 0, x2: 40, y2: 40, label: 0, area: 800, crowd: true }],
    { scaleX: 0.5, shiftX: -10, scaleY: 0.5, shiftY: 0 },
    { x1: 0, y1: 0, x2: 50, y2: 50 },
    { minKept: 0.3, minSide: 0 },
  )
  // half of the box is left, at a quarter of the area: 800 / 8
  assert.deepEqual(placed, { x1: 0, y1: 0, x2: 10, y2: 20, label: 0, area: 100, crowd: true })
})

test('the published crop in whole pixels', () => {
  const crop = [0, 140 / 1080, 1, 860 / 1080] as const
  assert.deepEqual(cropRegion(1920, 1080, crop), { x1: 0, y1: 140, x2: 1920, y2: 860 })
  assert.deepEqual(cropRegion(640, 380, crop), { x1: 0, y1: 49, x2: 640, y2: 303 })
  assert.throws(() => cropRegion(4, 4, [0.5, 0, 0.55, 1]), /leaves no pixel of a 4x4 image/)
})
