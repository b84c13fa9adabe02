/** `npm run bench:cuda`: everything about speed on a card, in one run of at most eight minutes. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import path from 'node:path'
import { Command } from 'commander'
import { interruptSignal } from '../../../lib/base'
import { startProgram } from '../../../lib/workbench/program'
import { pythonProgram, root } from '../../../lib/workbench/project'
import { benchPython } from '../environment'
import { commitOf, describeMachine, isLacking } from '../main'
import { withSides } from '../workers'
import { CARD, cardParts, precisionPart, REHEARSAL } from './parts'
import { describeParts, runParts } from './saved'

interface Options {
  readonly rehearse?: boolean
  readonly again?: boolean
  readonly trainings?: boolean
  readonly file?: string
  readonly peerPython?: string
}

const SEEDS = [1, 2, 3]
const LOW = ['float16', 'bfloat16'] as const

/** PyTorch's Python, made before the clock starts; a rehearsal installs nothing. Undefined, with a sentence, where there is none. */
async function peerOf({ peerPython, rehearse }: Options, cache: string, signal: AbortSignal) {
  if (peerPython) return peerPython
  if (!rehearse)
    try {
      return await benchPython(cache, pythonProgram('python'), signal)
    } catch (error) {
      signal.throwIfAborted()
      console.error(error instanceof Error ? error.message : String(error))
    }
  console.error('PyTorch is left out: no Python that has it is given (--peer-python).')
  return undefined
}

async function measure(options: Options): Promise<void> {
  const { rehearse = false, again = false, trainings = false } = options
  const cache = path.join(root, '.cache')
  const file = path.resolve(
    options.file ?? path.join(cache, 'bench', rehearse ? 'cuda-rehearsal.json' : 'cuda.json'),
  )
  const signal = interruptSignal()
  const peer = await peerOf(options, cache, signal)
  const device = rehearse ? 'cpu' : 'cuda'
  const threads = rehearse ? 1 : availableParallelism()
  const base = { device, threads, python: peer ?? pythonProgram('python'), signal } as const
  const { lacking, ...machine } = await describeMachine(base, peer !== undefined)
  if (!rehearse && machine.device !== 'GPU')
    throw new Error('expected a CUDA device, found none; --rehearse tries every part on a CPU, in small')
  mkdirSync(path.dirname(file), { recursive: true })
  if (again) rmSync(file, { force: true })
  const scratch = mkdtempSync(path.join(tmpdir(), 'bench-'))
  const onProgress = (text: string) => console.error(`  ${text}`)
  const context = {
    ...{ ...base, scratch, cache, onProgress },
    ...(rehearse ? { rounds: 1, secondsPerTurn: 0.01 } : { rounds: 5, secondsPerTurn: 0.3 }),
    // Other precisions take the same way through every part.
    precisions: [
      'float32' as const,
      ...(rehearse ? [] : LOW.filter((precision) => !isLacking(precision, lacking))),
    ],
    ...{ epochImages: 0, evaluatorRounds: 0 },
  }
  try {
    const parts = await withSides(base, (sides) => {
      const scale = rehearse ? REHEARSAL : CARD
      const list = cardParts({ context, threads, sides, hasPeer: peer !== undefined, scale })
      if (trainings) list.push(precisionPart(SEEDS, { context }))
      return runParts({ ...{ file, commit: commitOf(root), machine, signal, onProgress }, parts: list })
    })
    console.log(describeParts(parts))
    console.error(`\nWrote ${file}.`)
    const lost = Object.entries(parts).filter(([, { state }]) => state !== 'done')
    if (lost.length > 0)
      throw new Error(
        `Not done: ${lost.map(([name]) => name).join(', ')}. The same command goes on with these; compilers have kept what they compiled.`,
      )
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

const program = new Command('npx workbook bench-cuda')
  .description(
    'Measure on a card, in at most eight minutes: training, distillation and inference beside PyTorch, operations and bytes a ' +
      "step, the host's share, deterministic kernels, steps of profile paper, a notebook, and the device check. Every part is " +
      'saved when it is done; started again, it goes on with those that are missing.',
  )
  .option('--rehearse', 'run every part on a CPU, in small')
  .option('--again', 'begin anew')
  .option('--trainings', "then train the default profile's control in every precision too: half an hour")
  .option('--file <file>', 'where the results are saved (by default .cache/bench/cuda.json)')
  .option('--peer-python <file>', 'a Python that has PyTorch, in place of an environment made for it')
  .action(measure)

startProgram(program)
