/** The main job in miniature: every notebook on the smoke profile, up to the report, and its numbers against the reference. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { readTrials } from '../lib/study'
import { allNotebooks } from '../lib/workbench/workbook'

const root = path.resolve(__dirname, '..')
const folder = mkdtempSync(path.join(tmpdir(), 'workbook-test-'))
const out = path.join(folder, 'run')

function workbook(...words: string[]): { status: number | null; output: string } {
  const run = spawnSync(process.execPath, ['--require', 'tsx/cjs', 'lib/workbench/cli.ts', ...words], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  })
  return { status: run.status, output: run.stdout + run.stderr }
}

before(() => {
  const { status, output } = workbook('repro', '--profile', 'smoke', '--out', out)
  assert.equal(status, 0, output)
  assert.match(output, /Everything came out again/)
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

test('a second run finds everything done and starts no trial', () => {
  const before = readTrials(path.join(out, 'trials')).map(({ metrics }) => metrics.provenance.finished)
  const { status, output } = workbook('workbook', '--profile', 'smoke', '--out', out)
  assert.equal(status, 0, output)
  assert.match(output, /objectness-mse/)
  assert.match(output, /Report: .*index\.html/)
  assert.deepEqual(
    readTrials(path.join(out, 'trials')).map(({ metrics }) => metrics.provenance.finished),
    before,
  )
})
