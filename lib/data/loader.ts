import { z } from 'zod'
import { augmentSchema } from './augment'
import { type Batch, stepsPerEpoch } from './batch'
import { type BatchSource, inThisThread, inWorkers } from './batch-source'
import { cachedBytes, type LoadableSample, shareFrames } from './frames'
import { strongSchema } from './strong'

const fraction = z.number().min(0).max(1)

/** Options of a loader. The defaults suit an evaluation: every sample once, in order, unchanged. */
export const loaderSchema = z
  .object({
    /** [height, width] of the network's input. */
    input: z.tuple([z.number().int().positive(), z.number().int().positive()]),
    batch: z.number().int().positive().default(8),
    seed: z.number().int().default(0),
    /** Draws a new order for every epoch. */
    shuffle: z.boolean().default(false),
    augment: augmentSchema.or(z.literal(false)).default(false),
    /** Number of augmented views of an image that the epochs cycle through; by default every epoch has its own. */
    views: z.number().int().positive().optional(),
    /** Gives every image a second, stronger look beside its plain one. */
    strong: strongSchema.optional(),
    /** Drops the last, smaller batch of an epoch, so that all batches have the same shape. */
    dropLast: z.boolean().default(false),
    /** Part of the frame to use, as fractions [x1, y1, x2, y2]. */
    crop: z.tuple([fraction, fraction, fraction, fraction]).optional(),
    fit: z.enum(['stretch', 'pad']).default('stretch'),
    /** Value of pixels outside the frame, 0 .. 255. */
    fill: z.number().min(0).max(255).default(114),
    /** Threads that prepare batches; 0 = the calling thread. */
    workers: z.number().int().min(0).max(64).default(0),
    /** Batches that workers prepare ahead of the requested one. */
    prefetch: z.number().int().positive().default(4),
    /** Memory for decoded frames, shared by all workers; the first samples are kept there. */
    cacheBytes: z
      .number()
      .int()
      .min(0)
      .default(512 * 2 ** 20),
    /** Folder in which runs on the same images find those that others have decoded; default: none. */
    diskCache: z.string().optional(),
    /** Disk space for the frames of one data set; frames beyond it are decoded every time. */
    diskBytes: z
      .number()
      .int()
      .min(0)
      .default(8 * 2 ** 30),
    /** Heap limit of a worker in MiB; default: Node's own. Below 4, Node 22 cannot start one and ends the process. */
    workerHeap: z.number().int().min(4).optional(),
  })
  .strict()

/** What a loader's batches depend on, and the signal that stops it. */
export type LoaderOptions = z.input<typeof loaderSchema> & { readonly signal?: AbortSignal }

/** How long a training waited for its batches. */
export interface LoaderStatistics {
  /** Batches delivered. */
  readonly batches: number
  /** Seconds that callers waited for them. */
  readonly waited: number
  /** `waited` over the time since the first request, 0 .. 1. */
  readonly waitedShare: number
  /** Batches prepared or in progress that nobody has requested yet. */
  readonly ahead: number
  /** Decoded frames in memory, bytes. */
  readonly cached: number
}

/** Batches of a training, prepared ahead by threads. */
export interface Loader extends AsyncIterable<Batch> {
  /** Batches in one epoch. */
  readonly stepsPerEpoch: number
  /** The batch of a step, 0, 1, ...: a pure function of (samples, options, step), whoever prepares it. */
  batchAt(step: number): Promise<Batch>
  /** Batches `from` .. `to` - 1 (endless by default), prepared ahead by the workers. */
  batches(from?: number, to?: number): AsyncGenerator<Batch, void, undefined>
  /** How long callers have waited so far. */
  statistics(): LoaderStatistics
  /** Stops the workers; rejects batches in progress. */
  close(): Promise<void>
}

/**
 * Batches for training and evaluation, as bytes: decode, crop, augment, resample.
 * @throws RangeError when there are no samples, or too few for one batch with dropLast
 * @throws ZodError when an option is unknown or out of range
 */
export function createLoader(samples: readonly LoadableSample[], options: LoaderOptions): Loader {
  const { signal, ...rest } = options
  const settings = loaderSchema.parse(rest)
  const steps = stepsPerEpoch(settings, samples.length)
  if (steps === 0)
    throw new RangeError(
      `createLoader: expected at least ${settings.dropLast ? settings.batch : 1} samples, found ${samples.length}; ` +
        'add samples, make the batch smaller or switch dropLast off',
    )
  const frames = shareFrames(samples, settings)
  const { workers, prefetch } = settings
  const source = workers === 0 ? inThisThread(settings, frames) : inWorkers(settings, frames, settings)
  const cached = () => cachedBytes(frames)
  return new QueueingLoader(source, { steps, ahead: workers > 0 ? prefetch : 0, cached, signal })
}

interface Queueing {
  /** In an epoch. */
  readonly steps: number
  /** Batches that are asked of the source before a caller wants them. */
  readonly ahead: number
  readonly cached: () => number
  readonly signal: AbortSignal | undefined
}

/** Asks a source for batches ahead of its callers. */
class QueueingLoader implements Loader {
  readonly stepsPerEpoch: number
  private readonly asked = new Map<number, Promise<Batch>>()
  private handedOut = 0
  /** Milliseconds. */
  private waited = 0
  private began: number | undefined
  private stopped: Error | undefined
  private readonly onAbort = () => void this.stop(asError(this.queueing.signal?.reason))

  constructor(
    private readonly source: BatchSource,
    private readonly queueing: Queueing,
  ) {
    const { steps, signal } = queueing
    this.stepsPerEpoch = steps
    if (signal?.aborted) this.onAbort()
    else signal?.addEventListener('abort', this.onAbort, { once: true })
  }

  async batchAt(step: number): Promise<Batch> {
    if (this.stopped) throw this.stopped
    if (!Number.isInteger(step) || step < 0)
      throw new RangeError(`batchAt: expected a step of 0, 1, ..., found ${step}`)
    const start = performance.now()
    this.began ??= start
    const pending = this.prepare(step)
    this.asked.delete(step)
    const batch = await pending
    this.waited += performance.now() - start
    this.handedOut++
    return batch
  }

  async *batches(from = 0, to = Number.POSITIVE_INFINITY): AsyncGenerator<Batch, void, undefined> {
    const { ahead } = this.queueing
    let step = from
    try {
      for (; step < to; step++) {
        const last = Math.min(step + ahead, to - 1)
        for (let next = step; next <= last && !this.stopped; next++) this.prepare(next)
        yield await this.batchAt(step)
      }
    } finally {
      // A caller that stops early will not come back for batches prepared ahead.
      for (let next = step; next <= step + ahead; next++) this.asked.delete(next)
    }
  }

  [Symbol.asyncIterator]() {
    return this.batches()
  }

  statistics(): LoaderStatistics {
    const since = this.began === undefined ? Number.POSITIVE_INFINITY : performance.now() - this.began
    return {
      batches: this.handedOut,
      waited: this.waited / 1000,
      waitedShare: Math.min(1, this.waited / since),
      ahead: this.asked.size,
      cached: this.queueing.cached(),
    }
  }

  close(): Promise<void> {
    return this.stop(new Error('the loader is closed; create another one'))
  }

  private prepare(step: number): Promise<Batch> {
    const known = this.asked.get(step)
    if (known !== undefined) return known
    const pending = this.source.make(step)
    // Whoever takes the batch sees its error; until then it must not count as unhandled.
    pending.catch(() => {})
    this.asked.set(step, pending)
    return pending
  }

  private async stop(reason: Error): Promise<void> {
    if (this.stopped) return
    this.stopped = reason
    this.queueing.signal?.removeEventListener('abort', this.onAbort)
    this.asked.clear()
    await this.source.close(reason)
  }
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(`the loader was aborted: ${String(reason)}`)
}
