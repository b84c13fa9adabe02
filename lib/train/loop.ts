import { appendFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import pino from 'pino'
import { z } from 'zod'
import { parseDocument } from '../base'
import type { Sample } from '../data'
import { Detector } from '../detector'
import { tf } from '../engine'
import { assignSchema, assignTargets, lossSchema } from '../losses'
import { averageDecay } from './average'
import { saveCheckpoint } from './checkpoint'
import { Feed, type StepBatch } from './feed'
import { createSlots, sgdSchema } from './optimizer'
import type { TrainContext, TrainOptions, TrainProgress, TrainSummary } from './options'
import { restore, trainingState, trainingTensors } from './resume'
import { learningRate, scheduleSchema, warmUpSchema } from './schedule'
import { stageOf, type ValidationState } from './stage'
import { createStep, type Measurements, type StepInputs, type TrainingStep } from './step'
import { Validation } from './validation'

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
 * Trains a detector in place, and leaves it with its last weights, their average, or the best of these (see `TrainOptions`).
 * Batches, augmentation and rates are functions of (seed, step) and of the evaluations on the
 * way alone, so that a run that was interrupted continues from its checkpoint to the same weights, bit for bit.
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
  const { steps, extra } = options
  const { directory, classes, frames, provenance = {}, signal, onProgress } = context
  mkdirSync(directory, { recursive: true })
  const slots = createSlots(new Map([...detector.trained, ...(extra?.variables ?? [])]))
  const path = join(directory, 'checkpoint.json')
  const averaged = options.average && new Detector(detector.config, detector.weights())
  const trained = { detector, slots, extra: extra?.variables, averaged }
  let { step: done, seconds, last, validation: evaluated } = restore(path, trained, options)
  const step = createStep(detector, slots, { ...options, averaged })
  const feed = new Feed(samples, detector.config.input, options, frames)
  const validation = validationOf(averaged ?? detector, options, context, evaluated)
  let stage = stageOf(options, validation?.rows ?? [])
  const logFile = join(directory, 'log.jsonl')
  // Lines are few; appended one by one they survive a kill, and no handle is left open.
  const log = pino({ base: undefined }, { write: (line) => appendFileSync(logFile, line) })

  let saved = done
  const save = (): void => {
    step.sync()
    const weights = detector.weights()
    context.onCheckpoint?.(done, weights)
    const training = trainingState(options, { step: done, seconds, last, validation: validation?.state })
    const optimizer = trainingTensors(trained)
    const model = { detector: detector.config, classes, step: done, weights, provenance }
    saveCheckpoint(path, { ...model, training, optimizer })
    validation?.tidy()
    saved = done
  }
  /** Saves where it is interrupted; whoever goes on evaluates then. */
  const evaluate = async (progress: Omit<TrainProgress, 'evaluating'>): Promise<void> => {
    if (!validation?.isDue(done, stage.end)) return
    const tell = (done: number, total: number) => onProgress?.({ ...progress, evaluating: { done, total } })
    try {
      await validation.evaluate(done, { signal, onProgress: tell })
    } catch (error) {
      if (signal?.aborted) save()
      throw error
    }
    stage = stageOf(options, validation.rows)
  }

  try {
    await evaluate({ step: done, steps, measurements: last, imagesPerSecond: 0 })
    const batches = feed.batches(done, done < stage.end ? steps : done, (at) => isDistilling(extra, at))
    for await (const batch of batches) {
      if (signal?.aborted) {
        save()
        signal.throwIfAborted()
      }
      const start = performance.now()
      const rate = learningRate(options.schedule, options.warmUp, {
        step: done,
        steps,
        stepsPerEpoch: feed.stepsPerEpoch,
        decayFrom: stage.decayFrom,
      })
      const decay = options.average && averageDecay(options.average, done)
      last = runStep(step, batch, { rate, decay, weights: weightsOf(extra, done) }, detector, options)
      for (const [name, value] of Object.entries(last)) {
        if (!Number.isFinite(value))
          throw new Error(`training diverged: ${name} is ${value} at step ${done}; lower the learning rate`)
      }
      done++
      const elapsed = (performance.now() - start) / 1000
      seconds += elapsed
      const imagesPerSecond = batch.truths.length / elapsed
      if (done % options.logEvery === 0 || done === stage.end || validation?.isDue(done, stage.end))
        log.info({ step: done, rate, imagesPerSecond, ...last })
      const progress = { step: done, steps, measurements: last, imagesPerSecond }
      onProgress?.({ ...progress, evaluated: validation?.rows.at(-1) })
      await evaluate(progress)
      const isLast = done >= stage.end
      if (done % options.checkpointEvery === 0 || isLast) save()
      // Lets timers, signals and messages through; the step itself holds the thread.
      await new Promise((resolve) => setImmediate(resolve))
      if (isLast) break
    }
    if (saved !== done) save()
    const { waitedShare } = feed
    step.sync()
    const kept = validation?.leave(averaged ?? detector)
    if (averaged) detector.restore(averaged.weights())
    return {
      steps: done,
      ...countImages(options, done),
      seconds,
      waitedShare,
      last,
      kept,
      plateau: stage.plateau,
    }
  } finally {
    step.dispose()
    for (const { momentum } of slots) momentum.dispose()
    averaged?.dispose()
    await validation?.dispose()
    await feed.close()
  }
}

function validationOf(
  detector: Detector,
  { validation: rule, crop, precision, eager }: TrainOptions,
  { validationSamples: samples, directory, classes, provenance }: TrainContext,
  before: ValidationState | undefined,
): Validation | undefined {
  if (!rule) return undefined
  if (!samples?.length)
    throw new Error('validation while training: expected images in the validation split, found none')
  return new Validation(
    detector,
    { rule, samples, crop, precision, eager, directory, classes, provenance },
    before,
  )
}

/** One step of gradient descent on a batch. */
function runStep(
  step: TrainingStep,
  { images, strong, shape, truths }: StepBatch,
  inputs: Omit<StepInputs, 'images' | 'plain' | 'targets'>,
  detector: Detector,
  { assign }: TrainOptions,
): Measurements {
  const [, height, width] = shape
  const { scales } = assignTargets(truths, { ...detector.config, input: [height, width] }, assign)
  const input = tf.tensor4d(strong ?? images, [...shape])
  const plain = strong && tf.tensor4d(images, [...shape])
  const targets = scales.map(({ data, shape }) => tf.tensor5d(data, [...shape]))
  const measured = step.run({ images: input, plain, targets, ...inputs })
  tf.dispose([input, plain, targets])
  return measured
}

/** The weights of the distillation loss at a step; none where all are 0. */
function weightsOf(extra: TrainOptions['extra'], step: number): readonly number[] {
  const weights = extra?.weightsAt(step) ?? []
  return weights.some((weight) => weight !== 0) ? weights : []
}

const isDistilling = (extra: TrainOptions['extra'], step: number): boolean =>
  weightsOf(extra, step).length > 0

/** Of a whole training, over all runs of its directory. */
function countImages({ batch, extra, unlabelled }: TrainOptions, steps: number) {
  let distilling = 0
  for (let step = 0; step < steps; step++) if (isDistilling(extra, step)) distilling++
  const more = unlabelled?.batch ?? 0
  return { images: steps * batch + distilling * more, distilled: distilling * (batch + more) }
}
