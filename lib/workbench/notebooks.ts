/** Executes notebooks without JupyterLab, and exports them as pages. */
import {
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import path from 'node:path'
import { temporaryFolder } from '../base'
import { type NbconvertWorker, startNbconvert } from './nbconvert'
import { copyWhole, failedCell, NotebookError } from './notebook-file'
import { exportPage } from './pages'
import type { ProgressEvent } from './progress'

const { makeDeclarations } = require('./kernel/declarations.cjs') as { makeDeclarations(): Promise<void> }

export interface ExecuteOptions {
  /** Notebooks (.ipynb) in the order of execution. */
  notebooks: readonly string[]
  /** Receives <name>.ipynb with outputs, and <name>.html. */
  outDir: string
  /** Added to the environment of the kernels. */
  env?: Readonly<Record<string, string>>
  onProgress?: (progress: NotebookProgress) => void
  /** Whether the others run on behind a notebook that failed. Default: they do not. */
  goesOn?: (error: NotebookError) => boolean
  /** Ends the run: the kernel too. */
  signal?: AbortSignal
}

/** Progress of a run: the notebook and cell, and the text of a bar in the cell. */
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
  /** Of one that failed, and the others ran on: `executed` and `html` are what there is of it. */
  error?: NotebookError
}

/**
 * Executes notebooks with nbconvert, one after another, in one tslab kernel that between notebooks forgets their
 * declarations, and makes a self-contained page of each. Files appear under their final names only when they are
 * complete.
 *
 * @throws NotebookError at the first notebook that fails and that `goesOn` does not pass over; what ran is kept as
 *   <name>.failed.ipynb
 */
export async function executeNotebooks(options: ExecuteOptions): Promise<ExecutedNotebook[]> {
  const { notebooks, outDir, env = {}, onProgress, goesOn = () => false } = options
  mkdirSync(outDir, { recursive: true })
  await makeDeclarations()
  const work = temporaryFolder('workbook')
  const log = path.join(work, 'progress.jsonl')
  writeFileSync(log, '')
  const failed = new AbortController()
  const signal = AbortSignal.any([failed.signal, ...(options.signal ? [options.signal] : [])])
  const workers: NbconvertWorker[] = []
  const start = (settings: Parameters<typeof startNbconvert>[0]): NbconvertWorker => {
    const worker = startNbconvert(settings)
    workers.push(worker)
    return worker
  }
  const results: ExecutedNotebook[] = []
  let pages: Promise<unknown> = Promise.resolve()
  try {
    const executor = start({ env: { ...env, WORKBOOK_PROGRESS: log }, signal })
    const exporter = start({ signal: options.signal })
    const follow = createFollower(log, onProgress)
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
      const places = { outDir, work, executor, follow, signal }
      const { executed, error } = await execute(progress, places).then(
        (file) => ({ executed: file, error: undefined }),
        (reason: unknown) => passedOver(reason, goesOn),
      )
      onProgress?.({ ...progress, stage: 'export' })
      pages = pages.then(async () => {
        const html = await exportPage(executed, outDir, exporter)
        const seconds = (performance.now() - started) / 1000
        results.push({ notebook, executed, html, seconds, ...(error && { error }) })
      })
      pages.catch(() => failed.abort()) // no more notebooks; the error is thrown where the pages are awaited
    }
    await pages
  } catch (error) {
    const isOfPage = failed.signal.aborted && !options.signal?.aborted
    failed.abort()
    const page = await pages.then(
      () => undefined,
      (reason: unknown) => reason,
    )
    throw isOfPage ? page : error // a page that could not be written has ended the running notebook
  } finally {
    await Promise.all(workers.map((worker) => worker.end()))
    rmSync(work, { recursive: true, force: true })
  }
  return results
}

/** What there is of a notebook that failed, where the others run on. @throws its error where they do not */
function passedOver(reason: unknown, goesOn: NonNullable<ExecuteOptions['goesOn']>) {
  if (reason instanceof NotebookError && reason.partial !== null && goesOn(reason))
    return { executed: reason.partial, error: reason }
  throw reason
}

/** Runs a notebook's cells; returns the executed notebook's file in `outDir`. */
async function execute(
  progress: NotebookProgress,
  {
    outDir,
    work,
    executor,
    follow,
    signal,
  }: {
    outDir: string
    work: string
    executor: NbconvertWorker
    follow: Follower
    signal: AbortSignal
  },
): Promise<string> {
  const { notebook } = progress
  if (!existsSync(notebook)) throw new NotebookError(notebook, null, 'There is no such file.', null)
  const name = path.basename(notebook, '.ipynb')
  const to = path.join(work, `${name}.ipynb`)
  const partial = path.join(work, `${name}.partial.ipynb`)
  const failedFile = path.join(outDir, `${name}.failed.ipynb`)
  // What an earlier run has left of it is not this one's.
  for (const former of [name, `${name}.failed`])
    for (const kind of ['ipynb', 'html']) rmSync(path.join(outDir, `${former}.${kind}`), { force: true })
  const { late, poll } = follow(progress)
  const timer = setInterval(poll, 200)
  try {
    const error = await executor.run({ task: 'execute', notebook: path.resolve(notebook), to, partial })
    poll()
    if (error === undefined && late.length === 0) return copyWhole(to, path.join(outDir, `${name}.ipynb`))

    const kept = existsSync(partial) ? copyWhole(partial, failedFile) : null
    if (signal.aborted) throw new NotebookError(notebook, progress.cell || null, 'It was interrupted.', kept)
    const cell = kept === null ? null : failedCell(kept)
    if (cell) throw new NotebookError(notebook, cell.cell, cell.detail, kept, cell.reason)
    const where = error === undefined ? null : progress.cell || null
    throw new NotebookError(notebook, where, late.length > 0 ? late.join('\n') : error!, kept)
  } finally {
    clearInterval(timer)
  }
}

/** Updates `progress` with what a running notebook reports; `late` are errors that surfaced after a cell's end. */
type Follower = (progress: NotebookProgress) => { late: readonly string[]; poll: () => void }

/** Follows the notebooks of a run, one after another, through the file that they all write to. */
function createFollower(log: string, onProgress: ExecuteOptions['onProgress']): Follower {
  let read = 0
  return (progress) => {
    const late: string[] = []
    const poll = (): void => {
      const lines = readFrom(log, read)
      const end = lines.lastIndexOf('\n') + 1
      read += end
      for (const line of lines.toString('utf8', 0, end).split('\n').filter(Boolean)) {
        const event = JSON.parse(line) as ProgressEvent
        if (event.event === 'late-error') late.push(event.message)
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
    return { late, poll }
  }
}

/** The bytes of a file from an offset on. */
function readFrom(file: string, position: number): Buffer {
  const descriptor = openSync(file, 'r')
  try {
    const bytes = Buffer.alloc(Math.max(0, fstatSync(descriptor).size - position))
    return bytes.subarray(0, readSync(descriptor, bytes, 0, bytes.length, position))
  } finally {
    closeSync(descriptor)
  }
}
