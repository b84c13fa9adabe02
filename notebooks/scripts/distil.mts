// The shipped student as pruning left it, taught by the shipped teacher with two methods at once.
//
//     npx workbook script notebooks/scripts/distil.mts
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLoader, generateScenes } from 'detector-distillation-workbook/data'
import { Detector } from 'detector-distillation-workbook/detector'
import { pixelTensor } from 'detector-distillation-workbook/engine'
import { assignTargets } from 'detector-distillation-workbook/losses'
import { createSlots, createStep, loadCheckpoint } from 'detector-distillation-workbook/train'
import { createDistillation, SHIPPED } from 'detector-distillation-workbook/trial'

function shipped(name: string): Detector {
  const { network, weights } = loadCheckpoint(join(SHIPPED, `default-${name}.json`))
  return new Detector(network, weights)
}
const [teacher, student] = [shipped('teacher'), shipped('pruned')]
const terms = (['class-kd', 'feature-mse'] as const).map((method) => ({ method, weight: 1 }))
const extra = createDistillation(student, teacher, terms, 1)

const folder = mkdtempSync(join(tmpdir(), 'distil-'))
const { splits } = await generateScenes(folder, { splits: { train: 8 } })
const input: [number, number] = [...student.config.input]
const loader = createLoader(splits.train ?? [], { input, batch: 4, shuffle: true, seed: 1 })
const slots = createSlots(new Map([...student.trained, ...extra.variables]))
const sgd = { momentum: 0.9, weightDecay: 5e-4, clip: 35 }
const step = createStep(student, slots, { loss: {}, sgd, extra, precision: 'float32', eager: false })

for await (const { step: done, images, shape, truths } of loader.batches(0, 6)) {
  const batch = pixelTensor(images, shape)
  const targets = assignTargets(truths, student.config)
  const measured = step.run({ images: batch, targets, rate: 0.01, weights: [1, 2] })
  const parts = Object.entries(measured).map(([name, value]) => `${name} ${value.toFixed(2)}`)
  console.log(`step ${done + 1}: ${parts.join(', ')}`)
  batch.dispose()
}
await loader.close()
rmSync(folder, { recursive: true })
