/** The whole study, a sweep and the page of a data set with names that try to act, and their pages in a browser. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { type Browser, chromium } from 'playwright-core'
import { visible } from '../lib/base'
import { readSweepFile } from '../lib/study'
import { pythonProgram, root } from '../lib/workbench/project'
import { ARM_NAMES, CLASS_NAMES, type Hostile, writeHostile } from './hostile'

const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(
  existsSync,
)
const skip = executablePath ? false : 'no Chromium (sudo apt-get install -y chromium)'
const flags = '--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking'

const folder = mkdtempSync(path.join(tmpdir(), 'hostile-'))
const out = path.join(folder, 'out <b> & "x"')
const datasetPage = path.join(folder, 'data set.html')
let given: Hostile
/** What the commands printed. */
let printed = ''

function workbook(...words: string[]): void {
  const program = ['--require', 'tsx/cjs', path.join(root, 'lib/workbench/cli.ts'), ...words]
  const run = spawnSync(process.execPath, program, { cwd: root, encoding: 'utf8', maxBuffer: 1 << 26 })
  printed += run.stdout + run.stderr
  assert.equal(run.status, 0, run.stdout + run.stderr)
}

before(async () => {
  given = await writeHostile(folder)
  workbook('dataset', 'check', given.data, '--report', datasetPage)
  workbook('run', '--profile', given.profile, '--data', given.data, '--out', out)
  workbook('sweep', given.sweep, '--data', given.data, '--out', out)
})
after(() => rmSync(folder, { recursive: true, force: true }))

const sweepFolder = () => path.join(out, 'sweeps', `names-${path.basename(given.data)}`)
/** Every page that was written. */
function pages(): string[] {
  const notebooks = path.join(out, 'notebooks')
  const exported = readdirSync(notebooks).filter((name) => name.endsWith('.html'))
  return [
    ...exported.map((name) => path.join(notebooks, name)),
    path.join(out, 'report/index.html'),
    path.join(sweepFolder(), 'index.html'),
    datasetPage,
  ]
}

/** A text as pages show it: without what acts, every run of blanks as one. */
const shown = (text: string) => visible(text).replace(/\s+/g, ' ').trim()
const classNames = CLASS_NAMES.map(shown)

/** What is on a page: its text, labels of figures, what a name has made, and tables with rows of different lengths. */
interface Look {
  readonly text: string
  readonly labels: readonly string[]
  readonly made: readonly string[]
  readonly uneven: readonly string[]
}

/** Runs in the page, where nothing of this file is known. */
const LOOK = `(() => {
  const all = (selector) => [...document.querySelectorAll(selector)]
  const made = 'img[src="x"], img:not([src^="data:"]), a[href^="javascript"], main i, h1 b, [onerror]'
  const isUneven = ({ rows }) => new Set([...rows].map(({ cells }) => cells.length)).size > 1
  const beginningOf = ({ outerHTML }) => outerHTML.slice(0, 300)
  return {
    text: document.body.textContent.replace(/\\s+/g, ' '),
    labels: all('svg text').map(({ textContent }) => textContent),
    made: all(made).map(beginningOf),
    uneven: all('table').filter(isUneven).map(beginningOf),
  }
})()`

test('pages of a study with hostile names show them, and nothing of them runs', { skip }, async (context) => {
  const browser: Browser = await chromium.launch({
    ...(executablePath ? { executablePath } : {}),
    args: flags.split(' '),
  })
  context.after(() => browser.close())
  const offline = await browser.newContext({ offline: true })
  for (const file of pages()) {
    const page = await offline.newPage()
    const problems: string[] = []
    page.on('dialog', (dialog) => {
      problems.push(`dialog: ${dialog.message()}`)
      void dialog.dismiss()
    })
    page.on('pageerror', ({ message }) => problems.push(`error: ${message}`))
    page.on('console', (message) => message.type() === 'error' && problems.push(`console: ${message.text()}`))
    page.on('request', (request) => {
      if (!/^(data|blob):/.test(request.url()) && request.url() !== pathToFileURL(file).href)
        problems.push(`request: ${request.url()}`)
    })
    await page.goto(pathToFileURL(file).href)
    const found = await page.evaluate<Look>(LOOK)
    const name = path.basename(file)
    assert.deepEqual(problems, [], name)
    assert.deepEqual(found.made, [], name)
    assert.deepEqual(found.uneven, [], name)
    if (/^01|^02|^data set/.test(name) || file.startsWith(path.join(out, 'report')))
      for (const one of classNames) assert.ok(found.text.includes(one), `${name}: ${one}`)
    if (/^01/.test(name) || file.startsWith(path.join(out, 'report')))
      for (const one of classNames)
        assert.ok(
          // A label may stand in several lines.
          found.labels.some((label) => label.replace(/\s/g, '').includes(one.replace(/\s/g, ''))),
          `${name}, in a figure: ${one}`,
        )
    if (file.startsWith(sweepFolder()))
      for (const one of ARM_NAMES.map(shown)) assert.ok(found.text.includes(one), `${name}: ${one}`)
    await page.close()
  }
})

/** The reports as Markdown, made HTML by the converter that nbconvert uses. */
test('tables of the Markdown stay whole, and hold names alone', () => {
  const program =
    'import sys; from nbconvert.filters.markdown import markdown2html; print(markdown2html(sys.stdin.read()))'
  for (const report of [path.join(out, 'report'), sweepFolder()]) {
    const markdown = readFileSync(path.join(report, 'report.md'), 'utf8')
    const { stdout, status } = spawnSync(pythonProgram('python'), ['-c', program], {
      input: markdown,
      encoding: 'utf8',
    })
    assert.equal(status, 0)
    assert.doesNotMatch(stdout, /<(img|script|i|del)\b|<a (?!class="anchor-link")/i)
    for (const [table] of stdout.matchAll(/<table>[\s\S]*?<\/table>/g)) {
      const rows = [...table.matchAll(/<tr>[\s\S]*?<\/tr>/g)].map(([row]) => row.match(/<t[hd]\b/g)?.length)
      assert.equal(new Set(rows).size, 1, table.slice(0, 500))
    }
    const text = stdout
      .replace(/<[^>]+>/g, '')
      .replace(
        /&(lt|gt|amp|quot|#39|#x27);/g,
        (entity) => ({ lt: '<', gt: '>', amp: '&', quot: '"' })[entity.slice(1, -1)] ?? "'",
      )
      .replace(/\s+/g, ' ')
    const names = report === sweepFolder() ? ARM_NAMES.map(shown) : classNames
    for (const one of names) assert.ok(text.includes(one), one)
  }
})

test('tables of values hold no formula, results hold every name, and terminals get no command', () => {
  const csv = readFileSync(path.join(sweepFolder(), 'metrics.csv'), 'utf8')
  assert.match(csv, /^'=1\+1,/m)
  assert.doesNotMatch(csv, /(^|,)"?[=@+]/m)
  const { arms } = readSweepFile(path.join(out, 'sweeps', `names-${path.basename(given.data)}.json`))
  assert.deepEqual(
    arms.map(({ name }) => name).filter((name) => ARM_NAMES.includes(name)),
    ARM_NAMES,
  )
  const compared = arms.find(({ name }) => name === '__proto__')!.splits.validation!
  assert.deepEqual(Object.keys(compared.differences), [ARM_NAMES[0]])
  assert.deepEqual(
    compared.perClass.map(({ name }) => name),
    CLASS_NAMES,
  )
  for (const acting of ['\u001b', '\u202e']) assert.ok(!printed.includes(acting))
})
