/** Memory of training steps, a fresh process for each. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { type Context, contestants, PUBLISHED_BATCH, PUBLISHED_INPUT } from './parts'
import type { ProblemSpec, Work } from './protocol'
import { type Side, Worker, withSides } from './workers'

type Precision = Work['precision']

const PUBLISHED_TEACHER = 'the published teacher, 512x192'

export interface MemoryRow {
  readonly name: string
  readonly side: Side
  readonly precision: Precision
  /** The process's resident memory in MiB: before the first step, the high-water mark, and after the last step. */
  readonly before: number
  readonly peak: number
  readonly present: number
  /** The largest private memory seen, MiB. */
  readonly private: number
}

export interface MemoryResult {
  readonly threads: number
  readonly batch: number
  readonly network: string
  readonly rows: readonly MemoryRow[]
}

/** Memory of training steps, a fresh process for each row: the default profile's teacher and the published one. */
export async function compareMemory(
  { threads, batch }: { threads: number; batch: number },
  context: Context,
): Promise<MemoryResult[]> {
  const published: ProblemSpec = { batch: PUBLISHED_BATCH, input: [...PUBLISHED_INPUT], width: 1 }
  const results: MemoryResult[] = []
  for (const [network, spec] of Object.entries({
    'the default teacher': { batch },
    [PUBLISHED_TEACHER]: published,
  }))
    results.push(await memoryOf(network, spec, { ...context, threads }))
  return results
}

async function memoryOf(
  network: string,
  spec: ProblemSpec,
  context: Context & { threads: number },
): Promise<MemoryResult> {
  const { scratch, threads, onProgress } = context
  const rows: MemoryRow[] = []
  const file = join(scratch, 'memory.safetensors')
  await withSides(context, (sides) => sides.workbook.ask({ op: 'problem', spec, file }))
  for (const { name, side, work } of contestants(
    { network: 'teacher', kind: 'training' },
    context.precisions,
  )) {
    onProgress(`${network}: ${name}`)
    const measured = await measure(side, { file, ...work }, context)
    rows.push({ name: name.replace(/, .*/, ''), side, precision: work.precision, ...measured })
  }
  return { threads, batch: spec.batch, network, rows }
}

const STEPS = 5

/** A process's memory over some steps, beside a waiting one that has done the same, so that libraries count as shared. */
async function measure(
  side: Side,
  work: Work & { readonly file: string },
  context: Context & { threads: number },
): Promise<Pick<MemoryRow, 'before' | 'peak' | 'present' | 'private'>> {
  const key = 'memory'
  const run = async (worker: Worker) => {
    await worker.ask({ op: 'prepare', key, ...work })
    await worker.ask({ op: 'run', key, iterations: STEPS })
  }
  const [other, worker] = [new Worker(side, context), new Worker(side, context)]
  try {
    await run(other)
    await worker.ask({ op: 'hello' })
    const before = await worker.ask({ op: 'memory' })
    const most = await mostPrivate(worker.pid, run(worker))
    const after = await worker.ask({ op: 'memory' })
    return { before: before.presentMiB, peak: after.peakMiB, present: after.presentMiB, private: most }
  } finally {
    await Promise.all([other.close(), worker.close()])
  }
}

/** Milliseconds between two samples of a process. */
const LOOK_MS = 20

/** The largest private memory of a process, in MiB, among all samples during some work. */
async function mostPrivate(pid: number, work: Promise<void>): Promise<number> {
  let isDone = false
  let most = 0
  const look = async () => {
    while (!isDone) {
      most = Math.max(most, privateMiB(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')))
      await setTimeout(LOOK_MS)
    }
  }
  const done = work.finally(() => {
    isDone = true
  })
  // If the process has ended, that is why it could not be sampled.
  const failed = (await Promise.allSettled([done, look()])).find(({ status }) => status === 'rejected')
  if (failed?.status === 'rejected') throw failed.reason
  return most
}

/**
 * The unique set size: pages mapped only by this process, changed or not.
 *
 * @param rollup as in proc(5), /proc/<pid>/smaps_rollup
 */
export function privateMiB(rollup: string): number {
  const kilobytes = (name: string) => {
    const found = new RegExp(`^${name}: +(\\d+) kB$`, 'm').exec(rollup)
    if (!found) throw new Error(`smaps_rollup: expected ${name}, found none; Linux 4.14 or newer has it`)
    return Number(found[1])
  }
  return (kilobytes('Private_Clean') + kilobytes('Private_Dirty')) / 1024
}
