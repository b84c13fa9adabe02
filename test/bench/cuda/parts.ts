/** The parts of the run on a card, the most important ones first. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { basename, join } from 'node:path'
import { executeNotebooks } from '../../../lib/workbench/notebooks'
import { root } from '../../../lib/workbench/project'
import { ENVIRONMENT } from '../../../lib/workbench/study-settings'
import { ARITHMETICS } from '../../device-check/formats'
import { countFailures, describeCheck } from '../../device-check/report'
import { checkDevice, countStarts } from '../../device-check/run'
import { type Comparison, type Context, contestants, PUBLISHED_INPUT, problem } from '../parts'
import { comparePrecisions } from '../precision'
import type { ProblemSpec, Work } from '../protocol'
import { comparisonTable, hostTable, precisionTable } from '../report'
import { race, timesAsFast } from '../rounds'
import { isPeer, type Side, type Sides, xlaFlags } from '../workers'
import type { Part } from './saved'

/** How much is measured. */
export interface Scale {
  /** Times the parts' budgets: a rehearsal is about whether they run, also on a busy machine. */
  readonly slack: number
  readonly problem: ProblemSpec
  /** Repetitions of what the host does. */
  readonly repeats: number
  readonly study: { profile: string; steps: number; batch: number; images: number }
  readonly notebook: string
  /** Of the device check, and whether it compares the CPU with itself. */
  readonly check: { images: number; batch: number; steps: number; againstItself: boolean }
}

/** The published teacher and student at 512x192 in batches of 64. */
export const CARD: Scale = {
  slack: 1,
  problem: { batch: 64, input: [...PUBLISHED_INPUT], width: 1, student: true },
  repeats: 40,
  study: { profile: 'paper', steps: 200, batch: 64, images: 256 },
  notebook: join(root, 'notebooks/00-ten-steps.ipynb'),
  check: { images: 16, batch: 8, steps: 10, againstItself: false },
}

/** Everything in small, on a CPU. */
export const REHEARSAL: Scale = {
  slack: 20,
  problem: { batch: 2, input: [96, 256], width: 0.125, student: true },
  repeats: 2,
  study: { profile: 'smoke', steps: 2, batch: 2, images: 4 },
  notebook: join(root, 'test/workbench/fixtures/small.ipynb'),
  check: { images: 4, batch: 2, steps: 1, againstItself: true },
}

export interface PartsOptions {
  readonly context: Omit<Context, 'patience' | 'limit'>
  readonly threads: number
  readonly sides: Sides
  /** Whether there is a Python with PyTorch. */
  readonly hasPeer: boolean
  readonly scale: Scale
  /** The problem, once it is written. */
  readonly held: { given?: Given }
}

type Given = Awaited<ReturnType<typeof problem>>
type Kind = Comparison['part']
type Precision = Work['precision']

/** Seconds of the races; a third of them is for a compiler. Those of low importance come after everything that is not a race. */
const EARLY: readonly [Kind, Precision, number][] = [
  ['inference', 'float32', 45],
  ['training', 'float32', 70],
  ['inference', 'float16', 30],
  ['training', 'float16', 60],
]
const LATE: readonly [Kind, Precision, number][] = [
  ['distillation', 'float32', 35],
  ['distillation', 'float16', 25],
  ['training', 'bfloat16', 25],
  ['inference', 'bfloat16', 15],
]

/** The parts that fit into the time of a run. */
export function cardParts(given: Omit<PartsOptions, 'held'>): Part[] {
  const options: PartsOptions = { ...given, held: {} }
  const races = (list: readonly [Kind, Precision, number][]) =>
    list
      .filter(([, precision]) => options.context.precisions.includes(precision))
      .map(([kind, precision, budget]) => racePart(kind, precision, budget, options))
  const parts: Part[] = [
    ...races(EARLY),
    { name: 'operations and bytes a step', budget: 20, run: (limit) => measureSizes(limit, options) },
    { name: "the host's share of a step", budget: 20, run: (limit) => measureHost(limit, options) },
    { name: 'deterministic kernels', budget: 30, run: (limit) => compareDeterminism(limit, options) },
    ...races(LATE),
    studyPart(options),
    { name: 'a notebook', budget: 20, run: (limit) => runNotebook(limit, options) },
    // The last one has what the others left.
    { name: 'check:cuda', budget: 40, run: (limit) => runCheck(limit, options) },
  ]
  return parts.map((part) => ({ ...part, budget: part.budget * options.scale.slack }))
}

/** Runs a body with the problem; where the time is over, the processes are ended with all that they hold. */
async function onProblem<T>(
  limit: AbortSignal,
  { sides, context, scale, held }: PartsOptions,
  body: (given: Given) => Promise<T>,
): Promise<T> {
  try {
    held.given ??= await problem(sides, { ...context, limit }, scale.problem)
    return await body(held.given)
  } catch (error) {
    await sides.close()
    throw error
  }
}

function racePart(kind: Kind, precision: Precision, budget: number, options: PartsOptions): Part {
  const { context, threads, hasPeer, sides, scale } = options
  const network = kind === 'distillation' ? 'student' : 'teacher'
  const method = kind === 'distillation' ? ('masked-class-kd' as const) : undefined
  // Compiling everything would take longer than all the rest.
  const isMain = kind !== 'distillation' && precision !== 'bfloat16'
  const compiled: Side[] = ['workbook with XLA', ...(isMain ? (['PyTorch compiled'] as const) : [])]
  const run = (limit: AbortSignal) =>
    onProblem(limit, options, async (given) => {
      const field = contestants({ network, kind, method }, [precision], compiled)
      const raced = await race(
        [sides],
        given.file,
        field.filter(({ side }) => hasPeer || !isPeer(side)),
        { ...context, patience: (scale.slack * budget) / 3, limit },
      )
      const { text: subject, macs } = given[network] ?? given.teacher
      const { batch } = scale.problem
      const result: Comparison = { part: kind, threads, processes: 1, batch, subject, macs, ...raced }
      return { text: comparisonTable(result), result }
    })
  return { name: `${kind} in ${precision}`, budget, run }
}

/** Recorded operations and fed bytes of the published networks; what the executor starts in the default ones, with and without XLA. */
function measureSizes(limit: AbortSignal, options: PartsOptions) {
  const { sides, scale, context } = options
  const works = [
    { network: 'teacher', kind: 'training' },
    { network: 'teacher', kind: 'inference' },
    { network: 'student', kind: 'distillation', method: 'masked-class-kd' },
  ] as const
  return onProblem(limit, options, async ({ file }) => {
    const graphs = []
    for (const work of works) {
      const key = `size of ${work.kind}`
      await sides.workbook.ask({ op: 'prepare', key, file, precision: 'float32', ...work }, limit)
      const size = await sides.workbook.ask({ op: 'size', key }, limit)
      await sides.workbook.ask({ op: 'release', key }, limit)
      graphs.push({ ...work, batch: scale.problem.batch, ...size })
    }
    const { images: scenes, batch } = scale.check
    const count = (xla: boolean) =>
      countStarts(
        { scenes, batch, cache: join(context.cache, 'data'), signal: limit },
        { TF_XLA_FLAGS: xlaFlags(xla) },
      )
    const started = { 'without XLA': await count(false), 'with XLA': await count(true) }
    const lines = [
      ...graphs.map(({ kind, operations, fed }) => `${kind}: ${operations} operations, ${fed} bytes fed`),
      ...Object.entries(started).flatMap(([how, all]) =>
        Object.entries(all).map(
          ([name, { CPU, GPU }]) =>
            `${name}, default networks, ${how}: ${GPU} started on the card, ${CPU} on the host`,
        ),
      ),
    ]
    return { text: lines.join('\n'), result: { graphs, started } }
  })
}

async function measureHost(limit: AbortSignal, { sides, context, scale, threads }: PartsOptions) {
  const { batch, input = PUBLISHED_INPUT, width = 1 } = scale.problem
  const side = sides['workbook with XLA']
  const result = await side.ask(
    {
      ...{ op: 'host', batch, input: [...input], isSlight: width < 1, repeats: scale.repeats },
      precision: 'float32',
      ...{ cache: join(context.cache, 'data'), workers: Math.max(1, threads - 1) },
    },
    limit,
  )
  const [run, between] = [result.run.wall.median, result.between.wall.median]
  const share = (100 * between) / (between + run)
  return { text: `${hostTable(result)}\nthe host's part is ${share.toFixed(1)} % of a step`, result }
}

/** A training step with kernels that give the same bits every time, and with any; both with and without XLA. */
function compareDeterminism(limit: AbortSignal, options: PartsOptions) {
  const field = (
    [
      'workbook',
      'workbook, not deterministic',
      'workbook with XLA',
      'workbook with XLA, not deterministic',
    ] as const
  ).map((side) => ({
    ...{ name: side, side },
    work: { network: 'teacher', kind: 'training', precision: 'float32' } as const,
  }))
  return onProblem(limit, options, async ({ file }) => {
    const { context, sides, scale } = options
    const result = await race([sides], file, field, { ...context, patience: 10 * scale.slack, limit })
    const { timed, missing } = result
    const lines = timed.map((entry) => {
      const other = timed.find(({ name }) => name === `${entry.name}, not deterministic`)
      const ratio = other && timesAsFast(entry, other).median
      return `${entry.name}: ${(1000 * entry.seconds.median).toFixed(1)} ms${ratio ? `, ${ratio.toFixed(2)} times as fast as with any kernels` : ''}`
    })
    return { text: [...lines, ...missing].join('\n'), result }
  })
}

/** Whether low precisions train to float32's mAP: a part on request, since it takes half an hour. */
export function precisionPart(seeds: readonly number[], { context }: Pick<PartsOptions, 'context'>): Part {
  return {
    name: 'trainings in every precision',
    budget: 3600,
    async run(signal) {
      const result = await comparePrecisions({ ...context, signal, seeds, quick: false })
      return { text: precisionTable(result), result }
    },
  }
}

/** Runs a command of the project; returns what it printed. */
async function command(words: readonly string[], signal: AbortSignal): Promise<string> {
  const child = spawn(process.execPath, [join(root, 'lib/workbench/bootstrap.cjs'), ...words], {
    stdio: ['ignore', 'pipe', 'pipe'],
    signal,
  })
  const text = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (more: string) => {
      text[name] = (text[name] + more).slice(-4000)
    })
  const [code, by]: (number | string | null)[] = await once(child, 'close')
  if (code === 0) return text.stdout.trim()
  throw new Error(`${words.join(' ')} ended with ${code ?? by}:\n${text.stderr}`)
}

function studyPart({ scale }: PartsOptions): Part {
  const { profile, ...sizes } = scale.study
  const words = Object.entries(sizes).flatMap(([name, value]) => [`--${name}`, String(value)])
  return {
    name: `steps of profile ${profile}`,
    budget: 45,
    async run(limit) {
      const text = await command(['check', '--profile', profile, ...words], limit)
      return { text, result: scale.study }
    },
  }
}

async function runNotebook(signal: AbortSignal, { scale, context }: PartsOptions) {
  const [done] = await executeNotebooks({
    notebooks: [scale.notebook],
    outDir: join(context.scratch, 'notebooks'),
    env: { [ENVIRONMENT.profile]: 'smoke', [ENVIRONMENT.out]: join(context.scratch, 'study') },
    signal,
  })
  if (!done) throw new Error(`${scale.notebook}: expected it executed, found nothing`)
  return {
    text: `${basename(done.notebook)}: ${done.seconds.toFixed(1)} s`,
    result: { seconds: done.seconds },
  }
}

async function runCheck(signal: AbortSignal, { scale, context }: PartsOptions) {
  const { againstItself } = scale.check
  const result = await checkDevice({
    ...scale.check,
    // A rehearsal has the reference and the placement; the check's own test compares.
    formats: againstItself ? [] : ARITHMETICS,
    cache: join(context.cache, 'data'),
    signal,
    onProgress: context.onProgress,
  })
  if (!result) throw new Error('expected a CUDA device, found none')
  const counts = countFailures(result)
  const verdict = `${counts.failed} of ${counts.total} comparisons failed`
  return { text: `${describeCheck(result)}\n${verdict}`, result: counts }
}
