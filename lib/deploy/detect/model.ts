/** A model to detect with, from a checkpoint or an exported file. */
import { existsSync } from 'node:fs'
import { basename, resolve } from 'node:path'
import { toImage, unitValues } from '../../data'
import type { DecodeOptions } from '../../detector'
import { deviceInfo } from '../../engine'
import type { ScoredBox } from '../../evaluate'
import { detectorOf } from '../../quantise'
import { createBatchDetector, loadCheckpoint, type SeenBatch } from '../../train'
import { detectionsIn } from '../detections'
import { formatOfFile, readMetadata } from '../files'
import { provingRuntime } from '../proof'
import { Session } from '../runtimes/session'

export interface RunningModel {
  readonly name: string
  readonly classes: readonly string[]
  /** [height, width] of what it looks at. */
  readonly input: readonly [number, number]
  /**
   * Detections of every image of a batch by descending score, in pixels of the images, and the seconds of network, decoding
   * and NMS.
   */
  detect(
    batch: SeenBatch,
  ): Promise<{ readonly found: readonly (readonly ScoredBox[])[]; readonly seconds: number }>
  dispose(): Promise<void>
}

export interface ModelOptions {
  /** Replace single thresholds of decoding and NMS. */
  readonly decode?: Partial<DecodeOptions>
}

/**
 * Makes a model ready to run: a checkpoint in this process, an exported file in its own runtime and process.
 * @throws Error naming the file that is missing, damaged or of a type that is not run, or how its runtime is installed
 */
export async function openModel(file: string, options: ModelOptions = {}): Promise<RunningModel> {
  if (!existsSync(file))
    throw new Error(`${file}: expected a checkpoint (.json) or an exported file, found nothing`)
  return formatOfFile(file) === 'checkpoint' ? openCheckpoint(file, options) : openExported(file, options)
}

function openCheckpoint(file: string, { decode }: ModelOptions): RunningModel {
  const checkpoint = loadCheckpoint(file)
  const detector = detectorOf(checkpoint)
  const batches = createBatchDetector(detector, { decode })
  return {
    name: basename(file, '.json'),
    classes: checkpoint.classes,
    input: checkpoint.network.input,
    detect: async (batch) => batches.detect(batch),
    async dispose() {
      batches.dispose()
      detector.dispose()
    },
  }
}

async function openExported(file: string, { decode = {} }: ModelOptions): Promise<RunningModel> {
  const read = readMetadata(file)
  const asked = Object.keys(decode)
  if (read.head !== 'logits' && asked.length > 0 && !(read.head === 'decoded' && asked.every(isLeft)))
    throw new Error(
      `${file}: expected no ${asked.join(', ')}, since the file decodes by itself, found it; export the model with --head logits`,
    )
  const runtime = provingRuntime({ format: formatOfFile(file), ...targetOf(read.target) })
  const metadata = { ...read, decode: { ...read.decode, ...decode } }
  const session = await Session.open(file, runtime, metadata, { threads: deviceInfo().threads })
  return {
    name: basename(resolve(file)),
    classes: metadata.classes,
    input: metadata.input,
    async detect({ images, shape, placements }) {
      const start = performance.now()
      const inInput = detectionsIn(await session.run({ shape, values: unitValues(images) }), metadata)
      const seconds = (performance.now() - start) / 1000
      const found = inInput.map((boxes, i) => boxes.map((box) => toImage(box, placements[i]!)))
      return { found, seconds }
    },
    dispose: () => session.close(),
  }
}

/** Thresholds that a file with decoded boxes leaves to who runs it. */
const isLeft = (name: string) => name === 'iou' || name === 'limit'

const targetOf = (target: string | undefined) =>
  target === 'openvino' ? { target: 'openvino' as const } : {}
