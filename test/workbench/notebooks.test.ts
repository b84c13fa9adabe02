import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, describe, it } from 'node:test'
import {
  executeNotebooks,
  NotebookError,
  type NotebookProgress,
  progressLine,
  readNotebook,
} from '../../lib/workbench/notebooks'
import { pythonProgram, root } from '../../lib/workbench/project'

const outDir = mkdtempSync(path.join(tmpdir(), 'notebooks-test-'))
const fixture = (name: string): string => path.join(root, `test/workbench/fixtures/${name}.ipynb`)

async function failure(name: string, signal = new AbortController().signal): Promise<NotebookError> {
  try {
    await executeNotebooks({ notebooks: [fixture(name)], outDir, signal })
  } catch (error) {
    assert.ok(error instanceof NotebookError, String(error))
    return error
  }
  throw new Error(`${name} was expected to fail`)
}

describe('executing notebooks', () => {
  after(() => rmSync(outDir, { recursive: true, force: true }))

  it('runs every cell, tells how far it is and makes a page that needs no network', async () => {
    const seen: NotebookProgress[] = []
    const [result] = await executeNotebooks({
      notebooks: [fixture('small')],
      outDir,
      env: { WORKBOOK_TEST: 'given' },
      onProgress: (progress) => seen.push(progress),
    })
    assert.ok(result)
    const code = readNotebook(result.executed).cells.filter((cell) => cell.cell_type === 'code')
    assert.deepEqual(
      code.map((cell) => cell.execution_count),
      [1, 2, 3],
    )
    assert.deepEqual(
      code[1]?.outputs?.map((output) => Object.keys(output.data ?? {})[0]),
      ['application/vnd.plotly.v1+json', 'text/html', 'text/markdown'],
    )
    const [bar, value] = code[2]?.outputs ?? []
    assert.match(String(bar?.data?.['text/plain']), /^steps 100 % \(5\/5\)/)
    assert.match(String(value?.data?.['text/plain']), /dir: 'given'/)

    assert.deepEqual(
      [...new Set(seen.map(({ cell, cells }) => `${cell}/${cells}`))],
      ['0/0', '1/3', '2/3', '3/3'],
    )
    assert.ok(
      seen.some((progress) => /^\[1\/1\] small\.ipynb: cell 3\/3 steps \d+ %/.test(progressLine(progress))),
    )
    assert.equal(seen.at(-1)?.stage, 'export')

    const page = readFileSync(result.html, 'utf8')
    const plotly = readFileSync(require.resolve('plotly.js-dist-min'), 'utf8')
    const parts = page.split(plotly.slice(0, 20_000))
    assert.equal(parts.length, 2, 'plotly.js is in the page once')
    const head = parts[0] ?? ''
    const loaded =
      /<(?:script|link|img|iframe)[^>]+(?:src|href)="(?!data:)[^"#][^>]*|import\(|require\.js|MathJax/.exec(
        head,
      )
    assert.equal(loaded?.[0], undefined)
    assert.equal(head.match(/<math /g)?.length, 4)
    assert.match(head, /<code>\$5<\/code>/)
    assert.match(head, /class="workbook-figure-data"[^>]*>\{"data": \[\{"name": "squares"/)
  })

  it('takes parameters from papermill, which the compiler checks', () => {
    const papermill = (...parameters: string[]) => {
      const out = path.join(outDir, 'parameters.ipynb')
      const { status, stderr } = spawnSync(
        pythonProgram('papermill'),
        [fixture('parameters'), out, ...parameters],
        { encoding: 'utf8' },
      )
      const last = readNotebook(out).cells.at(-1)?.outputs?.at(-1)
      return { status, stderr, value: last?.data?.['text/plain'] }
    }
    const given = papermill('-p', 'rate', '3', '-y', '{names: [a, "b\\"c"]}')
    assert.equal(given.status, 0, given.stderr)
    assert.equal(String(given.value), '{"rate":3,"names":["a","b\\"c"]}')
    const misspelt = papermill('-p', 'ratte', '3')
    assert.equal(misspelt.status, 1)
    assert.match(misspelt.stderr, /2:1 - Cannot find name 'ratte'. Did you mean 'rate'\?/)
  })

  it('names the cell that failed and keeps what ran', async () => {
    const error = await failure('failing')
    assert.equal(error.cell, 2)
    assert.match(error.message, /failing\.ipynb, code cell 2 failed:[\s\S]*RangeError: no such layer/)
    assert.ok(error.partial)
    const cells = readNotebook(error.partial).cells
    assert.deepEqual(
      cells[1]?.outputs?.map((output) => output.output_type),
      ['stream', 'error'],
    )
    assert.equal(existsSync(path.join(outDir, 'failing.ipynb')), false)
  })

  it('fails on an error that surfaces after the last cell', async () => {
    assert.match((await failure('late')).message, /too late/)
  })

  it('ends the kernel when it is aborted', async () => {
    const controller = new AbortController()
    const notebooks = [fixture('endless')]
    const onProgress = ({ cell }: NotebookProgress): void => {
      if (cell === 2) controller.abort()
    }
    const { signal } = controller
    await assert.rejects(
      executeNotebooks({ notebooks, outDir, onProgress, signal }),
      /code cell 2 failed:\nIt was interrupted/,
    )
  })

  it('can be aborted while the kernel starts', async () => {
    const controller = new AbortController()
    const failed = failure('endless', controller.signal)
    setTimeout(() => controller.abort(), 1500)
    assert.match((await failed).message, /It was interrupted/)
  })
})
