/** Self-contained pages of executed notebooks: formulae as MathML, figures drawn by one embedded plotly.js. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { sha256, temporaryFolder } from '../base'
import { extractFormulae, restoreFormulae } from './formulae'
import type { NbconvertWorker } from './nbconvert'
import { copyWhole, joined, NotebookError, readNotebook, sourceSchema } from './notebook-file'
import { root } from './project'

/**
 * Writes an executed notebook's page as <outDir>/<name>.html.
 *
 * @param gallery puts what all pages have in common beside them: the styles and plotly.js
 * @returns the page's file
 * @throws NotebookError if a formula is not TeX, or nbconvert fails
 */
export async function exportPage(
  executed: string,
  outDir: string,
  nbconvert: NbconvertWorker,
  { gallery = false } = {},
): Promise<string> {
  const name = path.basename(executed, '.ipynb')
  const work = temporaryFolder('workbook')
  try {
    const notebook = readNotebook(executed)
    // Words that no text of the notebook can hold by chance or on purpose: they depend on all of it.
    const prefix = `formula${sha256(JSON.stringify(notebook)).slice(0, 16)}`
    const words = new Map<string, string>()
    for (const [i, cell] of notebook.cells.entries()) {
      cell.source = withoutFormulae(cell.cell_type === 'markdown', joined(cell.source), {
        executed,
        cell: i,
        prefix,
        words,
      })
      for (const output of cell.outputs ?? []) {
        for (const mime of ['text/markdown', 'text/latex'] as const) {
          const text = output.data?.[mime]
          if (text === undefined) continue
          const place = { executed, cell: i, prefix, words }
          output.data = {
            ...output.data,
            [mime]: withoutFormulae(true, joined(sourceSchema.parse(text)), place),
          }
        }
      }
    }
    const prepared = path.join(work, `${name}.ipynb`)
    writeFileSync(prepared, JSON.stringify(notebook))
    const page = path.join(work, `${name}.html`)
    const templates = path.join(root, 'lib/workbench/templates')
    const error = await nbconvert.run({ task: 'page', notebook: prepared, to: page, templates })
    if (error !== undefined) throw new NotebookError(executed, null, `Export to HTML:\n${error}`, null)
    const html = linked(restoreFormulae(readFileSync(page, 'utf8'), words))
    writeFileSync(
      page,
      gallery ? withShared(withPlotly(html, 'plotly.min.js'), outDir, name) : withPlotly(html),
    )
    return copyWhole(page, path.join(outDir, `${name}.html`))
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

function withoutFormulae(
  isMarkdown: boolean,
  text: string,
  {
    executed,
    cell,
    prefix,
    words,
  }: { executed: string; cell: number; prefix: string; words: Map<string, string> },
): string {
  if (!isMarkdown) return text
  try {
    const found = extractFormulae(text, `${prefix}x${words.size}`)
    for (const [word, mathml] of found.words) words.set(word, mathml)
    return found.markdown
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new NotebookError(executed, null, `Cell ${cell + 1} has a formula that is not TeX: ${reason}`, null)
  }
}

const DRAW_FIGURES = `
for (const source of document.querySelectorAll('.workbook-figure-data')) {
  const { data, layout } = JSON.parse(source.textContent)
  // Maps over an image keep its shape: where there is no room they are scrolled.
  if (layout.images) source.previousElementSibling.style.minWidth = '900px'
  Plotly.newPlot(source.previousElementSibling, data, layout, { responsive: true, displaylogo: false })
}`

/** Links to notebooks lead to their pages, which lie beside one another as the notebooks do. */
function linked(html: string): string {
  return html.replace(/(<a [^>]*href=")([\w-]+)\.ipynb"/g, '$1$2.html"')
}

/** Style sheets of at least so many characters are worth a file of their own. */
const LARGE_STYLE = 5000

const TOP = '<nav class="workbook-top"><a href="index.html">The workbook</a></nav>'
/** Of the index only what it shows is of interest. */
const WITHOUT_CODE = '<style>.jp-CodeCell .jp-Cell-inputWrapper { display: none; }</style>'

/** A page whose large styles and plotly.js are files of the folder, and which says where the other chapters are. */
function withShared(html: string, folder: string, page: string): string {
  const share = (name: string, content: () => string): void => {
    const file = path.join(folder, name)
    if (!existsSync(file)) writeFileSync(file, content())
  }
  if (html.includes('src="plotly.min.js"'))
    share('plotly.min.js', () => readFileSync(require.resolve('plotly.js-dist-min'), 'utf8'))
  return html
    .replace(/<style[^>]*>([\s\S]*?)<\/style>/g, (whole, style: string) => {
      if (style.length < LARGE_STYLE) return whole
      const name = `style.${sha256(style).slice(0, 8)}.css`
      share(name, () => style)
      return `<link rel="stylesheet" href="${name}">`
    })
    .replace('<!--workbook-top-->', page === 'index' ? WITHOUT_CODE : TOP)
}

/** @param shared the file beside the page that holds plotly.js; without one the page holds it */
function withPlotly(html: string, shared?: string): string {
  const marker = '<!--workbook-plotly-->'
  if (!html.includes('workbook-figure-data')) return html.replace(marker, '')
  if (shared !== undefined)
    return html.replace(marker, () => `<script src="${shared}"></script>\n<script>${DRAW_FIGURES}</script>`)
  const plotly = readFileSync(require.resolve('plotly.js-dist-min'), 'utf8').replaceAll(
    '</script',
    '<\\/script',
  )
  return html.replace(marker, () => `<script>${plotly}</script>\n<script>${DRAW_FIGURES}</script>`)
}
