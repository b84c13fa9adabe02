/** Which range every activation of a detector has on frames: what eight bits are to hold. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Random, readDocument, sha256, writeAtomically } from '../base'
import { type Crop, createLoader, type Dataset, type Sample } from '../data'
import { compile, pixelTensor, type Tensor, tf, unitPixels } from '../engine'
import { activationNames, writeBody } from './body'
import type { Grids, Range } from './grids'
import { type Calibration, calibrationOf, calibrationSchema } from './options'
import type { Plan } from './plan'
import { Observer } from './tensors'

/** Which frames calibrate. */
export interface CalibrationOptions {
  /** Frames of the training split; default 128. */
  readonly frames?: number
  /** Draws them. */
  readonly seed?: number
  readonly crop?: Crop
  /** Folder in which calibrations are kept. */
  readonly cache: string
  readonly signal?: AbortSignal
  /** Called with the frames done and their number. */
  readonly onProgress?: (done: number, total: number) => void
}

/** Every activation of a batch is in memory at once. */
const BATCH = 2

/**
 * Runs the network over frames of the training split, drawn by a seed, and notes every activation's smallest and largest value.
 * What was calibrated before is found again by checkpoint, data, frames and seed.
 */
export async function calibrate(
  plan: Plan,
  checkpoint: string,
  data: Pick<Dataset, 'splits' | 'hash'>,
  options: CalibrationOptions,
): Promise<Calibration> {
  const { frames = 128, seed = 0, cache, crop } = options
  const train = data.splits.train ?? []
  if (train.length === 0) throw new Error('calibration: expected images for training, found none')
  const count = Math.min(frames, train.length)
  const key = sha256(JSON.stringify(['calibration/1', checkpoint, data.hash, count, seed, crop ?? null]))
  const file = join(cache, 'calibrations', `${key.slice(0, 32)}.json`)
  if (existsSync(file)) {
    return calibrationOf(readDocument(file, calibrationSchema, { what: 'a calibration' }))
  }
  const order = new Random('calibration', seed).permutation(train.length)
  const drawn = [...order.subarray(0, count)].map((i) => train[i]!)
  const ranges = await observe(plan, drawn, options)
  const made = {
    format: 'calibration/1' as const,
    ...{ checkpoint, data: data.hash, frames: count, seed, ranges: Object.fromEntries(ranges) },
  }
  writeAtomically(file, `${JSON.stringify(made, null, 2)}\n`)
  return calibrationOf(made)
}

async function observe(
  plan: Plan,
  samples: readonly Sample[],
  { crop, signal, onProgress }: CalibrationOptions,
): Promise<Map<string, Range>> {
  const names = activationNames(plan)
  const everything: Grids = {
    activations: new Map(names.map((name) => [name, { scale: 1, zeroPoint: 0 }])),
    head: true,
  }
  const extremes = compile(
    (images: Tensor) => {
      const observer = new Observer()
      writeBody(observer, plan, unitPixels(images as tf.Tensor4D), everything)
      const found = names.map((name) => observer.seen.get(name)!)
      return { min: tf.stack(found.map(({ min }) => min)), max: tf.stack(found.map(({ max }) => max)) }
    },
    // The graph optimiser cannot fuse a convolution with its LeakyReLU where what stands between them is asked for, and says so.
    { eager: true, name: 'calibration' },
  )
  const loader = createLoader(samples, { input: [...plan.input], batch: BATCH, crop: crop && [...crop] })
  const ranges = new Map<string, Range>()
  try {
    for (let step = 0; step < loader.stepsPerEpoch; step++) {
      signal?.throwIfAborted()
      const { images, shape } = await loader.batchAt(step)
      const input = pixelTensor(images, shape)
      const result = extremes(input)
      const [lowest, highest] = [result.min.dataSync(), result.max.dataSync()]
      tf.dispose([input, result])
      names.forEach((name, i) => {
        const { min, max } = ranges.get(name) ?? { min: 0, max: 0 }
        ranges.set(name, { min: Math.min(min, lowest[i]!), max: Math.max(max, highest[i]!) })
      })
      onProgress?.(Math.min(samples.length, (step + 1) * BATCH), samples.length)
    }
  } finally {
    extremes.dispose()
    await loader.close()
  }
  return ranges
}
