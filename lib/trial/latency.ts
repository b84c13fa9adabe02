/** How long models take for a frame, as a car would see it: one image at a time, from pixels to boxes, on one thread. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { z } from 'zod'
import { jsonOf, parseDocument } from '../base'
import type { Crop, Sample } from '../data'
import { type Precision, THREADS } from '../engine'

const positive = z.number().positive()

/** Latencies of models that were measured together, as results store them. */
export const measuredSchema = z
  .object({
    machine: z.object({ name: z.string(), cores: positive, tensorflow: z.string() }).strict(),
    precision: z.enum(['float32', 'bfloat16', 'float16']),
    /** Timed frames of each model. */
    frames: z.number().int().positive(),
    /** Cores that other programs kept busy meanwhile, on average. */
    beside: z.number().nonnegative(),
    /** Milliseconds a frame, in the order of the models. */
    models: z.array(z.object({ sha256: z.string(), median: positive, p95: positive }).strict()),
  })
  .strict()
/** Milliseconds a frame of models that took turns, and on which machine. */
export type MeasuredLatency = z.infer<typeof measuredSchema>

/** How models are timed frame by frame. */
export interface FrameTimingOptions {
  readonly precision: Precision
  /** Timed frames of each model; default 200. */
  readonly frames?: number
  readonly crop?: Crop
  readonly signal?: AbortSignal
}

/** What the process that measures is told on its standard input. */
export interface LatencyOrder {
  /** Checkpoints. */
  readonly files: readonly string[]
  readonly samples: readonly Sample[]
  readonly crop?: Crop
  readonly precision: Precision
  readonly frames: number
  readonly warmUp: number
}

const FRAMES = 200
/** Frames of each model before the clock starts. */
const WARM_UP = 50

const LOADER = join(__dirname, '../engine/loader.cjs')
const PROGRAM = join(__dirname, 'latency-process.ts')

/**
 * Measures models in turns, a frame each, in a process of its own with one thread: forward pass, decoding and NMS, batch 1. Frames
 * are decoded and resized beforehand. The caller sees to it that nothing else runs; `beside` says whether it did.
 *
 * @param files checkpoints (.json)
 * @param samples the frames; the first ones are seen, again from the start where they are too few
 * @throws Error with the process's last output where it fails, or the signal's reason
 */
export async function measureLatencies(
  files: readonly string[],
  samples: readonly Sample[],
  { precision, frames = FRAMES, crop, signal }: FrameTimingOptions,
): Promise<MeasuredLatency> {
  const order: LatencyOrder = {
    ...{ files, precision, frames, warmUp: WARM_UP },
    samples: samples.slice(0, frames),
    ...(crop && { crop }),
  }
  const child = spawn(process.execPath, ['--require', LOADER, PROGRAM], {
    env: { TF_CPP_MIN_LOG_LEVEL: '2', ...process.env, [THREADS]: '1' },
    stdio: ['pipe', 'pipe', 'pipe'],
    signal,
  })
  const ended = new Promise<number | NodeJS.Signals | null>((resolve, reject) => {
    child.once('error', (error) => reject(signal?.aborted ? signal.reason : error))
    child.once('close', (code, killed) => resolve(killed ?? code))
  })
  child.stdin.on('error', () => undefined) // it has ended, which 'close' reports
  child.stdin.end(JSON.stringify(order))
  const [printed, errors, end] = await Promise.all([text(child.stdout), text(child.stderr), ended])
  if (end !== 0)
    throw new Error(`measuring latency: its process ended (${end}):\n${errors.slice(-4000).trim()}`)
  return parseDocument(jsonOf(printed, 'latency'), measuredSchema, 'latency')
}
