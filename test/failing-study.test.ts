/** A study and a sweep in miniature, trainings of which diverge: everything else is finished, and everything says so. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import { parse } from 'yaml'
import { readSweepFile } from '../lib/study'
import { allNotebooks } from '../lib/workbench/chapters'
import { readNotebook } from '../lib/workbench/notebook-file'

const root = path.resolve(__dirname, '..')
const folder = mkdtempSync(path.join(tmpdir(), 'failing-'))
after(() => rmSync(folder, { recursive: true, force: true }))

function workbook(...words: string[]): { status: number | null; output: string } {
  const run = spawnSync(process.execPath, ['--require', 'tsx/cjs', 'lib/workbench/cli.ts', ...words], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  })
  return { status: run.status, output: stripVTControlCharacters(run.stdout + run.stderr) }
}

/** The smoke profile with fewer images and steps. */
function profile(name: string, change: object = {}): string {
  const smoke = parse(readFileSync(path.join(root, 'lib/study/profiles/smoke.yaml'), 'utf8'))
  const steps = { teacher: 12, sparse: 4, finetune: 4, distill: 4 }
  const stages = Object.fromEntries(
    Object.entries(steps).map(([stage, number]) => [stage, { ...smoke.stages[stage], steps: number }]),
  )
  const file = path.join(folder, `${name}.yaml`)
  const data = { ...smoke.data, splits: { train: 48, validation: 32, test: 32 } }
  const less = { name, data, stages: { ...smoke.stages, ...stages }, logEvery: 1, checkpointEvery: 2 }
  const bootstrap = { resamples: 50, confidence: 0.95 }
  writeFileSync(
    file,
    JSON.stringify({ ...smoke, ...less, side: { steps: 3, labelled: 16 }, bootstrap, ...change }),
  )
  return file
}

test('a sweep goes on without an arm that diverges, and with another rate runs that arm alone', () => {
  const arm = { start: 'teacher', steps: 4, rate: 0.01 }
  const broken = {
    ...arm,
    name: 'hasty',
    recipe: { schedule: { kind: 'cosine', final: 1 }, warmUp: { steps: 0 } },
  }
  const distilled = {
    ...arm,
    ...{ name: 'distilled', start: 'student', terms: [{ method: 'objectness-mse', weight: 0.1 }] },
  }
  const file = path.join(folder, 'sweep.yaml')
  const write = (rate: number) => {
    const arms = [{ ...arm, name: 'control', start: 'student' }, distilled, { ...broken, rate }]
    const sweep = { name: 'failing', question: 'Which is best?', profile: profile('tiny'), seeds: [1] }
    writeFileSync(file, JSON.stringify({ ...sweep, references: ['control', 'hasty'], arms }))
  }
  const out = path.join(folder, 'sweep')
  const run = (...more: string[]) => workbook('sweep', file, '--out', out, ...more)
  const resultFile = path.join(out, 'sweeps', 'failing.json')
  const trained = (output: string) =>
    [...output.matchAll(/^(.+): training 100 %/gm)].map(([, name]) => name).sort()
  const pageOf = () => readFileSync(path.join(out, 'sweeps', 'failing', 'index.html'), 'utf8')

  write(1e30)
  const first = run()
  assert.equal(first.status, 3, first.output)
  assert.match(
    first.output,
    /One trial failed; everything else is finished:\n {2}hasty, seed 1: diverged at step 2: /,
  )
  assert.match(
    first.output,
    /lower the learning rate \(1e\+30 at this step\), or clip gradients at less than 35/,
  )
  for (const name of ['control, seed 1', 'distilled, seed 1']) assert.ok(trained(first.output).includes(name))
  const { arms, failed } = readSweepFile(resultFile)
  assert.deepEqual(
    arms.map(({ name }) => name),
    ['teacher', 'student', 'control', 'distilled'],
  )
  assert.deepEqual(
    failed?.map(({ name, failed: [trial] }) => [name, trial?.kind, trial?.seed]),
    [['hasty', 'diverged', 1]],
  )
  const page = pageOf()
  assert.match(page, /<h2>What failed<\/h2>/)
  assert.match(page, /<th scope="row"[^>]*>hasty<\/th><td[^>]*>.*failed: diverged at step 2/)
  assert.match(page, /hasty failed: diverged at step 2/)

  const again = run()
  assert.equal(again.status, 3, again.output)
  assert.deepEqual(trained(again.output), [])
  assert.match(again.output, /hasty, seed 1.*failed: diverged at step 2/)

  write(0.02)
  const mended = run()
  assert.equal(mended.status, 0, mended.output)
  assert.deepEqual(trained(mended.output), ['hasty, seed 1'])
  const whole = readSweepFile(resultFile)
  assert.equal(whole.failed, undefined)
  assert.ok(whole.arms.some(({ name, splits }) => name === 'hasty' && splits.validation))
  assert.doesNotMatch(pageOf(), /What failed/)
})

test('a study goes on without a method and a point of an ablation that diverge, up to its report', () => {
  const smoke = parse(readFileSync(path.join(root, 'lib/study/profiles/smoke.yaml'), 'utf8'))
  // The teacher of so few steps passes no cell of the mask, so no ratio of gradients can be had there: a number can.
  const weights: { readonly [method: string]: number } = { 'feature-mse': 1e30, 'masked-class-kd': 1 }
  const methods = smoke.methods.map((term: { method: string }) => {
    const weight = weights[term.method]
    return weight === undefined ? term : { ...term, weight }
  })
  const ablations = { lambda: { methods: ['objectness-mse'], factors: [3, 1e30] }, threshold: [] }
  const out = path.join(folder, 'study')
  const { status, output } = workbook(
    'run',
    '--profile',
    profile('failing', { methods, ablations }),
    '--out',
    out,
  )
  assert.equal(status, 3, output)
  assert.match(output, /feature-mse, seed 1: diverged at step 1: .*; .*weights \(lambda\) of its terms/)
  assert.match(output, /objectness-mse, lambda x 1e\+30: diverged at step 1: /)
  const failing = '08-feature-mse'
  for (const notebook of allNotebooks()) {
    const name = path.basename(notebook, '.ipynb')
    const isWhole = existsSync(path.join(out, 'notebooks', `${name}.html`))
    assert.equal(isWhole, name !== failing, name)
  }
  const page = readFileSync(path.join(out, 'notebooks', `${failing}.failed.html`), 'utf8')
  assert.match(page, /feature-mse .* failed: training diverged: /)
  const varied = JSON.stringify(readNotebook(path.join(out, 'notebooks', '09-ablation-lambda.ipynb')))
  assert.match(varied, /objectness-mse.* failed: diverged at step 1/)
  const report = readFileSync(path.join(out, 'report', 'report.md'), 'utf8')
  assert.match(report, /\| feature-mse \| failed: diverged at step 1/)
  assert.match(report, /2 trials failed: /)
  const { failed } = JSON.parse(readFileSync(path.join(out, 'report', 'metrics.json'), 'utf8'))
  assert.deepEqual(
    failed.map(({ name }: { name: string }) => name),
    ['feature-mse', 'objectness-mse, lambda x 1e+30'],
  )
})
