/**
 * The whole way of a network of full size, for `npx workbook darknet --train`: files are written and read, an image runs through,
 * a training starts from the weights of the backbone alone, the result is pruned to half its MACs, and written and read again.
 *
 *     node --require ./lib/engine/loader.cjs test/detector/oracle/full-size.ts <yolov3|yolov3-spp|yolov3-tiny>
 */
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  complexity,
  convolutionsOf,
  Detector,
  encodeWeights,
  initialWeights,
  type NetworkSpec,
  networkCfg,
  readDarknet,
  toDarknet,
  type Weights,
  yolov3,
  yolov3Spp,
  yolov3Tiny,
} from '../../../lib/detector'
import { tf } from '../../../lib/engine'
import { assignTargets } from '../../../lib/losses'
import { createSlots, createStep } from '../../../lib/train'
import { readGiven } from '../../../lib/trial'
import { slim } from '../darknet-cases'
import { TRUTHS } from '../general'

/** Convolutions in the files that Darknet's trainings start from: of the layers before number 75, and before number 15. */
const NETWORKS = {
  yolov3: { build: yolov3, backbone: 52, partial: 'darknet53.conv.74' },
  'yolov3-spp': { build: yolov3Spp, backbone: 52, partial: 'darknet53.conv.74' },
  'yolov3-tiny': { build: yolov3Tiny, backbone: 9, partial: 'yolov3-tiny.conv.15' },
} as const
const STEPS = 3
const CLASSES = ['car', 'bus', 'bike'] as const

async function main(): Promise<void> {
  const name = process.argv[2] as keyof typeof NETWORKS
  if (!(name in NETWORKS))
    throw new Error(`expected one of ${Object.keys(NETWORKS).join(', ')}, found ${name}`)
  const { build, backbone, partial } = NETWORKS[name]
  const network = build({ input: [416, 416] })
  const folder = mkdtempSync(join(tmpdir(), 'workbook-full-size-'))
  const path = (file: string) => join(folder, file)
  const timed = async <T>(what: string, run: () => T | Promise<T>): Promise<T> => {
    const start = performance.now()
    const result = await run()
    const peak = (process.resourceUsage().maxRSS / 2 ** 20).toFixed(1)
    console.log(
      `${name}: ${what}: ${((performance.now() - start) / 1000).toFixed(1)} s, peak memory ${peak} GiB`,
    )
    return result
  }
  try {
    const weights = initialWeights(network, 1)
    const whole = toDarknet(network, weights).weights
    const first = { ...whole, convolutions: whole.convolutions.slice(0, backbone) }
    writeFileSync(path('net.cfg'), networkCfg(network))
    writeFileSync(path('net.weights'), encodeWeights(whole))
    writeFileSync(path(partial), encodeWeights(first))
    const layer = convolutionsOf(network)[backbone]!
    console.log(
      `${name}: ${plain(complexity(network).macs)} MACs, ${plain(complexity(network).parameters)} parameters, ` +
        `${plain(statSync(path('net.weights')).size)} bytes of weights; ${partial} ends before layer ${layer.index}`,
    )
    const read = await timed('import', () => readDarknet(path('net.cfg'), path('net.weights')))
    const before = await timed('forward, 416 x 416', () => forward(read.network, read.weights))
    const given = await readGiven([path('net.cfg'), path(partial)], '--teacher', {
      classes: CLASSES,
      seed: 1,
    })
    for (const note of given.notes) console.log(note.replaceAll(`${folder}/`, ''))
    const trained = await timed(`${STEPS} steps from ${partial}, batch 1`, () => train(given))
    const small = await timed('pruning to half the MACs', () => slim(trained.network, trained.weights))
    console.log(`${name}: ${plain(complexity(small.network).macs)} MACs left`)
    await timed('export', () => {
      const files = toDarknet(small.network, small.weights)
      writeFileSync(path('small.cfg'), files.cfg)
      writeFileSync(path('small.weights'), encodeWeights(files.weights))
    })
    const again = readDarknet(path('small.cfg'), path('small.weights'))
    const [own, other] = [forward(small.network, small.weights), forward(again.network, again.weights)]
    const largest = own.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
    const difference = own.reduce((most, value, i) => Math.max(most, Math.abs(value - other[i]!)), 0)
    if (!(difference <= 1e-4 * largest) || before.some((value) => !Number.isFinite(value)))
      throw new Error(
        `${name}: expected the same logits from the written files, found ${difference} of ${largest}`,
      )
    console.log(
      `${name}: read again, largest difference of a logit ${(difference / largest).toExponential(1)} of the largest`,
    )
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const plain = (value: number) => value.toLocaleString('en-US')

const image = () => tf.randomUniform<tf.Rank.R4>([1, 416, 416, 3], 0, 1, 'float32', 3)

function forward(network: NetworkSpec, weights: Weights): number[] {
  const detector = new Detector(network, weights)
  const logits = tf.tidy(() =>
    detector.forward(image(), { training: false }).outputs.flatMap((output) => [...output.dataSync()]),
  )
  detector.dispose()
  return logits
}

function train({ network, weights }: { network: NetworkSpec; weights: Weights }) {
  const detector = new Detector(network, weights)
  const slots = createSlots(detector.trained)
  const sgd = { momentum: 0.9, weightDecay: 5e-4, clip: 35 }
  const step = createStep(detector, slots, { loss: {}, sgd, precision: 'float32', eager: false })
  const [images, targets] = [image(), assignTargets([TRUTHS[0]], detector.config)]
  const losses = Array.from(
    { length: STEPS },
    () => step.run({ images, targets, rate: 1e-3, weights: [] }).total!,
  )
  console.log(`losses ${losses.map((loss) => loss.toFixed(2)).join(', ')}`)
  if (!losses.every(Number.isFinite)) throw new Error(`expected finite losses, found ${losses.join(', ')}`)
  step.sync()
  const trained = { network, weights: detector.weights() }
  step.dispose()
  tf.dispose([images, slots.map(({ momentum }) => momentum)])
  detector.dispose()
  return trained
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
})
