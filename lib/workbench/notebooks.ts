import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { z } from 'zod'
import { extractFormulae, restoreFormulae } from './formulae'
import type { ProgressEvent } from './progress'
import { pythonProgram, root } from './project'

const { makeDeclarations } = require('./kernel/declarations.cjs') as { makeDeclarations(): Promise<void> }

export interface ExecuteOptions {
  /** Notebooks (.ipynb) in the order in which they run. */
  notebooks: readonly string[]
  /** Gets <name>.ipynb with outputs, and <name>.html. */
  outDir: string
  /** Added to the environment of the kernels. */
  env?: Readonly<Record<string, string>>
  onProgress?: (progress: NotebookProgress) => void
  /** Ends the run: the kernel too. */
  signal?: AbortSignal
}

/** How far a run is: which notebook and cell, and what a bar inside the cell says. */
export interface NotebookProgress {
  notebook: string
  /** 1-based, among `count` notebooks. */
  index: number
  count: number
  stage: 'execute' | 'export'
  /** 1-based, among `cells` code cells; 0 before the first. */
  cell: number
  cells: number
  /** First line of the cell. */
  source: string
  /** Text of the bar that moved last, or ''. */
  bar: string
}

export interface ExecutedNotebook {
  notebook: string
  executed: string
  html: string
  seconds: number
}

/** A notebook failed: the message names the cell and carries its error. */
export class NotebookError extends Error {
  override name = 'NotebookError'
  constructor(
    readonly notebook: string,
    /** 1-based number of the failed code cell, or null where the failure is of no cell. */
    readonly cell: number | null,
    readonly detail: string,
    /** The notebook as far as it was executed. */
    readonly partial: string | null,
  ) {
    const where = cell === null ? notebook : `${notebook}, code cell ${cell}`
    const look = partial ? `\nAs far as it ran: ${partial}` : ''
    super(`${where} failed:\n${detail}${look}`)
  }
}

/**
 * Executes notebooks one after another on the tslab kernel with `jupyter nbconvert --to notebook --execute` and makes
 * a page of each that needs no network. While a notebook runs, the kernel of the next one starts and the page of the one
 * before is written. Files appear under their final name only when they are complete.
 *
 * @throws NotebookError at the first notebook that fails; what ran is kept as <name>.failed.ipynb
 */
export async function executeNotebooks(options: ExecuteOptions): Promise<ExecutedNotebook[]> {
  const { notebooks, outDir, onProgress } = options
  mkdirSync(outDir, { recursive: true })
  await makeDeclarations()
  const failed = new AbortController()
  const signal = AbortSignal.any([failed.signal, ...(options.signal ? [options.signal] : [])])
  const open = (notebook: string): OpenedNotebook => openNotebook(notebook, { ...options, signal })
  const results: ExecutedNotebook[] = []
  let pages: Promise<unknown> = Promise.resolve()
  let opened = notebooks.slice(0, 1).map(open)
  try {
    for (const [i, notebook] of notebooks.entries()) {
      const started = performance.now()
      const progress: NotebookProgress = {
        notebook,
        index: i + 1,
        count: notebooks.length,
        stage: 'execute',
        cell: 0,
        cells: 0,
        source: '',
        bar: '',
      }
      onProgress?.({ ...progress })
      opened.push(...notebooks.slice(i + 1, i + 2).map(open))
      const executed = await opened[0]!.run(progress)
      opened = opened.slice(1)
      onProgress?.({ ...progress, stage: 'export' })
      pages = pages.then(async () => {
        const html = await exportPage(executed, { outDir, signal: options.signal })
        results.push({ notebook, executed, html, seconds: (performance.now() - started) / 1000 })
      })
      pages.catch(() => failed.abort()) // no more notebooks; the error is thrown where the pages are waited for
    }
    await pages
  } catch (error) {
    failed.abort()
    await Promise.all(opened.map((notebook) => notebook.close()))
    if (!options.signal?.aborted) await pages // where a page could not be written, that is what ended the notebook
    throw error
  }
  return results
}

interface OpenedNotebook {
  /** Runs the cells; the answer is the executed notebook's file in `outDir`. */
  run(progress: NotebookProgress): Promise<string>
  /** Resolves when an aborted notebook has left nothing behind. */
  close(): Promise<void>
}

/** Starts a notebook's kernel; its cells wait for `run`. */
function openNotebook(notebook: string, options: ExecuteOptions): OpenedNotebook {
  const { env = {}, signal } = options
  const name = path.basename(notebook, '.ipynb')
  const work = mkdtempSync(path.join(tmpdir(), 'workbook-'))
  const files = {
    log: path.join(work, 'progress.jsonl'),
    partial: path.join(work, 'partial.ipynb'),
    gate: path.join(work, 'gate'),
  }
  writeFileSync(files.log, '')
  const config = path.join(root, 'lib/workbench/nbconvert_execute.py')
  const to = ['--to', 'notebook', '--execute', '--output-dir', work, '--output', name]
  const told = { WORKBOOK_PROGRESS: files.log, WORKBOOK_PARTIAL: files.partial, WORKBOOK_GATE: files.gate }
  const ended = jupyter(['nbconvert', '--config', config, ...to, path.resolve(notebook)], {
    env: { ...env, ...told },
    signal,
  })
  ended.catch(() => undefined) // it is looked at by whoever waits for it
  const tidy = (): void => rmSync(work, { recursive: true, force: true })
  return {
    async run(progress) {
      if (!existsSync(notebook)) throw new NotebookError(notebook, null, 'There is no such file.', null)
      const { errors, poll } = followProgress(files.log, progress, options.onProgress)
      writeFileSync(files.gate, '')
      const timer = setInterval(poll, 200)
      try {
        const { code, output } = await ended
        poll()
        const { outDir } = options
        const failedFile = path.join(outDir, `${name}.failed.ipynb`)
        rmSync(failedFile, { force: true })
        if (code === 0 && errors.length === 0)
          return place(path.join(work, `${name}.ipynb`), path.join(outDir, `${name}.ipynb`))

        const kept = existsSync(files.partial) ? place(files.partial, failedFile) : null
        if (signal?.aborted)
          throw new NotebookError(notebook, progress.cell || null, 'It was interrupted.', kept)
        const failed = kept === null ? null : failedCell(kept)
        if (failed) throw new NotebookError(notebook, failed.cell, failed.detail, kept)
        const detail = errors.length > 0 ? errors.join('\n') : lastLines(output, 25)
        throw new NotebookError(notebook, code === 0 ? null : progress.cell || null, detail, kept)
      } finally {
        clearInterval(timer)
        tidy()
      }
    },
    async close() {
      await ended.catch(() => undefined)
      tidy()
    },
  }
}

/** Reads what a running notebook tells into `progress`; `errors` are those that surfaced after a cell's end. */
function followProgress(
  log: string,
  progress: NotebookProgress,
  onProgress: ExecuteOptions['onProgress'],
): { errors: string[]; poll: () => void } {
  const errors: string[] = []
  let read = 0
  const poll = (): void => {
    const lines = readFileSync(log, 'utf8').slice(read)
    const end = lines.lastIndexOf('\n') + 1
    read += end
    for (const line of lines.slice(0, end).split('\n').filter(Boolean)) {
      const event = JSON.parse(line) as ProgressEvent
      if (event.event === 'late-error') errors.push(event.message)
      else if (event.event === 'progress') progress.bar = event.text
      else
        Object.assign(progress, {
          cell: event.index,
          cells: event.count,
          source: event.source.split('\n')[0],
          bar: '',
        })
      onProgress?.({ ...progress })
    }
  }
  return { errors, poll }
}

/** Writes <name>.html beside an executed notebook: formulae as MathML, figures drawn by one plotly.js inside the page. */
export async function exportPage(
  executed: string,
  { outDir, signal }: { outDir: string; signal?: AbortSignal | undefined },
): Promise<string> {
  const name = path.basename(executed, '.ipynb')
  const work = mkdtempSync(path.join(tmpdir(), 'workbook-'))
  try {
    const notebook = readNotebook(executed)
    const words = new Map<string, string>()
    for (const [i, cell] of notebook.cells.entries()) {
      cell.source = withoutFormulae(cell.cell_type === 'markdown', joined(cell.source), {
        executed,
        cell: i,
        words,
      })
      for (const output of cell.outputs ?? []) {
        for (const mime of ['text/markdown', 'text/latex'] as const) {
          const text = output.data?.[mime]
          if (text === undefined) continue
          const place = { executed, cell: i, words }
          output.data = {
            ...output.data,
            [mime]: withoutFormulae(true, joined(sourceSchema.parse(text)), place),
          }
        }
      }
    }
    writeFileSync(path.join(work, `${name}.ipynb`), JSON.stringify(notebook))
    const templates = path.join(root, 'lib/workbench/templates')
    const template = ['--template', 'workbook', `--TemplateExporter.extra_template_basedirs=${templates}`]
    const to = ['--to', 'html', ...template, '--output-dir', work, '--output', name]
    const { code, output } = await jupyter(['nbconvert', ...to, path.join(work, `${name}.ipynb`)], { signal })
    if (code !== 0) throw new NotebookError(executed, null, `Export to HTML:\n${lastLines(output, 25)}`, null)
    const page = path.join(work, `${name}.html`)
    writeFileSync(page, withPlotly(restoreFormulae(readFileSync(page, 'utf8'), words)))
    return place(page, path.join(outDir, `${name}.html`))
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

function withoutFormulae(
  isMarkdown: boolean,
  text: string,
  { executed, cell, words }: { executed: string; cell: number; words: Map<string, string> },
): string {
  if (!isMarkdown) return text
  try {
    const found = extractFormulae(text, `formula${cell}x${words.size}`)
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
  Plotly.newPlot(source.previousElementSibling, data, layout, { responsive: true, displaylogo: false })
}`

function withPlotly(html: string): string {
  const marker = '<!--workbook-plotly-->'
  if (!html.includes('workbook-figure-data')) return html.replace(marker, '')
  const plotly = readFileSync(require.resolve('plotly.js-dist-min'), 'utf8').replaceAll(
    '</script',
    '<\\/script',
  )
  return html.replace(marker, () => `<script>${plotly}</script>\n<script>${DRAW_FIGURES}</script>`)
}

const sourceSchema = z.union([z.string(), z.array(z.string())])
const outputSchema = z
  .object({
    output_type: z.string(),
    data: z.record(z.unknown()).optional(),
    ename: z.string().optional(),
    evalue: z.string().optional(),
    traceback: z.array(z.string()).optional(),
  })
  .passthrough()
const cellSchema = z
  .object({ cell_type: z.string(), source: sourceSchema, outputs: z.array(outputSchema).optional() })
  .passthrough()
const notebookSchema = z.object({ cells: z.array(cellSchema), nbformat: z.number() }).passthrough()
export type Notebook = z.infer<typeof notebookSchema>

/** @throws naming the file where it is no notebook */
export function readNotebook(file: string): Notebook {
  const parsed = notebookSchema.safeParse(JSON.parse(readFileSync(file, 'utf8')))
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  throw new Error(`${file}: expected a Jupyter notebook; ${issue?.path.join('.')}: ${issue?.message}`)
}

/** A cell's text, which the file may hold as one string or as lines. */
export function joined(source: string | readonly string[]): string {
  return typeof source === 'string' ? source : source.join('')
}

function failedCell(file: string): { cell: number; detail: string } | null {
  const code = readNotebook(file).cells.filter((cell) => cell.cell_type === 'code')
  for (const [i, cell] of code.entries()) {
    const error = cell.outputs?.find((output) => output.output_type === 'error')
    if (!error) continue
    const trace = error.traceback?.join('\n') ?? ''
    const summary = `${error.ename}: ${error.evalue}`
    const message = trace.includes(error.evalue ?? '') && error.ename !== 'TypeScript' ? trace : summary
    return { cell: i + 1, detail: message }
  }
  return null
}

/** Runs jupyter apart from the terminal's Ctrl-C, so that the abort alone decides how it and its kernel end. */
async function jupyter(
  args: readonly string[],
  { env = {}, signal }: { env?: Readonly<Record<string, string>>; signal?: AbortSignal | undefined },
): Promise<{ code: number; output: string }> {
  signal?.throwIfAborted()
  const child: ChildProcess = spawn(pythonProgram('jupyter'), args, {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-1 << 20)
    })
  }
  let killTimer: NodeJS.Timeout | undefined
  const stop = (): void => {
    child.kill('SIGTERM') // nbclient ends its kernel on this, and a kernel without a parent ends itself
    killTimer = setTimeout(() => child.kill('SIGKILL'), 8000)
  }
  signal?.addEventListener('abort', stop, { once: true })
  try {
    const code = await new Promise<number>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (status) => resolve(status ?? 1))
    })
    return { code, output }
  } finally {
    clearTimeout(killTimer)
    signal?.removeEventListener('abort', stop)
  }
}

function place(from: string, to: string): string {
  const temporary = `${to}.tmp`
  writeFileSync(temporary, readFileSync(from))
  renameSync(temporary, to)
  return to
}

function lastLines(text: string, count: number): string {
  return text.trimEnd().split('\n').slice(-count).join('\n')
}

/** One line for a terminal. */
export function progressLine({
  notebook,
  index,
  count,
  stage,
  cell,
  cells,
  source,
  bar,
}: NotebookProgress): string {
  const where = `[${index}/${count}] ${path.basename(notebook)}`
  if (stage === 'export') return `${where}: writing the page`
  if (cell === 0) return `${where}: starting the kernel`
  return `${where}: cell ${cell}/${cells} ${bar || source}`
}
