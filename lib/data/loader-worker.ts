import { parentPort, workerData } from 'node:worker_threads'
import { makeBatch } from './batch'
import type { WorkerAnswer, WorkerRequest, WorkerSetup } from './batch-source'

// Body of a data worker: receives steps and returns their batches, one after the other.
const port = parentPort
if (port === null) throw new Error('loader-worker.ts: expected to run as a worker thread of a loader')
const { plan, frames } = workerData as WorkerSetup
let last: Promise<void> = Promise.resolve()

port.on('message', ({ request, step }: WorkerRequest) => {
  last = last.then(async () => {
    try {
      const batch = await makeBatch(plan, frames, step)
      const answer: WorkerAnswer = { request, batch }
      const images = batch.strong ? [batch.images, batch.strong] : [batch.images]
      port.postMessage(
        answer,
        images.map(({ buffer }) => buffer as ArrayBuffer),
      )
    } catch (error) {
      const answer: WorkerAnswer = { request, error }
      port.postMessage(answer)
    }
  })
})
