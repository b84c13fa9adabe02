import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { test } from 'node:test'
import type { NamedTensor } from '../../lib/train'
import { root } from '../../lib/workbench/project'
import { agrees, compare, type Row } from './compare'
import { ARITHMETICS } from './formats'
import { LOSSES } from './measure'
import { SECTION_END, sectionStart } from './placement'
import { countFailures, describeCheck } from './report'
import { placementRows } from './run'

/** Measurements of two images with room for three detections each, made up. */
function measurements(change: { readonly [name: string]: readonly number[] } = {}): Map<string, NamedTensor> {
  const all: { readonly [name: string]: readonly number[] } = {
    convolution: [3e-7],
    'logits/0': [1, -2],
    'logits/1': [0.5],
    'features/0': [3, 4],
    ...Object.fromEntries(
      LOSSES.flatMap((name) => [
        [`loss/${name}`, [2]],
        [`gradient/${name}/stem/kernel`, [30, 40]],
        [`gradient/${name}/stem/beta`, [0.3, 0.4]],
      ]),
    ),
    'nms/boxes': Array.from({ length: 24 }, (_, i) => 10 * i),
    'nms/scores': [0.9, 0.8, 0.7, 0.6, 0, 0],
    'nms/labels': [1, 2, 2, 0, 0, 0],
    'nms/counts': [3, 1],
    'evaluation/teacher': [0.9, 0.5],
    'training/losses': [3, 2],
    'evaluation/trained': [0.8, 0.4],
    ...change,
  }
  return new Map(
    Object.entries(all).map(([name, values]) => [
      name,
      { shape: [values.length], values: Float32Array.from(values) },
    ]),
  )
}

const failing = (
  change: { readonly [name: string]: readonly number[] },
  format: 'float32' | 'TF32' = 'float32',
) => compare(measurements(), measurements(change), format).filter((row) => !agrees(row))

test('the comparison agrees with itself in every format', () => {
  for (const format of ARITHMETICS) {
    const rows = compare(measurements(), measurements(), format)
    assert.ok(rows.every(agrees), format)
    assert.ok(rows.length >= 17)
  }
})

test('the comparison fails where one number is wrong, and says which', () => {
  const cases: readonly [change: { readonly [name: string]: readonly number[] }, what: string][] = [
    [{ convolution: [1e-4] }, 'convolution against plain loops'],
    [{ 'logits/1': [0.501] }, "teacher's logits"],
    [{ 'features/0': [3, 4.01] }, "teacher's neck maps"],
    [{ 'loss/class-kd': [2.01] }, 'class-kd: loss'],
    [{ 'evaluation/teacher': [0.9, 0.51] }, "teacher's mAP@0.5 and AP@[.5:.95]"],
    [{ 'training/losses': [3, 2.1] }, '2 training steps: losses'],
    [{ 'evaluation/trained': [0.82, 0.4] }, 'mAP@0.5 and AP@[.5:.95] after them'],
    [{ 'nms/labels': [1, 2, 3, 0, 0, 0] }, 'decoding and NMS: detections without a partner'],
    [{ 'nms/counts': [2, 1] }, 'decoding and NMS: detections without a partner'],
    [{ 'loss/ground truth': [Number.NaN] }, 'ground truth: loss'],
    [{ 'logits/0': [1, -2, 0] }, "teacher's logits"],
  ]
  for (const [change, what] of cases) {
    assert.deepEqual(
      failing(change).map((row) => row.what),
      [what],
      JSON.stringify(change),
    )
  }
})

test('the comparison sees a wrong gradient of a small layer, and names it', () => {
  const [row, ...more] = failing({ 'gradient/feature-mse/stem/beta': [0.3, -0.4] })
  assert.equal(more.length, 0)
  assert.equal(row?.what, 'feature-mse: gradient of the worst variable')
  assert.equal(row.where, 'stem/beta')
  assert.ok(Math.abs(row.difference - 0.8 / 0.5) < 1e-6)
})

test('the comparison measures ||a - b|| / ||b|| over all of a group', () => {
  const rows = compare(measurements(), measurements({ 'logits/1': [0.53] }), 'float32')
  const { difference } = rows.find(({ what }) => what === "teacher's logits")!
  assert.ok(Math.abs(difference - 0.03 / Math.sqrt(1 + 4 + 0.25)) < 1e-6)
})

test('the comparison allows TF32 what it refuses in float32', () => {
  const change = { 'logits/1': [0.501] }
  assert.equal(failing(change).length, 1)
  assert.equal(failing(change, 'TF32').length, 0)
})

test('the comparison takes detections in another order', () => {
  const boxes = [...measurements().get('nms/boxes')!.values]
  const swapped = [...boxes.slice(4, 8), ...boxes.slice(0, 4), ...boxes.slice(8)]
  const change = { 'nms/boxes': swapped, 'nms/scores': [0.8, 0.9, 0.7, 0.6, 0, 0] }
  assert.equal(failing({ ...change, 'nms/labels': [2, 1, 2, 0, 0, 0] }).length, 0)
  assert.equal(failing(change).length, 1)
})

test('the comparison refuses measurements that lack a number', () => {
  const found = measurements()
  found.delete('loss/output-kd')
  assert.throws(
    () => compare(measurements(), found, 'float32'),
    /expected "loss\/output-kd" on both sides, found it on one only/,
  )
})

const line = (operation: string, device: string, type = 'DT_FLOAT') =>
  `I0000 00:00:1.1 1 executor.cc:879] Process node: 7 step 2 {{node a/b}} = ${operation}[T=${type}, ` +
  `_device="/job:localhost/replica:0/task:0/device:GPU:0"](x, y) device: /job:localhost/replica:0/task:0/device:${device}:0\n`
const log = (...lines: string[]) =>
  line('Conv2D', 'CPU') + sectionStart('step') + lines.join('') + SECTION_END

test('the placement counts what computes elsewhere, not what feeds, reads or shapes', () => {
  const good = log(
    line('Conv2D', 'GPU', 'DT_HALF'),
    line('_Arg', 'CPU'),
    line('_Retval', 'CPU'),
    line('Reshape', 'CPU', 'DT_INT32'),
    line('CombinedNonMaxSuppression', 'CPU'),
  )
  const [row] = placementRows(good, 'GPU')
  assert.deepEqual(
    [row?.what, row?.difference, row?.where],
    ['step: operations not on the GPU', 0, '2 on it'],
  )
  const [bad] = placementRows(log(line('Conv2D', 'GPU'), line('LeakyRelu', 'CPU')), 'GPU')
  assert.deepEqual([bad?.difference, bad?.where], [1, 'LeakyRelu'])
  assert.ok(!agrees(bad as Row))
})

test('the placement does not take silence for agreement', () => {
  assert.throws(() => placementRows('TensorFlow said nothing', 'GPU'), /expected the executor to log/)
  const [row] = placementRows(log(line('_Arg', 'GPU')), 'GPU')
  assert.ok(!agrees(row as Row))
})

const row: Row = { what: 'losses', difference: 0.5, allowed: 0.1, where: 'step 3' }

test('the report shows differences, what is allowed and verdicts, and counts failures', () => {
  const result = {
    device: 'a card',
    placement: [{ ...row, difference: 0, allowed: 0 }],
    sides: [{ format: 'float16' as const, rows: [row, { ...row, difference: 0.01 }] }],
    leftOut: ['TF32: too old'],
  }
  assert.deepEqual(countFailures(result), { failed: 1, total: 3 })
  const text = describeCheck(result)
  assert.match(text, /a card in float16 against the CPU in float32/)
  assert.match(text, /losses +│ 5\.0e-1 +│ 1\.0e-1 +│ FAILS +│ step 3/)
  assert.match(text, /Left out: TF32: too old\./)
})

const cuda = (...args: string[]) =>
  spawnSync(process.execPath, ['--require', 'tsx/cjs', path.join(__dirname, 'cli.ts'), ...args], {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, CUDA_VISIBLE_DEVICES: '' },
  })

test('the command says that there is no CUDA device and exits with 2', () => {
  const { status, stderr, stdout } = cuda()
  assert.equal(status, 2)
  assert.match(stderr, /TensorFlow finds no CUDA device here, so nothing was checked/)
  assert.match(
    stderr,
    /With one, 64 scenes, batches of 8 and 20 steps .* in float32, TF32, float16, bfloat16/,
  )
  assert.equal(stdout, '')
})

test('the command compares the CPU with itself by other kernels', () => {
  const small = ['--formats', 'float32', 'TF32', '--images', '8', '--batch', '2', '--steps', '2']
  const { status, stdout, stderr } = cuda('--against-itself', ...small)
  assert.equal(status, 0, stdout + stderr)
  assert.match(stdout, /All \d+ comparisons agree\./)
  assert.match(stdout, /Left out: TF32: a CPU has no TF32\./)
  const on = /training step: operations not on the CPU +│ 0 +│ 0 +│ agrees │ (\d+) on it/.exec(stdout)
  assert.ok(Number(on?.[1]) > 300, stdout)
  // Other kernels round differently, or nothing was compared.
  assert.doesNotMatch(stdout, /teacher's logits +│ 0 /)
})
