import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeScale, detect, detectPlain, type HeadConfig, headsOf } from '../../lib/detector'
import { compile, nonMaxSuppression, tf } from '../../lib/engine'
import { assertClose } from '../losses/support'
import { Lcg } from './lcg'
import oracle from './oracle/decode.json'
import { narrowDetector } from './support'

/** As in oracle/decode.py. */
function logits(expected: (typeof oracle)[number], config: HeadConfig): tf.Tensor4D[] {
  const random = new Lcg(expected.seed)
  return [32, 16, 8].map((stride) => {
    const [h, w] = [config.input[0] / stride, config.input[1] / stride]
    const entries = 5 + config.classes
    const values = random.uniform(h * w * 3 * entries, -1, 1).map((value, i) => {
      const entry = i % entries
      const logit = entry < 4 ? value : entry === 4 ? value * 6 - 2 : value * 5 - 1
      if (expected.seed === 5 && stride === 8 && entry === 4) return 0
      return expected.coarse ? Math.round(logit / 4) * 40 : logit
    })
    return tf.tensor4d(values, [1, h, w, 3 * entries])
  })
}

function rows(found: ReturnType<typeof detect>, image: number): number[][] {
  const count = found.counts.dataSync()[image]!
  const boxes = found.boxes.arraySync()[image]!
  const scores = found.scores.arraySync()[image]!
  const labels = found.labels.arraySync()[image]!
  return boxes.slice(0, count).map((box, i) => [labels[i]!, scores[i]!, ...box])
}

for (const expected of oracle) {
  test(`detections of case ${expected.seed} are those of the plain loops`, () => {
    const [height, width] = expected.input
    const { classes, scaleXY } = expected
    const config = headsOf(narrowDetector({ input: [height!, width!], classes, scaleXY }))
    const outputs = logits(expected, config)
    const found = rows(detect(outputs, config), 0)
    assert.equal(found.length, expected.detections.length)
    found.forEach((row, i) => {
      assertClose(row, expected.detections[i]!, `detection ${i}`)
    })
    const maps = outputs.map((output) => {
      const [, height, width] = output.shape
      return { height, width, values: Float32Array.from(output.dataSync()) }
    })
    const plain = detectPlain(maps, config)
    assert.equal(plain.length, expected.detections.length)
    plain.forEach(({ label, score, x1, y1, x2, y2 }, i) => {
      assertClose([label, score, x1, y1, x2, y2], expected.detections[i]!, `detection ${i}, without a device`)
    })
    // The image twice in a batch, recorded into a graph.
    const compiled = compile((...inputs: tf.Tensor4D[]) => ({ ...detect(inputs, config) }))
    const twice = compiled(...outputs.map((output) => tf.concat([output, output]) as tf.Tensor4D))
    for (const image of [0, 1]) {
      const again = rows(twice, image)
      assert.deepEqual(
        again.map(([label]) => label),
        found.map(([label]) => label),
      )
      assertClose(again.flat(), found.flat(), `image ${image} of the batch`)
    }
    compiled.dispose()
  })
}

test('logits of other channels, or of other scales than the anchors, are refused', () => {
  const config = headsOf(narrowDetector({ input: [32, 32], classes: 2 }))
  tf.tidy(() => {
    const of = (channels: number) => [1, 2, 4].map((side): tf.Tensor4D => tf.zeros([1, side, side, channels]))
    assert.throws(
      () => detect(of(24), config),
      /stride 32: expected logits \[n, h, w, 3 \* \(5 \+ 2\)\], found \[1,1,1,24\]/,
    )
    assert.throws(() => detect(of(21).slice(1), config), /logits of 3 scales, found 2/)
  })
  const maps = [1, 2, 4].map((side) => ({
    height: side,
    width: side,
    values: new Float32Array(side * side * 24),
  }))
  assert.throws(
    () => detectPlain(maps, config),
    /stride 32: expected 1 x 1 x 3 x \(5 \+ 2\) logits, found 24/,
  )
  assert.throws(() => detectPlain(maps.slice(1), config), /logits of 3 scales, found 2/)
})

test('a box by hand', () => {
  const config = headsOf(narrowDetector({ classes: 1, scaleXY: 2, input: [32, 64] }))
  // Stride 32, cell (0, 1), anchor 1 (43x32): sigmoid(0) * 2 - 0.5 = 0.5, so the centre is (48, 16).
  const values = new Float32Array(2 * 18)
  values.set([0, 0, Math.log(2), 0, Math.log(3), 0], 18 + 6)
  const { boxes, objectness, probabilities } = decodeScale(tf.tensor4d(values, [1, 1, 2, 18]), 0, config)
  assertClose(boxes.dataSync().slice(16, 20), [48 - 43, 0, 48 + 43, 32], 'box')
  assertClose([objectness.dataSync()[4]!], [0.75], 'objectness')
  assertClose([probabilities.dataSync()[4]!], [0.5], 'probability')
})

test('thresholds: objectness inclusive, class probability strict', () => {
  const config = headsOf(narrowDetector({ classes: 2, input: [32, 32] }))
  const silent = () => tf.fill([1, 1, 1, 21], -50) as tf.Tensor4D
  const values = new Float32Array(21).fill(-50)
  // One slot with objectness 0.5 and class probabilities 0.5 and 1.
  values.set([0, 0, 0, 0, 0, 0, 50], 0)
  const outputs = [tf.tensor4d(values, [1, 1, 1, 21]), silent(), silent()]
  const count = (options: Parameters<typeof detect>[2]) =>
    rows(detect(outputs, config, options), 0).map(([label, score]) => [label, score])
  assert.deepEqual(count({ objectness: 0.5, classProbability: 0.4999 }), [
    [1, 0.5],
    [0, 0.25],
  ])
  assert.deepEqual(count({ objectness: 0.5001 }), [])
  assert.deepEqual(count({ classProbability: 0.5 }), [[1, 0.5]])
  assert.deepEqual(count({ limit: 1 }), [[1, 0.5]])
})

function suppress(boxes: number[][], scores: number[][], limit: number, iou = 0.45) {
  const found = nonMaxSuppression(tf.tensor3d([boxes]), tf.tensor3d([scores]), limit, iou)
  return rows(found, 0)
}

test('NMS: IoU equal to the threshold keeps, above it suppresses', () => {
  // Intersection 9 x 1 of two boxes 14.5 x 1: union 20, IoU 0.45.
  const boxes = [
    [0, 0, 14.5, 1],
    [5.5, 0, 20, 1],
    [5.25, 0, 19.75, 1],
  ]
  assert.deepEqual(
    suppress(boxes, [[0.9], [0.8], [0]], 10).map((row) => row[2]),
    [0, 5.5],
  )
  assert.deepEqual(
    suppress(boxes, [[0.9], [0], [0.8]], 10).map((row) => row[2]),
    [0],
  )
})

test('NMS: equal scores keep the lower slot, then the lower class, also at the limit', () => {
  const count = 200
  const boxes = Array.from({ length: count }, (_, i) => [10 * i, 0, 10 * i + 5, 5])
  const found = suppress(
    boxes,
    Array.from({ length: count }, () => [0.5, 0.5]),
    100,
  )
  const wanted = Array.from({ length: 100 }, (_, i) => [i % 2, 0.5, ...boxes[Math.floor(i / 2)]!])
  assert.deepEqual(found, wanted)
  // A chain of overlapping boxes with one score: only every second one survives, from the first.
  const chain = Array.from({ length: 9 }, (_, i) => [3 * i, 0, 3 * i + 10, 10])
  assert.deepEqual(
    suppress(
      chain,
      chain.map(() => [0.25]),
      100,
    ).map((row) => row[2]),
    [0, 6, 12, 18, 24],
  )
})

test('NMS: boxes without an area neither suppress nor are suppressed', () => {
  const boxes = [
    [5, 5, 5, 5],
    [5, 5, 5, 5],
    [0, 0, 10, 10],
  ]
  assert.equal(suppress(boxes, [[0.9], [0.8], [0.7]], 10).length, 3)
})

test('NMS: fewer boxes than the limit are padded with zeros, and no box at all is fine', () => {
  const found = nonMaxSuppression(tf.ones([2, 3, 4]), tf.zeros([2, 3, 2]), 5, 0.45)
  assert.deepEqual([...found.counts.dataSync()], [0, 0])
  assert.deepEqual([...found.scores.dataSync()], new Array(10).fill(0))
  assert.deepEqual(found.boxes.shape, [2, 5, 4])
})

test('wrong options are refused by name', () => {
  tf.tidy(() => {
    const config = headsOf(narrowDetector())
    const outputs = [2, 4, 8].map((side) => tf.zeros([1, side, side, 24]) as tf.Tensor4D)
    const run = (options: object) => () => detect(outputs, config, options)
    assert.throws(
      run({ perScale: 0 }),
      /detect options: at "perScale": expected a number of at least 1, found 0/,
    )
    assert.throws(run({ limit: 0 }), /detect options: at "limit": expected a number of at least 1, found 0/)
    assert.throws(run({ limit: 2.5 }), /at "limit": expected a whole number, found 2\.5/)
    assert.throws(run({ iou: 1.5 }), /at "iou": expected a number of at most 1, found 1\.5/)
    assert.throws(run({ objectness: Number.NaN }), /at "objectness": expected a number, found NaN/)
    assert.throws(run({ score: 0.3 }), /at "score": unknown key/)
    assert.throws(
      () => decodeScale(outputs[0]!, 3, config),
      /decodeScale: expected a scale in 0\.\.2, found 3/,
    )
  })
})
