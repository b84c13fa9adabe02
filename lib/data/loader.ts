import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { z } from 'zod'
import { augmentSchema } from './augment'
import { type Batch, type BatchPlan, batchIndices, makeBatch, stepsPerEpoch } from './batch'
import { cachedBytes, type LoadableSample, type SharedFrames, shareFrames } from './frames'
import { strongSchema } from './strong'

const fraction = z.number().min(0).max(1)

/** What a loader gives, and the defaults (those of an evaluation: every sample once, in order, unchanged). */
export const loaderSchema = z
  .object({
    /** [height, width] of the network's input. */
    input: z.tuple([z.number().int().positive(), z.number().int().positive()]),
    batch: z.number().int().positive().default(8),
    seed: z.number().int().default(0),
    /** A new order for every epoch. */
    shuffle: z.boolean().default(false),
    augment: augmentSchema.or(z.literal(false)).default(false),
    /** Augmented views of an image, over which the epochs go round; without it every epoch has its own. */
    views: z.number().int().positive().optional(),
    /** Gives every image a second, stronger look beside its plain one. */
    strong: strongSchema.optional(),
    /** Leaves out the last, smaller batch of an epoch, so that every batch has one shape. */
    dropLast: z.boolean().default(false),
    /** Part of the frame that is used, as fractions [x1, y1, x2, y2]. */
    crop: z.tuple([fraction, fraction, fraction, fraction]).optional(),
    fit: z.enum(['stretch', 'pad']).default('stretch'),
    /** Value of pixels outside the frame, 0 .. 255. */
    fill: z.number().min(0).max(255).default(114),
    /** Threads that prepare batches; 0 = the calling thread. */
    workers: z.number().int().min(0).max(64).default(0),
    /** Batches that workers prepare ahead of the one that is asked for. */
    prefetch: z.number().int().positive().default(4),
    /** Memory for decoded frames, shared by all workers; the first samples are kept there. */
    cacheBytes: z
      .number()
      .int()
      .min(0)
      .default(512 * 2 ** 20),
    /** Folder for decoded frames that the memory does not hold; none by default. */
    diskCache: z.string().optional(),
    /** Disk for the frames of one data set; those past it are decoded every time. */
    diskBytes: z
      .number()
      .int()
      .min(0)
      .default(8 * 2 ** 30),
    /** Heap limit of a worker in MiB; Node's own by default. In less than 4 Node 22 cannot start one, and ends the process. */
    workerHeap: z.number().int().min(4).optional(),
  })
  .strict()

export type LoaderOptions = z.input<typeof loaderSchema> & { readonly signal?: AbortSignal }

export interface LoaderStatistics {
  /** Batches handed out. */
  readonly batches: number
  /** Seconds that callers waited for them. */
  readonly waited: number
  /** `waited` over the time since the first batch was asked for, 0 .. 1. */
  readonly waitedShare: number
  /** Batches prepared or under way that nobody has asked for yet. */
  readonly ahead: number
  /** Decoded frames in memory, bytes. */
  readonly cached: number
}

export interface Loader extends AsyncIterable<Batch> {
  /** Batches in one epoch. */
  readonly stepsPerEpoch: number
  /** The batch of a step, 0, 1, ...: a pure function of (samples, options, step), whoever prepares it. */
  batchAt(step: number): Promise<Batch>
  /** Batches `from` .. `to` - 1 (endless by default), prepared ahead by the workers. */
  batches(from?: number, to?: number): AsyncGenerator<Batch, void, undefined>
  statistics(): LoaderStatistics
  /** Stops the workers; batches under way are rejected. */
  close(): Promise<void>
}

/** What a worker gets at its start. */
export interface WorkerSetup {
  readonly plan: BatchPlan
  readonly frames: SharedFrames
}

/** What a worker is asked for; requests are numbered, since two callers may want the same step. */
export interface WorkerRequest {
  readonly request: number
  readonly step: number
}

/** A worker's answer: the batch of a step, or why there is none. */
export type WorkerAnswer =
  | { readonly request: number; readonly batch: Batch }
  | { readonly request: number; readonly error: unknown }

/**
 * Batches for training and evaluation: decode, crop, augment, resample, scale to 0 .. 1.
 * @throws RangeError when there are no samples, or not enough for one batch under dropLast
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
  const source =
    settings.workers === 0 ? inThisThread(settings, frames) : inWorkers(settings, frames, settings)
  const asked = new Map<number, Promise<Batch>>()
  let [batches, waited] = [0, 0]
  let began: number | undefined
  let stopped: Error | undefined

  const prepare = (step: number): Promise<Batch> => {
    let pending = asked.get(step)
    if (pending === undefined) {
      pending = source.make(step)
      // Whoever takes the batch sees its error; until then it must not count as unhandled.
      pending.catch(() => {})
      asked.set(step, pending)
    }
    return pending
  }

  const take = async (step: number): Promise<Batch> => {
    if (stopped) throw stopped
    if (!Number.isInteger(step) || step < 0)
      throw new RangeError(`batchAt: expected a step of 0, 1, ..., found ${step}`)
    const start = performance.now()
    began ??= start
    const pending = prepare(step)
    asked.delete(step)
    const batch = await pending
    waited += performance.now() - start
    batches++
    return batch
  }

  const stop = async (reason: Error) => {
    if (stopped) return
    stopped = reason
    signal?.removeEventListener('abort', onAbort)
    asked.clear()
    await source.close(reason)
  }
  const onAbort = () => void stop(asError(signal?.reason))
  if (signal?.aborted) onAbort()
  else signal?.addEventListener('abort', onAbort, { once: true })

  async function* iterate(from = 0, to = Number.POSITIVE_INFINITY) {
    const ahead = settings.workers > 0 ? settings.prefetch : 0
    let step = from
    try {
      for (; step < to; step++) {
        for (let next = step; next <= Math.min(step + ahead, to - 1) && !stopped; next++) prepare(next)
        yield await take(step)
      }
    } finally {
      // Who stops early will not come back for what was prepared ahead.
      for (let next = step; next <= step + ahead; next++) asked.delete(next)
    }
  }

  return {
    stepsPerEpoch: steps,
    batchAt: take,
    batches: iterate,
    [Symbol.asyncIterator]: () => iterate(),
    statistics: () => ({
      batches,
      waited: waited / 1000,
      waitedShare: began === undefined ? 0 : Math.min(1, waited / (performance.now() - began)),
      ahead: asked.size,
      cached: cachedBytes(frames),
    }),
    close: () => stop(new Error('the loader is closed; create another one')),
  }
}

interface BatchSource {
  make(step: number): Promise<Batch>
  close(reason: Error): Promise<void>
}

function inThisThread(plan: BatchPlan, frames: SharedFrames): BatchSource {
  let closed: Error | undefined
  return {
    async make(step) {
      const batch = await makeBatch(plan, frames, step)
      if (closed) throw closed
      return batch
    },
    async close(reason) {
      closed = reason
    },
  }
}

interface Waiting {
  readonly step: number
  readonly resolve: (batch: Batch) => void
  readonly reject: (reason: unknown) => void
}

function inWorkers(
  plan: BatchPlan,
  frames: SharedFrames,
  { workers, workerHeap }: { workers: number; workerHeap?: number },
): BatchSource {
  let failure: Error | undefined
  let requests = 0
  const team = Array.from({ length: workers }, (_, number) => {
    const waiting = new Map<number, Waiting>()
    const setup: WorkerSetup = { plan, frames }
    const worker = new Worker(join(__dirname, 'loader-worker.ts'), {
      workerData: setup,
      execArgv: ['--require', require.resolve('tsx/cjs')],
      resourceLimits: workerHeap === undefined ? undefined : { maxOldGenerationSizeMb: workerHeap },
    })
    // An idle worker must not keep the process alive when nobody closed the loader.
    worker.unref()
    worker.on('message', (answer: WorkerAnswer) => {
      const asker = waiting.get(answer.request)
      // An answer may still arrive after close() has rejected its asker.
      if (asker === undefined) return
      waiting.delete(answer.request)
      if (waiting.size === 0) worker.unref()
      if ('batch' in answer) asker.resolve(answer.batch)
      else asker.reject(answer.error)
    })
    const fail = (reason: string, cause?: unknown) => {
      if (failure === undefined) {
        const files = [...waiting.values()].map(({ step }) => {
          const { indices } = batchIndices(plan, frames.samples.length, step)
          return `step ${step} (${indices.map((index) => frames.samples[index]!.file).join(', ')})`
        })
        failure = new Error(
          `data worker ${number} ${reason} with ${files.join('; ') || 'nothing'} in hand; ` +
            'look at these files, or run with workers: 0 to see the error itself',
          { cause },
        )
      }
      for (const { reject } of waiting.values()) reject(failure)
      waiting.clear()
    }
    worker.on('error', (error) => fail(`failed (${error.message})`, error))
    worker.on('exit', (code) => fail(`ended (exit code ${code})`))
    return { worker, waiting }
  })
  return {
    make(step) {
      if (failure) return Promise.reject(failure)
      const chosen = team.reduce((best, next) => (next.waiting.size < best.waiting.size ? next : best))
      return new Promise((resolve, reject) => {
        const message: WorkerRequest = { request: requests++, step }
        chosen.waiting.set(message.request, { step, resolve, reject })
        chosen.worker.ref()
        chosen.worker.postMessage(message)
      })
    },
    async close(reason) {
      failure ??= reason
      for (const { waiting } of team) {
        for (const { reject } of waiting.values()) reject(reason)
        waiting.clear()
      }
      await Promise.all(team.map(({ worker }) => worker.terminate()))
    },
  }
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(`the loader was aborted: ${String(reason)}`)
}
