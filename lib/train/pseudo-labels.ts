/** Pseudo-labels: boxes that a model gives to unlabelled images, renewed at certain steps and kept on disk. */
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { jsonOf, parseDocument, sha256, writeAtomically } from '../base'
import type { Box, Sample } from '../data'
import type { Detector } from '../detector'
import type { PredictOptions } from './predict'

/** Gives boxes to unlabelled images. */
export interface Labeller {
  /** Steps after which labels are renewed; by default they are made once, before the first step. */
  readonly every?: number
  /**
   * @param at the step, and `averaged`, the moving average of the trained weights before it, if there is one
   * @returns the boxes of every image, in pixels of the image, in the order of the images
   */
  label(
    at: Pick<PredictOptions, 'signal' | 'onProgress'> & {
      readonly step: number
      readonly averaged?: Detector
    },
  ): Promise<readonly (readonly Box[])[]>
}

/** A checkpoint's record of the pseudo-labels: the step that names their file, and the file's SHA-256. */
export const labelsStateSchema = z.object({ step: z.number().int().min(0), sha256: z.string() }).strict()
export type LabelsState = z.infer<typeof labelsStateSchema>

const labelsFileSchema = z.array(
  z.array(
    z
      .object({
        x1: z.number(),
        y1: z.number(),
        x2: z.number(),
        y2: z.number(),
        label: z.number().int().min(0),
        weight: z.number().min(0).max(1).optional(),
      })
      .strict(),
  ),
)

const labelsFile = (directory: string, step: number) => join(directory, `labels-${step}.json`)
const LABELS_FILE = /^labels-(\d+)\.json/

/** The pseudo-labels of one training. */
export class PseudoLabels {
  readonly #directory: string
  readonly #samples: readonly Sample[]
  readonly #labeller: Labeller
  #state: LabelsState | undefined

  /** @param before from the checkpoint that the training continues */
  constructor(directory: string, samples: readonly Sample[], labeller: Labeller, before?: LabelsState) {
    this.#directory = directory
    this.#samples = samples
    this.#labeller = labeller
    this.#state = before
  }

  get state(): LabelsState | undefined {
    return this.#state
  }

  /** Whether a step starts with new labels that are not made yet. */
  isDue(step: number): boolean {
    const { every } = this.#labeller
    return (step === 0 || (every !== undefined && step % every === 0)) && this.#state?.step !== step
  }

  /** The step at which labels are next due, after this one. */
  next(step: number): number {
    const { every } = this.#labeller
    return every === undefined ? Number.POSITIVE_INFINITY : (Math.floor(step / every) + 1) * every
  }

  /** Makes the labels of a step and writes their file. */
  async make(at: Parameters<Labeller['label']>[0]): Promise<readonly Sample[]> {
    const boxes = await this.#labeller.label(at)
    const text = `${JSON.stringify(boxes)}\n`
    writeAtomically(labelsFile(this.#directory, at.step), text)
    this.#state = { step: at.step, sha256: sha256(text) }
    return this.#labelled(boxes)
  }

  /**
   * Reads the labels named by the checkpoint.
   * @throws Error when their file is missing or has another hash
   */
  load({ step, sha256: expected }: LabelsState): readonly Sample[] {
    const file = labelsFile(this.#directory, step)
    const text = readFileSync(file, 'utf8')
    const found = sha256(text)
    if (found !== expected) {
      throw new Error(
        `${file}: expected SHA-256 ${expected} as the checkpoint says, found ${found}; remove the folder to train again`,
      )
    }
    return this.#labelled(parseDocument(jsonOf(text, file), labelsFileSchema, file))
  }

  /** Removes the labels of other steps; call it once a checkpoint names the current ones. */
  tidy(): void {
    for (const name of readdirSync(this.#directory)) {
      const step = LABELS_FILE.exec(name)?.[1]
      if (step !== undefined && Number(step) !== this.#state?.step) rmSync(join(this.#directory, name))
    }
  }

  #labelled(boxes: readonly (readonly Box[])[]): readonly Sample[] {
    if (boxes.length !== this.#samples.length) {
      throw new Error(
        `pseudo-labels: expected boxes of ${this.#samples.length} images, found those of ${boxes.length}`,
      )
    }
    return this.#samples.map((sample, i) => ({ ...sample, boxes: boxes[i] }))
  }
}

/** Removes a training's pseudo-labels; call it once the model is written. */
export function removeLabels(directory: string): void {
  for (const name of readdirSync(directory)) if (LABELS_FILE.test(name)) rmSync(join(directory, name))
}
