/** Peak memory of training steps, a fresh process for each. */
import { join } from 'node:path'
import { type Context, contestants, PUBLISHED_BATCH, PUBLISHED_INPUT } from './parts'
import type { ProblemSpec, Work } from './protocol'
import { type Side, Worker, withSides } from './workers'

type Precision = Work['precision']

const PUBLISHED_TEACHER = 'the published teacher, 512x192'

export interface MemoryRow {
  readonly name: string
  readonly side: Side
  readonly precision: Precision
  readonly before: number
  /** MiB, the high-water mark of the process's resident memory. */
  readonly peak: number
  readonly present: number
}

export interface MemoryResult {
  readonly threads: number
  readonly batch: number
  readonly network: string
  readonly rows: readonly MemoryRow[]
}

/** Peak memory of training steps, a fresh process for each row: the default profile's teacher and the published one. */
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
    const worker = new Worker(side, context)
    try {
      await worker.ask({ op: 'hello' })
      const before = await worker.ask({ op: 'memory' })
      await worker.ask({ op: 'prepare', key: 'memory', file, ...work })
      await worker.ask({ op: 'run', key: 'memory', iterations: 5 })
      const after = await worker.ask({ op: 'memory' })
      const short = name.replace(/, .*/, '')
      rows.push({
        ...{ name: short, side, precision: work.precision },
        ...{ before: before.presentMiB, peak: after.peakMiB, present: after.presentMiB },
      })
    } finally {
      await worker.close()
    }
  }
  return { threads, batch: spec.batch, network, rows }
}
