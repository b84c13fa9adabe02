import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { Dataset } from '../../lib/data'
import { loadProfile, namedTrials, planModels, profileSweep } from '../../lib/study'
import { finishTrial, placeModel } from '../study/tiny'
import { temporary, tinyDetector, tinyWeights } from '../train/tiny'
import { compareWithReference, type Reference, readReference, referenceOf } from './reference'

const REFERENCE: Reference = {
  profile: 'smoke',
  madeOn: { device: 'this CPU', tensorflow: '2.21.0', engine: 2, precision: 'float32' },
  data: 'abc',
  tolerances: { mAP: 0.02, loss: 0.1 },
  trials: {
    teacher: {
      macs: 1000,
      parameters: 50,
      'mAP@0.5': 0.25,
      'AP@[.5:.95]': 0.1,
      'loss total': 2,
      'loss box': -0.5,
      'gradient ratio class-kd': 0.8,
    },
  },
}
const ELSEWHERE = { ...REFERENCE.madeOn, device: 'another CPU' }

function rerun(numbers: { readonly [name: string]: number }, madeOn = REFERENCE.madeOn): Reference {
  return { ...REFERENCE, madeOn, trials: { teacher: { ...REFERENCE.trials.teacher, ...numbers } } }
}
const deviating = (found: Reference) =>
  compareWithReference(REFERENCE, found).deviations.map(({ metric }) => metric)

describe('on the machine that made the reference', () => {
  test('equal numbers have no deviations', () => {
    assert.deepEqual(compareWithReference(REFERENCE, rerun({})), { exact: true, deviations: [] })
  })

  test('the smallest change of any number is listed', () => {
    for (const [metric, value] of Object.entries(REFERENCE.trials.teacher!)) {
      const found = value * (1 + 2 ** -52)
      assert.deepEqual(compareWithReference(REFERENCE, rerun({ [metric]: found })), {
        exact: true,
        deviations: [{ trial: 'teacher', metric, expected: value, found, allowed: 0 }],
      })
    }
  })

  test('missing numbers are listed', () => {
    const found = { ...REFERENCE, trials: {} }
    assert.deepEqual(deviating(found), Object.keys(REFERENCE.trials.teacher!))
    assert.ok(
      compareWithReference(REFERENCE, found).deviations.every((deviation) => deviation.found === undefined),
    )
  })
})

describe('elsewhere', () => {
  test('mAP and AP may differ by the absolute tolerance, losses and ratios by the relative one', () => {
    const near = { 'mAP@0.5': 0.231, 'AP@[.5:.95]': 0.119, 'loss total': 2.19, 'loss box': -0.46 }
    const ratio = { 'gradient ratio class-kd': 0.721 }
    assert.deepEqual(compareWithReference(REFERENCE, rerun({ ...near, ...ratio }, ELSEWHERE)), {
      exact: false,
      deviations: [],
    })
  })

  test('larger differences are listed with their tolerance', () => {
    const { deviations } = compareWithReference(
      REFERENCE,
      rerun({ 'mAP@0.5': 0.229, 'loss total': 2.21 }, ELSEWHERE),
    )
    assert.deepEqual(deviations, [
      { trial: 'teacher', metric: 'mAP@0.5', expected: 0.25, found: 0.229, allowed: 0.02 },
      { trial: 'teacher', metric: 'loss total', expected: 2, found: 2.21, allowed: 0.2 },
    ])
  })

  test('a loss of the wrong sign is listed, and one that is not a number', () => {
    assert.deepEqual(deviating(rerun({ 'loss box': 0.5, 'loss total': -2 }, ELSEWHERE)), [
      'loss total',
      'loss box',
    ])
    assert.deepEqual(deviating(rerun({ 'loss total': Number.NaN }, ELSEWHERE)), ['loss total'])
  })

  test('counts must be equal', () => {
    assert.deepEqual(deviating(rerun({ macs: 1001, parameters: 51 }, ELSEWHERE)), ['macs', 'parameters'])
  })

  test('another TensorFlow, engine or precision is elsewhere', () => {
    for (const change of [{ tensorflow: '2.20.0' }, { engine: 1 }, { precision: 'bfloat16' }])
      assert.equal(
        compareWithReference(REFERENCE, rerun({}, { ...REFERENCE.madeOn, ...change })).exact,
        false,
      )
  })
})

test('other data are not compared', () => {
  assert.throws(
    () => compareWithReference(REFERENCE, { ...REFERENCE, data: 'xyz' }),
    /expected data with hash abc as in the reference, found xyz/,
  )
})

test('a reference file is read, or its mistake is named', () => {
  const file = join(temporary(), 'reference.json')
  assert.throws(
    () => readReference(file),
    /reference\.json: expected reference values, found none; "repro --update"/,
  )
  writeFileSync(file, JSON.stringify(REFERENCE))
  assert.deepEqual(readReference(file), REFERENCE)
  writeFileSync(file, JSON.stringify({ ...REFERENCE, trials: { teacher: { macs: '1000' } } }))
  assert.throws(
    () => readReference(file),
    /reference\.json: expected reference values: at "trials\.teacher\.macs": expected a number, found/,
  )
  writeFileSync(file, '{')
  assert.throws(() => readReference(file), /reference\.json:1: expected JSON/)
})

test('the reference of a study has the numbers of all its trials by their names', () => {
  const profile = loadProfile('smoke')
  const sides = [6, 10, 14, 20, 28, 36, 44, 56, 64]
  const boxes = sides.map((side) => ({ x1: 0, y1: 0, x2: side, y2: side, label: 0 }))
  const dataset: Dataset = {
    name: 'imagined',
    classes: ['a'],
    hash: 'abc',
    splits: { train: [{ id: '0', file: '/nowhere', width: 128, height: 64, boxes }] },
  }
  const plan = planModels({
    profile,
    dataset,
    precision: 'float32',
    ownData: false,
    from: 'student',
    seed: 1,
  })
  const runs = temporary()
  for (const ref of [plan.teacher, plan.student]) {
    assert.ok('trial' in ref)
    placeModel(runs, ref.trial, { network: tinyDetector(), weights: tinyWeights() })
  }
  const study = {
    settings: { profile: 'smoke', out: runs, cache: runs },
    profile,
    dataset,
    plan,
    changes: [],
    notes: [],
    sweep: profileSweep(profile, { seeds: [1], ownData: false }),
    precision: 'float32' as const,
    runs,
    workers: 1,
    run: () => Promise.reject(new Error('nothing is to run')),
    attempt: () => Promise.reject(new Error('nothing is to run')),
    jobs: () => assert.fail('nothing is to run'),
  }
  const trials = namedTrials(study)
  for (const [name, trial] of trials)
    if (name !== 'student on test') finishTrial(runs, trial, name === 'prune' ? null : 0.5)
  assert.throws(
    () => referenceOf(study, REFERENCE.tolerances),
    /expected the finished trial "student on test", found none/,
  )
  finishTrial(runs, trials.get('student on test')!, 0.75)

  const reference = referenceOf(study, REFERENCE.tolerances)
  assert.deepEqual(Object.keys(reference.trials), [...trials.keys()])
  assert.deepEqual(reference.madeOn, REFERENCE.madeOn)
  assert.equal(reference.data, 'abc')
  const common = { macs: 7, parameters: 3, 'AP@[.5:.95]': 0.125 }
  assert.deepEqual(reference.trials['student on test'], { ...common, 'mAP@0.5': 0.75 })
  assert.deepEqual(reference.trials.prune, { ...common, 'mAP@0.5': -1 })
  assert.deepEqual(reference.trials['class-kd, seed 1'], {
    ...common,
    'mAP@0.5': 0.5,
    'loss total': 1.5,
    'loss box': 0.5,
    'gradient ratio class-kd': 2,
  })
  const file = join(runs, 'reference.json')
  writeFileSync(file, JSON.stringify(reference))
  assert.deepEqual(compareWithReference(readReference(file), reference), { exact: true, deviations: [] })
})
