/** The benchmark's numbers as tables and as targets met or missed. */
import Table from 'cli-table3'
import type { GrowthResult, GrowthRow } from './growth'
import type { MemoryResult } from './memory'
import {
  type Comparison,
  distillationCosts,
  type EpochResult,
  type EvaluatorResult,
  type Setting,
} from './parts'
import { type PrecisionResult, precisionVerdict } from './precision'
import type { Answer, StageRow, Work } from './protocol'
import { type Spread, spread, type Timed, timesAsFast } from './rounds'
import type { RuntimeComparison, RuntimeRow } from './runtimes'
import { isPeer, type Side } from './workers'

export interface Results {
  readonly comparisons: Comparison[]
  readonly epochs: EpochResult[]
  readonly runtimes: RuntimeComparison[]
  memory?: readonly MemoryResult[]
  evaluator?: EvaluatorResult
  stages?: { found: string; rows: readonly StageRow[] }
  growth?: GrowthResult
  host?: HostResult
  precision?: PrecisionResult
}

/** The host's part of a step, and the milliseconds of steps that it is compared with. */
export type HostResult = Answer<'host'> & { readonly stepMs: readonly number[] }

/** A requirement, what was found, and whether its median meets it. */
export interface Target extends Setting {
  readonly what: string
  readonly batch: number
  readonly wanted: string
  readonly found: Spread
  readonly met: boolean
}

type Raced = Pick<Timed, 'side' | 'work' | 'rounds'>

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)

/** PyTorch at its fastest in a precision: eager in one of two layouts, or compiled. */
function bestPeer<T extends { side: Side; rounds: readonly number[] }>(
  entries: readonly T[],
  fits: (entry: T) => boolean,
): T | undefined {
  const peers = entries.filter((entry) => isPeer(entry.side) && fits(entry))
  return peers.sort((a, b) => sum(a.rounds) - sum(b.rounds))[0]
}

function peerOf<T extends Raced>(timed: readonly T[], { network, kind }: Work, precision: Work['precision']) {
  return bestPeer(
    timed,
    ({ work }) => work.network === network && work.kind === kind && work.precision === precision,
  )
}

/**
 * Times as fast as PyTorch's best float32: training >= 1.1 in float32 and >= 1.6 in bfloat16, inference >= 1 and >= 1.5. Training in one process with
 * several threads is only reported: as many trials side by side use the same cores better.
 */
const TRAINING: { readonly [precision in Work['precision']]?: number } = { float32: 1.1, bfloat16: 1.6 }
const INFERENCE: typeof TRAINING = { float32: 1, bfloat16: 1.5 }
/** Times as fast as OpenVINO in the same precision. */
const OPENVINO = 0.9
/** The host's part of a step. */
const HOST_SHARE = 0.1
/** An exported file in ONNX Runtime, a frame at a time, times as fast as the workbook's own forward pass. */
const ONNX = 1
/** Distillation step <= 1.1 times (student's training step + teacher's inference). */
const DISTILLATION_COST = 1.1

export function targetsOf({ comparisons, memory, runtimes, host }: Results): Target[] {
  return [
    ...comparisons.flatMap(speedTargets),
    ...runtimes.flatMap(runtimeTargets),
    ...(memory ?? []).flatMap(memoryTargets),
    ...(host ? hostTargets(host) : []),
  ]
}

function hostTargets({ batch, between, stepMs }: HostResult): Target[] {
  return stepMs.map((step) => {
    const share = (seconds: number) => (1000 * seconds) / step
    const { low, median, high } = between.cpu
    const found = { low: share(low), median: share(median), high: share(high) }
    const what = `CPU time of the host between two steps / ${step} ms of a step`
    return {
      ...{ what, threads: 1, processes: 1, batch, found },
      ...{ wanted: `< ${HOST_SHARE}`, met: found.median < HOST_SHARE },
    }
  })
}

function memoryTargets({ threads, batch, network, rows }: MemoryResult): Target[] {
  const own = rows.filter(({ side }) => side === 'workbook')
  return own.map((row) => {
    const { precision } = row
    const peers = rows.filter((other) => other.side === 'PyTorch' && other.precision === precision)
    const found = spread([row.private / Math.min(...peers.map((peer) => peer.private))])
    const what = `private memory of ${network} in ${precision} / PyTorch's`
    return { what, threads, processes: 1, batch, wanted: '<= 1', found, met: found.median <= 1 }
  })
}

function runtimeTargets({ network, batch, threads, processes, rows }: RuntimeComparison): Target[] {
  const rowOf = (runtime: RuntimeRow['runtime'], format: RuntimeRow['format']) =>
    rows.find((row) => row.runtime === runtime && row.format === format)
  const target = (what: string, least: number, row: RuntimeRow, other: RuntimeRow): Target => {
    const found = timesAsFast(row, other)
    const met = found.median >= least
    return { what: `${network}'s ${what}`, threads, processes, batch, wanted: `>= ${least}`, found, met }
  }
  const own = rows.flatMap((row) => {
    const other = rowOf('openvino', row.format)
    if (row.runtime !== 'library' || !other) return []
    return [target(`inference in ${row.format}, times as fast as OpenVINO`, OPENVINO, row, other)]
  })
  const [file, library] = [rowOf('onnxruntime', 'float32'), rowOf('library', 'float32')]
  if (batch > 1 || !file || !library) return own
  return [...own, target('file in ONNX Runtime, float32, times as fast as the workbook', ONNX, file, library)]
}

function speedTargets(comparison: Comparison): Target[] {
  const { part, threads, processes, batch, timed } = comparison
  if (part === 'distillation') {
    return distillationCosts(comparison)
      .filter(({ name }) => name.startsWith('workbook'))
      .map(({ method, precision, cost }) => ({
        what: `${method} step / its parts, ${precision}`,
        ...{ threads, processes, batch, wanted: `<= ${DISTILLATION_COST}`, found: cost },
        met: cost.median <= DISTILLATION_COST,
      }))
  }
  if (part === 'training' && threads > 1) return []
  return timed
    .filter(({ side }) => side === 'workbook')
    .flatMap(({ work, rounds }) => {
      const wanted = (part === 'training' ? TRAINING : INFERENCE)[work.precision]
      if (wanted === undefined) return []
      const found = timesAsFast({ rounds }, peerOf(timed, work, 'float32')!)
      const what = `${part} in ${work.precision}, times as fast as PyTorch float32`
      return [{ what, threads, processes, batch, wanted: `>= ${wanted}`, found, met: found.median >= wanted }]
    })
}

const digits = (value: number) =>
  value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)
const between = ({ median, low, high }: Spread) => `${digits(median)} (${digits(low)}-${digits(high)})`
const milliseconds = ({ median, low, high }: Spread) =>
  between({ median: 1000 * median, low: 1000 * low, high: 1000 * high })

function table(title: string, head: readonly string[], rows: readonly (readonly string[])[]): string {
  const made = new Table({
    head: [...head],
    style: { head: [], border: [] },
    // No lines between the rows.
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
    colAligns: head.map((_, i) => (i === 0 ? 'left' : 'right')),
  })
  made.push(...rows.map((row) => [...row]))
  return `\n${title}\n${made.toString()}`
}

export const inWords = ({ threads, processes }: Setting): string =>
  processes > 1 ? `${processes} processes side by side, ${threads} thread(s) each` : `${threads} thread(s)`

/** The times of a race, and who was left out. */
export function comparisonTable(comparison: Comparison): string {
  const { part, batch, subject, macs, timed, missing, ...setting } = comparison
  const title = `${part}: ${subject}, ${(macs / 1e6).toFixed(0)} MMAC an image, batch ${batch}, ${inWords(setting)}`
  const rows = timed.map(({ name, work, seconds, rounds }) => {
    const times = (precision: Work['precision']) => {
      const peer =
        work.method && work.method !== 'masked-class-kd' ? undefined : peerOf(timed, work, precision)
      return peer && peer.rounds !== rounds ? between(timesAsFast({ rounds }, peer)) : ''
    }
    return [
      part === 'distillation' ? name : name.replace(/, .*/, ''),
      milliseconds(seconds),
      digits(batch / seconds.median),
      times('float32'),
      work.precision === 'float32' ? '' : times(work.precision),
    ]
  })
  const head = ['', 'ms a step', 'images/s', 'x PyTorch float32', 'x PyTorch, same precision']
  return [table(title, head, rows), ...missing].join('\n')
}

function runtimeTable({ network, batch, macs, rows, missing, ...setting }: RuntimeComparison): string {
  const cells = rows.map((row) => {
    const other = rows.find(({ runtime, format }) => runtime === 'openvino' && format === row.format)
    const exact = rows.find(({ runtime, format }) => runtime === 'openvino' && format === 'float32')
    const times = (reference: typeof other) =>
      reference && reference !== row ? between(timesAsFast(row, reference)) : ''
    return [
      `${row.name} ${row.version}, ${row.format}`,
      milliseconds(row.seconds),
      digits(batch / row.seconds.median),
      times(exact),
      row.format === 'float32' ? '' : times(other),
    ]
  })
  const title = `${network}'s inference in runtimes, ${(macs / 1e6).toFixed(0)} MMAC an image, batch ${batch}, ${inWords(setting)}`
  const head = ['', 'ms a call', 'images/s', 'x OpenVINO float32', 'x OpenVINO, same precision']
  return [table(title, head, cells), ...missing].join('\n')
}

function costTable(comparison: Comparison): string {
  const rows = distillationCosts(comparison).map(({ name, cost }) => [name, between(cost)])
  return table(
    `distillation step / (student's training step + teacher's inference), ${comparison.threads} thread(s)`,
    ['', 'cost'],
    rows,
  )
}

function epochTable({ threads, batch, images, rows }: EpochResult): string {
  const best = bestPeer(rows, ({ precision }) => precision === 'float32')
  const cells = rows.map(({ name, imagesPerSecond, waitedShare, rounds }) => [
    name,
    between(imagesPerSecond),
    `${(100 * waitedShare).toFixed(1)} %`,
    best && best.rounds !== rounds ? between(timesAsFast({ rounds }, best)) : '',
  ])
  return table(
    `epoch of ${images} images with data, batch ${batch}, ${threads} thread(s) and one data worker`,
    ['', 'images/s', 'waited for data', 'x PyTorch float32'],
    cells,
  )
}

function growthTable({ threads, throughput, rows }: GrowthResult): string {
  const cells = rows.map((row) => {
    const { what, kind, batch, input, width, macs, timed } = row
    const of = (side: Timed['side'], precision: Work['precision']) =>
      timed.find((entry) => entry.side === side && entry.work.precision === precision)
    const cell = (side: Timed['side'], precision: Work['precision']) => {
      const entry = of(side, precision)
      if (!entry) return ''
      const share = (100 * limit(row, throughput[precision]!)) / entry.seconds.median
      return `${digits((1000 * entry.seconds.median) / batch)} (${share.toFixed(0)} %)`
    }
    return [
      `${what}: ${kind}, batch ${batch}, ${input[1]}x${input[0]}, width ${width}`,
      (macs / 1e6).toFixed(0),
      digits((1000 * limit(row, throughput.float32!)) / batch),
      cell('workbook', 'float32'),
      cell('PyTorch', 'float32'),
      cell('workbook', 'bfloat16'),
      cell('PyTorch', 'bfloat16'),
    ]
  })
  const speeds = Object.entries(throughput).map(
    ([name, gflops]) => `${gflops?.toFixed(0)} GFLOP/s in ${name}`,
  )
  return table(
    `growth, ${threads} thread(s): ms an image and, in brackets, the share of the convolution throughput (${speeds.join(', ')})`,
    ['', 'MMAC', 'limit float32', 'workbook', 'PyTorch', 'workbook bf16', 'PyTorch bf16'],
    cells,
  )
}

/** Seconds of a step if all of it were convolutions at full throughput; a backward pass counts as two forward ones. */
function limit({ kind, batch, macs }: GrowthRow, gflops: number): number {
  return (2 * macs * batch * (kind === 'training' ? 3 : 1)) / (gflops * 1e9)
}

/** What the host does for a step. */
export function hostTable({ batch, input: [height, width], ...clocks }: Answer<'host'>): string {
  const rows = (
    [
      ["making a batch, which a loader's threads do ahead", 'load'],
      ['all between two runs of the graph', 'between'],
      ['of which assigning the truths', 'assign'],
    ] as const
  ).map(([name, key]) => [name, milliseconds(clocks[key].cpu), milliseconds(clocks[key].wall)])
  const title = `host: batch ${batch} of ${width}x${height}, the main thread's milliseconds a step`
  return table(title, ['', 'CPU time', 'wall time'], rows)
}

/** Where trainings in every precision ended. */
export function precisionTable(result: PrecisionResult): string {
  const { steps, batch, images, seeds, rows } = result
  const points = (value: number) => (100 * value).toFixed(2)
  const cells = rows.map(({ precision, mAP50, AP, seconds }) => [
    precision,
    mAP50.map(points).join('  '),
    AP.map(points).join('  '),
    seconds.map((value) => value.toFixed(0)).join('  '),
  ])
  const verdicts = rows.flatMap(({ precision }) => {
    if (precision === 'float32') return []
    const [mAP50, AP] = (['mAP50', 'AP'] as const).map((metric) => {
      const { difference, spread, isWithin } = precisionVerdict(result, precision, metric)
      const relation = isWithin ? 'less than' : 'NOT less than'
      return `${points(difference)}, ${relation} the seeds' ${points(spread)}`
    })
    return [[`${precision} - float32, means`, mAP50 ?? '', AP ?? '', '']]
  })
  return table(
    `training in ${rows.map(({ precision }) => precision).join(', ')}: default profile's control, ${steps} steps of ${batch}, seeds ${seeds.join(', ')}, ` +
      `${images} validation images, in points`,
    ['', 'mAP@0.5', 'AP@[.5:.95]', 's of training'],
    [...cells, ...verdicts],
  )
}

/** Everything that was measured, as text. */
export function describeResults(results: Results, targets: readonly Target[]): string {
  const { comparisons, epochs, runtimes, memory, evaluator, stages, growth, host, precision } = results
  const text = [...comparisons.map(comparisonTable), ...runtimes.map(runtimeTable)]
  text.push(...comparisons.filter(({ part }) => part === 'distillation').map(costTable))
  text.push(...epochs.map(epochTable))
  for (const { network, batch, threads, rows } of memory ?? []) {
    const title = `memory: training step of ${network}, batch ${batch}, ${threads} thread(s), MiB`
    const cells = rows.map((row) => [
      row.name,
      ...[row.private, row.peak, row.before, row.present].map((mib) => mib.toFixed(0)),
    ])
    const head = ['', 'private, most', 'resident, peak', 'before the first step', 'after the last']
    text.push(table(title, head, cells))
  }
  if (evaluator) {
    const { ours, theirs, ratio, largestDifference, extras } = evaluator
    const title = 'COCO evaluation: 5,000 images, 80 classes, 36,000 truths, 500,000 detections, one thread'
    const rows = [
      ['workbook', `${between(ours)} s`],
      ['pycocotools', `${between(theirs)} s`],
      ['times as fast', between(ratio)],
      ['largest difference of the 12 numbers', largestDifference.toExponential(1)],
      ['VOC mAP', `${extras.voc.toFixed(2)} s`],
      ['a bootstrap resample', `${(1000 * extras.resample).toFixed(2)} ms`],
      ['memory added by the evaluation', `${extras.grownMiB.toFixed(0)} MiB`],
    ]
    text.push(table(title, ['', ''], rows))
  }
  if (stages) {
    const cells = stages.rows.map(({ stage, trials, training, evaluating, wall }) => [
      stage,
      String(trials),
      training.toFixed(0),
      evaluating.toFixed(0),
      wall > 0 ? wall.toFixed(0) : '',
    ])
    const title = `default profile: ${stages.found}; seconds`
    text.push(table(title, ['', 'trials', 'training', 'evaluating', 'wall'], cells))
  }
  if (growth) text.push(growthTable(growth))
  if (host) text.push(hostTable(host))
  if (precision) text.push(precisionTable(precision))
  if (targets.length > 0) {
    const cells = targets.map(({ what, batch, wanted, found, met, ...setting }) => [
      `${what}, batch ${batch}, ${inWords(setting)}`,
      wanted,
      between(found),
      met ? 'met' : 'missed',
    ])
    text.push(table('targets (by the median; quartiles in brackets)', ['', 'wanted', 'found', ''], cells))
  }
  return text.join('\n')
}
