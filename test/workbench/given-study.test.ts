/** A study with a student of another kind than its teacher, in miniature: the notebook that trains all, chooses, and writes the report. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { stringify } from 'yaml'
import { complexity, layersOf, networkCfg, yolov3Tiny } from '../../lib/detector'
import { METHOD_NAMES } from '../../lib/losses'
import { count } from '../../lib/report/format'
import { readTrials } from '../../lib/trial'
import { allNotebooks } from '../../lib/workbench/chapters'
import { executeNotebooks } from '../../lib/workbench/notebooks'
import { environmentOf } from '../../lib/workbench/workbook'

const folder = mkdtempSync(path.join(tmpdir(), 'given-study-test-'))
after(() => rmSync(folder, { recursive: true, force: true }))

const METHODS = METHOD_NAMES.filter((name) => /kd$|mse$/.test(name) && name !== 'channel-kd')
const PROFILE = {
  extends: 'smoke',
  name: 'given-student',
  data: { splits: { train: 16, validation: 8, test: 8 } },
  recipe: { batch: 4 },
  stages: { teacher: { steps: 4 }, finetune: { steps: 2 }, distill: { steps: 1 } },
  methods: METHODS.map((method) => ({
    // By number: a teacher of four steps may see nothing, and a mask that nothing passes has no gradient to take a ratio of.
    ...{ method, weight: 1, scales: 'shared' },
    ...(method === 'masked-class-kd' && { threshold: 0.05 }),
  })),
  controls: { equalCompute: true, teacher: false, scratch: false },
  ablations: {
    lambda: { methods: [], factors: [] },
    threshold: [],
    temperature: { methods: [], values: [] },
  },
  side: { steps: 1, labelled: 4 },
  logEvery: 1,
  bootstrap: { resamples: 40, confidence: 0.95 },
}
const network = yolov3Tiny({ input: [64, 128], classes: 5, multiplier: 1 / 16 })

test('a yolov3-tiny learns from a darknet21 by each of the five methods, up to the report', async () => {
  assert.equal(METHODS.length, 5)
  const [profile, cfg] = [path.join(folder, 'given.yaml'), path.join(folder, 'small.cfg')]
  writeFileSync(profile, stringify(PROFILE))
  writeFileSync(cfg, networkCfg(network))
  const out = path.join(folder, 'run')
  const notebooks = allNotebooks().filter((file) => /\/14-/.test(file))
  assert.equal(notebooks.length, 1)
  await executeNotebooks({
    notebooks,
    outDir: path.join(out, 'notebooks'),
    env: environmentOf({ profile, out, student: [cfg] }),
  })
  const trials = readTrials(path.join(out, 'trials'))
  for (const { folder: where, metrics } of trials)
    for (const [name, value] of Object.entries(metrics.training?.last ?? {}))
      assert.ok(Number.isFinite(value), `${where}: ${name}`)
  const distilled = trials.filter(({ config }) => config.kind === 'distill')
  assert.equal(distilled.length, 5)
  const page = readFileSync(path.join(out, 'report/index.html'), 'utf8')
  // Eight classes of the scenes take the place of the cfg's five.
  const made = yolov3Tiny({ input: [64, 128], classes: 8, multiplier: 1 / 16 })
  for (const text of [
    `small, of your own, with new weights that were trained first: ${layersOf(made).layers.length} layers with weights`,
    'input 128 × 64 pixels, 8 classes; stride 32 with anchors',
    'none: the student was given',
    'no: another network',
    count(complexity(made).macs),
  ])
    assert.ok(page.includes(text), text)
  assert.doesNotMatch(page, /darknet21/)
})
