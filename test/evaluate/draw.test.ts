import assert from 'node:assert/strict'
import { test } from 'node:test'
import sharp from 'sharp'
import { boxesOfImage, drawDetections, mistakes } from '../../lib/evaluate'
import { columns } from './cases'

test('boxes are drawn where they are, over the very pixels of the image', async () => {
  const pixels = new Uint8Array(3 * 40 * 20).fill(128)
  const image = { width: 40, height: 20, pixels }
  const boxes = [{ box: { x1: 4, y1: 2, x2: 34, y2: 18 }, label: 0, score: 0.876, colour: '#ff0000' }]
  const svg = await drawDetections(image, boxes, ['a<b & "c"'], { width: 400 })
  assert.match(svg, /<rect x="40" y="20" width="300" height="160"/)
  assert.match(svg, /a&lt;b &amp; &quot;c&quot; 0\.88</)
  const png = Buffer.from(/base64,([^"]+)"/.exec(svg)![1]!, 'base64')
  assert.deepEqual(await sharp(png).raw().toBuffer(), Buffer.from(pixels))
  // A renderer agrees: red on the box's left edge, grey in the middle.
  const { data, info } = await sharp(Buffer.from(svg))
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true })
  assert.deepEqual([info.width, info.height], [400, 200])
  const at = (x: number, y: number) => [...data.subarray(3 * (y * 400 + x), 3 * (y * 400 + x) + 3)]
  assert.deepEqual(at(40, 100), [255, 0, 0])
  assert.deepEqual(at(200, 100), [128, 128, 128])
})

test('an image with its hits, mistakes and missed truths', () => {
  const { truths, detections } = columns(
    2,
    1,
    [
      { image: 0, label: 0, box: [0, 0, 10, 10] },
      { image: 0, label: 0, box: [50, 0, 60, 10] },
    ],
    [
      { image: 0, label: 0, score: 0.9, box: [0, 0, 10, 10] },
      { image: 0, label: 0, score: 0.8, box: [90, 0, 99, 10] },
      { image: 0, label: 0, score: 0.1, box: [70, 0, 79, 10] },
      { image: 1, label: 0, score: 0.8, box: [90, 0, 99, 10] },
    ],
  )
  const drawn = boxesOfImage(truths, detections, mistakes(truths, detections), 0)
  assert.deepEqual(
    drawn.map(({ box, score, note, dashed }) => [box.x1, score, note, dashed]),
    [
      [50, undefined, 'missed', true],
      [0, 0.9, undefined, undefined],
      [90, 0.8, 'background', undefined],
    ],
  )
})
