import assert from 'node:assert/strict'
import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { initialWeights } from '../../lib/detector'
import { type Arm, latencyOfArm, loadProfile, studyLatency } from '../../lib/study'
import { readTrial, trialFolder } from '../../lib/trial'
import { tinyDetector } from '../train/tiny'
import { finishTrial, placeModel, teacherTrial, tinyData } from './tiny'

const scratch = mkdtempSync(join(tmpdir(), 'latency-'))
after(() => rmSync(scratch, { recursive: true }))

test('a study measures every architecture once, for all arms that have it, and keeps what it found', async () => {
  const dataset = await tinyData(join(scratch, 'cache'))
  const runs = join(scratch, 'trials')
  const arm = (name: string, seed: number): Arm => {
    const trial = teacherTrial(dataset, 1, seed)
    finishTrial(runs, trial, 0.5)
    const folder = join(runs, trialFolder(trial))
    const network = tinyDetector()
    placeModel(runs, String(seed).repeat(64), { network, weights: initialWeights(network, seed) })
    cpSync(join(runs, `placed-${String(seed).repeat(12)}`), folder, { recursive: true })
    const training = readTrial(folder)
    assert.ok(training)
    return { role: 'control', name, runs: [{ seed, training, evaluations: { validation: training } }] }
  }
  const arms = [arm('one', 1), arm('other', 2)]
  const study = {
    settings: { profile: 'smoke', out: scratch, cache: join(scratch, 'cache') },
    ...{ dataset, precision: 'float32' as const, profile: loadProfile('smoke') },
  }
  const found = await studyLatency(study, arms, { frames: 3 })
  assert.deepEqual(found.arms, [['one', 'other']])
  assert.equal(found.frames, 3)
  assert.equal(found.models.length, 1)
  const own = latencyOfArm(found, 'other')
  assert.ok(own && own.median > 0 && own.p95 >= own.median)
  assert.equal(latencyOfArm(found, 'a third'), undefined)
  assert.ok(existsSync(join(scratch, 'latency.json')))
  // Times never come out twice alike.
  assert.deepEqual(await studyLatency(study, arms, { frames: 3 }), found)
})
