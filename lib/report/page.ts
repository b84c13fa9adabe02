/** The report as one self-contained HTML file with style, figures and Plotly embedded. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { plotlyFigure } from '../base'
import { type Block, cellOf, columnsOf, isNumeric, type TableRow } from './document'
import type { Figure } from './figures'
import { type Html, html, trusted } from './html'
import type { ReportModel } from './model'
import type { Tile } from './tiles'

/** Classes of the style sheet for cells that hold a verdict. */
const VERDICTS: ReadonlyMap<string | number, string> = new Map([
  ['better', 'better'],
  ['worse', 'worse'],
  ['no difference shown', 'open'],
  ['not shown', 'open'],
  ['failed', 'worse'],
  ['chosen', 'better'],
])

/**
 * Hidden figures are drawn when opened, since their width is unknown before. In narrow windows legends move below, long
 * axis titles are wrapped, and plots side by side are stacked.
 */
const DRAW = `
const settings = { responsive: true, displaylogo: false, modeBarButtonsToRemove: ['select2d', 'lasso2d'] };
const draw = (place) => {
  if (place.classList.contains('js-plotly-plot')) return;
  const { data, layout } = JSON.parse(place.nextElementSibling.textContent);
  if (place.clientWidth < 600) narrow(data, layout);
  Plotly.newPlot(place, data, layout, settings);
};
const narrow = (data, layout) => {
  layout.height += 12 * data.filter(({ showlegend }) => showlegend !== false).length;
  layout.legend = { orientation: 'h', x: 0, y: -0.45, yanchor: 'top' };
  layout.margin = { l: 10, r: 10, t: 20, b: 40 };
  for (const name of Object.keys(layout).filter((key) => /^[xy]axis/.test(key))) {
    const title = layout[name].title;
    if (title && title.text) title.text = title.text.replace(/(.{28}[^ ]*) /g, '$1<br>');
  }
  if (!layout.grid || layout.grid.columns !== 2) return;
  Object.assign(layout.grid, { rows: 2, columns: 1, xgap: 0, ygap: 0.35 });
  layout.height += 240;
};
for (const place of document.querySelectorAll('.plot')) if (!place.closest('details:not([open])')) draw(place);
for (const part of document.querySelectorAll('details')) {
  part.addEventListener('toggle', () => part.open && part.querySelectorAll('.plot').forEach(draw));
}`

/** The page; a string of about 5 MB, nearly all of it Plotly. */
export function renderHtml(
  model: Pick<ReportModel, 'title' | 'subtitle' | 'tiles' | 'findings' | 'sections'>,
): string {
  const { title, subtitle, tiles, findings, sections } = model
  const plotly = readFileSync(require.resolve('plotly.js-dist-min'), 'utf8')
  const page = html`<!doctype html>
<html lang="en-GB">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}: ${subtitle}</title>
<style>${trusted(readFileSync(join(__dirname, 'page.css'), 'utf8'))}</style>
</head>
<body>
<header>
<h1>${title}</h1>
<p class="subtitle">${subtitle}</p>
${
  tiles.length > 0 &&
  html`<dl class="tiles">${tiles.map(renderTile)}</dl>
`
}<div class="findings">
<p class="verdict">${findings.verdict}</p>
${findings.details.map((detail) => html`<p>${detail}</p>\n`)}</div>
</header>
<nav aria-label="Contents">${sections.map(({ id, title: name }) => html`<a href="#${id}">${name}</a>\n`)}</nav>
<main>
${sections.map(
  ({ id, title: name, blocks }) => html`<section id="${id}">
<h2>${name}</h2>
${blocks.map(renderBlock)}</section>
`,
)}</main>
<noscript><p>The figures need JavaScript; tables and text do not.</p></noscript>
<script>${inScript(plotly)}</script>
<script>${trusted(DRAW)}</script>
</body>
</html>
`
  return page.html
}

function renderTile({ title, value, detail, tone }: Tile): Html {
  return html`<div class="tile ${tone}"><dt>${title}</dt><dd><strong>${value}</strong><p>${detail}</p></dd></div>\n`
}

function renderBlock(block: Block): Html {
  if (block.kind === 'text') return html`<p>${block.text}</p>\n`
  if (block.kind === 'list') return html`<ul>${block.items.map((item) => html`<li>${item}</li>\n`)}</ul>\n`
  if (block.kind === 'table') return renderTable(block.caption, block.rows)
  if (block.kind === 'figure') return renderFigure(block.caption, block.figure)
  return html`<details>
<summary>${block.summary}</summary>
${block.blocks.map(renderBlock)}</details>
`
}

/** Where the window is narrow a row becomes a card, whose lines have the names of the columns. */
function renderTable(caption: string, rows: readonly TableRow[]): Html {
  const columns = columnsOf(rows).map((name) => ({ name, side: isNumeric(rows, name) ? 'number' : 'text' }))
  const cell = (row: TableRow, { name, side }: (typeof columns)[number], first: boolean): Html => {
    const value = cellOf(row, name)
    // A verdict that lacks something says what, behind a colon.
    const verdict = VERDICTS.get(String(value).split(':')[0] ?? '')
    const content = verdict ? html`<span class="chip ${verdict}">${value}</span>` : html`${value}`
    return first
      ? html`<th scope="row" role="rowheader">${content}</th>`
      : html`<td class="${side}" role="cell" data-column="${name}">${content}</td>`
  }
  const head = columns.map(
    ({ name, side }) => html`<th scope="col" role="columnheader" class="${side}">${name}</th>`,
  )
  return html`<div class="table"><table role="table">
<caption>${caption}</caption>
<thead role="rowgroup"><tr role="row">${head}</tr></thead>
<tbody role="rowgroup">
${rows.map((row) => html`<tr role="row">${columns.map((column, i) => cell(row, column, i === 0))}</tr>\n`)}</tbody>
</table></div>
`
}

/** A figure's title becomes text of the page, which wraps in narrow windows. */
function renderFigure(caption: string, { data, layout: { title, ...rest } }: Figure): Html {
  const height = typeof rest.height === 'number' ? rest.height : 400
  const drawn = plotlyFigure({ data, layout: { ...rest, height, margin: { l: 60, r: 20, t: 36, b: 56 } } })
  return html`<figure>
<h3>${title.text}</h3>
<div class="plot" role="img" aria-label="${title.text}. ${caption}" style="min-height: ${height}px"></div>
<script type="application/json">${trusted(JSON.stringify(drawn).replaceAll('<', '\\u003c'))}</script>
<figcaption>${caption}</figcaption>
</figure>
`
}

/** In a script element these two sequences are special to HTML; in JavaScript strings and patterns the escape is equal. */
function inScript(code: string): Html {
  return trusted(code.replace(/<\/(script)/gi, '<\\/$1').replaceAll('<!--', '\\x3c!--'))
}
