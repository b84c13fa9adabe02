/** The report as one self-contained HTML file with style, figures and Plotly embedded. */
import { readFileSync } from 'node:fs'
import { type Html, html, inScript, pageStyle, plotlyFigure, renderTable, trusted } from '../base'
import { colourKey } from '../evaluate'
import type { Block } from './document'
import type { Figure } from './figures'
import type { ReportModel } from './model'
import type { Tile } from './tiles'

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
  layout.legend = { orientation: 'h', x: 0, y: -150 / layout.height, yanchor: 'top' };
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
<style>${pageStyle()}</style>
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
  if (block.kind === 'exhibits') {
    const { models, caption, exhibits } = block
    return html`<p>${caption}</p>
${colourKey(models.length, true)}
${exhibits.map((shown) => shown.html)}`
  }
  return html`<details>
<summary>${block.summary}</summary>
${block.blocks.map(renderBlock)}</details>
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
