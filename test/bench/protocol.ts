/**
 * Requests of the benchmark to its two kinds of process (ours.ts and peer.py): one line of JSON each way, so that one side
 * waits while the other computes.
 */
import { z } from 'zod'
import { augmentSchema } from '../../lib/data'

const precision = z.enum(['float32', 'bfloat16', 'float16'])
const side = z.number().int().positive()

/** Networks, batch and options of a step; both sides read it from one file. */
export const problemSchema = z
  .object({
    batch: z.number().int().positive(),
    /** The published teacher and student at this width; default: the default profile's. */
    width: z.number().positive().optional(),
    /** [height, width]; default: the default profile's. */
    input: z.tuple([side, side]).optional(),
    /** Whether to include the student; both sides keep the whole file in memory. */
    student: z.boolean().optional(),
  })
  .strict()
export type ProblemSpec = z.infer<typeof problemSchema>

const METHODS = ['output-kd', 'class-kd', 'masked-class-kd', 'objectness-mse', 'feature-mse'] as const
export type Method = (typeof METHODS)[number]

/** A thing to time. */
export const workSchema = z
  .object({
    network: z.enum(['teacher', 'student']),
    kind: z.enum(['training', 'inference', 'distillation']),
    precision,
    /** PyTorch only. */
    layout: z.enum(['contiguous', 'channels_last']).optional(),
    /** Only for distillation. */
    method: z.enum(METHODS).optional(),
  })
  .strict()
export type Work = z.infer<typeof workSchema>

const assign = z
  .object({
    ignoreThreshold: z.number(),
    multiAnchor: z.boolean(),
    multiAnchorThreshold: z.number(),
    crossGrid: z.boolean(),
  })
  .strict()

/** An epoch of training with its data. */
export const epochSchema = z
  .object({
    key: z.string(),
    /** Problem file: networks and options. */
    file: z.string(),
    /** JSON list of images with their boxes. */
    samples: z.string(),
    batch: z.number().int().positive(),
    precision,
    layout: z.enum(['contiguous', 'channels_last']).optional(),
    augment: augmentSchema,
    assign,
  })
  .strict()

/** A training of which the host's part is timed. */
export const hostSchema = z
  .object({
    batch: z.number().int().positive(),
    input: z.tuple([side, side]),
    /** In place of the published teacher, a network that a CPU is done with soon. */
    isSlight: z.boolean(),
    /** Threads that make batches. */
    workers: z.number().int().positive(),
    repeats: z.number().int().positive(),
    precision,
  })
  .strict()

export const requestSchema = z.discriminatedUnion('op', [
  z.object({ op: z.literal('hello') }).strict(),
  z.object({ op: z.literal('problem'), spec: problemSchema, file: z.string() }).strict(),
  workSchema.extend({ op: z.literal('prepare'), key: z.string(), file: z.string() }).strict(),
  z.object({ op: z.literal('run'), key: z.string(), iterations: z.number().int().positive() }).strict(),
  z.object({ op: z.literal('release'), key: z.string() }).strict(),
  z.object({ op: z.literal('size'), key: z.string() }).strict(),
  hostSchema.extend({ op: z.literal('host'), cache: z.string() }).strict(),
  z.object({ op: z.literal('memory') }).strict(),
  z.object({ op: z.literal('throughput'), precision, seconds: z.number().positive() }).strict(),
  z.object({ op: z.literal('scenes'), cache: z.string(), images: side, file: z.string() }).strict(),
  epochSchema.extend({ op: z.literal('epoch') }).strict(),
  z.object({ op: z.literal('evaluatorPrepare'), folder: z.string() }).strict(),
  z.object({ op: z.literal('evaluate') }).strict(),
  z.object({ op: z.literal('evaluatorExtras') }).strict(),
  z.object({ op: z.literal('stages'), runs: z.string(), shipped: z.string() }).strict(),
])
export type Request = z.infer<typeof requestSchema>

const number = z.number()
const quartiles = z.object({ low: number, median: number, high: number })
/** Seconds of the main thread. */
const clocks = z.object({ cpu: quartiles, wall: quartiles })
const spans = z.array(
  z.object({ stage: z.string(), trials: number, training: number, evaluating: number, wall: number }),
)

/** The answers, by request. */
export const ANSWERS = {
  hello: z.object({ threads: number, versions: z.record(z.string()) }).extend({
    /** The workbook's process only: its device, and why it cannot compute in a precision. */
    device: z.enum(['CPU', 'GPU']).optional(),
    name: z.string().optional(),
    instructionSets: z.array(z.string()).optional(),
    lacking: z.object({ bfloat16: z.string().optional(), float16: z.string().optional() }).optional(),
  }),
  problem: z.object({
    /** Each network in words, and its multiply-accumulates per image. */
    teacher: z.object({ text: z.string(), macs: number }),
    student: z.object({ text: z.string(), macs: number }).optional(),
  }),
  /** `first`: a number of the first run that both sides must agree on; `seconds`: of warm runs. */
  prepare: z.object({ first: number, seconds: z.array(number) }),
  run: z.object({ seconds: z.array(number) }),
  release: z.object({}),
  /** Of the workbook's graph: operations that are no constants, and bytes that are fed at every run. */
  size: z.object({ operations: number, fed: number }),
  /** Making a batch, assigning its truths, a run of the step's graph, and all that the training's thread does between two. */
  host: z.object({
    batch: number,
    input: z.tuple([number, number]),
    ...{ load: clocks, assign: clocks, run: clocks, between: clocks },
  }),
  memory: z.object({ peakMiB: number, presentMiB: number }),
  throughput: z.object({ gflops: number }),
  scenes: z.object({ images: number, augment: augmentSchema, assign }),
  epoch: z.object({ imagesPerSecond: number, seconds: number, waitedShare: number }),
  evaluatorPrepare: z.object({}),
  evaluate: z.object({ seconds: number, stats: z.array(number) }),
  evaluatorExtras: z.object({ voc: number, resample: number, grownMiB: number }),
  stages: z.object({ found: z.string(), rows: spans }),
} as const satisfies { readonly [op in Request['op']]: z.ZodTypeAny }

export type Answer<O extends Request['op']> = z.infer<(typeof ANSWERS)[O]>
export type StageRow = z.infer<typeof spans>[number]
