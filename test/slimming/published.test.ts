/** YOLOv3's own networks on the whole way: slimmed to half the MACs, taught by the unpruned network, and written as files. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import {
  complexity,
  Detector,
  encodeWeights,
  type NetworkSpec,
  readDarknet,
  toDarknet,
  yolov3,
  yolov3Spp,
  yolov3Tiny,
} from '../../lib/detector'
import { tf } from '../../lib/engine'
import { assignTargets } from '../../lib/losses'
import { createSlots, createStep } from '../../lib/train'
import { createDistillation, type Term } from '../../lib/trial'
import { slim } from '../detector/darknet-cases'
import { TRUTHS } from '../detector/general'
import { Lcg } from '../detector/lcg'
import { drawnWeights } from '../detector/support'
import { assertClose } from '../losses/support'

const NARROW = { input: [64, 96] as const, classes: 2, multiplier: 1 / 16 }
const TERMS: readonly Term[] = [
  { method: 'output-kd', weight: 1 },
  { method: 'class-kd', weight: 1 },
  { method: 'masked-class-kd', weight: 1, threshold: 0.05 },
  { method: 'objectness-mse', weight: 1 },
  { method: 'feature-mse', weight: 1 },
]

for (const [name, network, seed] of [
  ['yolov3', yolov3(NARROW), 41],
  ['yolov3-spp', yolov3Spp(NARROW), 42],
  ['yolov3-tiny', yolov3Tiny(NARROW), 43],
] as const) {
  describe(`${name}, slimmed to half its MACs`, () => {
    const random = new Lcg(seed)
    const weights = drawnWeights(network, random)
    const small = slim(network, weights)
    const [height, width] = network.input
    const pixels = random.uniform(2 * height * width * 3, 0, 1)
    const images = () => tf.tensor4d(pixels, [2, height, width, 3])

    test('has at most half of them, and each of the methods brings it nearer to the unpruned network', () => {
      const share = complexity(small.network).macs / complexity(network).macs
      assert.ok(share <= 0.5 && share > 0.45, `${share}`)
      for (const term of TERMS) {
        const losses = distil(network, small.network, term)
        assert.ok(
          losses.every((loss, i) => i === 0 || loss < losses[i - 1]!),
          `${term.method}: ${losses}`,
        )
      }
    })

    /** A method's loss at some steps so short that it falls at each; it outweighs the ground truth's. */
    function distil(from: NetworkSpec, to: NetworkSpec, term: Term): number[] {
      const [teacher, student] = [new Detector(from, weights), new Detector(to, small.weights)]
      const { dispose, ...extra } = createDistillation(student, teacher, [term], 1)
      const slots = createSlots(new Map([...student.trained, ...extra.variables]))
      const sgd = { momentum: 0.9, weightDecay: 0, clip: 5 }
      const step = createStep(student, slots, { loss: {}, sgd, precision: 'float32', eager: true, extra })
      const [batch, targets] = [images(), assignTargets(TRUTHS, student.config)]
      const losses = Array.from({ length: 3 }, () => {
        const measured = step.run({ images: batch, targets, rate: 1e-5, weights: [1e3] })
        assert.ok(Object.values(measured).every(Number.isFinite), JSON.stringify(measured))
        return Object.entries(measured).reduce(
          (sum, [key, value]) => sum + (key.includes('/') ? value : 0),
          0,
        )
      })
      step.dispose()
      dispose()
      tf.dispose([batch, slots.map(({ momentum }) => momentum)])
      for (const detector of [teacher, student]) detector.dispose()
      return losses
    }

    test('gives the same logits from the files that are written of it', () => {
      const folder = mkdtempSync(join(tmpdir(), 'workbook-test-'))
      const [cfg, file] = [join(folder, 'small.cfg'), join(folder, 'small.weights')]
      const files = toDarknet(small.network, small.weights)
      writeFileSync(cfg, files.cfg)
      writeFileSync(file, encodeWeights(files.weights))
      const again = readDarknet(cfg, file)
      rmSync(folder, { recursive: true })
      const [expected, found] = [small, again].map((model) => {
        const detector = new Detector(model.network, model.weights)
        const logits = tf.tidy(() =>
          detector.forward(images(), { training: false }).outputs.flatMap((output) => [...output.dataSync()]),
        )
        detector.dispose()
        return logits
      })
      assertClose(found!, expected!, 'logits', 1e-5)
    })
  })
}
