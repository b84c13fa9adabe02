/** The command line of the benchmark, which `npx workbook bench` starts; main.ts explains how to read the tables. */
import { availableParallelism } from 'node:os'
import { Command, Option } from 'commander'
import { interruptSignal } from '../../lib/base'
import { startProgram } from '../../lib/workbench/program'
import { pythonProgram, root } from '../../lib/workbench/project'
import { wholeNumber } from '../../lib/workbench/whole-number'
import { CUDA_PARTS, DEFAULT_PARTS, LOW_PRECISIONS, PARTS, type Part, runBenchmark } from './main'
import { DEVICES, type Device } from './workers'

const counts = (text: string) => text.split(',').map(wholeNumber)

/** Seeds of the part `precision`. */
const SEEDS = [1, 2, 3]

type Precision = (typeof LOW_PRECISIONS)[Device][number]

interface Options {
  readonly device: Device
  readonly peerPython?: string
  readonly parts?: readonly Part[]
  readonly precisions?: readonly Precision[]
  readonly threads?: readonly number[]
  readonly batch?: readonly number[]
  readonly rounds: number
  readonly quick?: boolean
  readonly keep?: boolean
}

const cores = availableParallelism()

const program = new Command('npx workbook bench')
  .description(
    'Compare speed and memory with PyTorch, and the evaluator with pycocotools, in one interleaved run; tables, and ' +
      'every number in .cache/bench/<date>.json.',
  )
  .addOption(new Option('--device <name>', 'what both compute on').choices(DEVICES).default('cpu'))
  .addOption(
    new Option('--parts <names...>', `what to compare (on cuda ${CUDA_PARTS.join(', ')})`).choices(PARTS),
  )
  .addOption(
    new Option(
      '--precisions <names...>',
      `beside float32 (by default ${LOW_PRECISIONS.cpu}; on cuda ${LOW_PRECISIONS.cuda.join(', ')})`,
    ).choices(LOW_PRECISIONS.cuda),
  )
  .option(
    '--threads <n,...>',
    `threads of a process in training and inference; the first also in the other parts (by default 1,2; on cuda ${cores})`,
    counts,
  )
  .option(
    '--batch <n,...>',
    'images a step in training and inference; the first also in distillation, epoch and memory (by default 16; on cuda 64)',
    counts,
  )
  .option('--rounds <n>', 'interleaved rounds', wholeNumber, 15)
  .option('--quick', 'one round of short turns, to see that everything runs')
  .option('--keep', 'also write the results to test/bench')
  .option(
    '--peer-python <file>',
    'a Python that has PyTorch, in place of an environment made for the benchmark',
  )
  .action(async ({ device, peerPython, rounds, quick = false, keep = false, ...options }: Options) => {
    const onCard = device === 'cuda'
    const { parts = onCard ? CUDA_PARTS : DEFAULT_PARTS, batch = onCard ? [64] : [16] } = options
    const { threads = onCard ? [cores] : cores > 1 ? [1, 2] : [1] } = options
    const file = await runBenchmark({
      ...{ device, peerPython, parts, threads, processes: cores, batches: batch, quick, keep, root },
      lowPrecisions: options.precisions ?? LOW_PRECISIONS[device],
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
