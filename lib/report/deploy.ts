/** Table and page of a benchmark of exported files. */
import type { TableRow } from '../base'
import { type Benchmark, type BenchmarkRow, bestWithin, RUNTIME } from '../deploy'
import type { Profile } from '../study'
import { type Block, figure, list, type Section, section, table, text } from './document'
import { formatsFigure } from './figures/deploy'
import { renderHtml } from './page'
import type { ReportInput } from './summary'

const percent = (value: number) => (100 * value).toFixed(2)

function accuracy({ value, toLibrary }: BenchmarkRow['AP']): string {
  if (!toLibrary) return percent(value)
  const signed = (number: number) => `${number < 0 ? '−' : '+'}${percent(Math.abs(number))}`
  const { difference, lower, upper } = toLibrary
  return `${percent(value)} (${signed(difference)} [${signed(lower)}, ${signed(upper)}])`
}

/** A row a file: size, milliseconds with quartiles, accuracy with the paired difference from the library's float32 in points. */
export function formatsTable({ models }: Benchmark): TableRow[] {
  return models.flatMap(({ name, rows }) =>
    rows.map((row): TableRow => {
      const { median, low, high } = row.milliseconds
      return {
        model: name,
        'file and runtime': row.name,
        version: row.version,
        MB: (row.bytes / 1e6).toFixed(2),
        ms: `${median.toFixed(2)} (${low.toFixed(2)}–${high.toFixed(2)})`,
        'mAP@0.5': accuracy(row.mAP50),
        'COCO AP': accuracy(row.AP),
        'largest difference': row.maxDifference === undefined ? '–' : row.maxDifference.toPrecision(2),
        front: row.withNms ? 'with NMS' : row.onFront ? 'yes' : '',
      }
    }),
  )
}

/** Of each model, how long ONNX Runtime takes with the float32 file as a share of this library's own time, in the same turns. */
function sharesOfLibrary({ models }: Benchmark): string[] {
  return models.flatMap(({ name, rows }) => {
    const [own] = rows
    const other = rows.find(
      ({ runtime, precision, withNms }) => runtime === 'onnxruntime' && precision === 'float32' && !withNms,
    )
    if (!own || !other) return []
    const share = other.milliseconds.median / own.milliseconds.median
    return [`The ${name} in float32 takes ONNX Runtime ${share.toFixed(2)} of this library's own time.`]
  })
}

/** One sentence a model: its fastest file on the front, or that it has none; and ONNX Runtime beside this library. */
export function formatsFindings(result: Benchmark): string[] {
  const { models } = result
  const best = (rows: readonly BenchmarkRow[]) =>
    rows.filter(({ onFront }) => onFront).sort((a, b) => a.milliseconds.median - b.milliseconds.median)[0]
  const fastest = models.map(({ name, rows }) => {
    const found = best(rows)
    if (!found) return `Of the ${name} no file is on the front: another model's is faster and as good.`
    const { median } = found.milliseconds
    return `The ${name}'s fastest file on the front: ${found.name}, ${median.toFixed(2)} ms, COCO AP ${percent(found.AP.value)}.`
  })
  return [...fastest, ...sharesOfLibrary(result)]
}

/** A file to take, with its model. */
export interface Choice {
  readonly model: string
  readonly sha256: string
  readonly row: BenchmarkRow
}

/** Milliseconds that a call may take, and why. */
export interface Budget {
  readonly milliseconds: number
  readonly why: string
}

/** The profile's budget, or what the student takes in this library in float32: what one has without taking any file. */
export function budgetOf({ models }: Benchmark, profile: Pick<Profile, 'deploy'>): Budget {
  const asked = profile.deploy?.milliseconds
  if (asked !== undefined) return { milliseconds: asked, why: 'the profile’s deploy.milliseconds' }
  const own = models.at(-1)?.rows[0]
  if (!own) throw new Error('benchmark: expected a student with the row of this library, found none')
  return {
    milliseconds: own.milliseconds.median,
    why: 'what the student takes in this library; deploy.milliseconds of the profile says another',
  }
}

/** The file of the best COCO AP within a budget, of any model or of one; undefined where none is fast enough. */
export function choiceWithin(
  { models }: Benchmark,
  { milliseconds }: Budget,
  only?: string,
): Choice | undefined {
  const rows = models
    .filter(({ name }) => only === undefined || name === only)
    .flatMap(({ name, sha256, rows }) => rows.map((row) => ({ ...row, of: { model: name, sha256 } })))
  const best = bestWithin(rows, milliseconds)
  if (!best) return undefined
  const { of, ...row } = best
  return { ...of, row }
}

/** "TFLite int8, LiteRT, of the teacher: 1.03 ms, COCO AP 55.25, 1.87 MB". */
export function choiceText({ model, row }: Choice): string {
  const { name, milliseconds, AP, bytes } = row
  return `${name}, of the ${model}: ${milliseconds.median.toFixed(2)} ms, COCO AP ${percent(AP.value)}, ${(bytes / 1e6).toFixed(2)} MB`
}

/** What to take within a budget: of both models, and of each alone. */
export function choices(benchmark: Benchmark, budget: Budget): string[] {
  const within = `Within ${budget.milliseconds.toFixed(2)} ms a call (${budget.why})`
  const best = choiceWithin(benchmark, budget)
  if (!best) return [`${within} no file of either model is fast enough.`]
  const others = benchmark.models
    .filter(({ name }) => name !== best.model)
    .map(({ name }) => {
      const own = choiceWithin(benchmark, budget, name)
      return own
        ? `The best of the ${name} alone: ${choiceText(own)}.`
        : `No file of the ${name} is fast enough.`
    })
  return [`${within} take ${choiceText(best)}.`, ...others]
}

/** Every file of the study's pair, and which to take; or with which command that is measured. */
export function formatsSection({ benchmark, profile }: Pick<ReportInput, 'benchmark' | 'profile'>): Section {
  const title = 'Files to deploy'
  if (!benchmark) return section('formats', title, [])
  const { measured, command } = benchmark
  if (!measured) {
    const missing = 'What each format costs in accuracy and takes in time was not measured for these models.'
    return {
      ...{ id: 'formats', title },
      blocks: [text(`${missing} This measures it, and the report then shows it: ${command}`)],
    }
  }
  return section('formats', title, [
    list([...choices(measured, budgetOf(measured, profile)), ...measured.missing]),
    ...formatsBlocks(measured),
  ])
}

function formatsBlocks(result: Benchmark): Block[] {
  const { machine, rounds, calls, data } = result
  return [
    figure(
      'The dotted line joins the files that no other beats in both. Bars are quartiles over the rounds.',
      formatsFigure(result),
    ),
    table(
      `One image a call, one thread, on ${machine.name}; medians and quartiles of ${rounds} rounds of ${calls} calls in turns. ` +
        `Accuracy on ${data.images} images of validation, with 95 % intervals of the paired difference from the library's float32, in points.`,
      formatsTable(result),
    ),
  ]
}

/** The page; figures and style are inside. */
export function formatsPage(result: Benchmark): string {
  const { models, missing } = result
  const runtimes = [...new Set(models.flatMap(({ rows }) => rows.map(({ runtime }) => runtime)))]
  const [verdict = '', ...details] = formatsFindings(result)
  return renderHtml({
    title: 'Files to deploy',
    subtitle: `${models.map(({ name }) => name).join(' and ')} in ${runtimes
      .map((name) => RUNTIME[name].title)
      .join(', ')}`,
    tiles: [],
    findings: { verdict, details: [...details, ...missing] },
    sections: [section('formats', 'Formats and runtimes', formatsBlocks(result))],
  })
}
