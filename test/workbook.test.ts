/** The main job in miniature: every notebook on the smoke profile, up to the report, and its numbers against the reference. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import { readTrials } from '../lib/trial'
import { allNotebooks, galleryChapters } from '../lib/workbench/chapters'
import { writeGallery } from '../lib/workbench/gallery'
import { joined, readNotebook } from '../lib/workbench/notebook-file'
import { KernelClient, type Reply } from './workbench/kernel-client'

const root = path.resolve(__dirname, '..')
const folder = mkdtempSync(path.join(tmpdir(), 'workbook-test-'))
const out = path.join(folder, 'run')

function node(cwd: string, ...words: string[]): { status: number | null; output: string } {
  const run = spawnSync(process.execPath, ['--require', 'tsx/cjs', ...words], {
    cwd,
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  })
  return { status: run.status, output: stripVTControlCharacters(run.stdout + run.stderr) }
}
const workbook = (...words: string[]) => node(root, 'lib/workbench/cli.ts', ...words)
const REPRO = 'test/reference/cli.ts'

before(() => {
  const { status, output } = node(root, REPRO, '--profile', 'smoke', '--out', out)
  assert.equal(status, 0, output)
  assert.match(output, /Everything was reproduced/)
})
after(() => rmSync(folder, { recursive: true, force: true }))

test('every notebook is executed and exported as a page that loads nothing', () => {
  const names = allNotebooks().map((file) => path.basename(file, '.ipynb'))
  assert.ok(names.length >= 11)
  const written = readdirSync(path.join(out, 'notebooks'))
  for (const name of names) {
    assert.ok(written.includes(`${name}.ipynb`), `${name}.ipynb`)
    const page = readFileSync(path.join(out, 'notebooks', `${name}.html`), 'utf8')
    assert.doesNotMatch(page, /<(script|link|img)[^>]+(src|href)="https?:/)
  }
})

test('a gallery holds the run in small pages that share plotly.js, and its index has every answer and picture', async () => {
  const target = path.join(folder, 'gallery')
  for (let i = 0; i < 2; i++) {
    // the second replaces the first
    const { index, bytes } = await writeGallery(out, target)
    assert.equal(index, path.join(target, 'index.html'))
    assert.ok(bytes < 20e6)
  }
  const pages = readdirSync(target).filter((file) => file.endsWith('.html'))
  assert.equal(pages.length, allNotebooks().length)
  for (const file of pages) {
    const page = readFileSync(path.join(target, file), 'utf8')
    for (const [, place = ''] of page.matchAll(/<(?:script|link|a)[^>]+(?:src|href)="([^"#]+)"/g))
      assert.ok(existsSync(path.join(target, place)), `${file}: ${place}`)
    assert.doesNotMatch(page, /mailto:/)
    assert.doesNotMatch(page, /plotly\.js v/) // in its own file
  }
  for (const { name, answer, picture } of galleryChapters(target)) {
    // What chapter 15 answers comes from the shipped benchmark of formats.
    if (name === '15-deploy' && !existsSync(path.join(root, 'data/deploy/benchmark.json'))) continue
    assert.ok(answer && picture, name)
  }
  const index = readFileSync(path.join(target, 'index.html'), 'utf8')
  for (const { name, question } of galleryChapters(target)) {
    assert.match(index, new RegExp(`href="${name}\\.html"`))
    assert.ok(index.includes(question.replaceAll("'", '&#39;')) || index.includes(question), question)
  }
  await assert.rejects(
    writeGallery(folder, target),
    /expected every notebook executed, found none of 00-ten-steps/,
  )
})

test('the trials ran with finite losses, and the student has at most 46.4 % of the MACs', () => {
  const trials = readTrials(path.join(out, 'trials'))
  for (const { folder: where, metrics } of trials) {
    for (const [name, value] of Object.entries(metrics.training?.last ?? {}))
      assert.ok(Number.isFinite(value), `${where}: ${name}`)
  }
  const macs = (kind: string) => trials.find((trial) => trial.config.kind === kind)!.metrics.complexity.macs
  assert.ok(macs('finetune') <= 0.464 * macs('teacher'))
  const methods = trials.flatMap(({ config }) =>
    config.kind === 'distill' ? config.terms.map((term) => term.method) : [],
  )
  assert.equal(new Set(methods).size, 5)
})

test('the report is one page with its numbers beside it', () => {
  const report = path.join(out, 'report')
  const page = readFileSync(path.join(report, 'index.html'), 'utf8')
  assert.match(page, /objectness-mse/)
  assert.doesNotMatch(page, /<(script|link|img)[^>]+(src|href)="https?:/)
  assert.ok(JSON.parse(readFileSync(path.join(report, 'metrics.json'), 'utf8')))
  assert.match(readFileSync(path.join(report, 'metrics.csv'), 'utf8'), /mAP/)
})

test('bars name the model that is trained or measured', () => {
  const bars = readdirSync(path.join(out, 'notebooks'))
    .filter((file) => file.endsWith('.ipynb'))
    .flatMap((file) => readNotebook(path.join(out, 'notebooks', file)).cells)
    .flatMap(({ outputs = [] }) => outputs.map(({ data }) => String(data?.['text/plain'] ?? '')))
  for (const text of [
    'teacher on test: evaluating',
    'class-kd, seed 1, on test: evaluating',
    'teacher trained on, seed 1: training',
    'distilled on unlabelled frames, seed 1: training',
    'pruned on validation: evaluating',
  ])
    assert.ok(
      bars.some((bar) => bar.startsWith(`${text} 100 %`)),
      text,
    )
})

/** A notebook's cells by their ids, in order. */
function cellsOf(name: string): Map<string, string> {
  const { cells } = readNotebook(path.join(root, 'notebooks', `${name}.ipynb`))
  return new Map(cells.map(({ id, source }) => [String(id), joined(source)]))
}

interface Drawn {
  title: string
  traces: { name: string; x: number[] }[]
}

/** The figures that a cell drew. */
function figuresOf({ messages }: Reply): Drawn[] {
  return messages.flatMap(({ content }) => {
    const figure = content.data?.['application/vnd.plotly.v1+json']
    if (!figure) return []
    const traces = figure.data.map(({ name, x }: Drawn['traces'][number]) => ({ name, x }))
    return [{ title: figure.layout.title.text, traces }]
  })
}

/** Cells that a notebook's "Try it" needs, and the line that a reader writes. */
const TRIES = [
  { name: '05-class-kd', needs: ['setup', 'result', 'lambda'], λ: 'λ = lambda' },
  { name: '09-ablation-lambda', needs: ['setup', 'trials', 'lambda'], λ: 'λ = lambda' },
  { name: '10-ablation-threshold', needs: ['setup', 'trials', 'threshold'], λ: 'θ = threshold' },
]
for (const { name, needs, λ } of TRIES) {
  test(`a reader changes a value in ${name}, runs the cell again, and sees the new curve beside the old`, async () => {
    const cells = cellsOf(name)
    const env = { WORKBOOK_PROFILE: 'smoke', WORKBOOK_OUT: out }
    const kernel = await KernelClient.start(path.join(root, 'notebooks'), env)
    const run = async (source: string): Promise<Drawn[]> => {
      const reply = await kernel.execute(source)
      assert.equal(reply.status, 'ok', reply.text)
      return figuresOf(reply)
    }
    try {
      for (const id of needs) await run(cells.get(id)!)
      const cell = cells.get('try-it')!
      assert.deepEqual(await run(cell), [])
      const [letter] = λ.split(' ')
      const given = (value: number) => cell.replace(`const ${λ}`, `const ${letter} = ${value}`)
      const [first, second] = [await run(given(0.5)), await run(given(0.7))]
      // Curves of accuracy grow in a figure of their own while the cell trains.
      const isOfLoss = ({ title }: Drawn) => /^Training loss/.test(title)
      const isOfAccuracy = ({ title }: Drawn) => /while training/.test(title)
      const isOfSetting = (figure: Drawn) => !isOfLoss(figure) && !isOfAccuracy(figure)
      for (const figures of [first, second]) {
        assert.equal(figures.filter(isOfLoss).length, 1)
        assert.equal(figures.filter(isOfSetting).length, 1)
      }
      const losses = (figures: Drawn[]) => new Set(figures.find(isOfLoss)!.traces.map((trace) => trace.name))
      assert.equal(losses(first).size, 3) // control, the study's own, the reader's
      assert.equal(losses(second).size, 4)
      for (const known of losses(first)) assert.ok(losses(second).has(known), known)
      const points = (figures: Drawn[]) => figures.find(isOfSetting)!.traces.flatMap(({ x }) => x)
      assert.equal(points(second).length, points(first).length + 1)
      for (const known of points(first)) assert.ok(points(second).includes(known), String(known))
    } finally {
      await kernel.stop()
    }
  })
}

/** Runs a trial of the plan anew, in the project that is the working directory. */
const AGAIN = `
const { rmSync } = require('node:fs')
const { resolve } = require('node:path')
const { createStudy, namedTrials } = require('./lib/study')
const { findTrial } = require('./lib/trial')
createStudy({ profile: 'smoke', out: resolve('run'), cache: resolve('.cache') }).then((study) => {
  const trial = namedTrials(study).get('class-kd, seed 1')
  rmSync(findTrial(study.runs, trial).folder, { recursive: true })
  return study.run([trial])
})`

test('a flipped sign in a loss fails the reproducibility check', () => {
  const copy = path.join(folder, 'copy')
  mkdirSync(copy)
  const shared = ['node_modules', '.cache', 'data', 'package.json', 'tsconfig.json']
  for (const name of shared) symlinkSync(path.join(root, name), path.join(copy, name))
  const addon = path.join(root, 'lib/engine/tfjs-node')
  cpSync(path.join(root, 'lib'), path.join(copy, 'lib'), {
    recursive: true,
    filter: (file) => file !== addon,
  })
  cpSync(path.join(root, 'test/reference'), path.join(copy, 'test/reference'), { recursive: true })
  cpSync(path.join(out, 'trials'), path.join(copy, 'run/trials'), { recursive: true })

  const file = path.join(copy, 'lib/losses/distill/class-kd.ts')
  const source = readFileSync(file, 'utf8')
  const flipped = source.replace('1 / (n * h * w * classes)', '-1 / (n * h * w * classes)')
  assert.notEqual(flipped, source)
  writeFileSync(file, flipped)
  const again = node(copy, '--eval', AGAIN)
  assert.equal(again.status, 0, again.output)

  const compared = ['--profile', 'smoke', '--compare', path.join(copy, 'run')]
  const { status, output } = node(copy, REPRO, ...compared)
  assert.equal(status, 1, output)
  const trials = [...output.matchAll(/^│ (.+?) +│ (.+?) +│/gm)].map(([, trial, metric]) => ({
    trial,
    metric,
  }))
  assert.ok(
    trials.some(({ metric }) => metric === 'loss total'),
    output,
  )
  // Only the trial that the changed loss has trained; the first row is the table's head.
  assert.deepEqual([...new Set(trials.slice(1).map(({ trial }) => trial))], ['class-kd, seed 1'], output)
})

test('a second run finds everything done and starts no trial', () => {
  const before = readTrials(path.join(out, 'trials')).map(({ metrics }) => metrics.provenance.finished)
  const { status, output } = workbook('run', '--profile', 'smoke', '--out', out)
  assert.equal(status, 0, output)
  assert.match(output, /objectness-mse/)
  assert.match(output, /Report: .*index\.html/)
  assert.deepEqual(
    readTrials(path.join(out, 'trials')).map(({ metrics }) => metrics.provenance.finished),
    before,
  )
})
