import { appendFileSync, existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import pino from 'pino'
import { z } from 'zod'
import { parseDocument } from '../base'
import { type AugmentOptions, type Crop, createLoader, type Sample } from '../data'
import type { Detector, Weights } from '../detector'
import { type Precision, tf } from '../engine'
import { type AssignOptions, assignSchema, assignTargets, lossSchema, type YoloLossOptions } from '../losses'
import { loadCheckpoint, saveCheckpoint, type TrainingState } from './checkpoint'
import { createSlots, type SgdOptions, sgdSchema } from './optimizer'
import type { NamedTensor } from './safetensors'
import { learningRate, type RateSchedule, scheduleSchema, type WarmUp, warmUpSchema } from './schedule'
import { createStep, type ExtraLoss, type Measurements } from './step'

export interface TrainOptions {
  readonly steps: number
  readonly batch: number
  readonly seed: number
  readonly augment: AugmentOptions | false
  /** Augmented views of an image, over which the epochs go round; without it every epoch has its own. */
  readonly views?: number
  readonly crop?: Crop
  readonly assign: AssignOptions
  readonly loss: YoloLossOptions
  readonly sgd: SgdOptions
  readonly schedule: RateSchedule
  readonly warmUp: WarmUp
  readonly sparsity?: { readonly strength: number; readonly gammas: ReadonlySet<string> }
  /**
   * A distillation loss with the weights of its methods as functions of the step. A step at which all are 0 is a training
   * step without it.
   */
  readonly extra?: ExtraLoss & { readonly weightsAt: (step: number) => readonly number[] }
  /** Images without labels that steps see beside their batch, through `extra` alone; steps without it do not see them. */
  readonly unlabelled?: { readonly samples: readonly Sample[]; readonly batch: number }
  readonly precision: Precision
  readonly eager: boolean
  /** Threads that prepare batches. */
  readonly workers: number
  readonly checkpointEvery: number
  readonly logEvery: number
}

export interface TrainProgress {
  readonly step: number
  readonly steps: number
  readonly measurements: Measurements
  readonly imagesPerSecond: number
}

export interface TrainContext {
  /** Where checkpoint and log go; a checkpoint found here is continued. */
  readonly directory: string
  readonly classes: readonly string[]
  /** Folder for decoded frames that do not fit into memory; none by default. */
  readonly frames?: string
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: TrainProgress) => void
  /** Kept in every checkpoint: where the training comes from. */
  readonly provenance?: { readonly [key: string]: unknown }
  /** Called with the weights just before a checkpoint is written. */
  readonly onCheckpoint?: (step: number, weights: Weights) => void
}

export interface TrainSummary {
  readonly steps: number
  readonly images: number
  /** Of `images`, those that a distillation loss saw. */
  readonly distilled: number
  /** Seconds spent in steps, over all runs of this directory. */
  readonly seconds: number
  /** Share of the time in which a step waited for its batch, in this process. */
  readonly waitedShare: number
  readonly last: Measurements
}

const count = z.number().int().positive()

/** What is held against before anything is loaded; the rest is checked by those who take it. */
const optionsSchema = z.object({
  steps: count,
  batch: count,
  seed: z.number().int(),
  views: count.optional(),
  assign: assignSchema,
  loss: lossSchema,
  sgd: sgdSchema,
  schedule: scheduleSchema,
  warmUp: warmUpSchema,
  sparsity: z.object({ strength: z.number().positive() }).optional(),
  unlabelled: z.object({ batch: count }).optional(),
  workers: z.number().int().min(0),
  checkpointEvery: count,
  logEvery: count,
})

/**
 * Trains a detector in place. Batches, augmentation and rates are functions of (seed, step) alone, so that a run
 * that was interrupted continues from its checkpoint to the same weights, bit for bit.
 *
 * @throws the signal's reason when it aborts, after writing a checkpoint
 * @throws Error naming the option that is wrong
 * @throws Error when a loss is not finite, naming the step, or when the directory holds another training's checkpoint
 */
export async function train(
  detector: Detector,
  samples: readonly Sample[],
  options: TrainOptions,
  context: TrainContext,
): Promise<TrainSummary> {
  parseDocument(options, optionsSchema, 'train options')
  const { steps, batch, seed, extra, unlabelled } = options
  const { directory, classes, signal, onProgress } = context
  mkdirSync(directory, { recursive: true })
  const slots = createSlots(new Map([...detector.trained, ...(extra?.variables ?? [])]))
  const path = join(directory, 'checkpoint.json')
  const before = restore(path, detector, slots, options)
  const step = createStep(detector, slots, options)
  const loading = {
    input: [...detector.config.input] as [number, number],
    augment: options.augment,
    views: options.views,
    crop: options.crop && ([...options.crop] as [number, number, number, number]),
    shuffle: true,
    dropLast: true,
    workers: options.workers,
    diskCache: context.frames,
  }
  const loader = createLoader(samples, { ...loading, batch, seed })
  // The same seed, so that both draw the same size of input at every step.
  const others =
    unlabelled &&
    createLoader(unlabelled.samples.map(withoutLabels), { ...loading, batch: unlabelled.batch, seed })
  let otherBatches: ReturnType<typeof loader.batches> | undefined
  const logFile = join(directory, 'log.jsonl')
  // Lines are few; appended one by one they survive a kill, and no handle is left open.
  const log = pino({ base: undefined }, { write: (line) => appendFileSync(logFile, line) })

  const save = (done: number, seconds: number): void => {
    step.sync()
    const optimizer = new Map<string, NamedTensor>()
    for (const { name, momentum } of slots) optimizer.set(`momentum/${name}`, tensorOf(momentum))
    for (const [name, variable] of extra?.variables ?? []) optimizer.set(`extra/${name}`, tensorOf(variable))
    const weights = detector.weights()
    context.onCheckpoint?.(done, weights)
    const training = { ...settingsOf(options), random: { seed, step: done }, seconds, last }
    const { provenance = {} } = context
    const model = { detector: detector.config, classes, step: done, weights, provenance }
    saveCheckpoint(path, { ...model, training, optimizer })
  }

  let done = before.step
  let seconds = before.seconds
  let last = before.last
  let saved = done
  try {
    for await (const labelled of loader.batches(done, steps)) {
      if (signal?.aborted) {
        save(done, seconds)
        signal.throwIfAborted()
      }
      const weights = weightsOf(extra, done)
      if (weights.length > 0) otherBatches ??= others?.batches(done, steps)
      else {
        await otherBatches?.return()
        otherBatches = undefined
      }
      const more = (await otherBatches?.next())?.value
      const start = performance.now()
      const truths = [...labelled.truths, ...(more?.truths ?? [])]
      const images = more ? join4d(labelled.images, more.images) : labelled.images
      const [, height, width] = labelled.shape
      const { scales } = assignTargets(truths, { ...detector.config, input: [height, width] }, options.assign)
      const input = tf.tensor4d(images, [truths.length, height, width, 3])
      const targets = scales.map(({ data, shape }) => tf.tensor5d(data, [...shape]))
      const rate = learningRate(options.schedule, options.warmUp, {
        step: done,
        steps,
        stepsPerEpoch: loader.stepsPerEpoch,
      })
      last = step.run({ images: input, targets, rate, weights })
      tf.dispose([input, targets])
      for (const [name, value] of Object.entries(last)) {
        if (!Number.isFinite(value))
          throw new Error(`training diverged: ${name} is ${value} at step ${done}; lower the learning rate`)
      }
      done++
      const elapsed = (performance.now() - start) / 1000
      seconds += elapsed
      const imagesPerSecond = truths.length / elapsed
      if (done % options.logEvery === 0 || done === steps)
        log.info({ step: done, rate, imagesPerSecond, ...last })
      onProgress?.({ step: done, steps, measurements: last, imagesPerSecond })
      if (done % options.checkpointEvery === 0 || done === steps) {
        save(done, seconds)
        saved = done
      }
      // Lets timers, signals and messages through; the step itself holds the thread.
      await new Promise((resolve) => setImmediate(resolve))
    }
    if (saved !== done) save(done, seconds)
    const waitedShare = loader.statistics().waitedShare + (others?.statistics().waitedShare ?? 0)
    return { steps, ...countImages(options), seconds, waitedShare, last }
  } finally {
    step.dispose()
    for (const { momentum } of slots) momentum.dispose()
    await loader.close()
    await others?.close()
  }
}

/** The weights of the distillation loss at a step; none where all are 0. */
function weightsOf(extra: TrainOptions['extra'], step: number): readonly number[] {
  const weights = extra?.weightsAt(step) ?? []
  return weights.some((weight) => weight !== 0) ? weights : []
}

/** Of a whole training, over all runs of its directory. */
function countImages({ steps, batch, extra, unlabelled }: TrainOptions) {
  let distilling = 0
  for (let step = 0; step < steps; step++) if (weightsOf(extra, step).length > 0) distilling++
  const more = unlabelled?.batch ?? 0
  return { images: steps * batch + distilling * more, distilled: distilling * (batch + more) }
}

/** The settings that a run must share with the one that it continues. */
function settingsOf({ steps, batch, schedule, warmUp, sgd }: TrainOptions) {
  return { steps, batch, schedule, warmUp, sgd }
}

function restore(
  path: string,
  detector: Detector,
  slots: ReturnType<typeof createSlots>,
  options: TrainOptions,
): { step: number; seconds: number; last: Measurements } {
  if (!existsSync(path)) return { step: 0, seconds: 0, last: {} }
  const checkpoint = loadCheckpoint(path)
  const { training, step } = checkpoint
  const wanted = { ...settingsOf(options), random: { seed: options.seed, step } }
  for (const key of ['random', 'steps', 'batch', 'schedule', 'warmUp', 'sgd'] as const) {
    checkSetting(path, key, wanted[key], training?.[key])
  }
  detector.restore(checkpoint.weights)
  const assign = (variable: tf.Variable, name: string) => {
    const found = checkpoint.optimizer.get(name)
    if (!found || found.shape.join() !== variable.shape.join()) {
      throw new Error(
        `${path}: tensor ${name}: expected shape [${variable.shape}], found [${found?.shape ?? 'none'}]`,
      )
    }
    tf.tidy(() => variable.assign(tf.tensor(found.values, [...found.shape])))
  }
  for (const { name, momentum } of slots) assign(momentum, `momentum/${name}`)
  for (const [name, variable] of options.extra?.variables ?? []) assign(variable, `extra/${name}`)
  return { step, seconds: training?.seconds ?? 0, last: training?.last ?? {} }
}

function checkSetting(path: string, key: keyof TrainingState, expected: unknown, found: unknown): void {
  if (isDeepStrictEqual(expected, found)) return
  throw new Error(
    `${path}: training.${key}: expected ${JSON.stringify(expected)} as in this training, found ` +
      `${JSON.stringify(found) ?? 'none'}; remove the checkpoint or train in another folder`,
  )
}

function tensorOf(variable: tf.Variable): NamedTensor {
  return { shape: [...variable.shape], values: Float32Array.from(variable.dataSync()) }
}

function withoutLabels(sample: Sample): Sample {
  return { ...sample, boxes: undefined }
}

function join4d(first: Float32Array, second: Float32Array): Float32Array {
  const joined = new Float32Array(first.length + second.length)
  joined.set(first)
  joined.set(second, first.length)
  return joined
}
