import { type Block, columnsOf, isNumeric, type TableRow } from './document'
import type { ReportModel } from './model'

/** The report as Markdown: text and tables; only the captions of figures. */
export function renderMarkdown({ title, subtitle, tiles, findings, sections }: ReportModel): string {
  const parts = [
    `# ${literal(title)}`,
    literal(subtitle),
    ...tiles.map((tile) => `**${literal(`${tile.title}: ${tile.value}`)}.** ${literal(tile.detail)}`),
    `**${literal(findings.verdict)}**`,
    ...findings.details.map(literal),
    ...sections.flatMap((section) => [
      `## ${literal(section.title)}`,
      ...section.blocks.flatMap(renderBlock),
    ]),
  ]
  return `${parts.join('\n\n')}\n`
}

function renderBlock(block: Block): string[] {
  if (block.kind === 'text') return [literal(block.text)]
  if (block.kind === 'list') return [block.items.map((item) => `- ${literal(item)}`).join('\n')]
  if (block.kind === 'table') return [`**${literal(block.caption)}**`, renderTable(block.rows)]
  if (block.kind === 'figure') return [`*Figure in index.html: ${literal(block.caption)}*`]
  const shown = block.blocks.filter(({ kind }) => kind !== 'figure')
  return shown.length > 0 ? [`### ${literal(block.summary)}`, ...shown.flatMap(renderBlock)] : []
}

function renderTable(rows: readonly TableRow[]): string {
  const columns = columnsOf(rows)
  const line = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`
  return [
    line(columns.map(literal)),
    line(columns.map((column) => (isNumeric(rows, column) ? '--:' : ':--'))),
    ...rows.map((row) => line(columns.map((column) => literal(String(row[column] ?? ''))))),
  ].join('\n')
}

function literal(text: string): string {
  return text.replace(/[\\`*_<>|]/g, (character) => `\\${character}`)
}
