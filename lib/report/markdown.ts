import { cellOf, columnsOf, escapeMarkdown, isNumeric, type TableRow } from '../base'
import type { Block } from './document'
import type { ReportModel } from './model'

/** The report as Markdown: text and tables; only the captions of figures. */
export function renderMarkdown({ title, subtitle, tiles, findings, sections }: ReportModel): string {
  const parts = [
    `# ${escapeMarkdown(title)}`,
    escapeMarkdown(subtitle),
    ...tiles.map(
      (tile) => `**${escapeMarkdown(`${tile.title}: ${tile.value}`)}.** ${escapeMarkdown(tile.detail)}`,
    ),
    `**${escapeMarkdown(findings.verdict)}**`,
    ...findings.details.map(escapeMarkdown),
    ...sections.flatMap((section) => [
      `## ${escapeMarkdown(section.title)}`,
      ...section.blocks.flatMap(renderBlock),
    ]),
  ]
  return `${parts.join('\n\n')}\n`
}

function renderBlock(block: Block): string[] {
  if (block.kind === 'text') return [escapeMarkdown(block.text)]
  if (block.kind === 'list') return [block.items.map((item) => `- ${escapeMarkdown(item)}`).join('\n')]
  if (block.kind === 'table') return [`**${escapeMarkdown(block.caption)}**`, renderTable(block.rows)]
  if (block.kind === 'figure') return [`*Figure in index.html: ${escapeMarkdown(block.caption)}*`]
  if (block.kind === 'exhibits') return [`*Pictures in index.html: ${escapeMarkdown(block.caption)}*`]
  const shown = block.blocks.filter(({ kind }) => kind !== 'figure' && kind !== 'exhibits')
  return shown.length > 0 ? [`### ${escapeMarkdown(block.summary)}`, ...shown.flatMap(renderBlock)] : []
}

function renderTable(rows: readonly TableRow[]): string {
  const columns = columnsOf(rows)
  const line = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`
  return [
    line(columns.map(escapeMarkdown)),
    line(columns.map((column) => (isNumeric(rows, column) ? '--:' : ':--'))),
    ...rows.map((row) => line(columns.map((column) => escapeMarkdown(String(cellOf(row, column)))))),
  ].join('\n')
}
