/** Who makes a loader's batches: the calling thread, or a team of workers. */
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { type Batch, type BatchPlan, batchIndices, makeBatch } from './batch'
import type { SharedFrames } from './frames'

/** Initial data of a worker. */
export interface WorkerSetup {
  readonly plan: BatchPlan
  readonly frames: SharedFrames
}

/** Request to a worker; requests are numbered, since two callers may want the same step. */
export interface WorkerRequest {
  readonly request: number
  readonly step: number
}

/** A worker's answer: the batch of a step, or why there is none. */
export type WorkerAnswer =
  | { readonly request: number; readonly batch: Batch }
  | { readonly request: number; readonly error: unknown }

/** Makes the batch of any step, several at once; after `close` none. */
export interface BatchSource {
  make(step: number): Promise<Batch>
  close(reason: Error): Promise<void>
}

export function inThisThread(plan: BatchPlan, frames: SharedFrames): BatchSource {
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

export function inWorkers(
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
    // An idle worker must not keep the process alive if nobody closed the loader.
    worker.unref()
    worker.on('message', (answer: WorkerAnswer) => {
      const asker = waiting.get(answer.request)
      // An answer may still arrive after close() has rejected its request.
      if (asker === undefined) return
      waiting.delete(answer.request)
      if (waiting.size === 0) worker.unref()
      if ('batch' in answer) asker.resolve(answer.batch)
      else asker.reject(answer.error)
    })
    const fail = (reason: string, cause?: unknown) => {
      failure ??= new Error(
        `data worker ${number} ${reason} with ${describeSteps([...waiting.values()], setup) || 'nothing'} in hand; ` +
          'look at these files, or run with workers: 0 to see the error itself',
        { cause },
      )
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

/** Steps with the files of their images. */
function describeSteps(waiting: readonly Waiting[], { plan, frames }: WorkerSetup): string {
  return waiting
    .map(({ step }) => {
      const { indices } = batchIndices(plan, frames.samples.length, step)
      return `step ${step} (${indices.map((index) => frames.samples[index]!.file).join(', ')})`
    })
    .join('; ')
}
