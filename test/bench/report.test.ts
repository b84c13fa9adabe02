import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { MemoryResult } from './memory'
import type { Comparison } from './parts'
import { describeResults, type Results, targetsOf } from './report'
import { spread, type Timed } from './rounds'
import type { RuntimeComparison, RuntimeRow } from './runtimes'

/** Both sides' steps in float32, in seconds. */
function comparison(part: Comparison['part'], threads: number, processes: number): Comparison {
  const kind = part === 'inference' ? 'inference' : 'training'
  const timed = (side: Timed['side'], name: string, seconds: number): Timed => ({
    ...{ side, name: `${name}, teacher ${kind}`, first: 1 },
    work: { network: 'teacher', kind, precision: 'float32' },
    rounds: [seconds, seconds, seconds],
    seconds: spread([seconds, seconds, seconds]),
  })
  return {
    ...{ part, threads, processes, batch: 16, subject: 'a teacher', macs: 1e6, missing: [] },
    timed: [
      timed('workbook', 'workbook float32', 0.1),
      timed('PyTorch', 'PyTorch float32 contiguous', 0.5),
      timed('PyTorch', 'PyTorch float32 channels_last', 0.2),
    ],
  }
}

const MEMORY: MemoryResult = {
  ...{ threads: 1, batch: 16, network: 'a teacher' },
  rows: [
    {
      name: 'workbook float32',
      side: 'workbook',
      precision: 'float32',
      before: 200,
      peak: 700,
      present: 600,
      private: 300,
    },
    {
      name: 'PyTorch float32',
      side: 'PyTorch',
      precision: 'float32',
      before: 200,
      peak: 500,
      present: 500,
      private: 400,
    },
  ],
}

const results = (...comparisons: Comparison[]): Results => ({
  ...{ comparisons, epochs: [], runtimes: [] },
  memory: [MEMORY],
})

test('trials side by side, a single thread and inference have targets, against the faster layout; shared steps do not', () => {
  const targets = targetsOf(
    results(
      comparison('training', 1, 4),
      comparison('training', 1, 1),
      comparison('training', 2, 1),
      comparison('inference', 2, 1),
    ),
  )
  const speed = targets.filter(({ what }) => what.includes('times as fast'))
  assert.deepEqual(
    speed.map(({ what, threads, processes, found, met }) => [
      what.split(' ')[0],
      threads,
      processes,
      found.median,
      met,
    ]),
    [
      ['training', 1, 4, 2, true],
      ['training', 1, 1, 2, true],
      ['inference', 2, 1, 2, true],
    ],
  )
})

test('private memory has a target', () => {
  const targets = targetsOf(results())
  assert.deepEqual(
    targets.map(({ what, found, met }) => [what, found.median, met]),
    [["private memory of a teacher in float32 / PyTorch's", 0.75, true]],
  )
})

test('the tables show the images a second of all processes together, and private beside resident memory', () => {
  const given = results(comparison('training', 1, 4))
  const text = describeResults(given, targetsOf(given))
  assert.match(text, /training: a teacher, .*batch 16, 4 processes side by side, 1 thread\(s\) each/)
  assert.match(text, /workbook float32 +│ +100 \(100-100\) │ +160 │ +2\.00/)
  assert.match(text, /private, most │ resident, peak/)
  assert.match(text, /workbook float32 │ +300 │ +700 │ +200 │ +600 │/)
})

test('inference has a target against OpenVINO in the same precision, and ONNX Runtime one against the library', () => {
  const row = (
    runtime: RuntimeRow['runtime'],
    format: RuntimeRow['format'],
    seconds: number,
  ): RuntimeRow => ({
    ...{ name: runtime, runtime, format, version: '1' },
    ...{ rounds: [seconds, seconds], seconds: spread([seconds, seconds]) },
  })
  const runtimes: RuntimeComparison = {
    ...{ network: 'teacher', batch: 1, threads: 1, processes: 1, macs: 1e6, missing: [] },
    rows: [
      row('library', 'float32', 0.1),
      row('library', 'bfloat16', 0.1),
      row('openvino', 'float32', 0.1),
      row('openvino', 'bfloat16', 0.05),
      row('openvino', 'int8', 0.01),
      row('onnxruntime', 'float32', 0.08),
    ],
  }
  const given: Results = { comparisons: [], epochs: [], runtimes: [runtimes] }
  const targets = targetsOf(given)
  assert.deepEqual(
    targets.map(({ found, met }) => [found.median, met]),
    [
      [1, true],
      [0.5, false],
      [1.25, true],
    ],
  )
  const text = describeResults(given, targets)
  assert.match(text, /openvino 1, int8/)
  assert.match(
    text,
    /teacher's file in ONNX Runtime, float32, times as fast as the workbook, batch 1, .* >= 1 │ 1\.25 \(1\.25-1\.25\) │ +met/,
  )
  const [own] = targetsOf({ ...given, runtimes: [{ ...runtimes, batch: 16 }] }).slice(2)
  assert.equal(own, undefined)
})
