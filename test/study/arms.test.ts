/** Arms of sweeps that start from models of one's own or from one another, and that prune. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, describe, test } from 'node:test'
import { type Dataset, writeDataset } from '../../lib/data'
import { headsOf, networkCfg, yolov3Tiny } from '../../lib/detector'
import {
  checkSweep,
  createStudy,
  planArms,
  type Study,
  type StudySettings,
  sweepPreparation,
  sweepSchema,
  sweepTrials,
  withArmModels,
} from '../../lib/study'
import { saveCheckpoint } from '../../lib/train'
import { refTo } from '../../lib/trial'
import { temporary, tinyDetector, tinyScenes, tinyWeights } from '../train/tiny'

let dataset: Dataset
let data: string
let mine: string
let cfg: string
let study: Study
const CFG = networkCfg(yolov3Tiny({ input: [64, 96], classes: 2, multiplier: 1 / 16 }))

const open = (settings: Partial<StudySettings>) =>
  createStudy({
    ...{ profile: 'smoke', data, reading: { outside: true }, out: temporary(), cache: temporary() },
    set: ['ablations.lambda.methods=[]', 'ablations.threshold=[]', 'recipe.batch=2', 'side.labelled=2'],
    ...settings,
  })

before(async () => {
  dataset = await tinyScenes(temporary())
  data = join(temporary(), 'frames')
  await writeDataset(dataset, 'coco', data)
  mine = join(temporary(), 'mine.json')
  const model = { network: tinyDetector(), weights: tinyWeights(), optimizer: new Map(), step: 0 }
  saveCheckpoint(mine, { ...model, classes: dataset.classes, provenance: {} })
  cfg = join(temporary(), 'tiny.cfg')
  writeFileSync(cfg, CFG)
  study = await open({ teacher: [mine], student: [mine] })
})

const trained = { steps: 2, rate: 0.01 }
const term = { method: 'class-kd', weight: 1 }
const prune = { macs: 0.7, floor: 0.1 }
const sweepOf = (arms: readonly object[], more: object = {}) =>
  sweepSchema.safeParse({
    ...{
      name: 'arms',
      question: 'Does it run?',
      profile: 'smoke',
      seeds: [1, 2],
      references: ['teacher'],
      arms,
    },
    ...more,
  })
const parsed = (arms: readonly object[], more: object = {}) => {
  const result = sweepOf(arms, more)
  assert.ok(result.success, JSON.stringify(result.error?.issues))
  return result.data
}
const refused = (arms: readonly object[], message: RegExp) => {
  const { error } = sweepOf(arms)
  assert.match(
    error?.issues.map(({ path, message: said }) => `${path.join('.')}: ${said}`).join('\n') ?? '',
    message,
  )
}

test('a pruning that the bounds do not allow is refused before anything is trained', () => {
  const prune = { macs: 0.05, floor: 0.8 }
  const arm = { ...trained, name: 'a', start: 'teacher', prune }
  const message = /(a|slimming): budget of \d+ macs: the smallest network that floor = 0.8 allows has \d+;/
  assert.throws(() => checkSweep(parsed([arm]), study), message)
  const stages = { teacher: { steps: 1, rate: 0.1 }, sparse: { steps: 1, rate: 0.1, strength: 1 } }
  const chained = { chain: { ...stages, prune } }
  const slimmed = parsed([{ ...trained, name: 'a', start: 'pruned' }], chained)
  assert.throws(() => checkSweep(slimmed, { ...study, given: {} }), message)
  checkSweep(slimmed, study) // whose student is given, not slimmed
  checkSweep(parsed([{ ...arm, prune: { macs: 0.5, floor: 0 } }]), study)
})

describe('an arm that names files', () => {
  test('starts from them or is taught by them, with heads as its teacher has them', async () => {
    const sweep = parsed([
      { ...trained, name: 'tiny', start: [cfg], terms: [{ ...term, scales: 'shared' }] },
      { ...trained, name: 'own', start: 'student', teacher: [mine], terms: [term] },
    ])
    const given = await withArmModels(sweep, study)
    assert.match(given.notes.join(' '), /tiny\.cfg: its heads \(conv15, conv22\) are made anew for 8 classes/)
    checkSweep(sweep, given)
    const [tiny, own] = planArms(sweep, given)
    const [first] = tiny!.trials
    assert.ok(first?.kind === 'distill' && 'given' in first.start && first.start.given === 'tiny')
    assert.deepEqual(first.teacher, study.plan.teacher)
    const [second] = own!.trials
    assert.ok(second?.kind === 'distill')
    assert.deepEqual(second.teacher, study.plan.teacher) // the same model, read again
    const { network: made } = given.givenArms!.values().next().value!
    assert.deepEqual(headsOf(made).anchors, headsOf(tinyDetector()).anchors.slice(0, 2))
  })

  test('is refused where its teacher would have new weights, or its methods cannot compare the two', async () => {
    const untrained = parsed([
      { ...trained, name: 'a', teacher: [cfg], terms: [{ ...term, scales: 'shared' }] },
    ])
    await assert.rejects(
      withArmModels(untrained, study),
      /arm a: teacher: expected a model whose weights are all given, .* train it in an arm of its own, and name that arm/,
    )
    const unlike = parsed([{ ...trained, name: 'a', start: [cfg], terms: [term] }])
    const given = await withArmModels(unlike, study)
    assert.throws(() => checkSweep(unlike, given), /arm a: class-kd: .*stride 8, which only the teacher has/)
    await assert.rejects(
      withArmModels(parsed([{ ...trained, name: 'a', start: ['nowhere.cfg'] }]), study),
      /arm a: start nowhere\.cfg: expected a cfg, .* found nothing/,
    )
  })

  test('may be its own teacher’s pupil’s teacher: a first arm trains it, a second one learns from it', async () => {
    const sweep = parsed([
      { ...trained, name: 'small', start: [cfg], teacher: 'large', terms: [{ ...term, scales: 'shared' }] },
      { ...trained, name: 'large', start: 'teacher', seeds: [1] },
    ])
    const [small, large] = planArms(sweep, await withArmModels(sweep, study))
    for (const trial of small!.trials)
      assert.deepEqual(trial.kind === 'distill' && trial.teacher, refTo(large!.trials[0]!))
  })
})

describe('an arm with several teachers', () => {
  const several = { ...trained, name: 'taught', teacher: { mean: ['teacher', 'other'] }, terms: [term] }
  const other = { ...trained, name: 'other', start: 'teacher' }

  test('learns from their mean, each of the arm’s own seed', () => {
    const [taught, second] = planArms(parsed([several, other]), study)
    assert.deepEqual(
      taught!.trials.map((trial) => trial.kind === 'distill' && trial.teacher),
      second!.trials.map((trial) => [study.plan.teacher, refTo(trial)]),
    )
  })

  test('is charged for the passes of all', () => {
    const twins = { ...several, teacher: { mean: ['teacher', 'teacher'] } }
    const stepsLike = (arm: object) => {
      const arms = [
        { ...arm, name: 'a', steps: 90 },
        { name: 'b', rate: 0.01, steps: { asCostlyAs: 'a' } },
      ]
      const trial = planArms(parsed(arms), study)[1]!.trials[0]!
      return 'training' in trial ? trial.training.steps : 0
    }
    // Student and teacher are one network here: three passes for a training step, and one of every teacher.
    assert.equal(stepsLike({ ...several, teacher: 'teacher' }), 120)
    assert.equal(stepsLike(twins), 150)
  })

  test('is refused where one is unknown, waits for it, or cannot be averaged with the others', async () => {
    refused([several], /arms\.0\.teacher: expected one of teacher, pruned, student, .*, found other/)
    refused(
      [several, { ...other, start: 'taught' }],
      /arms\.0\.teacher: .* wait for this arm, found taught <- other <- taught/,
    )
    refused([{ ...several, teacher: { mean: ['teacher'] } }], /arms\.0\.teacher/)
    const unlike = parsed([
      { ...several, start: [cfg], terms: [{ ...term, scales: 'shared' }] },
      { ...other, start: [cfg] },
    ])
    const given = await withArmModels(unlike, study)
    assert.throws(
      () => checkSweep(unlike, given),
      /arm taught: teacher: expected several with the same \[classes, strides, .*\], found .* and /,
    )
  })
})

describe('an arm that starts from another one', () => {
  test('is made sparse, pruned and trained on, each after the one before, seed by seed', () => {
    const sweep = parsed(
      [
        { ...trained, name: 'sparse', start: 'teacher', sparse: { strength: 0.01, prunable: 'all' } },
        { name: 'cut', start: 'sparse', prune },
        { ...trained, name: 'fine', start: 'cut' },
        { ...trained, name: 'at once', start: 'sparse', prune },
      ],
      { references: ['fine'] },
    )
    const [sparse, cut, fine, atOnce] = planArms(sweep, study)
    assert.deepEqual(
      [sparse, cut, fine, atOnce].map((arm) => [arm!.role, arm!.trials.map(({ kind }) => kind).join()]),
      [
        ['teacher', 'sparse,sparse'],
        ['pruned', 'prune,prune'],
        ['control', 'control,control'],
        ['control', 'control,control'],
      ],
    )
    const startOf = (trial: (typeof study.plan.preparation)[number]) =>
      'start' in trial ? trial.start : undefined
    assert.deepEqual(cut!.trials.map(startOf), sparse!.trials.map(refTo))
    assert.deepEqual(fine!.trials.map(startOf), cut!.trials.map(refTo))
    assert.deepEqual(
      cut!.runs.map(({ seed }) => seed),
      [1, 2],
    )
    // The same pruning and training, whether it is written as one arm or as two.
    assert.deepEqual(atOnce!.trials, fine!.trials)
    assert.deepEqual(
      atOnce!.runs.map(({ pruning }) => pruning),
      cut!.trials,
    )
    const { training, names } = sweepTrials(sweep, study)
    assert.equal(new Set(training.map((trial) => JSON.stringify(trial))).size, 6)
    assert.ok([...names.values()].includes('cut, seed 2'))
  })

  test('that prunes a model of the study has one result for all seeds', () => {
    const [cut] = planArms(parsed([{ name: 'cut', start: 'teacher', prune }]), study)
    assert.equal(cut!.runs.length, 1)
    assert.equal(cut!.runs[0]!.seed, undefined)
  })

  test('is refused where it says too little, too much, or waits for itself', () => {
    refused([{ name: 'a' }], /arms\.0\.steps: expected a number, or prune without a training; found neither/)
    refused([{ name: 'a', steps: 2 }], /arms\.0\.rate: expected a rate for steps/)
    refused(
      [{ name: 'a', prune, terms: [term] }],
      /arms\.0\.steps: expected steps for what the arm says of a training/,
    )
    refused(
      [{ ...trained, name: 'a', sparse: { strength: 1 }, terms: [term] }],
      /arms\.0\.sparse: expected neither terms/,
    )
    refused(
      [{ ...trained, name: 'a', start: 'b' }],
      /arms\.0\.start: expected one of teacher, pruned, student, or a list of files, found b/,
    )
    refused(
      [
        { ...trained, name: 'a', start: 'b' },
        { ...trained, name: 'b', teacher: 'a', terms: [term] },
      ],
      /arms\.0\.start: expected a model that does not wait for this arm, found a <- b <- a/,
    )
    refused(
      [
        { ...trained, name: 'a', start: 'teacher', prune },
        { rate: 0.1, steps: { asCostlyAs: 'a' }, name: 'b' },
      ],
      /asCostlyAs: .* found a, whose cost is known only when its network is pruned/,
    )
  })
})

test('a chain trains a given teacher on with every seed, and a given student if it has a stage for it', async () => {
  const chain = { teacher: trained, sparse: { ...trained, strength: 0.01 }, finetune: trained }
  const arms = [{ ...trained, name: 'a', start: 'student' }]
  const own = await open({ teacher: [mine] })
  const preparation = sweepPreparation(parsed(arms, { chain }), own)
  assert.deepEqual(
    preparation.map(({ kind }) => kind),
    [1, 2].flatMap(() => ['teacher', 'sparse', 'prune', 'finetune']),
  )
  const [first] = preparation
  assert.ok(first?.kind === 'teacher' && first.start && 'given' in first.start)
  const both = sweepPreparation(parsed(arms, { chain }), study)
  assert.deepEqual(
    both.map((trial) => ('training' in trial ? [trial.kind, trial.training.seed] : [])),
    [
      ['teacher', 1],
      ['finetune', 1],
      ['teacher', 2],
      ['finetune', 2],
    ],
  )
})

describe('an arm that is quantised', () => {
  test('trains in float32 with its rounding, from a student, a pruned network or another arm; without steps it has no teacher', async () => {
    const options = { frames: 128, for: 'onnxruntime', head: false }
    const sweep = parsed([
      { name: 'as it is', quantise: 'int8', steps: 0 },
      { ...trained, name: 'taught', quantise: { head: true, for: 'tensorrt' }, terms: [term] },
      { ...trained, name: 'slimmed', quantise: 'int8', prune },
      { ...trained, name: 'float', recipe: { batch: 1 } },
      { ...trained, name: 'after it', quantise: 'int8', start: 'float' },
    ])
    const rounded = { ...study, precision: 'bfloat16' as const }
    checkSweep(sweep, rounded)
    const [plain, taught, slimmed, float, after] = planArms(sweep, rounded).map(({ runs }) => runs[0]!)
    const control = plain!.trial
    assert.ok(control.kind === 'control')
    assert.deepEqual([control.quantise, control.training.steps], [options, 0])
    assert.ok(taught!.trial.kind === 'distill')
    assert.deepEqual(taught!.trial.quantise, { frames: 128, for: 'tensorrt', head: true })
    assert.ok(slimmed!.pruning && slimmed!.trial.kind === 'control')
    assert.deepEqual(slimmed!.trial.start, refTo(slimmed!.pruning))
    assert.ok(after!.trial.kind === 'control')
    assert.deepEqual(after!.trial.start, refTo(float!.trial))
    const precisions = [plain, taught, slimmed, float, after].map(
      (run) => 'training' in run!.trial && run!.trial.training.recipe.precision,
    )
    assert.deepEqual(precisions, ['float32', 'float32', 'float32', 'bfloat16', 'float32'])
  })

  test('is refused with new weights, with sparsity training, without steps beside a pruning, and with a teacher in no steps', () => {
    const quantise = 'int8'
    const neither = /arms\.0\.quantise: expected neither fresh nor sparse beside it/
    refused([{ ...trained, name: 'a', quantise, fresh: true }], neither)
    refused([{ ...trained, name: 'a', quantise, sparse: { strength: 0.01 } }], neither)
    refused([{ name: 'a', quantise, prune }], /arms\.0\.steps: expected steps for what the arm says/)
    const none = /arms\.0\.steps: expected at least one; 0 is of an arm with quantise and no teacher/
    refused([{ name: 'a', quantise, steps: 0, terms: [term] }], none)
    refused([{ ...trained, name: 'a', steps: 0 }], none)
    refused([{ name: 'a', quantise, steps: 3 }], /arms\.0\.rate: expected a rate for steps/)
    refused(
      [
        { name: 'a', quantise, steps: 0 },
        { name: 'b', rate: 0.01, steps: { asCostlyAs: 'a' } },
      ],
      /arms\.1\.steps\.asCostlyAs: expected an arm with a number of steps, found a, whose steps are 0/,
    )
  })

  test('in a profile: students and controls are, beside one that is only quantised; the teacher and new weights are not', async () => {
    const { sweep } = await open({
      set: [
        ...['lambda.methods', 'threshold', 'temperature.methods'].map((key) => `ablations.${key}=[]`),
        ...['stages.distill.quantise=int8', 'controls.teacher=true', 'controls.scratch=true'],
        ...['recipe.batch=2', 'side.labelled=2'],
      ],
    })
    const isQuantised = ({ quantise }: { quantise?: object }) => quantise !== undefined
    assert.deepEqual(
      sweep.arms.filter((arm) => !isQuantised(arm)).map(({ name }) => name),
      ['teacher trained on', 'from scratch'],
    )
    assert.equal(sweep.arms.find(({ name }) => name === 'quantised only')?.steps, 0)
    assert.ok(sweep.references.includes('quantised only') && sweep.references.includes('student'))
  })
})
