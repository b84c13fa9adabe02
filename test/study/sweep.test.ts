import assert from 'node:assert/strict'
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { writeSealed } from '../../lib/base'
import { generateScenes, scenesSchema } from '../../lib/data'
import {
  collectSweep,
  computeFigure,
  differencesTable,
  summarise,
  trainingTable,
  verdictSentence,
} from '../../lib/report'
import {
  type ArmNumbers,
  compareSweep,
  createStudy,
  loadProfile,
  loadSweep,
  planArms,
  readSweepFile,
  shippedSweeps,
  shortSweep,
  shortTrials,
  sweepSchema,
  sweepTrials,
} from '../../lib/study'
import { trialHash } from '../../lib/trial'
import { temporary } from '../train/tiny'

const control = { name: 'control', steps: 2, rate: 0.01 }
const distilled = {
  ...control,
  name: 'distilled',
  terms: [{ method: 'objectness-mse', weight: 0.1 }],
  unlabelled: { batch: 2, source: 'train' },
  labels: { images: 8 },
}
const base = {
  name: 'tiny',
  question: 'Does it run?',
  profile: 'smoke',
  seeds: [1, 2],
  references: ['control'],
  arms: [control, distilled],
}

function problem(document: object): string {
  const file = join(temporary(), 'sweep.yaml')
  writeFileSync(file, JSON.stringify(document))
  try {
    loadSweep(file)
  } catch (error) {
    assert.ok(error instanceof Error && error.message.startsWith(`${file}: `))
    return error.message
  }
  throw new Error('expected a complaint')
}

describe('a sweep', () => {
  test('names every key that is wrong', () => {
    assert.match(
      problem({ ...base, arms: [{ ...control, stepps: 3 }] }),
      /at "arms\[0\]\.stepps": unknown key/,
    )
    assert.match(
      problem({ ...base, references: ['nobody'] }),
      /"references\[0\]": expected one of control, distilled, teacher, pruned, student, found nobody/,
    )
    assert.match(
      problem({ ...base, arms: [control, control] }),
      /"arms\[1\]\.name": expected a name of its own, found control twice/,
    )
    assert.match(
      problem({ ...base, arms: [control, { ...distilled, steps: { asCostlyAs: 'nobody' } }] }),
      /"arms\[1\]\.steps\.asCostlyAs": expected an arm with a number of steps, found nobody/,
    )
    assert.match(
      problem({ ...base, arms: [control, { ...distilled, terms: [] }] }),
      /"arms\[1\]\.unlabelled": expected terms or pseudo beside it/,
    )
  })

  test('takes every seed once, as a number that JSON keeps', () => {
    assert.match(problem({ ...base, seeds: [1, 2, 1] }), /"seeds": expected every seed once, found \[1,2,1\]/)
    assert.match(problem({ ...base, seeds: [2 ** 53] }), /"seeds\[0\]": /)
  })

  test('refuses rates, weights and seeds that are no settings, wherever they stand', () => {
    // JSON has no infinity, but a number that is one when it is read.
    const yaml = (text: string) => {
      const file = join(temporary(), 'sweep.yaml')
      writeFileSync(file, text)
      try {
        loadSweep(file)
      } catch (error) {
        return String(error)
      }
      throw new Error('expected a complaint')
    }
    const document = (change: string) =>
      `{ name: a, question: b, profile: smoke, seeds: [1], references: [c], arms: [{ name: c, steps: 1, rate: 0.1, ${change} }] }`
    const weight = (value: string) => `terms: [{ method: class-kd, weight: ${value} }]`
    for (const [change, key, found] of [
      [weight('.inf'), 'terms[0].weight', 'Infinity'],
      [weight('.nan'), 'terms[0].weight', 'NaN'],
      [weight('{ ratio: 1e999 }'), 'terms[0].weight.ratio', 'Infinity'],
      ['recipe: { sgd: { clip: .inf } }', 'recipe.sgd.clip', 'Infinity'],
    ] as const)
      assert.ok(
        yaml(document(change)).includes(`at "arms[0].${key}": expected a finite number, found ${found}`),
        change,
      )
    assert.match(problem({ ...base, seeds: [-1] }), /"seeds\[0\]": expected a number of at least 0, found -1/)
    assert.match(problem({ ...base, seeds: [1.5] }), /"seeds\[0\]": expected a whole number, found 1\.5/)
    assert.match(
      problem({ ...base, arms: [{ ...control, seeds: [1, 1] }] }),
      /"arms\[0\]\.seeds": expected every seed once/,
    )
    const huge = { ...control, rate: Number.POSITIVE_INFINITY }
    assert.throws(() => sweepSchema.parse({ ...base, arms: [huge] }), /finite/)
  })

  test("can give the models that its arms start from other steps on data of the user's own", async () => {
    const { ownDataSteps } = sweepSchema.parse({ ...base, ownDataSteps: { teacher: 7 } })
    const folder = temporary()
    const scenes = join(folder, 'scenes')
    await generateScenes(scenes, scenesSchema.parse({ splits: { train: 12, validation: 4 } }))
    const [drawn] = readdirSync(scenes).filter((name) => name !== 'lock')
    const study = await createStudy({
      profile: 'smoke',
      data: join(scenes, drawn ?? ''),
      out: join(folder, 'out'),
      cache: join(folder, 'cache'),
      ownDataSteps,
    })
    const steps = new Map(
      study.plan.preparation.map((trial) => [trial.kind, 'training' in trial && trial.training.steps]),
    )
    const { sparse } = loadProfile('smoke').ownDataSteps
    assert.deepEqual([steps.get('teacher'), steps.get('sparse')], [7, sparse])
    assert.match(problem({ ...base, ownDataSteps: { distill: 3 } }), /"ownDataSteps\.distill": unknown key/)
  })

  test('trains every arm on every seed and compares them', async () => {
    const folder = temporary()
    const study = await createStudy({
      profile: 'smoke',
      out: join(folder, 'out'),
      cache: join(folder, 'cache'),
      from: 'scratch',
      reduce: { steps: 2, batch: 4, images: 12 },
    })
    for (const trial of study.plan.preparation) await study.run([trial])
    const fresh = { ...control, name: 'from scratch', fresh: true }
    const compute = {
      ...control,
      name: 'equal compute',
      series: 'control',
      steps: { asCostlyAs: 'distilled' },
    }
    const teacher = { ...control, name: 'teacher trained on', start: 'teacher' }
    const early = {
      ...distilled,
      name: 'distilled early',
      terms: [{ ...distilled.terms[0]!, schedule: { stop: 1 } }],
    }
    const sweep = sweepSchema.parse({
      ...base,
      references: ['control', 'equal compute', 'student'],
      seeds: [1],
      arms: [control, distilled, compute, fresh, teacher, early],
    })
    const trials = planArms(sweep, study).flatMap((planned) => planned.trials)
    assert.equal(new Set(trials.map(trialHash)).size, 6)
    const { training, measuring } = sweepTrials(sweep, study)
    await study.run([...training, ...measuring])
    const { arms } = summarise(collectSweep(sweep, study))
    assert.deepEqual(
      arms.map(({ name, role }) => [name, role]),
      [
        ['teacher', 'teacher'],
        ['student', 'student'],
        ['control', 'control'],
        ['distilled', 'method'],
        ['equal compute', 'control'],
        ['from scratch', 'control'],
        ['teacher trained on', 'teacher'],
        ['distilled early', 'method'],
      ],
    )
    const armOf = (name: string): ArmNumbers => arms.find((arm) => arm.name === name)!
    const [large, small] = [armOf('teacher').macs, armOf('student').macs]
    // A backward pass costs two forward passes; the distilled one also sees 2 unlabelled images a step, and the teacher all.
    assert.equal(armOf('control').trainingMacs, 2 * 4 * 3 * small)
    assert.equal(armOf('distilled').trainingMacs, 2 * 6 * (3 * small + large))
    // Its second step is a plain one.
    assert.equal(armOf('distilled early').trainingMacs, 6 * (3 * small + large) + 4 * 3 * small)
    const stepsLike = (like: object, other: object): number => {
      const arms = [
        { ...control, ...like, name: 'like' },
        { ...control, ...other, name: 'other', steps: { asCostlyAs: 'like' } },
      ]
      const [, planned] = planArms(sweepSchema.parse({ ...base, references: ['like'], arms }), study)
      const [trial] = planned!.trials
      assert.ok(trial && 'training' in trial)
      return trial.training.steps
    }
    const terms = (schedule: object) => [{ ...distilled.terms[0]!, schedule }]
    assert.equal(
      stepsLike({ steps: 50, terms: terms({ stop: 30 }) }, {}),
      Math.round((50 * 3 * small + 30 * large) / (3 * small)),
    )
    // The other's own schedule counts as well, and a ramp begins with a step of weight 0.
    assert.equal(
      stepsLike({ steps: 50 }, { terms: terms({ start: 9, ramp: 4 }) }),
      10 + Math.round((40 * 3 * small) / (3 * small + large)),
    )
    assert.equal(armOf('from scratch').macs, small)
    assert.equal(armOf('teacher trained on').trainingMacs, 2 * 4 * 3 * large)
    const differences = (name: string) => armOf(name).splits.validation!.differences
    assert.deepEqual(Object.keys(differences('control')), ['equal compute', 'student'])
    assert.equal(differences('distilled').control!.mAP50!.seeds, 1)
    assert.equal(armOf('equal compute').steps, Math.round((2 * 6 * (3 * small + large)) / (4 * 3 * small)))
    assert.equal(trainingTable({ arms }, 'validation').length, 8)
    // Student, control, equal compute, from scratch and two distilled ones, each minus the references but itself.
    const { references } = sweep
    assert.equal(differencesTable({ arms, references }, 'validation').length, 5 + 5 + 5)
    // Minus the teacher, they and the teacher trained on.
    assert.equal(differencesTable({ arms, references: ['teacher'] }, 'validation').length, 0)
    const others = summarise({ ...collectSweep(sweep, study), references: ['teacher'], metrics: ['mAP50'] })
    assert.equal(differencesTable({ arms: others.arms, references: ['teacher'] }, 'validation').length, 6 + 1)
    assert.deepEqual(
      computeFigure(arms).data.map(({ name }) => name),
      ['control', 'distilled', 'from scratch', 'distilled early'],
    )
    assert.match(
      verdictSentence(arms, 'distilled', 'control'),
      /^distilled minus control: .* 12 images, 1 training seed$/,
    )

    // The short sweeps take the profile's sizes; of 12 images a quarter keep their labels.
    const short = shortSweep('unlabelled', study)
    const { steps } = study.profile.side
    assert.deepEqual(
      short.arms.map((arm) => [arm.steps, arm.labels?.images, arm.unlabelled?.batch]),
      [
        [steps, 3, undefined],
        [{ asCostlyAs: 'distilled on unlabelled frames' }, 3, undefined],
        [steps, 3, undefined],
        [steps, 3, 4],
      ],
    )
    assert.deepEqual([short.seeds, short.split], [[1], 'validation'])
    assert.equal(new Set([...shortTrials(study).values()].map(trialHash)).size, 3 + 4)
    assert.ok(compareSweep(short, study).every(({ steps }) => steps === 0))

    const file = join(folder, 'tiny.json')
    const shipped = { format: 'sweep/2', sweep, arms, command: 'sweep tiny', provenance: {} }
    writeSealed(file, shipped)
    assert.deepEqual(readSweepFile(file).arms, JSON.parse(JSON.stringify(arms)))
    writeSealed(file, { ...shipped, arms: [{ ...arms[0], macs: 'many' }] })
    assert.throws(
      () => readSweepFile(file),
      /tiny\.json: at "arms\[0\]\.macs": expected a number, found "many"/,
    )
  })
})

test('results in the old format are read, with roles, references and the teacher', () => {
  const { sweep, arms } = shippedSweeps().get('recovery')!
  assert.deepEqual(
    arms.map(({ name, role, steps }) => [name, role, steps]),
    [
      ['teacher', 'teacher', 0],
      ['pruned', 'pruned', 0],
      ['control', 'control', 600],
      ['control, equal compute', 'control', 1033],
      ['feature-mse', 'method', 600],
    ],
  )
  const { differences, values } = arms.at(-1)!.splits.validation!
  assert.deepEqual(Object.keys(differences), [...sweep.references, 'teacher'])
  assert.ok(values.mAP50!.value > 0.8 && differences.control!.AP!.difference > 0.03)
})
