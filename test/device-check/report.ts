import Table from 'cli-table3'
import { agrees, type Row } from './compare'
import type { CheckResult } from './run'

/** The comparisons as tables: difference, tolerance, verdict. */
export function describeCheck({ device, placement, sides, leftOut }: CheckResult): string {
  return [
    `\nPlacement of the graphs' floating-point operations\n${tableOf(placement)}`,
    ...sides.map(
      ({ format, rows }) => `\n${device} in ${format} against the CPU in float32\n${tableOf(rows)}`,
    ),
    ...leftOut.map((text) => `\nLeft out: ${text}.`),
  ].join('\n')
}

/** The number of failed comparisons, and of all. */
export function countFailures({ placement, sides }: CheckResult): { failed: number; total: number } {
  const rows = [...placement, ...sides.flatMap((side) => side.rows)]
  return { failed: rows.filter((row) => !agrees(row)).length, total: rows.length }
}

function tableOf(rows: readonly Row[]): string {
  const table = new Table({
    head: ['', 'difference', 'allowed', '', ''],
    style: { head: [], border: [] },
    // No lines between the rows.
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
  })
  const digits = (value: number) => (value === 0 ? '0' : value.toExponential(1))
  for (const row of rows) {
    const verdict = agrees(row) ? 'agrees' : 'FAILS'
    table.push([row.what, digits(row.difference), digits(row.allowed), verdict, row.where ?? ''])
  }
  return table.toString()
}
