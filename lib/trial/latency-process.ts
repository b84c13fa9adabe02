/** The process that measures latencies (see latency.ts): an order on standard input, the times on standard output. */
import { cpus } from 'node:os'
import { text } from 'node:stream/consumers'
import { latencyFrom, timeInTurns } from '../base'
import { createLoader } from '../data'
import { Detector } from '../detector'
import { deviceInfo } from '../engine'
import { createBatchDetector, loadCheckpoint, type SeenBatch } from '../train'
import type { LatencyOrder, MeasuredLatency } from './latency'

async function measure(order: LatencyOrder): Promise<MeasuredLatency> {
  const { files, samples, crop, precision, frames, warmUp } = order
  const checkpoints = files.map(loadCheckpoint)
  // Networks may see images of other sizes.
  const seen = await Promise.all(
    checkpoints.map(async ({ network: { input } }): Promise<SeenBatch[]> => {
      const loader = createLoader(samples, { input: [...input], batch: 1, crop: crop && [...crop] })
      const batches: SeenBatch[] = []
      for (let step = 0; step < loader.stepsPerEpoch; step++) batches.push(await loader.batchAt(step))
      await loader.close()
      return batches
    }),
  )
  const contenders = checkpoints.map(({ network, weights }, i) => {
    const detector = createBatchDetector(new Detector(network, weights), { precision })
    return (call: number) => void detector.detect(seen[i]![call % seen[i]!.length]!)
  })
  timeInTurns(contenders, { calls: 0, warmUp })
  const before = busy()
  const times = timeInTurns(contenders, { calls: frames, warmUp: 0 })
  const after = busy()
  const { name, cores, tensorflow } = deviceInfo()
  const others = after.machine - before.machine - (after.own - before.own)
  return {
    machine: { name, cores, tensorflow },
    ...{ precision, frames },
    beside: Math.max(0, others / (after.now - before.now)),
    models: checkpoints.map(({ sha256 }, i) => ({ sha256, ...latencyFrom(times[i]!) })),
  }
}

/** Milliseconds in which the machine's cores were busy, those of this process, and the time. */
function busy(): { machine: number; own: number; now: number } {
  const { user, system } = process.cpuUsage()
  const machine = cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0)
  return { machine, own: (user + system) / 1000, now: performance.now() }
}

async function main(): Promise<void> {
  const order = JSON.parse(await text(process.stdin)) as LatencyOrder
  process.stdout.write(JSON.stringify(await measure(order)))
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error)
  process.exit(1)
})
