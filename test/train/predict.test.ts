import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { encodePng, type Sample } from '../../lib/data'
import { Detector, initialWeights } from '../../lib/detector'
import { tf } from '../../lib/engine'
import { createPredictor, predict } from '../../lib/train'
import { assertClose } from '../losses/support'
import { temporary, tinyDetector } from './tiny'

const folder = temporary()

/** Noise of a given size. */
async function sample(id: string, width: number, height: number, boxes: Sample['boxes']): Promise<Sample> {
  const file = join(folder, `${id}.png`)
  const pixels = Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * 2654435761) >>> 24)
  writeFileSync(file, await encodePng({ width, height, pixels }))
  return { id, file, width, height, boxes }
}

/**
 * A detector that sees one box in every cell of stride 32, of its first anchor (40x30) around the cell's centre, of class 5,
 * whatever the image: all kernels of the last layers are 0, and the biases determine it.
 */
function blindDetector(): Detector {
  const config = tinyDetector()
  const weights = initialWeights(config, 1)
  for (const scale of [1, 2, 3]) {
    weights.get(`head/${scale}/output/kernel`)!.values.fill(0)
    const bias = weights.get(`head/${scale}/output/bias`)!.values.fill(-20)
    if (scale > 1) continue
    // tx ty tw th objectness class0 .. class7 of anchor 0
    bias.set([0, 0, 0, 0, Math.log(3), -20, -20, -20, -20, -20, Math.log(4)])
  }
  return new Detector(config, weights)
}

test('boxes come back in pixels of the original images, through crop and stretching', async () => {
  const detector = blindDetector()
  const samples = [
    await sample('wide', 400, 200, [
      { x1: 150, y1: 60, x2: 250, y2: 100, label: 2 },
      { x1: 90, y1: 100, x2: 140, y2: 140, label: 1 },
      { x1: 0, y1: 100, x2: 90, y2: 140, label: 0 },
    ]),
    await sample('small', 48, 48, []),
    await sample('input', 96, 64, []),
  ]
  const progress: [number, number][] = []
  const { truths, detections, secondsPerImage } = await predict(detector, samples, {
    batch: 2,
    crop: [0.25, 0.5, 1, 1],
    onProgress: (done, total) => progress.push([done, total]),
  })
  detector.dispose()
  // The crops: columns 100 to 400 and rows 100 to 200; 12 to 48 and 24 to 48; 24 to 96 and 32 to 64.
  const crops = [
    [100, 100, 300, 100],
    [12, 24, 36, 24],
    [24, 32, 72, 32],
  ] as const
  const expected = crops.map(([left, top, width, height]) => {
    const boxes: number[][] = []
    for (const y of [16, 48]) {
      for (const x of [16, 48, 80]) {
        const [sx, sy] = [width / 96, height / 64]
        boxes.push([left + (x - 20) * sx, top + (y - 15) * sy, left + (x + 20) * sx, top + (y + 15) * sy])
      }
    }
    return boxes
  })
  assert.deepEqual(
    [...detections.image],
    Array.from({ length: 18 }, (_, i) => Math.floor(i / 6)),
  )
  assert.ok(detections.label.every((label) => label === 5))
  // sigmoid(log 3) * sigmoid(log 4)
  assertClose(detections.score, new Array(18).fill(0.75 * 0.8), 'scores')
  // A sigmoid's last bit may differ from cell to cell, and with it the order.
  const rows = Array.from({ length: 18 }, (_, i) => [...detections.box.slice(4 * i, 4 * i + 4)])
  for (const [image, boxes] of expected.entries()) {
    const found = rows.slice(6 * image, 6 * image + 6).sort((a, b) => a[1]! - b[1]! || a[0]! - b[0]!)
    assertClose(found.flat(), boxes.flat(), `boxes of image ${image}`)
  }

  // Truths as the network saw them: clipped to the crop, gone where less than 30 % is left.
  assert.equal(truths.images, 3)
  assert.deepEqual([...truths.image], [0])
  assert.deepEqual([...truths.label], [1])
  assertClose(truths.box, [100, 100, 140, 140], 'truths')
  assert.deepEqual(progress, [
    [2, 3],
    [3, 3],
  ])
  assert.ok(secondsPerImage > 0)
})

test('an image without labels is named', async () => {
  const detector = blindDetector()
  const samples = [await sample('unlabelled', 96, 64, undefined)]
  await assert.rejects(predict(detector, samples, { eager: true }), /sample 'unlabelled' is unlabelled/)
  detector.dispose()
})

test('without a crop the whole frame is seen; limits are passed on; an empty result is valid', async () => {
  const detector = blindDetector()
  const samples = [await sample('frame', 192, 128, [{ x1: 1, y1: 2, x2: 3, y2: 4, label: 7 }])]
  const limited = await predict(detector, samples, { eager: true, decode: { limit: 1 } })
  assertClose(limited.detections.box, [-8, 2, 72, 62], 'boxes')
  assertClose(limited.truths.box, [1, 2, 3, 4], 'truths')
  const none = await predict(detector, samples, { eager: true, decode: { objectness: 0.76 } })
  assert.equal(none.detections.image.length, 0)
  assert.equal(none.truths.image.length, 1)
  detector.dispose()
})

test('prediction leaves no tensors behind and stops at a signal', async () => {
  const detector = blindDetector()
  const samples = await Promise.all(['a', 'b', 'c'].map((id) => sample(id, 96, 64, [])))
  const before = tf.memory().numTensors
  await predict(detector, samples, { batch: 1, eager: true })
  const interruption = new AbortController()
  let seen = 0
  const stopped = predict(detector, samples, {
    batch: 1,
    eager: true,
    signal: interruption.signal,
    onProgress: (done) => {
      seen = done
      interruption.abort(new Error('enough'))
    },
  })
  await assert.rejects(stopped, /enough/)
  assert.equal(seen, 1)
  assert.equal(tf.memory().numTensors, before)
  detector.dispose()
})

test('images without labels are looked at too; mirrored, the boxes are those of the mirrored image, mirrored back', async () => {
  const detector = new Detector(tinyDetector(), initialWeights(tinyDetector(), 4))
  const sides = { width: 192, height: 64 }
  const pixels = Uint8Array.from({ length: 192 * 64 * 3 }, (_, i) => ((i * i * 2654435761) >>> 24) & 255)
  const mirrored = Uint8Array.from(pixels, (_, i) => {
    const [pixel, channel] = [Math.floor(i / 3), i % 3]
    const [row, column] = [Math.floor(pixel / 192), pixel % 192]
    return pixels[(row * 192 + 191 - column) * 3 + channel]!
  })
  const samples: Sample[] = []
  for (const [id, values] of Object.entries({ plain: pixels, mirrored })) {
    const file = join(folder, `view-${id}.png`)
    writeFileSync(file, await encodePng({ ...sides, pixels: values }))
    samples.push({ id, file, ...sides, boxes: undefined })
  }
  const decode = { objectness: 0, classProbability: 0, limit: 20 }
  const options = { eager: true, input: [32, 96] as const, decode }
  const found = async (sample: Sample, flip: boolean) => {
    const predictor = createPredictor(detector, [sample], { ...options, flip })
    const [boxes] = await predictor.detect()
    await predictor.dispose()
    return boxes!
  }
  const flipped = await found(samples[0]!, true)
  const expected = await found(samples[1]!, false)
  assert.equal(flipped.length, 20)
  assertClose(
    flipped.flatMap(({ x1, y1, x2, y2, score }) => [x1, y1, x2, y2, score]),
    expected.flatMap(({ x1, y1, x2, y2, score }) => [192 - x2, y1, 192 - x1, y2, score]),
    'boxes',
  )
  detector.dispose()
})
