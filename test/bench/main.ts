/**
 * The benchmark: the workbook beside PyTorch eager on the same networks, batch, threads and machine, in one run.
 *
 *     npm run bench                                  every part but precision: half an hour on two idle cores
 *     npm run bench -- --parts precision             whether bfloat16 trains to float32's mAP: 10 minutes
 *     npm run bench -- --parts training inference --threads 2 --batch 16,8 --rounds 31
 *     npm run bench -- --device cuda                 the published networks on a card: training, inference, distillation
 *     npm run bench -- --keep                        also writes test/bench/results.json (precision: precision.json; on a
 *                                                    card cuda.json and cuda-precision.json)
 *
 * It prints its tables and writes every number to .cache/bench/<date>.json, with machine, versions and commit.
 * The files in test/bench are those of the last runs that were kept; training.json is what `--parts training --rounds 31` wrote to
 * .cache/bench behind the last whole one.
 *
 * What is timed
 * - training: forward pass, YOLOv3 loss (GIoU, targets given), backward pass, clipping, SGD with momentum and weight
 *   decay, running statistics; the loss's terms and the gradient's norm are read back. On a CPU also side by side, as
 *   a study runs its trials: as many processes as the most threads, with one thread each, all of one side at the same time.
 * - inference: images to logits, read back. The workbook folds batch norm into the kernels once; PyTorch eager does not.
 * - distillation: student's step with the teacher's inference inside, masked-class-kd on both sides.
 * - epoch: training with decoding from memory, augmentation and targets, one data worker, as the profile trains. PyTorch's
 *   loader is a plain Dataset and DataLoader that makes the same kind of views.
 * - memory: high-water mark of each process's resident memory (VmHWM) over five training steps, libraries included.
 * - growth: training and inference against batch, input size and width, up to the published 512x192 teacher.
 * Training and inference are timed with every number of threads and every batch, the others with the most threads and the
 * first batch.
 * - precision: no time, but what speed costs: validation mAP of the default profile's control after training with three seeds
 *   in float32 and in what else the device computes in, two trials side by side.
 * - evaluator: COCO's twelve numbers against pycocotools. stages: the default profile's time, from trials on disk.
 *
 * How to read it
 * - Both sides read weights, images and targets from one file, and the first step's loss (or logits) must agree, or the
 *   run stops. In a round every contestant has one turn of many steps, alone on the machine, and each round starts with
 *   another one. A number is the median of the rounds with their quartiles in brackets; ratios are taken round by round,
 *   so that a slow minute of the machine hits both sides of a ratio.
 * - 'x PyTorch float32' above 1: that many times as fast as PyTorch in float32 in its faster memory layout (contiguous or
 *   channels_last). The targets compare with that one too, also for bfloat16.
 * - Where quartiles of a ratio lie on both sides of 1, this run says nothing about who is faster: more --rounds, and an idle
 *   machine (the load at the start is printed and kept).
 * - growth: 'limit' is the time if the step were nothing but convolutions at the throughput of large 3x3 ones, a
 *   backward pass counted as two forward ones; the share in brackets is how near a side comes. What is missing to 100 %
 *   is memory traffic, small channel counts and overheads. In bfloat16 the limit is far higher, the share lower.
 * - cuda: at every step both sides get the batch through the host's memory (PyTorch's is pinned there) and give back losses or
 *   logits; 'float32' convolutions use TF32 on both from Ampere on. PyTorch scales float16's loss with its GradScaler.
 * - stages: `training` and `evaluating` are summed over trials, which run side by side; `wall` is the time in which at
 *   least one of them ran.
 */

import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, loadavg, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { writeAtomically } from '../../lib/base'
import { benchPython } from './environment'
import { measureGrowth } from './growth'
import { compareMemory } from './memory'
import {
  type Context,
  compareDistillation,
  compareEpochs,
  compareEvaluators,
  compareSteps,
  readStageTimes,
  type Setting,
} from './parts'
import { comparePrecisions } from './precision'
import type { Answer, Work } from './protocol'
import { describeResults, inWords, type Results, targetsOf } from './report'
import { type Device, Worker, type WorkerOptions } from './workers'

/** What a run does when nothing is said. */
export const DEFAULT_PARTS = [
  'training',
  'inference',
  'distillation',
  'epoch',
  'memory',
  'evaluator',
  'stages',
  'growth',
] as const
export const PARTS = [...DEFAULT_PARTS, 'precision'] as const
export type Part = (typeof PARTS)[number]

/** Those that say something about a card; the others compare what the CPU does. */
export const CUDA_PARTS: readonly Part[] = ['training', 'inference', 'distillation', 'precision']

export interface BenchmarkOptions {
  readonly device: Device
  readonly parts: readonly Part[]
  /** Beside float32, where the device has them. */
  readonly lowPrecisions: readonly Precision[]
  /** Training and inference are timed with each, the other parts with the most. */
  readonly threads: readonly number[]
  /** Training and inference are timed with each; the first is the one of distillation, epoch and memory. */
  readonly batches: readonly number[]
  readonly rounds: number
  readonly secondsPerTurn: number
  readonly epochImages: number
  /** Seeds of the part `precision`. */
  readonly seeds: readonly number[]
  /** Short turns and trainings, to see that everything runs. */
  readonly quick: boolean
  /** Write the results to test/bench. */
  readonly keep: boolean
  /** The project's folder. */
  readonly root: string
  /** Makes the benchmark's environment. */
  readonly python: string
  /** Has requirements.txt's packages, or newer ones, and is taken in place of that environment. */
  readonly peerPython?: string
  readonly signal: AbortSignal
}

type Precision = Exclude<Work['precision'], 'float32'>
/** No CPU of today computes float16 much faster than float32, and PyTorch has no training in it there. */
export const LOW_PRECISIONS: { readonly [device in Device]: readonly Precision[] } = {
  cpu: ['bfloat16'],
  cuda: ['bfloat16', 'float16'],
}

/** Names of the kept results, in test/bench. */
const KEPT = {
  cpu: { speed: 'results.json', precision: 'precision.json' },
  cuda: { speed: 'cuda.json', precision: 'cuda-precision.json' },
} as const

const EPOCH_ROUNDS = 3
const EVALUATOR_ROUNDS = 3

/** Runs the parts, prints the tables and writes the JSON; returns its path. */
export async function runBenchmark(options: BenchmarkOptions): Promise<string> {
  const { device, parts, threads, batches, signal, root } = options
  const unfit = parts.find((part) => device === 'cuda' && !CUDA_PARTS.includes(part))
  if (unfit) throw new Error(`expected parts for a card (${CUDA_PARTS.join(', ')}), found ${unfit}`)
  const [batch = 16] = batches
  const cache = join(root, '.cache')
  const needsPeer = parts.some((part) => part !== 'stages' && part !== 'precision')
  const python = needsPeer
    ? (options.peerPython ?? (await benchPython(cache, options.python, signal)))
    : options.python
  const { lacking, ...machine } = await describeMachine({ device, threads: 1, python, signal }, needsPeer)
  if (device === 'cuda' && machine.device !== 'GPU') throw new Error('expected a CUDA device, found none')
  console.error(`${machine.name}, ${machine.cores} cores, load ${machine.load.toFixed(1)} at the start`)
  if (machine.load > 0.5) console.error('Other work runs on this machine: the spread will show it.')
  const precisions: Work['precision'][] = ['float32']
  for (const precision of options.lowPrecisions) {
    const reason = lacking?.[precision]
    if (reason) console.error(`${precision} is left out: ${reason}`)
    else precisions.push(precision)
  }

  mkdirSync(cache, { recursive: true })
  const scratch = mkdtempSync(join(tmpdir(), 'bench-'))
  const context: Context = {
    ...{ device, python, signal, scratch, cache, onProgress: (text) => console.error(`  ${text}`) },
    rounds: options.rounds,
    secondsPerTurn: options.secondsPerTurn,
    precisions,
    epochImages: options.epochImages,
    evaluatorRounds: Math.min(EVALUATOR_ROUNDS, options.rounds),
  }
  const results: Results = { comparisons: [], epochs: [] }
  const has = (part: Part) => parts.includes(part)
  const start = performance.now()
  const minutes = () => (performance.now() - start) / 60_000
  const begin = (what: string) => {
    save()
    console.error(`${minutes().toFixed(1)} min: ${what}`)
  }
  const most = Math.max(...threads)
  const date = new Date().toISOString()
  const file = join(cache, 'bench', `${date.replace(/[:.]/g, '-')}.json`)
  const textOf = (content: object) => {
    const about = { format: 'benchmark/1', date, commit: commitOf(root), machine, minutes: minutes() }
    return `${JSON.stringify({ ...about, ...content }, rounded, 1)}\n`
  }
  // What is interrupted leaves the parts that were finished.
  const save = () => writeAtomically(file, textOf({ targets: targetsOf(results, device), results }))
  try {
    const steps = async (part: 'training' | 'inference', setting: Setting) => {
      for (const size of has(part) ? batches : []) {
        begin(`${part}, batch ${size}, ${inWords(setting)}`)
        results.comparisons.push(await compareSteps(part, { ...setting, batch: size }, context))
      }
    }
    for (const count of threads) {
      for (const part of ['training', 'inference'] as const)
        await steps(part, { threads: count, processes: 1 })
    }
    if (device === 'cpu' && most > 1 && threads.includes(1)) {
      await steps('training', { threads: 1, processes: most })
    }
    if (has('distillation')) {
      begin(`distillation, batch ${batch}, ${most} thread(s)`)
      results.comparisons.push(await compareDistillation({ threads: most, batch }, context))
    }
    if (has('epoch')) {
      begin(`epoch, batch ${batch}, ${most} thread(s)`)
      const rounds = Math.min(EPOCH_ROUNDS, options.rounds)
      results.epochs.push(await compareEpochs({ threads: most, batch, rounds }, context))
    }
    if (has('memory')) {
      begin('memory')
      results.memory = await compareMemory({ threads: most, batch }, context)
    }
    if (has('evaluator')) {
      begin('evaluator')
      results.evaluator = await compareEvaluators(context)
    }
    if (has('stages')) {
      const folders = { runs: join(root, 'runs', 'default'), shipped: join(root, 'data', 'checkpoints') }
      results.stages = await readStageTimes(folders, context)
    }
    if (has('growth')) {
      begin('growth')
      results.growth = await measureGrowth({ threads: most }, context)
    }
    if (has('precision')) {
      if (precisions.length < 2)
        throw new Error('precision: expected another one than float32 here, found none')
      begin('precision')
      const { seeds, quick } = options
      results.precision = await comparePrecisions({ ...context, seeds, quick })
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
  const targets = targetsOf(results, device)
  console.log(describeResults(results, targets))
  save()
  if (options.keep) {
    const kept = join(root, 'test', 'bench')
    const names = KEPT[device]
    const { precision, ...speed } = results
    if (precision) writeAtomically(join(kept, names.precision), textOf({ results: { precision } }))
    const isSpeed = parts.some((part) => part !== 'precision')
    if (isSpeed) writeAtomically(join(kept, names.speed), textOf({ targets, results: speed }))
  }
  return file
}

/** Five significant digits are more than any of these numbers has. */
function rounded(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(5)) : value
}

async function describeMachine(options: WorkerOptions, needsPeer: boolean) {
  const load = loadavg()[0] ?? 0
  const sides = needsPeer ? (['workbook', 'PyTorch'] as const) : (['workbook'] as const)
  const versions: { [name: string]: string } = {}
  let found: Pick<Answer<'hello'>, 'device' | 'name' | 'instructionSets' | 'lacking'> = {}
  for (const side of sides) {
    const worker = new Worker(side, options)
    try {
      const { versions: own, threads: _, ...about } = await worker.ask({ op: 'hello' })
      Object.assign(versions, own)
      if (side === 'workbook') found = about
    } finally {
      await worker.close()
    }
  }
  return { ...found, cores: availableParallelism(), memoryGiB: totalmem() / 2 ** 30, load, versions }
}

function commitOf(root: string): string {
  try {
    const git = (...words: string[]) =>
      execFileSync('git', ['-C', root, ...words], { encoding: 'utf8' }).trim()
    const changed = git('status', '--porcelain', '--untracked-files=no') ? ' with local changes' : ''
    return git('rev-parse', 'HEAD') + changed
  } catch {
    return 'unknown (not a git checkout)'
  }
}
