import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Random } from '../../lib/base'
import {
  type AugmentOptions,
  augmentSchema,
  drawInputSize,
  drawView,
  holdsCentre,
  PUBLISHED_AUGMENTATION,
} from '../../lib/data/augment'
import { fitRegion, toInput } from '../../lib/data/transform'
import type { Box } from '../../lib/data/types'

const frame = { width: 200, height: 100 }
const box: Box = { x1: 20, y1: 10, x2: 60, y2: 40, label: 0 }
const nothing: AugmentOptions = { flip: 0, affine: false, colour: false }
const view = (
  options: AugmentOptions,
  seed = 0,
  boxes: readonly Box[] = [box],
  fit: 'stretch' | 'pad' = 'stretch',
) => drawView(new Random(seed), frame, boxes, [50, 50], fit, augmentSchema.parse({ ...nothing, ...options }))
const corners = ({ x1, y1, x2, y2 }: Box) => [x1, y1, x2, y2].map((v) => +v.toFixed(6))
const times = 500

test('without augmentation the frame is stretched to the input', () => {
  // 200x100 -> 50x50: x / 4, y / 2
  assert.deepEqual(corners(toInput(box, view({}).placement)), [5, 5, 15, 20])
  assert.equal(view({}).colour, undefined)
})

test('fit pad keeps the aspect and leaves the bottom', () => {
  assert.deepEqual(corners(toInput(box, view({}, 0, [box], 'pad').placement)), [5, 2.5, 15, 10])
})

test('a flip mirrors the box', () => {
  assert.deepEqual(corners(toInput(box, view({ flip: 1 }).placement)), [35, 5, 45, 20])
})

test('a flipped padded frame stays in place', () => {
  const tall = drawView(
    new Random(0),
    { width: 50, height: 100 },
    [box],
    [50, 50],
    'pad',
    augmentSchema.parse({ ...nothing, flip: 1 }),
  )
  // 50x100 -> 25x50 at the left; x = 20 .. 60 halved is 10 .. 30, mirrored in 0 .. 25 it is -5 .. 15
  assert.deepEqual(corners(toInput(box, tall.placement)), [-5, 5, 15, 20])
})

test('a scale without aspect and shift enlarges around the centre', () => {
  const { placement } = view({ affine: { scale: [1.2, 1.2], aspect: [1, 1], shift: 0 } })
  // (5 - 25) * 1.2 + 25 = 1; (15 - 25) * 1.2 + 25 = 13; the same for y = 5, 20
  assert.deepEqual(corners(toInput(box, placement)), [1, 1, 13, 19])
})

test('an aspect widens by its root and narrows the height by it', () => {
  const { placement } = view({ affine: { scale: [1, 1], aspect: [1.21, 1.21], shift: 0 } })
  assert.deepEqual(corners(toInput(box, placement)), [
    ...[(5 - 25) * 1.1 + 25, (5 - 25) / 1.1 + 25, (15 - 25) * 1.1 + 25, (20 - 25) / 1.1 + 25].map(
      (v) => +v.toFixed(6),
    ),
  ])
})

test('affine changes stay in their ranges and reach them', () => {
  let [low, high, far] = [Infinity, 0, 0]
  for (let seed = 0; seed < times; seed++) {
    const { scaleX, shiftX } = view({ affine: { aspect: [1, 1] } }, seed).placement
    const scale = scaleX * 4
    low = Math.min(low, scale)
    high = Math.max(high, scale)
    far = Math.max(far, Math.abs(shiftX - 25 * (1 - scale)) / 50)
    assert.ok(scale >= 0.85 && scale <= 1.2 && far <= 0.1 + 1e-9)
  }
  assert.ok(low < 0.87 && high > 1.18 && far > 0.095)
})

test('expand puts the frame on a canvas up to twice as large, half of the time', () => {
  let expanded = 0
  for (let seed = 0; seed < times; seed++) {
    const { placement, visible } = view({ expand: {} }, seed)
    assert.deepEqual(visible, { x1: 0, y1: 0, x2: 200, y2: 100 })
    const seen = toInput({ x1: 0, y1: 0, x2: 200, y2: 100 }, placement)
    assert.ok(seen.x1 >= -1e-9 && seen.y1 >= -1e-9 && seen.x2 <= 50 + 1e-9 && seen.y2 <= 50 + 1e-9)
    assert.ok(seen.x2 - seen.x1 >= 24.9 && seen.y2 - seen.y1 >= 24.9)
    if (seen.x2 - seen.x1 < 50) expanded++
  }
  assert.ok(expanded > times * 0.4 && expanded < times * 0.6)
})

test('a min-IoU crop obeys its IoU, size and aspect, and holds a centre', () => {
  const big: Box = { x1: 30, y1: 5, x2: 150, y2: 95, label: 0 }
  let crops = 0
  for (let seed = 0; seed < times; seed++) {
    const { visible } = view({ minIouCrop: { ious: [0.6] } }, seed, [big])
    const [w, h] = [visible.x2 - visible.x1, visible.y2 - visible.y1]
    if (w === 200 && h === 100) continue
    crops++
    assert.ok(visible.x1 >= 0 && visible.y1 >= 0 && visible.x2 <= 200 && visible.y2 <= 100)
    assert.ok(w >= 59 && h >= 29 && h / w > 0.48 && h / w < 2.08)
    assert.ok(holdsCentre(visible, big))
  }
  assert.ok(crops > times * 0.5)
})

test('a min-IoU crop other than "any patch" reaches its IoU', () => {
  const wide: Box = { x1: 40, y1: 0, x2: 160, y2: 100, label: 0 }
  const ious = Array.from({ length: times }, (_, seed) => {
    const { visible: v } = view({ minIouCrop: { ious: [0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9] } }, seed, [
      wide,
    ])
    const shared = (Math.min(v.x2, 160) - Math.max(v.x1, 40)) * (v.y2 - v.y1)
    return shared / (120 * 100 + (v.x2 - v.x1) * (v.y2 - v.y1) - shared)
  })
  // Random patches rarely have IoU 0.9, so nearly all of those come from their modes.
  const high = ious.filter((iou) => iou > 0.88).length
  assert.ok(high > times * 0.1, `${high} of ${times}`)
})

test('a crop without boxes is any patch', () => {
  const { visible } = view({ minIouCrop: {} }, 3, [])
  assert.ok(visible.x2 > visible.x1 && visible.y2 > visible.y1)
})

test('multi-scale sizes are multiples of 32 between the limits, all of them', () => {
  const { multiScale } = augmentSchema.parse(PUBLISHED_AUGMENTATION)
  assert.ok(multiScale)
  const seen = new Set<string>()
  for (let seed = 0; seed < 2000; seed++) {
    const [h, w] = drawInputSize(new Random(seed), multiScale)
    assert.ok(h % 32 === 0 && w % 32 === 0 && h >= 160 && h <= 288 && w >= 448 && w <= 768)
    seen.add(`${h}x${w}`)
  }
  assert.equal(seen.size, 5 * 11)
})

test('photometric distortion switches each step on in half of the cases', () => {
  let hsv = 0
  for (let seed = 0; seed < times; seed++) {
    const { colour } = view({ photometric: {} }, seed)
    assert.ok(colour)
    if (colour.hsv === undefined) continue
    hsv++
    assert.ok(colour.hsv.saturation >= 0.5 && colour.hsv.saturation <= 1.5 && Math.abs(colour.hsv.hue) <= 18)
  }
  // neither saturation nor hue in a quarter of the cases
  assert.ok(hsv > times * 0.68 && hsv < times * 0.82)
})

test('the same stream draws the same view', () => {
  const options: AugmentOptions = {
    flip: 0.5,
    affine: {},
    colour: {},
    photometric: {},
    expand: {},
    minIouCrop: {},
  }
  assert.deepEqual(view(options, 5), view(options, 5))
  assert.notDeepEqual(view(options, 5), view(options, 6))
})

test('fitRegion places a part of the frame', () => {
  const placement = fitRegion({ x1: 100, y1: 50, x2: 150, y2: 100 }, [100, 100], 'stretch')
  assert.deepEqual(
    corners(toInput({ x1: 100, y1: 50, x2: 125, y2: 100, label: 0 }, placement)),
    [0, 0, 50, 100],
  )
})

test('an unknown option or a bad range is an error that names it', () => {
  assert.throws(() => augmentSchema.parse({ flips: 1 }), /flips/)
  assert.throws(() => augmentSchema.parse({ affine: { scale: [2, 1] } }), /low <= high/)
})
