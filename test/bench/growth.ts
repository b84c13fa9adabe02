/** How the cost of a step grows with batch, input and width, beside the arithmetic limit. */
import { type Context, contestants, PUBLISHED_BATCH, PUBLISHED_INPUT, problem } from './parts'
import type { Work } from './protocol'
import { race, type Timed } from './rounds'
import { withSides } from './workers'

type Precision = Work['precision']

export interface GrowthRow {
  readonly what: string
  readonly kind: 'training' | 'inference'
  readonly batch: number
  readonly input: readonly [height: number, width: number]
  readonly width: number
  /** Multiply-accumulates of one image's forward pass. */
  readonly macs: number
  readonly timed: readonly Timed[]
}

export interface GrowthResult {
  readonly threads: number
  /** GFLOP/s of 3x3 convolutions alone, the better of both sides. */
  readonly throughput: { readonly [precision in Precision]?: number }
  readonly rows: readonly GrowthRow[]
}

/** One thing varied at a time from the default profile's teacher in batches of 8, then published size and width together. */
const GROWTH: readonly { what: string; batch: number; input: readonly [number, number]; width: number }[] = [
  ...[1, 2, 4, 8, 16, 32].map((batch) => ({ what: 'batch', batch, input: [96, 256] as const, width: 0.25 })),
  ...([[64, 128], [128, 352], PUBLISHED_INPUT] as const).map((input) => ({
    what: 'input',
    batch: 8,
    input,
    width: 0.25,
  })),
  ...[0.125, 0.1875, 0.5, 1].map((width) => ({ what: 'width', batch: 8, input: [96, 256] as const, width })),
  { what: 'published', batch: PUBLISHED_BATCH, input: PUBLISHED_INPUT, width: 1 },
]

/** How the cost of a step grows, and the convolution throughput that bounds it. */
export async function measureGrowth(
  { threads }: { threads: number },
  context: Context,
): Promise<GrowthResult> {
  const { precisions, onProgress } = context
  return withSides({ ...context, threads }, async (sides) => {
    const throughput: { [precision in Precision]?: number } = {}
    for (const precision of precisions) {
      onProgress(`convolutions in ${precision}`)
      for (const side of ['workbook', 'PyTorch'] as const) {
        const { gflops } = await sides[side].ask({
          op: 'throughput',
          precision,
          seconds: context.secondsPerTurn * 4,
        })
        throughput[precision] = Math.max(throughput[precision] ?? 0, gflops)
      }
    }
    const rows: GrowthRow[] = []
    for (const { what, batch, input, width } of GROWTH) {
      const where = `${what}: batch ${batch}, ${input[1]}x${input[0]}, width ${width}`
      const { file, teacher } = await problem(sides, context, { batch, input: [...input], width })
      for (const kind of ['training', 'inference'] as const) {
        const field = contestants({ network: 'teacher', kind }, precisions).filter(
          ({ work }) => work.layout !== 'contiguous',
        )
        const { timed } = await race([sides], file, field, {
          ...context,
          rounds: Math.min(context.rounds, 3),
          onProgress: (text) => onProgress(`${where}: ${kind}: ${text}`),
        })
        rows.push({ what, kind, batch, input, width, macs: teacher.macs, timed })
      }
    }
    return { threads, throughput, rows }
  })
}
