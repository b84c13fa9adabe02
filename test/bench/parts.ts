/** The parts of the benchmark: each is a list of contestants, or a question to both sides. */
import { join } from 'node:path'
import type { Answer, Method, ProblemSpec, StageRow, Work } from './protocol'
import {
  type Contestant,
  type Race,
  type RoundOptions,
  race,
  type Spread,
  spread,
  timesAsFast,
} from './rounds'
import { isPeer, type Side, type Sides, Worker, withSides, withTeams } from './workers'

export const METHODS = ['output-kd', 'class-kd', 'masked-class-kd', 'objectness-mse', 'feature-mse'] as const

type Precision = Work['precision']

export interface Context extends RoundOptions {
  readonly python: string
  readonly signal: AbortSignal
  /** Folder for problem files. */
  readonly scratch: string
  readonly cache: string
  /** Precisions that this machine computes in. */
  readonly precisions: readonly Precision[]
  /** Images of an epoch. */
  readonly epochImages: number
  readonly evaluatorRounds: number
}

/** [height, width] of the published recipe, and the batch of which a step fits in a CPU's memory. */
export const PUBLISHED_INPUT = [192, 512] as const
export const PUBLISHED_BATCH = 4

/** Concurrency: number of processes, and the threads of each. */
export interface Setting {
  readonly threads: number
  readonly processes: number
}

/** A race on one problem. */
export interface Comparison extends Setting, Race {
  readonly part: 'training' | 'inference' | 'distillation'
  readonly batch: number
  readonly subject: string
  readonly macs: number
}

const LAYOUTS = ['contiguous', 'channels_last'] as const

/** The workbook in every precision, PyTorch in every precision and layout, and on request sides that compile. */
export function contestants(
  work: Pick<Work, 'network' | 'kind' | 'method'>,
  precisions: readonly Precision[],
  compiled: readonly Side[] = [],
): Contestant[] {
  const task = work.kind === 'distillation' ? 'distillation' : `${work.network} ${work.kind}`
  return precisions.flatMap((precision): Contestant[] => [
    { name: `workbook ${precision}, ${task}`, side: 'workbook', work: { ...work, precision } },
    ...LAYOUTS.map(
      (layout): Contestant => ({
        name: `PyTorch ${precision} ${layout}, ${task}`,
        side: 'PyTorch',
        work: { ...work, precision, layout },
      }),
    ),
    ...compiled.map((side): Contestant => {
      const [library = '', ...variant] = side.split(' ')
      return {
        name: `${library} ${precision} ${variant.join(' ')}, ${task}`,
        side,
        // torch.compile chooses layouts itself.
        work: { ...work, precision, ...(isPeer(side) && { layout: 'channels_last' }) },
      }
    }),
  ])
}

/** Writes a problem; returns its file and content. */
export async function problem(
  sides: Sides,
  { scratch, limit }: Pick<Context, 'scratch' | 'limit'>,
  spec: ProblemSpec,
) {
  const name = `${spec.width ?? 'default'}-${spec.input?.join('x') ?? ''}-${spec.batch}.safetensors`
  const file = join(scratch, name)
  return { file, ...(await sides.workbook.ask({ op: 'problem', spec, file }, limit)) }
}

/** Steps of the default profile's teacher: training or inference, in one process of each side or in several that work at the same time. */
export async function compareSteps(
  part: 'training' | 'inference',
  { threads, processes, batch }: Setting & { batch: number },
  context: Context,
): Promise<Comparison> {
  return withTeams({ ...context, threads }, processes, async (teams) => {
    const { file, teacher } = await problem(teams[0]!, context, { batch })
    const field = contestants({ network: 'teacher', kind: part }, context.precisions, ['PyTorch compiled'])
    const raced = await race(teams, file, field, context)
    return { part, threads, processes, batch, subject: teacher.text, macs: teacher.macs, ...raced }
  })
}

/**
 * The distillation step with the student's training step and the teacher's inference, of which it consists: masked-class-kd
 * on both sides, the other methods on the workbook's.
 */
export async function compareDistillation(
  { threads, batch }: { threads: number; batch: number },
  context: Context,
): Promise<Comparison> {
  return withSides({ ...context, threads }, async (sides) => {
    const { file, student } = await problem(sides, context, { batch, student: true })
    if (!student) throw new Error('expected a problem with a student, found the teacher alone')
    const { precisions } = context
    const others = METHODS.filter((method) => method !== 'masked-class-kd')
    const field = [
      ...contestants({ network: 'student', kind: 'training' }, precisions),
      ...contestants({ network: 'teacher', kind: 'inference' }, precisions),
      ...contestants({ network: 'student', kind: 'distillation', method: 'masked-class-kd' }, precisions),
      ...precisions.flatMap((precision) =>
        others.map(
          (method): Contestant => ({
            name: `workbook ${precision}, ${method}`,
            side: 'workbook',
            work: { network: 'student', kind: 'distillation', method, precision },
          }),
        ),
      ),
    ]
    const raced = await race([sides], file, field, context)
    const { text: subject, macs } = student
    return { part: 'distillation', threads, processes: 1, batch, subject, macs, ...raced }
  })
}

export interface DistillationCost {
  readonly name: string
  readonly method: Method
  readonly precision: Precision
  /** Distillation step / (student's training step + teacher's inference), round by round. */
  readonly cost: Spread
}

/** Cost of a distillation step relative to its two parts. */
export function distillationCosts({ timed }: Comparison): DistillationCost[] {
  return timed.flatMap((entry): DistillationCost[] => {
    const { work, side } = entry
    if (work.kind !== 'distillation' || !work.method) return []
    const same = (kind: Work['kind']) =>
      timed.find(
        (other) =>
          other.side === side &&
          other.work.kind === kind &&
          other.work.precision === work.precision &&
          other.work.layout === work.layout,
      )!.rounds
    const [training, inference] = [same('training'), same('inference')]
    const cost = spread(entry.rounds.map((seconds, i) => seconds / (training[i]! + inference[i]!)))
    const name = side === 'workbook' ? `workbook ${work.precision}, ${work.method}` : entry.name
    return [{ name, method: work.method, precision: work.precision, cost }]
  })
}

export interface EpochResult {
  readonly threads: number
  readonly batch: number
  readonly images: number
  readonly rows: readonly {
    readonly name: string
    readonly side: Side
    readonly precision: Precision
    readonly imagesPerSecond: Spread
    /** Fraction of the time that steps waited for their batches. */
    readonly waitedShare: number
    /** Seconds an image, round by round. */
    readonly rounds: readonly number[]
  }[]
}

/** Epochs of the default profile's teacher with its data, one data worker, each side in turn. */
export async function compareEpochs(
  { threads, batch, rounds }: { threads: number; batch: number; rounds: number },
  context: Context,
): Promise<EpochResult> {
  const { cache, scratch, epochImages, precisions, onProgress } = context
  return withSides({ ...context, threads }, async (sides) => {
    const { file } = await problem(sides, context, { batch })
    const samples = join(scratch, 'samples.json')
    onProgress('rendering images')
    const scenes = await sides.workbook.ask({
      op: 'scenes',
      cache: join(cache, 'bench', 'data'),
      images: epochImages,
      file: samples,
    })
    const { images, augment, assign } = scenes
    const field = contestants({ network: 'teacher', kind: 'training' }, precisions)
    const found = field.map((): Answer<'epoch'>[] => [])
    for (let round = 0; round < rounds; round++) {
      for (const [i, { name, side, work }] of field.entries()) {
        onProgress(`round ${round + 1} of ${rounds}: ${name}`)
        const { precision, layout } = work
        found[i]!.push(
          await sides[side].ask({
            op: 'epoch',
            ...{ key: String(i), file, samples, batch, precision, layout, augment, assign },
          }),
        )
      }
    }
    const rows = field.map(({ name, side, work }, i) => ({
      name: name.replace(/, .*/, ''),
      side,
      precision: work.precision,
      imagesPerSecond: spread(found[i]!.map(({ imagesPerSecond }) => imagesPerSecond)),
      waitedShare: spread(found[i]!.map(({ waitedShare }) => waitedShare)).median,
      rounds: found[i]!.map(({ imagesPerSecond }) => 1 / imagesPerSecond),
    }))
    return { threads, batch, images, rows }
  })
}

export interface EvaluatorResult {
  readonly ours: Spread
  readonly theirs: Spread
  readonly ratio: Spread
  /** Largest difference of the twelve numbers. */
  readonly largestDifference: number
  readonly extras: Answer<'evaluatorExtras'>
}

/** The COCO evaluator against pycocotools, one thread. */
export async function compareEvaluators(context: Context): Promise<EvaluatorResult> {
  const { scratch, evaluatorRounds, onProgress } = context
  return withSides({ ...context, threads: 1 }, async ({ workbook, PyTorch }) => {
    onProgress('generating 500,000 detections')
    await workbook.ask({ op: 'evaluatorPrepare', folder: scratch })
    await PyTorch.ask({ op: 'evaluatorPrepare', folder: scratch })
    const [ours, theirs]: [number[], number[]] = [[], []]
    let largestDifference = 0
    for (let round = 0; round < evaluatorRounds; round++) {
      onProgress(`round ${round + 1} of ${evaluatorRounds}`)
      const own = await workbook.ask({ op: 'evaluate' })
      const other = await PyTorch.ask({ op: 'evaluate' })
      ours.push(own.seconds)
      theirs.push(other.seconds)
      const differences = own.stats.map((value, i) => Math.abs(value - other.stats[i]!))
      largestDifference = Math.max(largestDifference, ...differences)
    }
    const ratio = timesAsFast({ rounds: ours }, { rounds: theirs })
    const extras = await workbook.ask({ op: 'evaluatorExtras' })
    return { ours: spread(ours), theirs: spread(theirs), ratio, largestDifference, extras }
  })
}

/** The host's part of a training step of the published recipe. */
export async function measureHostPart(
  { batch, repeats }: { batch: number; repeats: number },
  context: Context,
): Promise<Answer<'host'>> {
  const worker = new Worker('workbook', { ...context, threads: 1 })
  try {
    return await worker.ask({
      ...{ op: 'host', batch, input: [...PUBLISHED_INPUT], isSlight: true, repeats },
      ...{ precision: 'float32', cache: join(context.cache, 'bench', 'data'), workers: 1 },
    })
  } finally {
    await worker.close()
  }
}

/** Wall time of the default profile by stage, from finished trials. */
export async function readStageTimes(
  folders: { runs: string; shipped: string },
  context: Context,
): Promise<{ found: string; rows: StageRow[] }> {
  const worker = new Worker('workbook', { ...context, threads: 1 })
  try {
    return await worker.ask({ op: 'stages', ...folders })
  } finally {
    await worker.close()
  }
}
