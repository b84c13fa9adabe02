/** Evaluates a model during training and keeps the best weights on disk. */
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { appendLines } from '../base'
import type { Crop, Sample } from '../data'
import type { Detector } from '../detector'
import type { Precision } from '../engine'
import { evaluateDetections } from '../evaluate'
import { type Checkpoint, loadCheckpoint, saveCheckpoint } from './checkpoint'
import { createPredictor, type PredictOptions, type Predictor } from './predict'
import {
  bestRow,
  type CurveRule,
  type ValidationRow,
  type ValidationRule,
  type ValidationState,
} from './stage'

/** File in a training's folder with one line of JSON per evaluation during training. */
export const VALIDATION_FILE = 'validation.jsonl'

/** File of the best weights, until the training ends. */
const bestFile = (directory: string, step: number) => join(directory, `best-${step}.json`)
const BEST_FILE = /^best-(\d+)\./

export interface ValidationOptions {
  readonly rule: ValidationRule
  readonly samples: readonly Sample[]
  readonly crop?: Crop
  readonly precision: Precision
  readonly eager: boolean
  readonly directory: string
  readonly classes: readonly string[]
  readonly provenance?: Checkpoint['provenance']
}

/** The evaluations of one training. Keeps graphs and frames between them. */
export class Validation {
  readonly #detector: Detector
  readonly #options: ValidationOptions
  readonly #predictor: Predictor
  #rows: readonly ValidationRow[]
  #best: ValidationState['best']

  /**
   * @param detector the one to evaluate, with its weights at each time
   * @param before from the checkpoint that the training continues
   */
  constructor(detector: Detector, options: ValidationOptions, before?: ValidationState) {
    const { samples, crop, precision, eager } = options
    this.#detector = detector
    this.#options = options
    this.#rows = before?.rows ?? []
    this.#best = before?.best
    this.#predictor = createPredictor(detector, samples, { crop, precision, eager, changing: true })
  }

  /** In the order of steps. */
  get rows(): readonly ValidationRow[] {
    return this.#rows
  }

  get state(): ValidationState {
    return { rule: this.#options.rule, rows: [...this.#rows], best: this.#best }
  }

  /** Whether an evaluation is due at a step and has not been done. */
  isDue(step: number, end: number): boolean {
    const isPlanned = step > 0 && (step % this.#options.rule.every === 0 || step === end)
    return isPlanned && this.#rows.at(-1)?.step !== step
  }

  /**
   * Evaluates, writes the line, and keeps the weights if they are the best so far.
   * @throws the signal's reason when it aborts first; nothing is written then
   * @throws Error when no class has objects in the samples, so that mAP is undefined
   */
  async evaluate(step: number, progress: Pick<PredictOptions, 'signal' | 'onProgress'>): Promise<void> {
    const { rule, directory, classes, provenance = {} } = this.#options
    const numbers = await measure(this.#predictor, classes, progress)
    if (!numbers)
      throw new Error(
        'validation while training: expected labelled objects in the validation images, found none',
      )
    const row = { step, ...numbers }
    this.#rows = [...this.#rows, row]
    if (rule.keep === 'best' && bestRow(this.#rows) === row) {
      const detector = this.#detector
      const model = { network: detector.network, weights: detector.weights(), optimizer: new Map() }
      const { sha256 } = saveCheckpoint(bestFile(directory, step), { ...model, classes, step, provenance })
      this.#best = { step, sha256 }
    }
    appendLines(join(directory, VALIDATION_FILE), `${JSON.stringify(row)}\n`)
  }

  /** Removes previous best weights; call it once a checkpoint names the current ones. */
  tidy(): void {
    for (const name of readdirSync(this.#options.directory)) {
      const step = BEST_FILE.exec(name)?.[1]
      if (step !== undefined && Number(step) !== this.#best?.step) rmSync(join(this.#options.directory, name))
    }
  }

  /**
   * Gives a detector the training's final weights: the best ones if they were kept, else its own.
   * @returns the evaluation of these weights
   * @throws Error when the file of the best weights is missing, damaged, or not the one in the checkpoint
   */
  leave(detector: Detector): ValidationRow {
    const best = this.#best
    const kept = best ? this.#rows.find(({ step }) => step === best.step) : this.#rows.at(-1)
    if (!kept) throw new Error('validation while training: expected an evaluation at the end, found none')
    if (!best) return kept
    const file = bestFile(this.#options.directory, best.step)
    const { weights, sha256 } = loadCheckpoint(file)
    if (sha256 !== best.sha256) {
      throw new Error(
        `${file}: expected SHA-256 ${best.sha256} as the checkpoint says, found ${sha256}; remove the folder to train again`,
      )
    }
    detector.restore(weights)
    return kept
  }

  async dispose(): Promise<void> {
    await this.#predictor.dispose()
  }
}

export type CurveOptions = Omit<ValidationOptions, 'rule' | 'provenance'> & { readonly rule: CurveRule }

/** Evaluations that decide nothing, on part of the validation images: a curve over steps, from before the first one on. */
export class Curve {
  readonly #options: CurveOptions
  readonly #samples: readonly Sample[]
  readonly #predictor: Predictor
  #last: ValidationRow | undefined
  #measured: number | undefined

  /** @param detector the one to evaluate, with its weights at each time */
  constructor(detector: Detector, options: CurveOptions) {
    const { rule, samples, crop, precision, eager } = options
    this.#options = options
    this.#samples = samples.filter((_, i) => isChosen(i, rule.images, samples.length))
    this.#predictor = createPredictor(detector, this.#samples, { crop, precision, eager, changing: true })
  }

  get last(): ValidationRow | undefined {
    return this.#last
  }

  /** Whether a point is due at a step and was not measured by this process; one measured twice has the same value. */
  isDue(step: number, end: number): boolean {
    return (step % this.#options.rule.every === 0 || step === end) && this.#measured !== step
  }

  /** Evaluates and writes the line; none without labelled objects. @throws the signal's reason when it aborts first */
  async evaluate(step: number, progress: Pick<PredictOptions, 'signal' | 'onProgress'>): Promise<void> {
    const { directory, classes } = this.#options
    const numbers = await measure(this.#predictor, classes, progress)
    this.#measured = step
    if (!numbers) return
    this.#last = { step, ...numbers, images: this.#samples.length }
    appendLines(join(directory, VALIDATION_FILE), `${JSON.stringify(this.#last)}\n`)
  }

  async dispose(): Promise<void> {
    await this.#predictor.dispose()
  }
}

/** Whether an image is one of so many, spread evenly over all. */
const isChosen = (index: number, images: number, all: number): boolean =>
  Math.floor(((index + 1) * images) / all) > Math.floor((index * images) / all)

/** The numbers; undefined without labelled objects, of which mAP would be a mean. */
async function measure(
  predictor: Predictor,
  classes: readonly string[],
  progress: Pick<PredictOptions, 'signal' | 'onProgress'>,
): Promise<Pick<ValidationRow, 'mAP50' | 'AP'> | undefined> {
  const { truths, detections } = await predictor.run(progress)
  const { voc, coco } = evaluateDetections(truths, detections, { classes })
  return voc.mAP === null ? undefined : { mAP50: voc.mAP, AP: coco.AP }
}

/** Removes the best weights from a training's folder; call it once the model is written. */
export function removeBest(directory: string): void {
  for (const name of readdirSync(directory)) if (BEST_FILE.test(name)) rmSync(join(directory, name))
}
