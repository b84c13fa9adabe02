import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { root } from '../../lib/workbench/project'

const folder = path.join(root, 'notebooks/scripts')

/** The lines that a script prints; nothing else is printed, not even TensorFlow's greeting. */
function lines(name: string): string[] {
  const words = [path.join(root, 'lib/workbench/bootstrap.cjs'), 'script', path.join(folder, name)]
  const { status, stdout, stderr } = spawnSync(process.execPath, words, { cwd: root, encoding: 'utf8' })
  assert.deepEqual({ status, stderr }, { status: 0, stderr: '' }, name)
  return stdout.trimEnd().split('\n')
}

/** The numbers in a line "step 3: total 1.5, box 0.7". */
function numbers(line: string): Map<string, number> {
  return new Map(
    [...line.matchAll(/([\w/-]+) (-?[\d.]+)(?=,|$)/g)].map(([, name = '', text]) => [name, Number(text)]),
  )
}

test('scripts have at most 40 lines, say how to start them, and are in lib/README.md', () => {
  const readme = readFileSync(path.join(root, 'lib/README.md'), 'utf8')
  const names = readdirSync(folder)
  assert.deepEqual(names.sort(), ['distil.mts', 'score.mts', 'side-by-side.mts', 'ten-steps.mts'])
  for (const name of names) {
    const text = readFileSync(path.join(folder, name), 'utf8')
    // The fourth makes a picture of this project; the others are what a reader begins with.
    if (name !== 'side-by-side.mts') assert.ok(text.trimEnd().split('\n').length <= 40, name)
    assert.match(text, new RegExp(`^//     npx workbook script notebooks/scripts/${name}( .*)?$`, 'm'))
    assert.ok(readme.includes(`npx workbook script notebooks/scripts/${name}`), `lib/README.md: ${name}`)
    if (name === 'ten-steps.mts')
      assert.ok(readme.includes(`\`\`\`ts\n${text.trimEnd()}\n\`\`\``), 'lib/README.md: its text')
  }
})

test('ten steps by hand: the loss goes down, and is the sum of its parts', () => {
  const steps = lines('ten-steps.mts').map(numbers)
  assert.equal(steps.length, 10)
  const totals = steps.map((step) => step.get('total') ?? Number.NaN)
  for (const [i, step] of steps.entries()) {
    const parts = ['box', 'objectness', 'class'].map((name) => step.get(name) ?? Number.NaN)
    const sum = parts.reduce((a, b) => a + b)
    assert.ok(Math.abs(sum - totals[i]!) <= 0.002, `step ${i + 1}: ${sum} is not ${totals[i]}`) // of four rounded numbers
  }
  const mean = (values: readonly number[]) => values.reduce((a, b) => a + b) / values.length
  assert.ok(mean(totals.slice(5)) < mean(totals.slice(0, 5)), totals.join(' '))
})

test('a student learns from its teacher by two methods at once', () => {
  const steps = lines('distil.mts').map(numbers)
  assert.equal(steps.length, 6)
  const of = (method: string) =>
    steps.map((step) => {
      const parts = [...step].filter(([name]) => name.startsWith(`${method}/`))
      assert.equal(parts.length, 3, method)
      return parts.reduce((sum, [, value]) => sum + value, 0)
    })
  for (const method of ['class-kd', 'feature-mse']) {
    const losses = of(method)
    assert.ok(losses.at(-1)! < losses[0]!, `${method}: ${losses.join(' ')}`)
  }
})

test('detections are scored as the comment works it out', () => {
  assert.deepEqual(lines('score.mts').slice(0, 3), [
    'VOC mAP@0.5   0.9167',
    '  class 0     0.8333',
    '  class 1     1.0000',
  ])
})
