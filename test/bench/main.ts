/**
 * The benchmark on a CPU (on a card: cuda/): the workbook beside PyTorch, ONNX Runtime and OpenVINO on the same networks, batch, threads and machine, in one run.
 *
 *     npx workbook bench                               every part but precision: half an hour on two idle cores
 *     npx workbook bench --parts precision             whether bfloat16 trains to float32's mAP: 10 minutes
 *     npx workbook bench --parts training inference --threads 1,4 --batch 16,8 --rounds 31
 *     npx workbook bench --keep                        also writes test/bench/results.json (precision: precision.json)
 *
 * It prints its tables and writes every number to .cache/bench/<date>.json, with machine, versions and commit.
 * The files in test/bench are those of the last kept runs; host.json is what `--parts host` wrote to .cache/bench since.
 *
 * What is timed
 * - training: forward pass, YOLOv3 loss (GIoU, targets given), backward pass, clipping, SGD with momentum and weight
 *   decay, running statistics; the loss's terms and the gradient's norm are read back. On a CPU first the throughput of the
 *   machine: as many processes as cores, with one thread each, all of one side at the same time, as a study runs its trials.
 *   Then a process alone, with every number of threads.
 * - inference: images to logits, read back, a process alone with every number of threads. The workbook folds batch norm into the
 *   kernels once; PyTorch eager does not.
 * - runtimes: the exported networks in ONNX Runtime and OpenVINO beside the workbook, batch 1 and the first batch, one thread, and as
 *   many processes as cores; float32, and the best low precision of each: bfloat16 where the processor has it, int8 with a
 *   float head. They are installed by `npm run setup -- --deploy`; what is missing is said.
 * - distillation: student's step with the teacher's inference inside, masked-class-kd on both sides.
 * - epoch: training with decoding from memory, augmentation and targets, one data worker, as the profile trains. PyTorch's
 *   loader is a plain Dataset and DataLoader that makes the same kind of views.
 * - memory: over five training steps the high-water mark of a process's resident memory (VmHWM), libraries included, and the most
 *   private memory (USS: Private_Clean + Private_Dirty of /proc/<pid>/smaps_rollup, looked at every 20 ms), which is
 *   what one more trial takes from the machine. Another process of the same side has done the same before and waits, so that
 *   libraries count as shared on both sides.
 * - growth: training and inference against batch, input size and width, up to the published 512x192 teacher.
 * Training and inference are timed with every number of threads and every batch, the others with the first of each.
 * - precision: no time, but what speed costs: validation mAP of the default profile's control after training with three seeds
 *   in float32 and in bfloat16, two trials side by side.
 * - host: what the training's thread does between two runs of the step's graph (assigning truths, feeding, reading back, log,
 *   progress), for the published batch of 64 images of 512x192, in milliseconds, and as a share of given steps of a card: there
 *   it is time in which the device waits. The network is a slight one with as many layers, which changes nothing of it.
 * - evaluator: COCO's twelve numbers against pycocotools. stages: the default profile's time, from trials on disk.
 *
 * How to read it
 * - Both sides read weights, images and targets from one file, and the first step's loss (or logits) must agree, or the
 *   run stops. In a round every contestant has one turn of many steps, alone on the machine, and each round starts with
 *   another one. A number is the median of the rounds with their quartiles in brackets; ratios are taken round by round,
 *   so that a slow minute of the machine hits both sides of a ratio.
 * - 'x PyTorch float32' above 1: that many times as fast as PyTorch in float32 at its fastest: eager with one of two memory
 *   layouts (contiguous or channels_last), in training and inference also compiled by torch.compile. The targets compare with that one too, also for bfloat16. Training in one process with several threads has
 *   no target: trials side by side use such a machine better.
 * - If the quartiles of a ratio lie on both sides of 1, this run does not show who is faster: use more --rounds, and an idle
 *   machine (the load at the start is printed and kept).
 * - growth: 'limit' is the time if the step were nothing but convolutions at the throughput of large 3x3 ones, a
 *   backward pass counted as two forward ones; the share in brackets is how near a side comes. What is missing to 100 %
 *   is memory traffic, small channel counts and overheads. In bfloat16 the limit is far higher, the share lower.
 * - Both sides get images as bytes and scale them themselves. Who compiles for longer than five minutes, or cannot, is left out;
 *   the reason stands below the table and among the results.
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
  measureHostPart,
  readStageTimes,
  type Setting,
} from './parts'
import { comparePrecisions } from './precision'
import type { Answer, Work } from './protocol'
import { describeResults, inWords, type Results, type Target, targetsOf } from './report'
import { compareRuntimes } from './runtimes'
import { Worker, type WorkerOptions } from './workers'

/** Defaults of a run. */
export const DEFAULT_PARTS = [
  'training',
  'inference',
  'runtimes',
  'distillation',
  'epoch',
  'memory',
  'evaluator',
  'stages',
  'growth',
  'host',
] as const
export const PARTS = [...DEFAULT_PARTS, 'precision'] as const
export type Part = (typeof PARTS)[number]

export interface BenchmarkOptions {
  readonly parts: readonly Part[]
  /** Threads of one process. Training and inference are timed with each, the other parts with the first. */
  readonly threads: readonly number[]
  /** Processes that train side by side, one thread each, for the machine's throughput; 1: none. */
  readonly processes: number
  /** Training and inference are timed with each; the first is the one of distillation, epoch and memory. */
  readonly batches: readonly number[]
  readonly rounds: number
  readonly secondsPerTurn: number
  readonly epochImages: number
  /** Milliseconds of steps that the host's part is compared with. */
  readonly stepMs: readonly number[]
  /** Seeds of the part `precision`. */
  readonly seeds: readonly number[]
  /** Short turns and trainings, to see whether everything runs. */
  readonly quick: boolean
  /** Write the results to test/bench. */
  readonly keep: boolean
  /** The project's folder. */
  readonly root: string
  /** Makes the benchmark's environment. */
  readonly python: string
  /** Python with requirements.txt's packages, or newer ones, used instead of that environment. */
  readonly peerPython?: string
  readonly signal: AbortSignal
}

/** Parts that PyTorch has no share in. */
const ALONE: ReadonlySet<Part> = new Set(['runtimes', 'stages', 'host', 'precision'])

type Precision = Exclude<Work['precision'], 'float32'>
/** Today's CPUs compute float16 hardly faster than float32, and PyTorch cannot train in it there. */
const LOW_PRECISIONS: readonly Precision[] = ['bfloat16']

/** Names of the kept results, in test/bench. */
const KEPT = { speed: 'results.json', precision: 'precision.json' }

/** Seconds in which torch.compile must be done with a step. */
const PATIENCE = 300

/** The published batch, which the host's part is timed with, and how often; the second are a try's. */
const HOST = { batch: 64, repeats: 40 }
const HOST_QUICK = { batch: 2, repeats: 2 }

const EPOCH_ROUNDS = 3
const EVALUATOR_ROUNDS = 3

/** A run: its options, where results go, and who is told that a measurement begins. */
interface Run {
  readonly options: BenchmarkOptions
  readonly context: Context
  readonly results: Results
  /** The first number of threads and the first batch. */
  readonly threads: number
  readonly batch: number
  begin(what: string): void
}

const MEASURE: { readonly [part in Part]: (run: Run) => Promise<void> } = {
  async training(run) {
    const { threads, processes } = run.options
    if (processes > 1) await steps('training', { threads: 1, processes }, run)
    for (const count of threads) await steps('training', { threads: count, processes: 1 }, run)
  },
  async inference(run) {
    for (const count of run.options.threads) await steps('inference', { threads: count, processes: 1 }, run)
  },
  async runtimes({ options: { processes }, batch, results, context, begin }) {
    for (const network of ['teacher', 'student'] as const)
      for (const setting of [
        { threads: 1, processes: 1, batch: 1 },
        { threads: 1, processes: 1, batch },
        ...(processes > 1 ? [{ threads: 1, processes, batch }] : []),
      ]) {
        begin(`${network} in runtimes, batch ${setting.batch}, ${inWords(setting)}`)
        results.runtimes.push(await compareRuntimes(network, setting, context))
      }
  },
  async distillation({ threads, batch, results, context, begin }) {
    begin(`distillation, batch ${batch}, ${threads} thread(s)`)
    results.comparisons.push(await compareDistillation({ threads, batch }, context))
  },
  async epoch({ threads, batch, options, results, context, begin }) {
    begin(`epoch, batch ${batch}, ${threads} thread(s)`)
    const rounds = Math.min(EPOCH_ROUNDS, options.rounds)
    results.epochs.push(await compareEpochs({ threads, batch, rounds }, context))
  },
  async memory({ threads, batch, results, context, begin }) {
    begin('memory')
    results.memory = await compareMemory({ threads, batch }, context)
  },
  async evaluator({ results, context, begin }) {
    begin('evaluator')
    results.evaluator = await compareEvaluators(context)
  },
  async stages({ options: { root }, results, context }) {
    const folders = { runs: join(root, 'runs', 'default'), shipped: join(root, 'data', 'checkpoints') }
    results.stages = await readStageTimes(folders, context)
  },
  async growth({ threads, results, context, begin }) {
    begin('growth')
    results.growth = await measureGrowth({ threads }, context)
  },
  async host({ options: { quick, stepMs }, results, context, begin }) {
    begin("the host's part of a step")
    results.host = { ...(await measureHostPart(quick ? HOST_QUICK : HOST, context)), stepMs }
  },
  async precision({ options: { seeds, quick }, results, context, begin }) {
    if (context.precisions.length < 2)
      throw new Error('precision: expected another one than float32 here, found none')
    begin('precision')
    results.precision = await comparePrecisions({ ...context, seeds, quick })
  },
}

async function steps(
  part: 'training' | 'inference',
  setting: Setting,
  { options, context, results, begin }: Run,
): Promise<void> {
  for (const batch of options.batches) {
    begin(`${part}, batch ${batch}, ${inWords(setting)}`)
    results.comparisons.push(await compareSteps(part, { ...setting, batch }, context))
  }
}

/** Runs the parts, prints the tables and writes the JSON; returns its path. */
export async function runBenchmark(options: BenchmarkOptions): Promise<string> {
  const { parts, signal, root } = options
  const device = 'cpu'
  const cache = join(root, '.cache')
  const needsPeer = parts.some((part) => !ALONE.has(part))
  const python = needsPeer
    ? (options.peerPython ?? (await benchPython(cache, options.python, signal)))
    : options.python
  const { lacking, ...machine } = await describeMachine({ device, threads: 1, python, signal }, needsPeer)
  console.error(`${machine.name}, ${machine.cores} cores, load ${machine.load.toFixed(1)} at the start`)
  if (machine.load > 0.5) console.error('Other work runs on this machine: the spread will show it.')

  mkdirSync(cache, { recursive: true })
  const scratch = mkdtempSync(join(tmpdir(), 'bench-'))
  const results: Results = { comparisons: [], epochs: [], runtimes: [] }
  const record = new ResultFile(root, machine)
  // An interrupted run keeps the finished parts.
  const save = () => record.write(record.file, { targets: targetsOf(results), results })
  const run: Run = {
    options,
    context: {
      ...{ device, python, signal, scratch, cache, onProgress: (text) => console.error(`  ${text}`) },
      rounds: options.rounds,
      ...{ secondsPerTurn: options.secondsPerTurn, patience: PATIENCE },
      precisions: ['float32', ...LOW_PRECISIONS.filter((precision) => !isLacking(precision, lacking))],
      epochImages: options.epochImages,
      evaluatorRounds: Math.min(EVALUATOR_ROUNDS, options.rounds),
    },
    results,
    threads: options.threads[0] ?? 1,
    batch: options.batches[0] ?? 16,
    begin(what) {
      save()
      console.error(`${record.minutes.toFixed(1)} min: ${what}`)
    },
  }
  try {
    for (const part of PARTS) if (parts.includes(part)) await MEASURE[part](run)
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
  const targets = targetsOf(results)
  console.log(describeResults(results, targets))
  save()
  if (options.keep) keep(record, options, results, targets)
  return record.file
}

/** Whether a device cannot compute in a precision, which is then said. */
export function isLacking(precision: Precision, lacking: Answer<'hello'>['lacking']): boolean {
  const reason = lacking?.[precision]
  if (reason) console.error(`${precision} is left out: ${reason}`)
  return reason !== undefined
}

/** The written results of a run: numbers, with their machine and commit. */
class ResultFile {
  readonly file: string
  private readonly start = performance.now()
  private readonly about: object

  constructor(root: string, machine: object) {
    const date = new Date().toISOString()
    this.about = { format: 'benchmark/1', date, commit: commitOf(root), machine }
    this.file = join(root, '.cache', 'bench', `${date.replace(/[:.]/g, '-')}.json`)
  }

  get minutes(): number {
    return (performance.now() - this.start) / 60_000
  }

  write(file: string, content: object): void {
    const text = JSON.stringify({ ...this.about, minutes: this.minutes, ...content }, rounded, 1)
    writeAtomically(file, `${text}\n`)
  }
}

/** Writes the results to test/bench, speed and precision separately. */
function keep(
  record: ResultFile,
  { root, parts }: BenchmarkOptions,
  { precision, ...speed }: Results,
  targets: readonly Target[],
): void {
  const folder = join(root, 'test', 'bench')
  if (precision) record.write(join(folder, KEPT.precision), { results: { precision } })
  const isSpeed = parts.some((part) => part !== 'precision')
  if (isSpeed) record.write(join(folder, KEPT.speed), { targets, results: speed })
}

/** Five significant digits exceed the accuracy of all these numbers. */
export function rounded(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(5)) : value
}

/** What both sides run on, and their versions. */
export async function describeMachine(options: WorkerOptions, needsPeer: boolean) {
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

/** The commit of a checkout, and whether files differ from it. */
export function commitOf(root: string): string {
  try {
    const git = (...words: string[]) =>
      execFileSync('git', ['-C', root, ...words], { encoding: 'utf8' }).trim()
    const changed = git('status', '--porcelain', '--untracked-files=no') ? ' with local changes' : ''
    return git('rev-parse', 'HEAD') + changed
  } catch {
    return 'unknown (not a git checkout)'
  }
}
