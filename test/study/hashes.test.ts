import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { SCENE_CLASSES } from '../../lib/data'
import { loadProfile, loadSweep, namedTrials, planArms, planModels, profileSweep } from '../../lib/study'
import { trialHash } from '../../lib/trial'

/** Hashes of the scenes, the default profile's trials by name, and the sweeps' trials by arm; results are found by them. */
interface Kept {
  readonly data: string
  readonly trials: { readonly [name: string]: string }
  readonly sweeps: { readonly [name: string]: readonly (readonly string[])[] }
}
const kept: Kept = JSON.parse(readFileSync(join(__dirname, '../reference/default-trials.json'), 'utf8'))
const profile = loadProfile('default')
const dataset = { name: 'scenes', classes: SCENE_CLASSES, hash: kept.data, splits: {} }
const precision = 'bfloat16'
const plan = planModels({ profile, dataset, precision, ownData: false, from: 'student', seed: 1 })
const planned = { plan, profile, dataset, precision, runs: '/nowhere' } as const

test('the default profile plans the trials that it did before', () => {
  const sweep = profileSweep(profile, { seeds: profile.seeds, ownData: false })
  const trials = namedTrials({ ...planned, sweep })
  assert.deepEqual(
    Object.fromEntries([...trials].map(([name, trial]) => [name, trialHash(trial)])),
    kept.trials,
  )
})

test('the sweeps that come with the workbook plan the trials that they did before', () => {
  for (const [name, hashes] of Object.entries(kept.sweeps)) {
    const arms = planArms(loadSweep(name), planned)
    assert.deepEqual(
      arms.map(({ arm, trials }) => [arm.name, ...trials.map(trialHash)]),
      hashes,
      name,
    )
  }
})
