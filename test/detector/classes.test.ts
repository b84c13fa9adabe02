import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  Detector,
  headsOf,
  initialWeights,
  logitLayers,
  selectClasses,
  withClasses,
  yolov3Tiny,
} from '../../lib/detector'
import { tf } from '../../lib/engine'

const network = yolov3Tiny({ input: [64, 96], classes: 4, multiplier: 1 / 16 })

test('a network for other classes differs in its heads alone, and keeps its anchors', () => {
  const other = withClasses(network, 2)
  assert.equal(headsOf(other).classes, 2)
  assert.deepEqual(headsOf(other).anchors, headsOf(network).anchors)
  const heads = new Set(logitLayers(network))
  network.layers.forEach((layer, i) => {
    if (layer.kind === 'yolo') return
    if (!heads.has(layer.name)) assert.deepEqual(other.layers[i], layer)
    else assert.deepEqual(other.layers[i], { ...layer, out: 3 * (5 + 2) })
  })
  const anchors = [[1, 2] as const, [3, 4] as const, [5, 6] as const]
  assert.deepEqual(headsOf(withClasses(network, 4, [{ anchors, scaleXY: 2 }])).anchors, [
    anchors,
    headsOf(network).anchors[1],
  ])
})

test('selected classes keep every logit that they had, in the order asked for', () => {
  const weights = initialWeights(network, 3)
  const labels = [3, 1]
  const selected = selectClasses(network, weights, labels)
  const [whole, part] = [new Detector(network, weights), new Detector(selected.network, selected.weights)]
  tf.tidy(() => {
    const images = tf.randomUniform<tf.Rank.R4>([1, 64, 96, 3], 0, 1, 'float32', 5)
    const [before, after] = [whole, part].map(
      (detector) => detector.forward(images, { training: false }).outputs,
    )
    before!.forEach((logits, scale) => {
      const cells = logits.shape[1] * logits.shape[2]
      const all = logits.dataSync<'float32'>()
      const kept = after![scale]!.dataSync<'float32'>()
      assert.equal(kept.length, cells * 3 * (5 + 2))
      for (let cell = 0; cell < cells; cell++)
        for (let anchor = 0; anchor < 3; anchor++) {
          const channels = [0, 1, 2, 3, 4, ...labels.map((label) => 5 + label)]
          channels.forEach((channel, i) => {
            const expected = all[(cell * 3 + anchor) * 9 + channel]!
            const found = kept[(cell * 3 + anchor) * 7 + i]!
            assert.ok(
              Math.abs(found - expected) <= 1e-5 * Math.max(1, Math.abs(expected)),
              `${found}, ${expected}`,
            )
          })
        }
    })
  })
  whole.dispose()
  part.dispose()
})

test('logits that do not come from a convolution without groups are refused', () => {
  const layers = network.layers.map((layer) =>
    layer.name === logitLayers(network)[0] && layer.kind === 'convolution' ? { ...layer, groups: 3 } : layer,
  )
  assert.throws(
    () => withClasses({ ...network, layers }, 2),
    /expected its logits from a convolution without groups, found layer 15 "conv15" \(convolution\)/,
  )
})
