import assert from 'node:assert/strict'
import { test } from 'node:test'
import { augmentSchema, PUBLISHED_AUGMENTATION } from '../../lib/data'
import type { Box } from '../../lib/data/types'
import { tf } from '../../lib/engine'
import { assignTargets, SEED_ASSIGN, SEED_LOSS, targetTensors, yoloLoss } from '../../lib/losses'
import { loadProfile } from '../../lib/study'
import oracle from './oracle/yolo.json'
import { assertClose, unpack } from './support'

test('the published profile is the published configuration', () => {
  const { assign, loss, augment } = loadProfile('paper').recipe
  assert.deepEqual(assign, SEED_ASSIGN)
  assert.deepEqual(loss, SEED_LOSS)
  assert.deepEqual(SEED_ASSIGN, {
    ignoreThreshold: 0.7,
    multiAnchor: true,
    multiAnchorThreshold: 0.5,
    crossGrid: true,
  })
  const { box, normalise, smoothing } = SEED_LOSS
  assert.deepEqual([box, normalise, smoothing], ['giou', 'sum', 0.01])
  assert.deepEqual(augment, augmentSchema.parse(PUBLISHED_AUGMENTATION))
  assert.deepEqual(augment.multiScale, { from: [160, 448], to: [288, 768], step: 32 })
})

test('the preset gives the value of the float64 oracle whose switches are the same', () => {
  const isSeed = ({ kind, normalise, smoothing, weights, assign }: (typeof oracle.cases)[number]) => {
    const { multi_anchor, cross_grid } = assign as { multi_anchor?: boolean; cross_grid?: boolean }
    const plain = kind === 'giou' && normalise === 'sum' && smoothing === 0.01 && String(weights) === '1,1,1'
    return plain && multi_anchor === true && cross_grid === true
  }
  const expected = oracle.cases.find(isSeed)!
  const config = {
    input: expected.input as [number, number],
    classes: expected.classes,
    anchors: oracle.anchors as [number, number][][],
    strides: [32, 16, 8],
    scaleXY: [0, 1, 2].map(() => expected.scale_xy),
  }
  const batches = oracle.batches as { [name: string]: (Box[] | null)[] }
  const logits = oracle.logits as { [name: string]: { shape: number[]; data: string }[] }
  tf.tidy(() => {
    const truths = batches[expected.batch]!.map((boxes) => boxes ?? undefined)
    const targets = targetTensors(assignTargets(truths, config, SEED_ASSIGN))
    const outputs = logits[expected.logits]!.map(({ shape, data }) =>
      tf.tensor4d(unpack(data), shape as [number, number, number, number]),
    )
    const { total } = yoloLoss(outputs, targets, config, SEED_LOSS)
    assertClose(total.dataSync(), [expected.total], 'total')
  })
})
