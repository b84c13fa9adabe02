/** The device check: each device and precision, in a process of its own, is compared with the CPU of the same machine. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { readJson, temporaryFolder, writeAtomically } from '../../lib/base'
import { scenesSchema } from '../../lib/data'
import { type Precision, TF32_CAPABILITY } from '../../lib/engine'
import { decodeSafetensors } from '../../lib/train'
import { compare, type Row, repeated } from './compare'
import type { Arithmetic } from './formats'
import type { Measurements } from './measure'
import { type PlacedOperation, parsePlacement } from './placement'
import { type Answer, answerSchema, type Task } from './task'

export interface CheckOptions {
  /** Compares the CPU with itself using other kernels, to try the check without a GPU. */
  readonly againstItself: boolean
  readonly formats: readonly Arithmetic[]
  /** Images to train and to evaluate on. */
  readonly images: number
  readonly batch: number
  readonly steps: number
  /** Folder of the rendered scenes. */
  readonly cache: string
  readonly signal: AbortSignal
  readonly onProgress: (text: string) => void
}

/** One side beside the CPU in float32. */
export interface Side {
  readonly format: Arithmetic
  readonly rows: readonly Row[]
}

export interface CheckResult {
  readonly device: string
  readonly placement: readonly Row[]
  readonly sides: readonly Side[]
  /** Formats left out, each with the reason. */
  readonly leftOut: readonly string[]
}

type Environment = { readonly [name: string]: string | undefined }

/** Hides every card, so that the CPU computes. */
const CPU: Environment = { CUDA_VISIBLE_DEVICES: '' }
/** Without oneDNN, TensorFlow's own kernels compute, which round differently. */
const OTHER_KERNELS: Environment = { ...CPU, TF_ENABLE_ONEDNN_OPTS: '0' }
/** NVIDIA's libraries read this switch; without it TensorFlow uses TF32 from compute capability 8.0 on. */
const TF32_OFF: Environment = { NVIDIA_TF32_OVERRIDE: '0' }
const TF32_ON: Environment = { NVIDIA_TF32_OVERRIDE: undefined }
/** Makes the executor write every operation with its device to the error output. */
const EXECUTOR_LOG: Environment = { TF_CPP_VMODULE: 'executor=1', TF_CPP_MIN_LOG_LEVEL: '0' }

/** TensorFlow runs this only on the CPU; it ends a detection, whose result is read back anyway. */
const CPU_ONLY = 'CombinedNonMaxSuppression'

/**
 * Runs the check.
 * @returns undefined if TensorFlow finds no CUDA device
 * @throws Error with the end of a process's error output when it fails
 */
export async function checkDevice(options: CheckOptions): Promise<CheckResult | undefined> {
  const { againstItself, formats, images, batch, steps, cache, onProgress } = options
  const folder = temporaryFolder('device-check')
  const scenes = scenesSchema.parse({ splits: { train: images, validation: images } })
  mkdirSync(cache, { recursive: true })
  const ask = async (
    kind: Task['kind'],
    precision: Precision,
    environment: Environment,
    { reference, run = 1 }: { reference?: string; run?: number } = {},
  ) => {
    const file = join(folder, `${Object.values(environment).join()}-${precision}-${run}.${kind}`)
    const task: Task = { kind, precision, scenes, cache, batch, steps, reference, file }
    const log = await runWorker(task, environment, options.signal)
    return { file, log }
  }
  const device = againstItself ? OTHER_KERNELS : {}
  try {
    const { file } = await ask('describe', 'float32', device)
    const found = answerSchema.parse(readJson(file))
    if (found.device === 'CPU' && !againstItself) return undefined

    onProgress('the CPU in float32')
    const reference = await ask('measure', 'float32', CPU)
    const expected = measurementsOf(reference.file)
    onProgress(`placement on the ${found.device}`)
    const { log } = await ask('placement', 'float32', { ...device, ...EXECUTOR_LOG })
    const placement = placementRows(log, found.device)

    const leftOut = found.deterministic ? [] : ['the same bits twice: TF_DETERMINISTIC_OPS is off']
    const sides: Side[] = []
    for (const { format, precision, environment, lacking } of formatsOf(found, againstItself)) {
      if (!formats.includes(format)) continue
      if (lacking) {
        leftOut.push(`${format}: ${lacking}`)
        continue
      }
      onProgress(`the ${found.device} in ${format}`)
      const runs = found.deterministic ? [1, 2] : [1]
      const files = await Promise.all(
        runs.map(async (run) => {
          const { file } = await ask('measure', precision, environment, { reference: reference.file, run })
          return measurementsOf(file)
        }),
      )
      const [first, again] = files as [Measurements, Measurements?]
      const rows = compare(expected, first, format)
      sides.push({ format, rows: again ? [...rows, repeated(first, again)] : rows })
    }
    return { device: `${found.name}${againstItself ? ' by other kernels' : ''}`, placement, sides, leftOut }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** How many operations TensorFlow's executor starts in a run of each of the check's graphs: a cluster that XLA compiled counts as one. */
export async function countStarts(
  {
    scenes: images,
    batch,
    cache,
    signal,
  }: { scenes: number; batch: number; cache: string; signal: AbortSignal },
  environment: Environment,
): Promise<{ readonly [graph: string]: { readonly CPU: number; readonly GPU: number } }> {
  const folder = temporaryFolder('device-check')
  const scenes = scenesSchema.parse({ splits: { train: images } })
  mkdirSync(cache, { recursive: true })
  try {
    const task: Task = {
      ...{ kind: 'placement', precision: 'float32', scenes, cache, batch, steps: 1 },
      file: join(folder, 'placement'),
    }
    const log = await runWorker(task, { ...environment, ...EXECUTOR_LOG }, signal)
    const count = (all: readonly PlacedOperation[], device: 'CPU' | 'GPU') =>
      all.filter((placed) => placed.device === device).length
    return Object.fromEntries(
      [...parsePlacement(log)].map(([name, all]) => [
        name,
        { CPU: count(all, 'CPU'), GPU: count(all, 'GPU') },
      ]),
    )
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function formatsOf(
  { device, computeCapability = 0, float16, bfloat16, name }: Answer,
  againstItself: boolean,
) {
  const low = againstItself ? CPU : TF32_ON
  const noTf32 =
    device === 'CPU'
      ? 'a CPU has no TF32'
      : computeCapability < TF32_CAPABILITY
        ? `TF32 needs CUDA compute capability ${TF32_CAPABILITY}.0 or more, found ${computeCapability.toFixed(1)} (${name})`
        : undefined
  const sides: readonly {
    format: Arithmetic
    precision: Precision
    environment: Environment
    lacking?: string
  }[] = [
    { format: 'float32', precision: 'float32', environment: againstItself ? OTHER_KERNELS : TF32_OFF },
    { format: 'TF32', precision: 'float32', environment: TF32_ON, lacking: noTf32 },
    { format: 'float16', precision: 'float16', environment: low, lacking: float16 },
    { format: 'bfloat16', precision: 'bfloat16', environment: low, lacking: bfloat16 },
  ]
  return sides
}

const measurementsOf = (file: string): Measurements => decodeSafetensors(readFileSync(file), file).tensors

/** For every graph, how many of its floating-point operations ran on the wrong device. */
export function placementRows(log: string, device: 'CPU' | 'GPU'): Row[] {
  const sections = [...parsePlacement(log)]
  if (sections.length === 0) throw new Error('device check: expected the executor to log, found no operation')
  return sections.map(([name, operations]) => {
    const computing = operations.filter(({ computes }) => computes)
    const elsewhere = computing.filter((placed) => placed.device !== device && placed.operation !== CPU_ONLY)
    const names = [...new Set(elsewhere.map(({ operation }) => operation))].join(', ')
    return {
      what: `${name}: operations not on the ${device}`,
      // A graph without any operations was not seen.
      difference: computing.length > 0 ? elsewhere.length : Number.NaN,
      allowed: 0,
      where: names || `${computing.length} on it`,
    }
  })
}

/** Runs a task; returns the error output, taken from a file: a full pipe would lose lines of the executor's log. */
async function runWorker(task: Task, environment: Environment, signal: AbortSignal): Promise<string> {
  const file = `${task.file}.task.json`
  const log = `${task.file}.log`
  writeAtomically(file, JSON.stringify(task))
  const errors = openSync(log, 'w')
  const loader = ['--require', join(__dirname, '../../lib/engine/loader.cjs')]
  try {
    const child = spawn(process.execPath, [...loader, join(__dirname, 'worker.ts'), file], {
      env: { TF_CPP_MIN_LOG_LEVEL: '2', ...process.env, ...environment },
      stdio: ['ignore', 'ignore', errors],
      signal,
    })
    const [code, killed]: (number | string | null)[] = await once(child, 'close')
    const text = readFileSync(log, 'utf8')
    if (code === 0) return text
    const end = text.replace(/^.*Process node:.*\n/gm, '').slice(-4000)
    throw new Error(
      `the device check's ${task.kind} in ${task.precision} ended with ${code ?? killed}:\n${end}`,
    )
  } finally {
    closeSync(errors)
  }
}
