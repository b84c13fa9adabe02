import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { renderScene, SCENE_CLASSES, type Scene, type SceneOptions } from '../../lib/data/scenes'

function digest({ image, boxes }: Scene): string {
  const rows = boxes.map(({ x1, y1, x2, y2, label }) => [x1, y1, x2, y2, label])
  return createHash('sha256').update(image.pixels).update(JSON.stringify(rows)).digest('hex').slice(0, 16)
}

// Every machine must give these. If a change of the renderer changes them, SCENES_VERSION must rise.
const FIXED: readonly (readonly [SceneOptions, string])[] = [
  [{ seed: 1, index: 0 }, '405bb51f611bd48e'],
  [{ seed: 1, index: 5 }, '2ca112e6ac4fe473'],
  [{ seed: 2, index: 3, stream: 'train', difficulty: 1 }, '1cced35d5e2486b2'],
  [{ seed: 1, index: 0, style: 'shifted' }, 'f323e0c28d9bae12'],
  [{ seed: 1, index: 1, style: 'shifted', width: 128 }, '14b283ba61ea0dc8'],
  [{ seed: 1, index: 4, width: 512 }, '92fa0f94365ec649'],
  [{ seed: 1, index: 4, width: 480, frame: 'full' }, 'e6db64ca9c9c75fb'],
]

test('pixels and boxes of a scene are the same to the bit on every machine', () => {
  for (const [options, expected] of FIXED) {
    assert.equal(digest(renderScene(options)), expected, JSON.stringify(options))
  }
})

test('seed, index, stream, style and difficulty each give another scene', () => {
  const base = { seed: 1, index: 0 }
  const others: SceneOptions[] = [
    base,
    { ...base, seed: 2 },
    { ...base, index: 1 },
    { ...base, stream: 'test' },
    { ...base, style: 'shifted' },
    { ...base, difficulty: 0.3 },
  ]
  assert.equal(new Set(others.map((options) => digest(renderScene(options)))).size, others.length)
})

test('boxes lie in the frame, in half pixels, and are not specks', () => {
  for (const style of ['default', 'shifted'] as const) {
    for (let index = 0; index < 60; index++) {
      const { image, boxes } = renderScene({ seed: 4, index, style })
      assert.deepEqual([image.width, image.height, image.pixels.length], [256, 96, 256 * 96 * 3])
      for (const { x1, y1, x2, y2, label } of boxes) {
        assert.ok(0 <= x1 && x1 < x2 && x2 <= 256 && 0 <= y1 && y1 < y2 && y2 <= 96)
        for (const value of [x1, y1, x2, y2]) assert.equal(value * 2, Math.round(value * 2))
        assert.ok((x2 - x1) * (y2 - y1) >= 9)
        assert.ok(Number.isInteger(label) && label >= 0 && label < SCENE_CLASSES.length)
      }
    }
  }
})

test('every class is frequent, and there are five to six objects in an image', () => {
  const counts = SCENE_CLASSES.map(() => 0)
  const images = 400
  for (let index = 0; index < images; index++) {
    for (const { label } of renderScene({ seed: 6, index, width: 128 }).boxes) counts[label]!++
  }
  const total = counts.reduce((sum, count) => sum + count, 0)
  assert.ok(total / images > 5 && total / images < 6.5, `${total / images} objects an image`)
  SCENE_CLASSES.forEach((name, i) => {
    assert.ok(counts[i]! / total >= 0.06, `${name}: ${counts[i]} of ${total}`)
  })
})

test('difficulty makes objects more numerous, smaller and darker', () => {
  const measure = (difficulty: number) => {
    let objects = 0
    let size = 0
    let brightness = 0
    for (let index = 0; index < 60; index++) {
      const { boxes, image } = renderScene({ seed: 8, index, width: 128, difficulty })
      objects += boxes.length
      for (const { x1, y1, x2, y2 } of boxes) size += Math.sqrt((x2 - x1) * (y2 - y1))
      brightness += image.pixels.reduce((sum, value) => sum + value, 0) / image.pixels.length / 60
    }
    return { objects, size: size / objects, brightness }
  }
  const easy = measure(0)
  const hard = measure(1)
  assert.ok(hard.objects > 1.5 * easy.objects, `${easy.objects} and ${hard.objects} objects`)
  assert.ok(hard.size < 0.9 * easy.size, `sizes ${easy.size} and ${hard.size}`)
  assert.ok(hard.brightness < easy.brightness, `brightness ${easy.brightness} and ${hard.brightness}`)
})

test('the crop shows rows 140 to 860 of the full frame', () => {
  // At width 480 those are rows 35 to 215. Blur mixes the rows at the border with what lies beyond.
  for (let index = 0; index < 8; index++) {
    const crop = renderScene({ seed: 3, index, width: 480 })
    const full = renderScene({ seed: 3, index, width: 480, frame: 'full' })
    assert.deepEqual([full.image.width, full.image.height], [480, 270])
    assert.equal(crop.image.height, 180)
    const row = 480 * 3
    for (let y = 3; y < 177; y++) {
      const a = crop.image.pixels.subarray(y * row, (y + 1) * row)
      const b = full.image.pixels.subarray((y + 35) * row, (y + 36) * row)
      assert.deepEqual(a, b, `scene ${index}, row ${y}`)
    }
    // A box that the crop does not cut is the same box.
    const inside = crop.boxes.filter(({ y1, y2 }) => y1 > 0 && y2 < 180)
    assert.ok(inside.length > 0)
    for (const box of inside) {
      const moved = { ...box, y1: box.y1 + 35, y2: box.y2 + 35 }
      const same = full.boxes.some((other) => JSON.stringify(other) === JSON.stringify(moved))
      assert.ok(same, `scene ${index}: ${JSON.stringify(moved)}`)
    }
  }
})

test('boxes agree between sizes to a pixel of the smaller', () => {
  let matched = 0
  let all = 0
  for (let index = 0; index < 20; index++) {
    const small = renderScene({ seed: 9, index, width: 256 })
    const large = renderScene({ seed: 9, index, width: 1024 })
    for (const box of small.boxes) {
      all++
      const near = large.boxes.some(
        (other) =>
          other.label === box.label &&
          Math.max(
            Math.abs(other.x1 / 4 - box.x1),
            Math.abs(other.y1 / 4 - box.y1),
            Math.abs(other.x2 / 4 - box.x2),
            Math.abs(other.y2 / 4 - box.y2),
          ) <= 1,
      )
      if (near) matched++
    }
  }
  // Slivers behind others may fall on either side of a limit.
  assert.ok(matched >= 0.95 * all, `${matched} of ${all}`)
})

test('a bad option is an error that names it', () => {
  const base = { seed: 1, index: 0 }
  assert.throws(() => renderScene({ ...base, width: 256, height: 100 }), /height.*8:3.*found 256x100/)
  assert.throws(() => renderScene({ ...base, width: 250 }), /width.*whole numbers/)
  assert.throws(() => renderScene({ ...base, width: 1920, height: 720, frame: 'full' }), /16:9/)
  assert.throws(() => renderScene({ ...base, difficulty: 1.5 }), /difficulty.*0 to 1.*found 1.5/)
  assert.throws(() => renderScene({ ...base, index: -1 }), /index/)
  assert.throws(() => renderScene({ ...base, seed: 0.5 }), /seed/)
  assert.throws(() => renderScene({ ...base, style: 'rural' as 'default' }), /style.*default, shifted.*rural/)
})
