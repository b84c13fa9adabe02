import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { z } from 'zod'
import { resample } from '../../lib/data/resample'
import type { RgbImage } from '../../lib/data/types'

const oracle = z
  .object({
    width: z.number(),
    height: z.number(),
    pixels: z.array(z.number()),
    cases: z.array(
      z.object({ name: z.string(), size: z.tuple([z.number(), z.number()]), pixels: z.array(z.number()) }),
    ),
  })
  .parse(JSON.parse(readFileSync(join(__dirname, 'oracle', 'resample.json'), 'utf8')))
const image: RgbImage = { width: oracle.width, height: oracle.height, pixels: Uint8Array.from(oracle.pixels) }

for (const { name, size, pixels } of oracle.cases) {
  test(`resizing agrees with OpenCV: ${name}`, () => {
    const [height, width] = size
    const target = new Float32Array(height * width * 3)
    const placement = { scaleX: width / image.width, shiftX: 0, scaleY: height / image.height, shiftY: 0 }
    resample(image, placement, size, target)
    target.forEach((value, i) => {
      assert.ok(
        Math.abs(value * 255 - pixels[i]!) < 2e-3,
        `value ${i}: ${value * 255} instead of ${pixels[i]}`,
      )
    })
  })
}

/** Columns of value 0, 10, 20, ... in all channels. */
const ramp = (width: number, height: number): RgbImage => ({
  width,
  height,
  pixels: Uint8Array.from({ length: width * height * 3 }, (_, i) => (Math.floor(i / 3) % width) * 10),
})

const reds = (target: Float32Array) =>
  [...target].filter((_, i) => i % 3 === 0).map((v) => Math.round(v * 255))

test('a mirror reverses the columns', () => {
  const target = new Float32Array(4 * 2 * 3)
  resample(ramp(4, 2), { scaleX: -1, shiftX: 4, scaleY: 1, shiftY: 0 }, [2, 4], target)
  assert.deepEqual(reds(target), [30, 20, 10, 0, 30, 20, 10, 0])
})

test('the outside is filled and keeps its value under a change of colour', () => {
  const target = new Float32Array(5 * 3 * 3)
  const black = { linear: new Float64Array(12) }
  resample(ramp(3, 1), { scaleX: 1, shiftX: 1, scaleY: 1, shiftY: 1 }, [3, 5], target, { fill: 200 })
  assert.deepEqual(reds(target), [200, 200, 200, 200, 200, 200, 0, 10, 20, 200, 200, 200, 200, 200, 200])
  resample(ramp(3, 1), { scaleX: 1, shiftX: 1, scaleY: 1, shiftY: 1 }, [3, 5], target, {
    fill: 200,
    colour: black,
  })
  assert.deepEqual(reds(target).slice(5, 10), [200, 0, 0, 0, 200])
})

test('pixels that may not be seen do not bleed in', () => {
  const target = new Float32Array(4 * 1 * 3)
  const visible = { x1: 1, y1: 0, x2: 3, y2: 1 }
  // columns 1 and 2 enlarged twice: 10, 12.5, 17.5, 20 with the edges repeated
  resample(ramp(5, 1), { scaleX: 2, shiftX: -2, scaleY: 1, shiftY: 0 }, [1, 4], target, { visible })
  assert.deepEqual(
    [...target].filter((_, i) => i % 3 === 0).map((v) => +(v * 255).toFixed(3)),
    [10, 12.5, 17.5, 20],
  )
})
