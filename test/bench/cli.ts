/** The command line of the benchmark, which `npx workbook bench` starts; main.ts explains how to read the tables. */
import { availableParallelism } from 'node:os'
import { Command, Option } from 'commander'
import { interruptSignal } from '../../lib/base'
import { startProgram } from '../../lib/workbench/program'
import { pythonProgram, root } from '../../lib/workbench/project'
import { wholeNumber } from '../../lib/workbench/whole-number'
import { DEFAULT_PARTS, PARTS, type Part, runBenchmark } from './main'

const counts = (text: string) => text.split(',').map(wholeNumber)

/** Seeds of the part `precision`. */
const SEEDS = [1, 2, 3]

interface Options {
  readonly peerPython?: string
  readonly parts?: readonly Part[]
  readonly threads?: readonly number[]
  readonly batch?: readonly number[]
  readonly rounds: number
  readonly stepMs: readonly number[]
  readonly quick?: boolean
  readonly keep?: boolean
}

const cores = availableParallelism()

const program = new Command('npx workbook bench')
  .description(
    'Compare speed and memory with PyTorch, and the evaluator with pycocotools, in one interleaved run; tables, and ' +
      'every number in .cache/bench/<date>.json.',
  )
  .addOption(new Option('--parts <names...>', 'what to compare').choices(PARTS))
  .option(
    '--threads <n,...>',
    'threads of a process in training and inference; the first also in the other parts (by default 1,2)',
    counts,
  )
  .option(
    '--batch <n,...>',
    'images a step in training and inference; the first also in distillation, epoch and memory (by default 16)',
    counts,
  )
  .option('--rounds <n>', 'interleaved rounds', wholeNumber, 15)
  .option(
    '--step-ms <ms,...>',
    "milliseconds of steps that the host's part is compared with (by default 45,27: PyTorch on an H200, TF32 and float16)",
    counts,
    [45, 27],
  )
  .option('--quick', 'one round of short turns, to see that everything runs')
  .option('--keep', 'also write the results to test/bench')
  .option(
    '--peer-python <file>',
    'a Python that has PyTorch, in place of an environment made for the benchmark',
  )
  .action(async ({ peerPython, rounds, stepMs, quick = false, keep = false, ...options }: Options) => {
    const { parts = DEFAULT_PARTS, batch = [16], threads = cores > 1 ? [1, 2] : [1] } = options
    const file = await runBenchmark({
      ...{ peerPython, parts, threads, processes: cores, batches: batch, stepMs, quick, keep, root },
      seeds: SEEDS,
      rounds: quick ? 1 : rounds,
      secondsPerTurn: quick ? 0.05 : 0.6,
      epochImages: quick ? 4 * (batch[0] ?? 16) : 480,
      python: pythonProgram('python'),
      signal: interruptSignal(),
    })
    console.error(`\nWrote ${file}.`)
  })

startProgram(program)
