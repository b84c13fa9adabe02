/** Executed notebooks as a folder of small pages, for readers who have installed nothing. */
import { existsSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import path from 'node:path'
import { writeAtomically, writeWholeFolder } from '../base'
import { allNotebooks, CHAPTERS_FILE, INDEX, readChapter } from './chapters'
import { startNbconvert } from './nbconvert'
import { exportPage } from './pages'

/** What a gallery may weigh, in bytes, so that a repository can hold it. */
const LARGEST = 20_000_000

/** What was written. */
export interface Gallery {
  /** The page of all chapters. */
  readonly index: string
  readonly pages: number
  readonly bytes: number
}

/**
 * Writes the pages of a finished run's notebooks to a folder, with one plotly.js and the same style sheets for all of them, and the
 * chapters' answers and pictures as data. An earlier gallery there is replaced.
 *
 * @param run the folder of a study whose notebooks were executed
 * @throws Error naming the notebooks that were not executed, or the largest files of a gallery above 20 MB
 */
export async function writeGallery(
  run: string,
  folder: string,
  { signal, onPage }: { signal?: AbortSignal; onPage?: (name: string) => void } = {},
): Promise<Gallery> {
  const notebooks = allNotebooks()
  const executedOf = (file: string): string => path.join(run, 'notebooks', path.basename(file))
  const missing = notebooks.filter((file) => !existsSync(executedOf(file)))
  if (missing.length > 0) {
    const names = missing.map((file) => path.basename(file)).join(', ')
    throw new Error(
      `${run}/notebooks: expected every notebook executed, found none of ${names}; "run" makes them`,
    )
  }
  const next = `${folder}.next`
  rmSync(next, { recursive: true, force: true })
  const bytes = await writeWholeFolder(next, async (temporary) => {
    await writePages(notebooks.map(executedOf), temporary, { signal, onPage })
    const chapters = notebooks
      .filter((file) => path.basename(file, '.ipynb') !== INDEX)
      .map((file) => readChapter(file, executedOf(file)))
    writeAtomically(path.join(temporary, CHAPTERS_FILE), `${JSON.stringify({ chapters })}\n`)
    return expectSmall(temporary)
  })
  if (existsSync(path.join(folder, CHAPTERS_FILE))) rmSync(folder, { recursive: true })
  renameSync(next, folder)
  return { index: path.join(folder, `${INDEX}.html`), pages: notebooks.length, bytes }
}

async function writePages(
  executed: readonly string[],
  folder: string,
  { signal, onPage }: { signal?: AbortSignal | undefined; onPage?: ((name: string) => void) | undefined },
): Promise<void> {
  const exporter = startNbconvert({ signal })
  try {
    for (const file of executed) {
      onPage?.(path.basename(file, '.ipynb'))
      await exportPage(file, folder, exporter, { gallery: true })
    }
  } finally {
    await exporter.end()
  }
}

/** @throws Error naming the largest files of a folder that is too large */
function expectSmall(folder: string): number {
  const sizes = readdirSync(folder).map((name) => ({ name, bytes: statSync(path.join(folder, name)).size }))
  const bytes = sizes.reduce((sum, file) => sum + file.bytes, 0)
  if (bytes <= LARGEST) return bytes
  const largest = sizes
    .sort((a, b) => b.bytes - a.bytes)
    .slice(0, 3)
    .map((file) => `${file.name} ${(file.bytes / 1e6).toFixed(1)} MB`)
  throw new Error(
    `gallery: expected at most ${LARGEST / 1e6} MB, found ${(bytes / 1e6).toFixed(1)} MB; the largest: ${largest.join(', ')}`,
  )
}
