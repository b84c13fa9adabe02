/** Which range every activation of a detector has on frames: what eight bits are to hold. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { Random, readDocument, sha256, writeAtomically } from '../base'
import { type Crop, createLoader, type Dataset, type Sample } from '../data'
import { type Activation, activate } from '../detector'
import {
  biasAdd,
  compile,
  groupedConv2d,
  pixelTensor,
  type Tensor,
  tf,
  unitPixels,
  upsampleNearest,
} from '../engine'
import { type BodyFormat, inFront, type Of, writeBody } from './format'
import { type Grid, type Grids, gridOf, type Range, symmetricGridOf } from './grids'
import type { Convolution, Plan, Pool } from './plan'

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

const range = z.object({ min: z.number(), max: z.number() }).strict()
const calibrationSchema = z
  .object({
    format: z.literal('calibration/1'),
    /** SHA-256 of the checkpoint's numbers, and hash of the data set. */
    checkpoint: z.string(),
    data: z.string(),
    frames: z.number().int().positive(),
    seed: z.number(),
    /** By the names of `activationNames`. */
    ranges: z.record(range),
  })
  .strict()

/** Ranges of every activation, for int8. */
export type Calibration = z.infer<typeof calibrationSchema> & {
  /** SHA-256 of the rest, as JSON. */
  readonly sha256: string
}

/** Every activation of a batch is in memory at once. */
const BATCH = 2

/** Names of the values that a quantised file rounds. */
export function activationNames({ steps }: Plan): string[] {
  return [
    'images',
    ...steps.flatMap((step) => {
      if (step.kind === 'add' || step.kind === 'concat' || step.kind === 'activate') return [step.name]
      if (step.kind !== 'conv') return []
      return step.activation === 'linear' ? [step.name] : [inFront(step.name), step.name]
    }),
  ]
}

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
    const known = readDocument(file, calibrationSchema, { what: 'a calibration' })
    return { ...known, sha256: sha256(JSON.stringify(known)) }
  }
  const order = new Random('calibration', seed).permutation(train.length)
  const drawn = [...order.subarray(0, count)].map((i) => train[i]!)
  const ranges = await observe(plan, drawn, options)
  const made = {
    format: 'calibration/1' as const,
    ...{ checkpoint, data: data.hash, frames: count, seed, ranges: Object.fromEntries(ranges) },
  }
  writeAtomically(file, `${JSON.stringify(made, null, 2)}\n`)
  return { ...made, sha256: sha256(JSON.stringify(made)) }
}

/** The grids of a calibration; `symmetric` around 0 as signed numbers. */
export function gridsOf(
  { ranges }: Calibration,
  { head = false, symmetric = false }: { readonly head?: boolean; readonly symmetric?: boolean } = {},
): Grids {
  const make = symmetric ? symmetricGridOf : gridOf
  return { activations: new Map(Object.entries(ranges).map(([name, found]) => [name, make(found)])), head }
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

/** Computes the network, and keeps the extremes of what would be rounded. */
class Observer implements BodyFormat<tf.Tensor4D> {
  readonly quantisesInFront = true
  readonly seen = new Map<string, { readonly min: Tensor; readonly max: Tensor }>()

  conv(x: tf.Tensor4D, step: Convolution): tf.Tensor4D {
    const { size, stride, groups, in: inputs, out, padding, isSame } = step
    const kernel = tf.tensor4d(step.kernel, [size, size, inputs / groups, out])
    const sum = groupedConv2d(x, kernel, groups, { stride, padding: isSame ? 'same' : padding[0] })
    return biasAdd(sum, tf.tensor1d(step.bias))
  }

  activate(x: tf.Tensor4D, activation: Activation): tf.Tensor4D {
    return activate(x, activation)
  }

  depthToSpace(x: tf.Tensor4D, { block }: Of<'depthToSpace'>): tf.Tensor4D {
    return tf.depthToSpace(x, block, 'NHWC')
  }

  nearest(x: tf.Tensor4D, { factor }: Of<'nearest'>): tf.Tensor4D {
    return upsampleNearest(x, factor)
  }

  residual(a: tf.Tensor4D, b: tf.Tensor4D): tf.Tensor4D {
    return tf.add(a, b)
  }

  concat(values: readonly tf.Tensor4D[]): tf.Tensor4D {
    return tf.concat([...values], 3)
  }

  maxPool(x: tf.Tensor4D, { size, stride, padding: [top, bottom, left, right], isSame }: Pool): tf.Tensor4D {
    if (isSame) return tf.maxPool(x, size, stride, 'same')
    const around: [number, number][] = [
      [0, 0],
      [top, bottom],
      [left, right],
      [0, 0],
    ]
    return tf.maxPool(tf.pad(x, around, Number.NEGATIVE_INFINITY), size, stride, 'valid')
  }

  slice(x: tf.Tensor4D, { begin, shape: [, , channels] }: Of<'slice'>): tf.Tensor4D {
    return tf.slice(x, [0, 0, 0, begin], [-1, -1, -1, channels])
  }

  widen(x: tf.Tensor4D, { by }: Of<'widen'>): tf.Tensor4D {
    const around = [0, 0, 0, by].map((behind): [number, number] => [0, behind])
    return tf.pad(x, around)
  }

  quantise(x: tf.Tensor4D, _: Grid, name: string): tf.Tensor4D {
    this.seen.set(name, { min: tf.min(x), max: tf.max(x) })
    return x
  }
}
