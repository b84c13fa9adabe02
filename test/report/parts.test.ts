import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { html, renderCsv, trusted } from '../../lib/base'
import {
  accuracyByRatioFigure,
  differencesFigure,
  format,
  gammaHistogramFigure,
  lambdaFigure,
  lossComparisonFigure,
  lossFigure,
  methodsFigure,
  paretoFigure,
  prCurveFigure,
  sensitivityFigure,
} from '../../lib/report'
import { type ArmNumbers, metricTable, type PairedDifference } from '../../lib/study'
import { readLog } from '../../lib/trial'

function difference(value: number, verdict: PairedDifference['verdict']): PairedDifference {
  const size = { resamples: 100, confidence: 0.95, images: 10, seeds: 1, pValue: 0.5 }
  return { difference: value, lower: value - 0.01, upper: value + 0.02, verdict, ...size }
}

function arm(role: ArmNumbers['role'], name: string, macs: number, to?: PairedDifference): ArmNumbers {
  return {
    role,
    name,
    macs,
    mmdet: macs,
    parameters: 1,
    macsShare: macs / 100e6,
    steps: role === 'method' || role === 'control' ? 10 : 0,
    trainingMacs: role === 'method' ? 2e12 : 0,
    seconds: 0,
    terms: [],
    trials: [],
    splits: {
      validation: {
        images: 10,
        seeds: [1],
        values: {
          mAP50: { value: 0.7, lower: 0.68, upper: 0.73 },
          AP: { value: 0.4, lower: 0.39, upper: 0.41 },
        },
        differences: to ? { control: { mAP50: to, AP: to } } : {},
        perClass: [],
        secondsPerImage: 0.005,
      },
    },
  }
}

test('numbers as they are written', () => {
  assert.equal(format.points(0.0103), '+1.03')
  assert.equal(format.points(-0.009), '−0.90')
  assert.equal(format.points(-0.00001), '0.00')
  assert.equal(format.count(8_453_406_720), '8.453 G')
  assert.equal(format.count(27_256_917), '27.26 M')
  assert.equal(format.count(12), '12')
  assert.equal(format.percent(0.464), '46.4 %')
  assert.equal(format.percent(1), '100 %')
  assert.equal(format.duration(59.6), '1 min 0 s')
  assert.equal(format.duration(185), '3 min 5 s')
  assert.equal(format.duration(7190), '2 h 0 min')
  assert.equal(format.duration(3600 * 2 + 240), '2 h 4 min')
  assert.equal(format.apInterval({ value: 0.7313, lower: 0.72, upper: 0.7421 }), '0.731 [0.720, 0.742]')
  assert.equal(format.apInterval(undefined), '–')
})

test('templates escape strings and keep HTML', () => {
  const items = ['<a>', '&']
  assert.equal(
    html`<ul>${items.map((item) => html`<li title="${'"'}">${item}</li>`)}${false}</ul>`.html,
    '<ul><li title="&quot;">&lt;a&gt;</li><li title="&quot;">&amp;</li></ul>',
  )
  assert.equal(html`${trusted('<b>')}${1}`.html, '<b>1')
})

test('CSV quotes what needs it', () => {
  assert.equal(renderCsv([{ a: 'x,"y"', b: 1 }, { b: 2 }]), 'a,b\r\n"x,""y""",1\r\n,2\r\n')
})

test('figures draw values with their intervals', () => {
  const arms = [
    arm('teacher', 'teacher', 100e6),
    arm('control', 'control', 46e6),
    arm('method', 'class-kd', 46e6, difference(0.005, 'no difference shown')),
    arm('method', 'objectness-mse', 46e6, difference(0.02, 'better')),
  ]
  const dots = methodsFigure(arms).data
  assert.deepEqual(
    dots.map(({ x, y }) => [x, y]),
    arms.map(({ name }) => [[0.7], [name]]),
  )
  const bars = dots[0]!.error_x as { array: number[]; arrayminus: number[] }
  assert.ok(Math.abs(bars.array[0]! - 0.03) < 1e-12 && Math.abs(bars.arrayminus[0]! - 0.02) < 1e-12)
  const colours = new Set(dots.map(({ marker }) => (marker as { color: string }).color))
  assert.equal(colours.size, 4)

  const differences = differencesFigure(arms).data
  assert.deepEqual(
    differences.map(({ x, marker }) => [x, (marker as { color: string }).color === '#ffffff']),
    [
      [[0.5], true],
      [[2], false],
    ],
  )
  assert.deepEqual(differencesFigure(arms, { reference: 'teacher' }).data, [])
  assert.deepEqual(methodsFigure(arms, { split: 'test' }).data, [])

  // Equal costs are drawn side by side around their value, and never beyond 2 % of the largest.
  const costs = paretoFigure(arms).data.map(({ x }) => (x as number[])[0]!)
  assert.equal(costs[0], 100)
  assert.ok(Math.abs((costs[1]! + costs[3]!) / 2 - 46) < 1e-9 && costs[2] === 46)
  assert.ok(costs[3]! - costs[1]! > 0 && costs[3]! - costs[1]! < 2)
})

test('lambda is drawn over the gradient ratio, one curve per method', () => {
  const point = (method: string, ratio: number, own: boolean): ArmNumbers => ({
    ...arm('method', `${method} ${ratio}`, 46e6, difference(-0.01, 'no difference shown')),
    variation: { method, varied: 'lambda', value: own ? 1 : 3, own },
    terms: [{ method, lambda: ratio * 2, ratio, cosine: 0.1 }],
  })
  const { data } = lambdaFigure([
    point('class-kd', 0.3, true),
    point('class-kd', 0.9, false),
    point('output-kd', 0.3, true),
  ])
  assert.deepEqual(
    data.map(({ name, x, y }) => [name, x, y]),
    [
      ['class-kd', [0.3, 0.9], [-1, -1]],
      ['output-kd', [0.3], [-1]],
    ],
  )
})

test('losses are split into ground truth and distillation', () => {
  const rows = [1, 2].map((step) => ({
    step,
    rate: 0.1,
    imagesPerSecond: 9,
    total: 4,
    gradientNorm: 2,
    box: 1,
    objectness: 2,
    'class-kd/stride32': 0.25,
    'class-kd/stride16': 0.75,
  }))
  const compared = lossComparisonFigure([
    { name: 'class-kd', rows },
    { name: 'control', rows: rows.map(({ step, box }) => ({ step, box })) },
  ])
  assert.deepEqual(
    compared.data.map(({ name, y, xaxis }) => [name, y, xaxis]),
    [
      ['class-kd', [3, 3], undefined],
      ['class-kd', [1, 1], 'x2'],
      ['control', [1, 1], undefined],
    ],
  )
  assert.deepEqual(
    lossFigure({ name: 'class-kd', rows }).data.map(({ name }) => name),
    ['total', 'box', 'objectness', 'class-kd/stride32', 'class-kd/stride16'],
  )
})

test('precision over recall and gammas', () => {
  const truths = {
    images: 2,
    classes: 1,
    image: Int32Array.of(0, 1),
    label: Int32Array.of(0, 0),
    box: Float64Array.of(0, 0, 10, 10, 0, 0, 10, 10),
  }
  // Hit, miss, hit: precision 1, 1/2, 2/3; its envelope 1, 2/3, 2/3.
  const detections = {
    image: Int32Array.of(0, 0, 1),
    label: Int32Array.of(0, 0, 0),
    score: Float64Array.of(0.9, 0.8, 0.7),
    box: Float64Array.of(0, 0, 10, 10, 50, 50, 60, 60, 0, 0, 10, 10),
  }
  const table = metricTable({ truths, detections })
  const { data } = prCurveFigure([{ name: 'teacher', table }], { label: 0, title: 'car' })
  assert.deepEqual(data[0]!.x, [0.5, 0.5, 1])
  assert.deepEqual(data[0]!.y, [1, 2 / 3, 2 / 3])
  const gammas = gammaHistogramFigure([{ name: 'sparse', values: Float32Array.of(-0.5, 0.25) }], {
    threshold: 0.3,
  })
  assert.deepEqual(gammas.data[0]!.x, [0.5, 0.25])
  assert.equal((gammas.layout.shapes as { x0: number }[])[0]!.x0, 0.3)
})

test('what pruning costs: by the ratio of channels, and by group', () => {
  const counts = { macs: 50, parameters: 5 }
  const byRatio = [
    { ratio: 0, macs: 200, parameters: 20, score: 0.9 },
    { ratio: 0.25, ...counts, score: 0.6 },
  ]
  const [score, macs] = accuracyByRatioFigure(byRatio).data
  assert.deepEqual(
    [score!.x, score!.y],
    [
      [0, 25],
      [0.9, 0.6],
    ],
  )
  assert.deepEqual([macs!.y, macs!.yaxis], [[100, 25], 'y2'])
  const groups = ['stem', 'stage1/down'].flatMap((group) =>
    [0.25, 0.5].map((ratio) => ({ group, ratio, kept: 4, channels: 8, ...counts, score: 1 - ratio })),
  )
  const [first, second] = sensitivityFigure(groups, 1).data
  assert.deepEqual([first!.name, first!.x, first!.y], ['25 % taken', ['stem', 'stage1/down'], [0.25, 0.25]])
  assert.deepEqual(
    [second!.y, second!.text],
    [
      [0.5, 0.5],
      ['4 of 8', '4 of 8'],
    ],
  )
})

test('a log with repeated steps', () => {
  const folder = mkdtempSync(join(tmpdir(), 'log-'))
  const line = (step: number, total: number) => JSON.stringify({ level: 30, time: 1, step, total })
  try {
    assert.deepEqual(readLog(folder), [])
    writeFileSync(
      join(folder, 'log.jsonl'),
      `${[line(5, 3), line(10, 2), line(5, 3), line(10, 1)].join('\n')}\n`,
    )
    assert.deepEqual(readLog(folder), [
      { step: 5, total: 3 },
      { step: 10, total: 1 },
    ])
    // One that is being written, or that a killed process has left.
    writeFileSync(join(folder, 'log.jsonl'), `${line(5, 3)}\n{"step":`)
    assert.deepEqual(readLog(folder), [{ step: 5, total: 3 }])
  } finally {
    rmSync(folder, { recursive: true })
  }
})
