import cliProgress from 'cli-progress'
import type { NotebookProgress } from './notebooks'

/** Shows the progress of a run of notebooks: a bar on a terminal, one line per cell elsewhere (logs, CI). */
export function notebookReporter(): { report: (progress: NotebookProgress) => void; end: () => void } {
  if (!process.stderr.isTTY) {
    let last = ''
    return {
      report: (progress) => {
        const line = describe(progress)
        if (line !== last) console.error(line)
        last = line
      },
      end: () => {},
    }
  }
  const format = '{bar} {notebook} | {what}'
  const bar = new cliProgress.SingleBar(
    { format, stopOnComplete: false, hideCursor: true, barsize: 20 },
    cliProgress.Presets.shades_grey,
  )
  let started = false
  return {
    report: (progress) => {
      const { index, count, cell, cells } = progress
      const done = index - 1 + (cells > 0 ? Math.max(0, cell - 1) / cells : 0)
      const what = progress.bar || describe(progress)
      const payload = { notebook: name(progress), what }
      if (started) bar.update(done, payload)
      else bar.start(count, done, payload)
      started = true
    },
    end: () => {
      if (started) bar.stop()
    },
  }
}

const name = ({ notebook }: NotebookProgress) => notebook.replace(/^.*\//, '').replace(/\.ipynb$/, '')

function describe(progress: NotebookProgress): string {
  const { index, count, cell, cells, stage, source } = progress
  const where = `[${index}/${count}] ${name(progress)}`
  if (stage === 'export') return `${where}: writing the page`
  return cell === 0 ? `${where}: starting` : `${where}: cell ${cell}/${cells} ${source.slice(0, 70)}`
}
