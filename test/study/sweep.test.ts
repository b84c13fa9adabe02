import assert from 'node:assert/strict'
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { generateScenes, scenesSchema } from '../../lib/data'
import { sweepDifferenceTable, sweepFigure, sweepTable, sweepVerdict } from '../../lib/report'
import {
  createStudy,
  findSweep,
  loadProfile,
  loadSweep,
  planSweep,
  readSweepFile,
  runSweep,
  sideSweep,
  sideTrials,
  sweepSchema,
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
    assert.match(problem({ ...base, arms: [{ ...control, stepps: 3 }] }), /arms\.0: .*stepps/)
    assert.match(
      problem({ ...base, references: ['nobody'] }),
      /references\.0: expected one of control, distilled, teacher, pruned, student, found nobody/,
    )
    assert.match(problem({ ...base, arms: [control, control] }), /arms\.1\.name: control is taken/)
    assert.match(
      problem({ ...base, arms: [control, { ...distilled, steps: { asCostlyAs: 'nobody' } }] }),
      /arms\.1\.steps\.asCostlyAs: expected an arm with a number of steps, found nobody/,
    )
    assert.match(
      problem({ ...base, arms: [control, { ...distilled, terms: [] }] }),
      /arms\.1\.unlabelled: expected terms beside it/,
    )
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
    assert.match(problem({ ...base, ownDataSteps: { distill: 3 } }), /ownDataSteps: .*distill/)
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
    const trials = planSweep(sweep, study).flat()
    assert.equal(new Set(trials.map(trialHash)).size, 6)
    const result = await runSweep(sweep, study, (wanted) => study.run(wanted))
    const rows = new Map(result.rows.map((row) => [row.name, row]))
    assert.deepEqual(
      [...rows.keys()],
      [
        'teacher',
        'student',
        'control',
        'distilled',
        'equal compute',
        'from scratch',
        'teacher trained on',
        'distilled early',
      ],
    )
    const [large, small] = [rows.get('teacher')!.macs, rows.get('student')!.macs]
    // A backward pass costs two forward passes; the distilled one also sees 2 unlabelled images a step, and the teacher all.
    assert.equal(rows.get('control')!.trainingMacs, 2 * 4 * 3 * small)
    assert.equal(rows.get('distilled')!.trainingMacs, 2 * 6 * (3 * small + large))
    // Its second step is a plain one.
    assert.equal(rows.get('distilled early')!.trainingMacs, 6 * (3 * small + large) + 4 * 3 * small)
    const stepsLike = (like: object, other: object): number => {
      const arms = [
        { ...control, ...like, name: 'like' },
        { ...control, ...other, name: 'other', steps: { asCostlyAs: 'like' } },
      ]
      const [, [trial] = []] = planSweep(sweepSchema.parse({ ...base, references: ['like'], arms }), study)
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
    assert.equal(rows.get('from scratch')!.macs, small)
    assert.equal(rows.get('teacher trained on')!.trainingMacs, 2 * 4 * 3 * large)
    assert.deepEqual(Object.keys(rows.get('control')!.toReferences), ['equal compute', 'student'])
    assert.equal(rows.get('distilled')!.toReferences.control!.mAP50.seeds, 1)
    assert.equal(
      rows.get('equal compute')!.steps,
      Math.round((2 * 6 * (3 * small + large)) / (4 * 3 * small)),
    )
    assert.equal(sweepTable(result).length, 8)
    // Every arm minus the other references and the teacher: two of the three references are arms themselves.
    assert.equal(sweepDifferenceTable(result).length, 2 * 3 + 4 * 4)
    assert.equal(sweepDifferenceTable(result, { teacher: false }).length, 2 * 2 + 4 * 3)
    // Where the teacher is a reference, it is one once.
    const asReference = {
      sweep: { ...result.sweep, references: [...result.sweep.references, 'teacher'] },
      rows: result.rows.map((row) => ({
        ...row,
        toReferences: { ...row.toReferences, ...(row.toTeacher && { teacher: row.toTeacher }) },
      })),
    }
    assert.equal(sweepDifferenceTable({ ...result, ...asReference }).length, 2 * 3 + 4 * 4)
    assert.equal(sweepFigure(result).data.length, 5)
    assert.match(
      sweepVerdict(result, 'distilled', 'control'),
      /^distilled minus control: .* 12 images, 1 training seed$/,
    )

    // The side sweeps take the profile's sizes; of 12 images a quarter keep their labels.
    const side = sideSweep('unlabelled', study)
    const { steps } = study.profile.side
    assert.deepEqual(
      side.arms.map((arm) => [arm.steps, arm.labels?.images, arm.unlabelled?.batch]),
      [
        [steps, 3, undefined],
        [{ asCostlyAs: 'distilled on unlabelled frames' }, 3, undefined],
        [steps, 3, undefined],
        [steps, 3, 4],
      ],
    )
    assert.deepEqual([side.seeds, side.split], [[1], 'validation'])
    assert.equal(new Set([...sideTrials(study).values()].map(trialHash)).size, 3 + 4)
    assert.equal(findSweep(side, study), undefined)
    assert.deepEqual(findSweep(sweep, study), result)

    const file = join(folder, 'tiny.json')
    const shipped = { ...result, command: 'sweep tiny', provenance: {} }
    writeFileSync(file, JSON.stringify(shipped))
    assert.deepEqual(readSweepFile(file).rows, JSON.parse(JSON.stringify(result.rows)))
    writeFileSync(file, JSON.stringify({ ...shipped, rows: [{ ...result.rows[0], macs: 'many' }] }))
    assert.throws(() => readSweepFile(file), /tiny\.json: at "rows\.0\.macs": Expected number/)
  })
})
