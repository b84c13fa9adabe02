/** `ship`: a chain's models, copied from the folder of a finished sweep. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import {
  compareSweep,
  createStudy,
  loadSweep,
  planArms,
  sweepPreparation,
  sweepTrials,
} from '../../lib/study'
import { loadCheckpoint } from '../../lib/train'
import { FILES, findTrial } from '../../lib/trial'
import { temporary } from '../train/tiny'

const workbook = join(__dirname, '../../lib/workbench/bootstrap.cjs')

const PROFILE = `
extends: smoke
name: tiny
data: { splits: { train: 16, validation: 8, test: 8 } }
recipe: { batch: 4 }
ablations: { lambda: { methods: [] }, threshold: [] }
side: { labelled: 8 }
`
const SWEEP = `
name: tiny-chains
question: What is shipped?
profile: PROFILE
seeds: [1, 2]
references: [control]
recipe: { validation: { every: 1, keep: best, patience: 1, gain: 1 } }
chain: { teacher: { steps: 2, rate: 0.02 }, sparse: { steps: 1, rate: 0.01, strength: 0.001 } }
arms:
  - { name: control, start: pruned, steps: 2, rate: 0.01 }
  - { name: longer, start: pruned, steps: 3, rate: 0.01 }
`

test('a chain’s models are shipped with their numbers, logs and curves, under names that say whose they are', async () => {
  const folder = temporary()
  const [profile, file, out, into] = ['tiny.yaml', 'chains.yaml', 'out', 'shipped'].map((name) =>
    join(folder, name),
  ) as [string, string, string, string]
  writeFileSync(profile, PROFILE)
  writeFileSync(file, SWEEP.replace('PROFILE', profile))
  const ship = (...words: string[]) =>
    spawnSync(process.execPath, [workbook, 'ship', '--sweep', file, '--out', out, '--into', into, ...words], {
      encoding: 'utf8',
    })

  const early = ship('--seeds', '1')
  assert.equal(early.status, 1)
  assert.match(early.stderr, /expected the finished teacher; run "npx workbook sweep .*chains\.yaml" first/)
  assert.deepEqual(readdirSync(into), [])

  const sweep = loadSweep(file)
  const study = await createStudy({ profile, out, cache: temporary() })
  const preparation = sweepPreparation(sweep, study)
  await study.run(preparation)
  await study.run(sweepTrials(sweep, study).training)
  const { status, stderr } = ship('--arm', 'longer', '--seeds', '1,2')
  assert.equal(status, 0, stderr)

  const longer = planArms(sweep, study)[1]!.trials
  const teachers = preparation.filter(({ kind }) => kind === 'teacher')
  for (const [i, seed] of sweep.seeds.entries()) {
    for (const [role, trial] of [['teacher', teachers[i]!] as const, ['student', longer[i]!] as const]) {
      const name = join(into, `tiny-chains-${role}-${seed}`)
      const made = findTrial(study.runs, trial)!
      assert.equal(
        readFileSync(`${name}.metrics.json`, 'utf8'),
        readFileSync(join(made.folder, FILES.metrics), 'utf8'),
      )
      assert.equal(loadCheckpoint(`${name}.json`).sha256, made.metrics.weights)
      const curve = readFileSync(`${name}.validation.jsonl`, 'utf8').trim().split('\n')
      assert.equal(curve.length, 2)
      assert.ok(readFileSync(`${name}.log.jsonl`, 'utf8').length > 0)
    }
  }

  const arms = compareSweep(sweep, study, { metrics: ['mAP50'] })
  const [control, ended] = ['control', 'longer'].map((name) => arms.find((arm) => arm.name === name)!)
  assert.deepEqual([control!.steps, control!.budget], [2, undefined])
  // Its rule ended it at the second of three steps, each of the same cost.
  assert.deepEqual(
    [ended!.steps, ended!.trainingMacs, ended!.budget],
    [2, control!.trainingMacs, { steps: 3, trainingMacs: 1.5 * control!.trainingMacs }],
  )

  const unknown = ship('--arm', 'shorter')
  assert.match(unknown.stderr, /expected an arm shorter, found control, longer/)
})
