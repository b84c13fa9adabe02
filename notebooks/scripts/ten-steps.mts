// Ten training steps by hand: scenes, batches, targets, a step, its loss.
//
//     npx workbook script notebooks/scripts/ten-steps.mts
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLoader, fitAnchors, generateScenes } from 'detector-distillation-workbook/data'
import { Detector, darknet21, scaledWidths } from 'detector-distillation-workbook/detector'
import { pixelTensor } from 'detector-distillation-workbook/engine'
import { assignTargets } from 'detector-distillation-workbook/losses'
import { createSlots, createStep } from 'detector-distillation-workbook/train'

const folder = mkdtempSync(join(tmpdir(), 'ten-steps-'))
const { splits, classes } = await generateScenes(folder, { splits: { train: 16 }, width: 128, height: 48 })
const { train = [] } = splits

// An eighth of the published channels, on images of 96x64 pixels.
const input: [number, number] = [64, 96]
const { anchors } = fitAnchors(train, { input })
const { backbone, neck } = scaledWidths(1 / 8)
const network = darknet21(backbone, { neck, input, classes: classes.length, anchors })
const detector = Detector.create(network, 1)

const loader = createLoader(train, { input, batch: 4, shuffle: true, augment: {}, seed: 1 })
const sgd = { momentum: 0.9, weightDecay: 5e-4, clip: 35 }
const step = createStep(detector, createSlots(detector.trained), {
  ...{ loss: {}, sgd, precision: 'float32', eager: false },
})

for await (const { step: done, images, shape, truths } of loader.batches(0, 10)) {
  const batch = pixelTensor(images, shape)
  const targets = assignTargets(truths, detector.config)
  const measured = step.run({ images: batch, targets, rate: 0.01, weights: [] })
  const parts = ['total', 'box', 'objectness', 'class'].map((name) => `${name} ${measured[name]?.toFixed(3)}`)
  console.log(`step ${done + 1}: ${parts.join(', ')}`)
  batch.dispose()
}
await loader.close()
rmSync(folder, { recursive: true })
