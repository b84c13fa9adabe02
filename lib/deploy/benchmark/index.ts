/** The benchmark: teacher and student in every format, timed in turns and scored on the same images. */
import { setMaxListeners } from 'node:events'
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { quantile } from 'simple-statistics'
import { Random } from '../../base'
import type { Crop, Dataset, Sample } from '../../data'
import { complexity } from '../../detector'
import { deviceInfo } from '../../engine'
import type { MatchTable } from '../../evaluate'
import { calibrate } from '../../quantise/calibrate'
import { planOf } from '../../quantise/plan'
import {
  LEADING_METRICS,
  METRICS,
  type Metric,
  type MetricName,
  metricTable,
  pairedDifference,
  tableValue,
} from '../../study'
import type { NamedTensor } from '../../train'
import { predictWith } from '../detections'
import { sizeOf } from '../export'
import { type FileRequest, type Model, writeModel } from '../files'
import { framesOf } from '../frames'
import type { RuntimeName } from '../runtimes'
import { Session } from '../runtimes/session'
import { type Benchmark, type BenchmarkRow, paretoFront } from './result'
import { type Contender, contenders } from './rows'

/** A model and what tables call it. */
export interface NamedModel {
  readonly name: string
  readonly model: Model
}

/** How files are timed and scored. */
export interface BenchmarkOptions {
  /** Turns of every file; default 25. */
  readonly rounds?: number
  /** Calls a turn; default 8. */
  readonly calls?: number
  /** The images are the first of validation; default all. */
  readonly images?: number
  readonly crop?: Crop
  /** Only these, beside the library itself. */
  readonly runtimes?: readonly RuntimeName[]
  /** Folder in which calibrations are kept. */
  readonly cache: string
  /** Folder for the files; it goes afterwards. */
  readonly folder: string
  readonly signal?: AbortSignal
  /** How far a part is. */
  readonly onProgress?: (part: 'writing' | 'scoring' | 'timing', done: number, total: number) => void
}

/** A file that takes part. */
interface Entry {
  readonly model: NamedModel
  readonly contender: Contender
  readonly session: Session
  readonly bytes: number
}

const ROUNDS = 25
const CALLS = 8
/** Calls before the first turn, in which runtimes choose kernels and fill caches. */
const WARM_UP = 20
/** Images on which logits are compared. */
const COMPARED = 8

/**
 * Writes every file, opens each in a process of its own with one thread, scores it on the images, and times all of them in turns
 * of a few calls, every round in another order: what the machine does meanwhile meets all alike.
 *
 * @throws the signal's reason when it aborts
 */
export async function benchmark(
  models: readonly NamedModel[],
  dataset: Dataset,
  options: BenchmarkOptions,
): Promise<Benchmark> {
  const { rounds = ROUNDS, calls = CALLS, folder } = options
  const samples = (dataset.splits.validation ?? []).slice(0, options.images)
  if (samples.length === 0) throw new Error('benchmark: expected images of validation, found none')
  for (const { name, model } of models) checkClasses(name, model, dataset)
  const { rows, missing } = contenders(options.runtimes)
  const entries: Entry[] = []
  // Every process listens, and more than ten would make Node warn.
  if (options.signal) setMaxListeners(0, options.signal)
  try {
    for (const model of models) await open(model, models.length, rows, dataset, options, entries)
    const scores = await scored(entries, samples, options)
    const times = await timed(entries, samples, { ...options, rounds, calls })
    const made = entries.map((entry, i) => {
      const first = entries.findIndex(({ model }) => model === entry.model)
      return rowOf(entry, times[i]!, scores[i]!, first === i ? undefined : scores[first]!)
    })
    const front = new Set(paretoFront(made))
    return {
      format: 'deploy-benchmark/1',
      machine: { ...deviceInfo(), threads: 1 },
      data: { hash: dataset.hash, images: samples.length },
      ...{ rounds, calls, missing: [...missing] },
      models: models.map((named) => {
        const { macs, parameters } = complexity(named.model.network)
        const own = made.filter((_, i) => entries[i]!.model === named)
        const marked = own.map((row) => ({ ...row, onFront: front.has(row) }))
        return { name: named.name, sha256: named.model.sha256, macs, parameters, rows: marked }
      }),
    }
  } finally {
    await Promise.all(entries.map(({ session }) => session.close()))
    rmSync(folder, { recursive: true, force: true })
  }
}

function checkClasses(name: string, { classes }: Model, dataset: Dataset): void {
  if (classes.length === dataset.classes.length) return
  throw new Error(
    `${name}: expected a model of the data's ${dataset.classes.length} classes, found one of ${classes.length}`,
  )
}

/** Writes a model's files and opens them. */
async function open(
  named: NamedModel,
  models: number,
  rows: readonly Contender[],
  dataset: Dataset,
  { folder, cache, crop, signal, onProgress }: BenchmarkOptions,
  entries: Entry[],
): Promise<void> {
  const { name, model } = named
  const needed = rows.some(({ request }) => request.precision === 'int8')
  const plan = planOf(model)
  const calibration = needed
    ? await calibrate(plan, model.sha256, dataset, { crop, cache, signal })
    : undefined
  for (const [i, contender] of rows.entries()) {
    signal?.throwIfAborted()
    const request: FileRequest = { ...contender.request, calibration }
    const place = join(folder, name, String(i))
    mkdirSync(place, { recursive: true })
    const file = join(place, `model${ENDINGS[request.format]}`)
    const metadata = writeModel(model, file, request)
    const session = await Session.open(file, contender.runtime, metadata, { ...contender.session, signal })
    entries.push({ model: named, contender, session, bytes: sizeOf(place) })
    onProgress?.('writing', entries.length, models * rows.length)
  }
}

const ENDINGS: { readonly [format in FileRequest['format']]: string } = {
  ...{ checkpoint: '.json', darknet: '.cfg', onnx: '.onnx', tflite: '.tflite' },
  ...{ 'saved-model': '', tfjs: '' },
}

interface Score {
  readonly tables: { readonly [metric in MetricName]?: MatchTable }
  /** Outputs on the first images. */
  readonly outputs: ReadonlyMap<string, NamedTensor>
}

async function scored(
  entries: readonly Entry[],
  samples: readonly Sample[],
  { crop, signal, onProgress }: BenchmarkOptions,
): Promise<Score[]> {
  const total = entries.length * samples.length
  const scores: Score[] = []
  for (const [i, { session }] of entries.entries()) {
    const found = await predictWith(session, samples, {
      ...{ crop, signal },
      onProgress: (done) => onProgress?.('scoring', i * samples.length + done, total),
    })
    const tables = Object.fromEntries(LEADING_METRICS.map((metric) => [metric, metricTable(found, metric)]))
    const outputs = await session.run(await framesOf(samples, session.metadata, COMPARED, crop))
    scores.push({ tables, outputs })
  }
  return scores
}

/** Milliseconds of a call: for every entry the median of each round's turn. */
async function timed(
  entries: readonly Entry[],
  samples: readonly Sample[],
  { crop, signal, rounds, calls, onProgress }: BenchmarkOptions & { rounds: number; calls: number },
): Promise<number[][]> {
  const images = await Promise.all(entries.map(({ session }) => framesOf(samples, session.metadata, 1, crop)))
  for (const [i, { session }] of entries.entries()) await session.time(images[i]!, WARM_UP)
  const times: number[][] = entries.map(() => [])
  for (let round = 0; round < rounds; round++) {
    for (const i of new Random('benchmark', round).permutation(entries.length)) {
      signal?.throwIfAborted()
      const turn = await entries[i]!.session.time(images[i]!, calls)
      times[i]!.push(quantile(turn, 0.5))
    }
    onProgress?.('timing', round + 1, rounds)
  }
  return times
}

/** @param library the scores of the library's own float32, which the row is compared with; undefined for that itself */
function rowOf(
  { contender, session, bytes }: Entry,
  times: readonly number[],
  score: Score,
  library: Score | undefined,
): Omit<BenchmarkRow, 'onFront'> {
  const { name, request, runtime, withNms } = contender
  const [low, median, high] = quantile([...times], [0.25, 0.5, 0.75]) as [number, number, number]
  const accuracy = (metric: (typeof LEADING_METRICS)[number]) => {
    const table = score.tables[metric]!
    const value = tableValue(table)
    if (!library) return { value }
    const { resamples }: Metric = METRICS[metric]
    const { difference, lower, upper } = pairedDifference([table], [library.tables[metric]!], {
      ...(resamples !== undefined && { resamples }),
    })
    return { value, toLibrary: { difference, lower, upper } }
  }
  const maxDifference = library && request.head === 'logits' ? largest(score, library) : undefined
  return {
    ...{ name, format: request.format, runtime, version: session.version },
    precision: contender.session.precision ?? request.precision,
    ...{ bytes, milliseconds: { median, low, high }, withNms },
    ...{ mAP50: accuracy('mAP50'), AP: accuracy('AP') },
    ...(maxDifference !== undefined && { maxDifference }),
  }
}

function largest(a: Score, b: Score): number {
  let max = 0
  for (const [name, { values }] of a.outputs) {
    const others = b.outputs.get(name)?.values
    if (others?.length !== values.length) throw new Error(`${name}: expected ${values.length} logits of both`)
    values.forEach((value, i) => {
      max = Math.max(max, Math.abs(value - others[i]!))
    })
  }
  return max
}
