/** Curves of accuracy while training. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { evaluatedRun, shippedCurves, validationFigure } from '../../lib/report'
import { type Arm, shippedSweeps } from '../../lib/study'
import { FILES } from '../../lib/trial'
import { temporary } from '../train/tiny'

/** An arm whose seeds were evaluated every 10 steps. */
function armOf(...bySeed: readonly (readonly number[])[]): Pick<Arm, 'name' | 'runs'> {
  const runs = bySeed.map((values) => {
    const folder = temporary()
    const lines = values.map((mAP50, i) =>
      JSON.stringify({ step: 10 * (i + 1), mAP50, AP: mAP50 / 2, images: 8 }),
    )
    writeFileSync(join(folder, FILES.validation), `${lines.join('\n')}\n`)
    return { training: { folder }, evaluations: {} } as unknown as Arm['runs'][number]
  })
  return { name: 'control', runs }
}

test('seeds that end at the same step are drawn as their mean, others each to its own end', () => {
  const [mean, ...none] = evaluatedRun(armOf([0.25, 0.5], [0.75, 1]))
  assert.deepEqual(none, [])
  assert.deepEqual(
    mean!.rows.map(({ step, mAP50, AP }) => [step, mAP50, AP]),
    [
      [10, 0.5, 0.25],
      [20, 0.75, 0.375],
    ],
  )
  const apart = evaluatedRun(armOf([0.25, 0.5], [0.75, 1, 0.5]))
  assert.deepEqual(
    apart.map(({ name, rows }) => [name, rows.length]),
    [
      ['control', 2],
      ['control', 3],
    ],
  )
  const lines = validationFigure(apart).data.filter(({ mode }) => mode === 'lines')
  assert.deepEqual(
    lines.map(({ showlegend }) => showlegend),
    [true, false, false, false],
    'two panels of two lines, and one entry for all',
  )
  const colours = lines.map(({ line }) => (line as { color: string }).color)
  assert.equal(new Set(colours).size, 1)
})

test('the shipped curves of whole chains hold the accuracy of every model that was kept', () => {
  const { arms } = shippedSweeps().get('few-labels-300')!
  const curves = shippedCurves({ arms })
  const trained = arms.filter(({ steps }) => steps > 0)
  assert.equal(curves.length, 3 * trained.length)
  for (const { name, trials } of trained) {
    const own = curves.filter((curve) => curve.name === name)
    trials.forEach((trial, i) => {
      // Evaluated once more at the end, in another graph: the last digits may differ.
      const nearest = Math.min(...own[i]!.rows.map(({ mAP50 }) => Math.abs(mAP50 - trial.mAP50)))
      assert.ok(nearest < 0.002, `${name}, seed ${trial.seed}: ${nearest}`)
    })
  }
})
