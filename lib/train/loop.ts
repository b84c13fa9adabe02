import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import pino from 'pino'
import { z } from 'zod'
import { appendLines, parseDocument } from '../base'
import type { Sample } from '../data'
import type { Detector } from '../detector'
import { freeArrays, pixelTensor, tf } from '../engine'
import { assignSchema, assignTargets, lossSchema } from '../losses'
import { averageDecay, averageSchema } from './average'
import { saveCheckpoint } from './checkpoint'
import { adviceOn, DivergedError, growthOf, LOOKED_AT, type MeasuredStep } from './divergence'
import { Feed, type StepBatch } from './feed'
import { createSlots, sgdSchema } from './optimizer'
import type { TrainContext, TrainOptions, TrainProgress, TrainSummary } from './options'
import { PseudoLabels } from './pseudo-labels'
import { restore, type Trained, trainingState, trainingTensors } from './resume'
import { learningRate, scheduleSchema, warmUpSchema } from './schedule'
import { curveSchema, type Stage, stageOf, type ValidationState, validationSchema } from './stage'
import { createStep, type Measurements, type StepInputs, type TrainingStep } from './step'
import { Curve, Validation } from './validation'

const count = z.number().int().positive()

/** Options checked before anything is loaded; their users check the rest. */
const optionsSchema = z.object({
  steps: count,
  batch: count,
  seed: z.number().int().safe(),
  views: count.optional(),
  assign: assignSchema,
  loss: lossSchema,
  sgd: sgdSchema,
  schedule: scheduleSchema,
  warmUp: warmUpSchema,
  average: averageSchema.optional(),
  validation: validationSchema.optional(),
  curve: curveSchema.optional(),
  sparsity: z.object({ strength: z.number().positive() }).optional(),
  unlabelled: z.object({ batch: count }).optional(),
  workers: z.number().int().min(0),
  checkpointEvery: count,
  logEvery: count,
})

/**
 * Trains a detector in place and leaves it with its last weights, their average, or the best of these (see `TrainOptions`).
 * Batches, augmentation and rates depend only on (seed, step) and the evaluations along the way, so an interrupted run
 * continues from its checkpoint to the same weights, bit for bit.
 *
 * @throws the signal's reason when it aborts, after writing a checkpoint
 * @throws Error naming the wrong option
 * @throws DivergedError when a loss, a gradient or a weight is not finite; the checkpoint on disk predates that
 * @throws Error when the directory holds another training's checkpoint
 */
export async function train(
  detector: Detector,
  samples: readonly Sample[],
  options: TrainOptions,
  context: TrainContext,
): Promise<TrainSummary> {
  parseDocument(options, optionsSchema, 'train options')
  mkdirSync(context.directory, { recursive: true })
  const training = new Training(detector, samples, options, context)
  try {
    return await training.run()
  } finally {
    await training.close()
  }
}

class Training {
  readonly #trained: Trained
  readonly #options: TrainOptions
  readonly #context: TrainContext
  readonly #step: TrainingStep
  readonly #feed: Feed
  readonly #validation: Validation | undefined
  readonly #curve: Curve | undefined
  readonly #labels: PseudoLabels | undefined
  readonly #checkpoint: string
  readonly #log: pino.Logger
  #done: number
  #seconds: number
  #last: Measurements
  #imagesPerSecond = 0
  /** Of the last step. */
  #rate = 0
  #stage: Stage
  /** The step of the checkpoint on disk. */
  #saved: number
  /** The last steps of this process. */
  readonly #recent: MeasuredStep[] = []

  constructor(detector: Detector, samples: readonly Sample[], options: TrainOptions, context: TrainContext) {
    const { extra, unlabelled } = options
    const { directory, frames } = context
    this.#options = options
    this.#context = context
    this.#trained = {
      detector,
      slots: createSlots(new Map([...detector.trained, ...(extra?.variables ?? [])])),
      extra: extra?.variables,
      averaged: options.average && detector.copy(),
    }
    this.#checkpoint = join(directory, 'checkpoint.json')
    const before = restore(this.#checkpoint, this.#trained, options, context.provenance?.trial)
    this.#done = this.#saved = before.step
    this.#seconds = before.seconds
    this.#last = before.last
    const { slots, averaged } = this.#trained
    this.#step = createStep(detector, slots, { ...options, averaged, weighted: !!unlabelled?.labeller })
    this.#feed = new Feed(samples, detector.config.input, options, frames)
    this.#validation = validationOf(averaged ?? detector, options, context, before.validation)
    this.#curve = curveOf(averaged ?? detector, options, context)
    this.#labels =
      unlabelled?.labeller &&
      new PseudoLabels(directory, unlabelled.samples, unlabelled.labeller, before.labels)
    this.#stage = stageOf(options, this.#validation?.rows ?? [])
    const logFile = join(directory, 'log.jsonl')
    // Lines are few; appended one by one they survive a kill and leave no handle open.
    this.#log = pino({ base: undefined }, { write: (line) => appendLines(logFile, line) })
  }

  async run(): Promise<TrainSummary> {
    const { detector, averaged } = this.#trained
    // One that an interrupt prevented.
    await this.#evaluate()
    const labels = this.#labels?.state
    if (labels && !this.#isOver) await this.#feed.label(this.#labels!.load(labels))
    while (!this.#isOver) await this.#advance()
    if (this.#saved !== this.#done) this.#save()
    this.#step.sync()
    const kept = this.#validation?.leave(averaged ?? detector)
    if (averaged) detector.restore(averaged.weights())
    return {
      steps: this.#done,
      ...countImages(this.#options, this.#done),
      seconds: this.#seconds,
      waitedShare: this.#feed.waitedShare,
      last: this.#last,
      kept,
      plateau: this.#stage.plateau,
    }
  }

  async close(): Promise<void> {
    this.#step.dispose()
    for (const { momentum } of this.#trained.slots) momentum.dispose()
    this.#trained.averaged?.dispose()
    await this.#validation?.dispose()
    await this.#curve?.dispose()
    await this.#feed.close()
  }

  get #isOver(): boolean {
    return this.#done >= this.#stage.end
  }

  /** Runs steps until the training is over or new pseudo-labels are due. */
  async #advance(): Promise<void> {
    const { steps, extra, checkpointEvery } = this.#options
    await this.#label()
    const until = Math.min(steps, this.#labels?.next(this.#done) ?? steps)
    const seesOthers = (step: number) => this.#labels !== undefined || isDistilling(extra, step)
    for await (const batch of this.#feed.batches(this.#done, until, seesOthers)) {
      if (this.#context.signal?.aborted) {
        this.#save()
        this.#context.signal.throwIfAborted()
      }
      this.#take(batch)
      this.#tell({ evaluated: this.#validation?.rows.at(-1) ?? this.#curve?.last })
      await this.#evaluate()
      if (this.#done % checkpointEvery === 0 || this.#isOver) this.#save()
      // Lets timers, signals and messages through; a step blocks the thread.
      await new Promise((resolve) => setImmediate(resolve))
      if (this.#isOver) return
    }
  }

  /** One step on a batch. */
  #take(batch: StepBatch): void {
    const { steps, schedule, warmUp, average, extra, logEvery } = this.#options
    const start = performance.now()
    const step = this.#done
    const rate = learningRate(schedule, warmUp, {
      step,
      steps,
      stepsPerEpoch: this.#feed.stepsPerEpoch,
      decayFrom: this.#stage.decayFrom,
    })
    const decay = average && averageDecay(average, step)
    const inputs = { rate, decay, weights: weightsOf(extra, step) }
    this.#last = runStep(this.#step, batch, inputs, this.#trained.detector, this.#options)
    this.#done++
    const broken = Object.entries(this.#last).find(([, value]) => !Number.isFinite(value))
    if (broken) throw this.#diverged(`${broken[0]} is ${broken[1]}`, rate)
    this.#recent.push({ step: this.#done, measurements: this.#last })
    if (this.#recent.length > LOOKED_AT) this.#recent.shift()
    this.#rate = rate
    const elapsed = (performance.now() - start) / 1000
    this.#seconds += elapsed
    this.#imagesPerSecond = batch.truths.length / elapsed
    if (this.#done % logEvery === 0 || this.#isOver || this.#isEvaluationDue)
      this.#log.info({ step: this.#done, rate, imagesPerSecond: this.#imagesPerSecond, ...this.#last })
  }

  /** What has become not finite, in or after the last step, as an error. */
  #diverged(what: string, rate: number, isUpdate = false): DivergedError {
    const { sgd, precision } = this.#options
    const failed = { step: this.#done, measurements: this.#last }
    const grown = growthOf(this.#recent, failed)
    const advice = adviceOn(grown, failed, { rate, clip: sgd.clip, precision, isUpdate })
    const checkpoint = this.#saved > 0 ? this.#saved : undefined
    return new DivergedError({ step: this.#done, what, values: this.#last, grown, checkpoint, advice })
  }

  #tell(more: Pick<TrainProgress, 'evaluated' | 'evaluating' | 'labelling'>): void {
    const progress = { step: this.#done, steps: this.#options.steps, imagesPerSecond: this.#imagesPerSecond }
    this.#context.onProgress?.({ ...progress, measurements: this.#last, ...more })
  }

  get #isEvaluationDue(): boolean {
    return this.#validation?.isDue(this.#done, this.#stage.end) ?? false
  }

  async #evaluate(): Promise<void> {
    const [validation, curve] = [this.#validation, this.#curve]
    const onProgress = (done: number, total: number) => this.#tell({ evaluating: { done, total } })
    const { signal } = this.#context
    if (curve?.isDue(this.#done, this.#stage.end))
      await this.#savedWhereStopped(() => curve.evaluate(this.#done, { signal, onProgress }))
    if (!validation || !this.#isEvaluationDue) return
    await this.#savedWhereStopped(() => validation.evaluate(this.#done, { signal, onProgress }))
    this.#stage = stageOf(this.#options, validation.rows)
  }

  async #label(): Promise<void> {
    const labels = this.#labels
    if (!labels?.isDue(this.#done)) return
    const onProgress = (done: number, total: number) => this.#tell({ labelling: { done, total } })
    const { averaged } = this.#trained
    const at = { step: this.#done, averaged, signal: this.#context.signal, onProgress }
    await this.#feed.label(await this.#savedWhereStopped(() => labels.make(at)))
  }

  /** Work between two steps; a signal that stops it leaves a checkpoint, from which the work is repeated. */
  async #savedWhereStopped<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      if (this.#context.signal?.aborted) this.#save()
      throw error
    }
  }

  #save(): void {
    const { classes, provenance = {} } = this.#context
    const { detector } = this.#trained
    this.#step.sync()
    const weights = detector.weights()
    // The update of a step whose losses were finite may have been too large.
    const broken = [...weights].find(([, { values }]) => !values.every(Number.isFinite))
    if (broken) throw this.#diverged(`weight ${broken[0]} is not finite`, this.#rate, true)
    this.#context.onCheckpoint?.(this.#done, weights)
    const training = trainingState(this.#options, {
      step: this.#done,
      seconds: this.#seconds,
      last: this.#last,
      validation: this.#validation?.state,
      labels: this.#labels?.state,
    })
    const optimizer = trainingTensors(this.#trained)
    const model = { network: detector.network, classes, step: this.#done, weights, provenance }
    saveCheckpoint(this.#checkpoint, { ...model, training, optimizer })
    this.#validation?.tidy()
    this.#labels?.tidy()
    this.#saved = this.#done
  }
}

function curveOf(
  detector: Detector,
  { validation, curve: rule, crop, precision, eager }: TrainOptions,
  { validationSamples: samples, directory, classes }: TrainContext,
): Curve | undefined {
  if (validation || !rule || !samples?.length) return undefined
  return new Curve(detector, { rule, samples, crop, precision, eager, directory, classes })
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

/** One step of gradient descent on a batch, whose images are freed then. */
function runStep(
  step: TrainingStep,
  { images, strong, shape, truths }: StepBatch,
  inputs: Omit<StepInputs, 'images' | 'plain' | 'targets'>,
  detector: Detector,
  { assign }: TrainOptions,
): Measurements {
  const [, height, width] = shape
  const targets = assignTargets(truths, { ...detector.config, input: [height, width] }, assign)
  const input = pixelTensor(strong ?? images, shape)
  const plain = strong && pixelTensor(images, shape)
  const measured = step.run({ images: input, plain, targets, ...inputs })
  tf.dispose([input, plain])
  freeArrays(strong ? [images, strong] : [images])
  return measured
}

/** The weights of the distillation loss at a step; none where all are 0. */
function weightsOf(extra: TrainOptions['extra'], step: number): readonly number[] {
  const weights = extra?.weightsAt(step) ?? []
  return weights.some((weight) => weight !== 0) ? weights : []
}

const isDistilling = (extra: TrainOptions['extra'], step: number): boolean =>
  weightsOf(extra, step).length > 0

/** Images of a whole training, over all runs of its directory. */
function countImages({ batch, extra, unlabelled }: TrainOptions, steps: number) {
  let distilling = 0
  for (let step = 0; step < steps; step++) if (isDistilling(extra, step)) distilling++
  const more = unlabelled?.batch ?? 0
  const seeing = unlabelled?.labeller ? steps : distilling
  return { images: steps * batch + seeing * more, distilled: distilling * (batch + more) }
}
