/** What a step costs beside its arithmetic: operations, each a kernel on a card, and bytes on their way to it. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { Detector } from '../../lib/detector'
import { pixelTensor, tf } from '../../lib/engine'
import { assignTargets } from '../../lib/losses'
import { prunableGammas } from '../../lib/slimming'
import { createSlots, createStep, loadCheckpoint, type StepOptions } from '../../lib/train'
import { createDistillation } from '../../lib/trial'

const SIZE: [number, number] = [64, 96]
const SHAPE: [number, number, number, number] = [1, ...SIZE, 3]
const PIXELS = 64 * 96 * 3

function shipped(name: string): Detector {
  const { network, weights } = loadCheckpoint(join(__dirname, '../../data/checkpoints', `${name}.json`))
  return new Detector(network, weights)
}

/** The size of a step's graph, and of its targets and numbers in bytes. */
function sizeOf(detector: Detector, more: Partial<StepOptions> = {}, floats = false) {
  const { extra } = more
  const slots = createSlots(new Map([...detector.trained, ...(extra?.variables ?? [])]))
  const step = createStep(detector, slots, {
    ...{ loss: {}, sgd: { momentum: 0.9, weightDecay: 5e-4, clip: 35 } },
    ...{ precision: 'float32', eager: false },
    ...more,
  })
  const images = floats ? tf.zeros<tf.Rank.R4>(SHAPE) : pixelTensor(new Uint8Array(PIXELS), SHAPE)
  const targets = assignTargets([[]], { ...detector.config, input: SIZE })
  step.run({ images, targets, rate: 0.01, decay: 0.9, weights: extra ? [1] : [] })
  const [graph] = step.graphs
  step.dispose()
  tf.dispose([images, slots.map(({ momentum }) => momentum)])
  const slotCount = targets.scales.reduce((sum, { index }) => sum + index.length, 0)
  const numbers = 4 * slotCount + targets.table.byteLength + 4 // and the rate
  return { ...graph!, numbers }
}

test("a training step of the default teacher is below 900 operations, sparsity included, and feeds a byte for each pixel's channel and a number for each slot", () => {
  const teacher = shipped('default-teacher')
  const { operations, fed, numbers } = sizeOf(teacher)
  assert.ok(operations < 900, `${operations} operations`)
  assert.equal(fed, PIXELS + numbers)
  assert.equal(sizeOf(teacher, {}, true).fed, 4 * PIXELS + numbers)
  const gammas = prunableGammas(teacher.network)
  const sparse = sizeOf(teacher, { sparsity: { strength: 1e-3, gammas } })
  // sign(gamma) * s + g, for all scales at once.
  assert.equal(sparse.operations, operations + 3)
  teacher.dispose()
})

test('the moving average adds a few operations, however many weights it has', () => {
  const teacher = shipped('default-teacher')
  const averaged = shipped('default-teacher')
  const [plain, with_] = [sizeOf(teacher), sizeOf(teacher, { averaged })]
  assert.ok(with_.operations - plain.operations < 50, `${with_.operations} and ${plain.operations}`)
  teacher.dispose()
  averaged.dispose()
})

test('a distillation step of the default student is below 1,500 operations, also with a method that has weights of its own', () => {
  const [teacher, student] = [shipped('default-teacher'), shipped('default-pruned')]
  for (const method of ['class-kd', 'feature-mse'] as const) {
    const extra = createDistillation(student, teacher, [{ method, weight: 1 }], 1)
    const { operations } = sizeOf(student, { extra })
    assert.ok(operations < 1500, `${method}: ${operations} operations`)
    extra.dispose()
  }
  teacher.dispose()
  student.dispose()
})
