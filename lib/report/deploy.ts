/** Table and page of a benchmark of exported files. */
import type { TableRow } from '../base'
import { type Benchmark, type BenchmarkRow, RUNTIME, type RuntimeName } from '../deploy'
import { figure, section, table } from './document'
import { formatsFigure } from './figures/deploy'
import { renderHtml } from './page'

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

/** One sentence a model: its fastest file on the front, or that it has none. */
export function formatsFindings({ models }: Benchmark): string[] {
  const best = (rows: readonly BenchmarkRow[]) =>
    rows.filter(({ onFront }) => onFront).sort((a, b) => a.milliseconds.median - b.milliseconds.median)[0]
  return models.map(({ name, rows }) => {
    const found = best(rows)
    if (!found) return `Of the ${name} no file is on the front: another model's is faster and as good.`
    const { median } = found.milliseconds
    return `The ${name}'s fastest file on the front: ${found.name}, ${median.toFixed(2)} ms, COCO AP ${percent(found.AP.value)}.`
  })
}

/** The page; figures and style are inside. */
export function formatsPage(result: Benchmark): string {
  const { models, machine, rounds, calls, missing, data } = result
  const runtimes = [...new Set(models.flatMap(({ rows }) => rows.map(({ runtime }) => runtime)))]
  const [verdict = '', ...details] = formatsFindings(result)
  return renderHtml({
    title: 'Files to deploy',
    subtitle: `${models.map(({ name }) => name).join(' and ')} in ${runtimes
      .map((name) => RUNTIME[name as RuntimeName].title)
      .join(', ')}`,
    tiles: [],
    findings: { verdict, details: [...details, ...missing] },
    sections: [
      section('formats', 'Formats and runtimes', [
        figure(
          'The dotted line joins the files that no other beats in both. Bars are quartiles over the rounds.',
          formatsFigure(result),
        ),
        table(
          `One image a call, one thread, on ${machine.name}; medians and quartiles of ${rounds} rounds of ${calls} calls in turns. ` +
            `Accuracy on ${data.images} images of validation, with 95 % intervals of the paired difference from the library's float32, in points.`,
          formatsTable(result),
        ),
      ]),
    ],
  })
}
