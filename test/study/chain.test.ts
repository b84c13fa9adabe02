import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { complexity } from '../../lib/detector'
import { collectSweep, differencesTable, summarise } from '../../lib/report'
import {
  createStudy,
  earlyTrials,
  type FailedTrial,
  fewLabels,
  planArms,
  shortSweeps,
  sweepPreparation,
  sweepSchema,
  sweepTrials,
} from '../../lib/study'
import { DivergedError } from '../../lib/train'
import {
  failureOf,
  findTrial,
  loadModel,
  refTo,
  shippedRef,
  trialFolder,
  trialHash,
  writeFailure,
} from '../../lib/trial'
import { temporary } from '../train/tiny'

const document = {
  name: 'chains',
  question: 'Does it hold for teachers of other seeds?',
  profile: 'smoke',
  seeds: [1, 2],
  references: ['control', 'teacher'],
  labels: { images: 8 },
  recipe: { validation: { every: 1, keep: 'best' } },
  chain: { teacher: { steps: 2, rate: 0.02 }, sparse: { steps: 1, rate: 0.01, strength: 0.001 } },
  arms: [
    { name: 'control', start: 'pruned', steps: 2, rate: 0.01 },
    { name: 'equal compute', start: 'pruned', steps: { asCostlyAs: 'distilled' }, rate: 0.01 },
    {
      name: 'distilled',
      start: 'pruned',
      steps: 2,
      rate: 0.01,
      unlabelled: { batch: 4, source: 'train' },
      terms: [{ method: 'feature-mse', weight: { ratio: 1 } }],
    },
    {
      name: 'pseudo-labels, the large one',
      start: 'teacher',
      steps: 2,
      rate: 0.01,
      labels: { images: 4 },
      recipe: { average: { decay: 0.9 } },
      unlabelled: { batch: 4, source: 'train' },
      pseudo: { threshold: 0 },
    },
  ],
}

function problem(change: object): string {
  const parsed = sweepSchema.safeParse({ ...document, ...change })
  return parsed.success
    ? ''
    : parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join()
}

test('a chain’s arms start from what it makes', () => {
  const [control, , distilled, pseudo] = document.arms
  assert.match(
    problem({ arms: [{ ...control, start: 'student' }] }),
    /arms\.0\.start: expected pruned or teacher/,
  )
  const like = { ...control, name: 'like', steps: { asCostlyAs: 'pseudo-labels, the large one' } }
  assert.match(
    problem({ arms: [control, pseudo, like] }),
    /arms\.2\.steps\.asCostlyAs: expected an arm with .* whose pseudo-labels have a cost/,
  )
  assert.match(
    problem({ arms: [control, { ...distilled, terms: [] }] }),
    /unlabelled: expected terms or pseudo/,
  )
  assert.match(
    problem({ arms: [control, { ...pseudo, unlabelled: undefined }] }),
    /pseudo: expected unlabelled/,
  )
})

test('every seed has a teacher of its own, and all that follows is made from it', async () => {
  const folder = temporary()
  const study = await createStudy({
    profile: 'smoke',
    out: join(folder, 'out'),
    cache: join(folder, 'cache'),
    reduce: { steps: 2, batch: 4, images: 16 },
  })
  const sweep = sweepSchema.parse(document)
  const preparation = sweepPreparation(sweep, study)
  assert.deepEqual(
    preparation.map(({ kind }) => kind),
    ['teacher', 'sparse', 'prune', 'teacher', 'sparse', 'prune'],
  )
  assert.equal(new Set(preparation.map(trialHash)).size, 6)
  const early = earlyTrials(sweep, study)
  assert.deepEqual(early.training.slice(0, 6), preparation)
  await study.run(preparation)
  const { training, measuring, names } = sweepTrials(sweep, study)
  // All but the arm whose steps follow from another one's cost could be planned before a model existed.
  const late = training.filter((trial) => !early.training.some((one) => trialHash(one) === trialHash(trial)))
  assert.deepEqual(
    late.map((trial) => names.get(trialHash(trial))),
    sweep.seeds.map((seed) => `${sweep.arms[1]!.name}, seed ${seed}`),
  )
  await study.run([...training, ...measuring])
  assert.equal(names.get(trialHash(preparation[3]!)), 'teacher, seed 2, on validation')

  const arms = planArms(sweep, study)
  for (const [i, seed] of sweep.seeds.entries()) {
    const [teacher, , pruned] = preparation.slice(3 * i, 3 * i + 3)
    for (const { arm, trials } of arms) {
      const trial = trials[i]!
      assert.ok('training' in trial && 'start' in trial)
      assert.equal(trial.training.seed, seed)
      assert.deepEqual(trial.training.labels, arm.labels ?? document.labels)
      assert.deepEqual(trial.training.recipe.validation?.every, 1)
      assert.deepEqual(trial.start, refTo(arm.start === 'teacher' ? teacher! : pruned!))
      if (trial.kind === 'distill') assert.deepEqual(trial.teacher, refTo(teacher!))
    }
    const macs = [refTo(teacher!), refTo(pruned!)].map(
      (ref) => complexity(loadModel(ref, study.runs).network).macs,
    )
    const [large, small] = macs as [number, number]
    const compute = arms[1]!.trials[i]!
    const expected = Math.round((2 * 8 * (3 * small + large)) / (4 * 3 * small))
    assert.equal('training' in compute && compute.training.steps, expected)
  }
  assert.notEqual(
    findTrial(study.runs, preparation[0]!)!.metrics.weights,
    findTrial(study.runs, preparation[3]!)!.metrics.weights,
  )

  const { arms: numbers, selection } = summarise({ ...collectSweep(sweep, study), metrics: ['mAP50', 'AP'] })
  assert.deepEqual(
    numbers.map(({ name, role, trials }) => [name, role, trials.map(({ seed }) => seed)]),
    [
      ['teacher', 'teacher', [1, 2]],
      ['pruned', 'pruned', [1, 2]],
      ['control', 'control', [1, 2]],
      ['equal compute', 'control', [1, 2]],
      ['distilled', 'method', [1, 2]],
      ['pseudo-labels, the large one', 'method', [1, 2]],
    ],
  )
  assert.ok(numbers[0]!.steps === 2 && numbers[0]!.trainingMacs > 0)
  const against = numbers[4]!.splits.validation!.differences.teacher!.mAP50!
  assert.equal(against.seeds, 2)
  assert.deepEqual(
    differencesTable({ arms: numbers, references: ['teacher'] }, 'validation').map(({ model }) => model),
    ['control', 'equal compute', 'distilled', 'pseudo-labels, the large one'],
  )
  assert.equal(selection?.table.length, 5)
})

test('a stage that fails takes the arms of its seed with it, and no others', async () => {
  const folder = temporary()
  const study = await createStudy({
    profile: 'smoke',
    out: join(folder, 'out'),
    cache: join(folder, 'cache'),
    reduce: { steps: 2, batch: 4, images: 16 },
  })
  const sweep = sweepSchema.parse(document)
  const preparation = sweepPreparation(sweep, study)
  const broken = preparation[4]!
  const divergence = {
    step: 2,
    what: 'box is NaN',
    values: {},
    grown: [],
    checkpoint: undefined,
    advice: 'none',
  }
  writeFailure(join(study.runs, trialFolder(broken)), failureOf(broken, new DivergedError(divergence)))
  const since = new Date().toISOString()
  const prepared = await study.attempt(preparation, { since })
  assert.deepEqual(
    prepared.map(({ failure }) => failure?.kind),
    [undefined, undefined, undefined, undefined, 'diverged', 'error'],
  )
  const { training, measuring } = sweepTrials(sweep, study)
  await study.attempt([...training, ...measuring], { since })
  const { arms, failed } = summarise({ ...collectSweep(sweep, study), metrics: ['mAP50'] })
  assert.deepEqual(failed, [])
  const started = ({ seed, reason }: FailedTrial) => [seed, reason.replace(/trial [0-9a-f]{12}/g, 'trial T')]
  const chained = 'what it starts from failed, trial T'
  const once = `${chained}: diverged at step 2: box is NaN`
  const twice = `${chained}: ${once}`
  assert.deepEqual(
    arms.map(({ name, trials, failed: lost = [] }) => [
      name,
      trials.map(({ seed }) => seed),
      ...lost.map(started),
    ]),
    [
      ['teacher', [1, 2]],
      ['pruned', [1], [2, once]],
      ['control', [1], [2, twice]],
      // Its steps follow from what the pruned network costs.
      ['equal compute', [1], [2, once]],
      ['distilled', [1], [2, twice]],
      ['pseudo-labels, the large one', [1, 2]],
    ],
  )
  const rows = differencesTable({ arms, references: ['control'] }, 'validation')
  const row = rows.find(({ model }) => model === 'distilled')!
  assert.equal(row.seeds, '1 of 2')
  assert.match(String(row.verdict), /^not shown: 1 seed, at least 2 needed/)
})

test('shipped chains need no training: the arms of a seed start from its own student and teacher', async () => {
  const folder = temporary()
  const study = await createStudy({
    profile: 'smoke',
    out: join(folder, 'out'),
    cache: join(folder, 'cache'),
    set: ['side.fewLabels={steps: 2}'],
    reduce: { steps: 2, batch: 4, images: 16 },
  })
  const sweep = fewLabels(study)
  assert.ok(sweep)
  assert.deepEqual(sweep.labels, { images: 4 }) // of 16
  assert.deepEqual(
    shortSweeps(study).map(({ name }) => name),
    ['recovery', 'unlabelled', 'few-labels'],
  )
  assert.deepEqual(earlyTrials(sweep, study).training, [])
  for (const { arm, runs } of planArms(sweep, study)) {
    for (const { seed, trial } of runs) {
      assert.ok('training' in trial && 'start' in trial)
      assert.deepEqual(trial.start, shippedRef(`few-labels-300-student-${seed}`))
      if (trial.kind === 'distill')
        assert.deepEqual(trial.teacher, shippedRef(`few-labels-300-teacher-${seed}`))
      assert.equal(trial.training.steps, 2)
      assert.equal(trial.kind, arm.name === 'control' ? 'control' : 'distill')
    }
  }
  const { training, measuring } = sweepTrials(sweep, study)
  await study.run([...training, ...measuring])
  const { arms } = summarise({ ...collectSweep(sweep, study), metrics: ['mAP50'] })
  assert.deepEqual(
    arms.map(({ name, trials }) => [name, trials.map(({ seed }) => seed)]),
    ['teacher', 'student', 'pseudo-labels', 'control'].map((name) => [name, study.sweep.seeds]),
  )

  // They know the scenes alone, and a profile must ask for them.
  assert.equal(fewLabels({ ...study, settings: { ...study.settings, data: folder } }), undefined)
  const { side } = study.profile
  assert.equal(
    fewLabels({ ...study, profile: { ...study.profile, side: { ...side, fewLabels: undefined } } }),
    undefined,
  )
})
