import { type Batch, createLoader, type Loader, type Sample } from '../data'
import { freeArrays } from '../engine'
import { loaderOptions, type TrainOptions } from './options'

/** The batch of a step: labelled images first, then unlabelled ones. */
export type StepBatch = Pick<Batch, 'images' | 'strong' | 'shape' | 'truths'>

/** The batches of a training, prepared ahead. Images for pseudo-labels appear only after `label` has been called. */
export class Feed {
  readonly #loader: Loader
  #others: Loader | undefined
  /** Makes a loader of other images for the same steps; the same seed makes both draw the same input sizes. */
  readonly #loaderOf: (samples: readonly Sample[], batch: number) => Loader
  readonly #otherBatch: number

  /**
   * @param input [height, width] of the network
   * @param frames folder in which runs on the same images find those that others have decoded
   */
  constructor(samples: readonly Sample[], input: readonly number[], options: TrainOptions, frames?: string) {
    const { batch, workers, unlabelled } = options
    const loading = { ...loaderOptions(input, options), dropLast: true, workers, diskCache: frames }
    this.#loaderOf = (samples, batch) => createLoader(samples, { ...loading, batch })
    this.#loader = this.#loaderOf(samples, batch)
    this.#otherBatch = unlabelled?.batch ?? 0
    if (unlabelled && !unlabelled.labeller)
      this.#others = this.#loaderOf(unlabelled.samples.map(withoutLabels), this.#otherBatch)
  }

  get stepsPerEpoch(): number {
    return this.#loader.stepsPerEpoch
  }

  /** Fraction of the time so far that steps waited for their batches. */
  get waitedShare(): number {
    return this.#loader.statistics().waitedShare + (this.#others?.statistics().waitedShare ?? 0)
  }

  /** Labels the unlabelled images; must not be called while batches are being taken. */
  async label(samples: readonly Sample[]): Promise<void> {
    await this.#others?.close()
    this.#others = this.#loaderOf(samples, this.#otherBatch)
  }

  /**
   * The batches of the steps `from` .. `to` - 1.
   * @param seesOthers whether a step also sees the unlabelled images
   */
  async *batches(
    from: number,
    to: number,
    seesOthers: (step: number) => boolean,
  ): AsyncGenerator<StepBatch, void, undefined> {
    let step = from
    let others: ReturnType<Loader['batches']> | undefined
    for await (const labelled of this.#loader.batches(from, to)) {
      if (seesOthers(step)) others ??= this.#others?.batches(step, to)
      else {
        await others?.return()
        others = undefined
      }
      const more = (await others?.next())?.value
      yield more ? joined(labelled, more) : labelled
      step++
    }
  }

  async close(): Promise<void> {
    await this.#loader.close()
    await this.#others?.close()
  }
}

function withoutLabels(sample: Sample): Sample {
  return { ...sample, boxes: undefined }
}

function joined(first: StepBatch, second: StepBatch): StepBatch {
  const [count, ...size] = first.shape
  return {
    images: concatenated(first.images, second.images),
    ...(first.strong && second.strong && { strong: concatenated(first.strong, second.strong) }),
    shape: [count + second.shape[0], ...size],
    truths: [...first.truths, ...second.truths],
  }
}

/** Both arrays in a new one; their own memory is freed. */
function concatenated(first: Uint8Array, second: Uint8Array): Uint8Array {
  const values = new Uint8Array(first.length + second.length)
  values.set(first)
  values.set(second, first.length)
  freeArrays([first, second])
  return values
}
