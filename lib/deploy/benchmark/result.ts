/** What a benchmark found, as it is kept. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { readDocument } from '../../base'
import { FORMATS } from '../metadata'
import { RUNTIMES } from '../runtimes'

const interval = z.object({ difference: z.number(), lower: z.number(), upper: z.number() }).strict()

/** Accuracy by one metric: its value, and the paired difference from the library's own float32 with its interval. */
const accuracySchema = z.object({ value: z.number(), toLibrary: interval.optional() }).strict()

const rowSchema = z
  .object({
    name: z.string(),
    format: z.enum(FORMATS),
    runtime: z.enum(RUNTIMES),
    version: z.string(),
    precision: z.string(),
    /** Of the file, without what describes it. */
    bytes: z.number(),
    /** A call with one image and one thread: median and quartiles over the rounds. */
    milliseconds: z.object({ median: z.number(), low: z.number(), high: z.number() }).strict(),
    /** Whether that has decoding and NMS in it. */
    withNms: z.boolean(),
    mAP50: accuracySchema,
    AP: accuracySchema,
    /** Of a logit, on the first images; none where the file gives no logits. */
    maxDifference: z.number().optional(),
    /** No other row of either model is both as fast and as good (by AP), and better in one. */
    onFront: z.boolean(),
  })
  .strict()

/** The file of a benchmark. */
export const benchmarkSchema = z
  .object({
    format: z.literal('deploy-benchmark/1'),
    machine: z.record(z.unknown()),
    data: z.object({ hash: z.string(), images: z.number() }).strict(),
    rounds: z.number(),
    calls: z.number(),
    /** What could not be run, and why. */
    missing: z.array(z.string()),
    models: z.array(
      z
        .object({
          name: z.string(),
          /** SHA-256 of the checkpoint's numbers. */
          sha256: z.string(),
          macs: z.number(),
          parameters: z.number(),
          rows: z.array(rowSchema),
        })
        .strict(),
    ),
  })
  .strict()

/** Files of models with their sizes, times and accuracy, and the machine that measured them. */
export type Benchmark = z.infer<typeof benchmarkSchema>
/** One file in one runtime. */
export type BenchmarkRow = z.infer<typeof rowSchema>

/** @throws Error naming the file and what is wrong in it */
export function readBenchmark(file: string): Benchmark {
  return readDocument(file, benchmarkSchema, { what: 'a benchmark of exported files' })
}

/** The benchmark of the shipped pair, which comes with the workbook. */
export const SHIPPED_BENCHMARK = join(__dirname, '../../../data/deploy/benchmark.json')

/** That benchmark; undefined where there is none. */
export function shippedBenchmark(): Benchmark | undefined {
  return existsSync(SHIPPED_BENCHMARK) ? readBenchmark(SHIPPED_BENCHMARK) : undefined
}

/** Rows that no other beats: faster at as good an AP, or better as fast. Those with NMS in their time are left out. */
export function paretoFront<R extends Pick<BenchmarkRow, 'milliseconds' | 'AP' | 'withNms'>>(
  rows: readonly R[],
): R[] {
  const compared = rows.filter(({ withNms }) => !withNms)
  return compared.filter(({ milliseconds: { median }, AP: { value } }) =>
    compared.every((other) => {
      const [time, ap] = [other.milliseconds.median, other.AP.value]
      return time > median || ap < value || (time === median && ap === value)
    }),
  )
}

/** The row of the best AP within a budget of milliseconds; undefined where none is fast enough. */
export function bestWithin<R extends Pick<BenchmarkRow, 'milliseconds' | 'AP' | 'withNms'>>(
  rows: readonly R[],
  milliseconds: number,
): R | undefined {
  return paretoFront(rows)
    .filter((row) => row.milliseconds.median <= milliseconds)
    .sort((a, b) => b.AP.value - a.AP.value)[0]
}
