import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, describe, test } from 'node:test'
import { type Dataset, writeDataset } from '../../lib/data'
import { headsOf, initialWeights, networkCfg, yolov3, yolov3Tiny } from '../../lib/detector'
import {
  checkStudy,
  checkSweep,
  createStudy,
  loadSweep,
  planArms,
  readPreparation,
  type StudySettings,
  sweepSchema,
} from '../../lib/study'
import { saveCheckpoint } from '../../lib/train'
import { loadModel, refTo, trialHash } from '../../lib/trial'
import { environmentOf } from '../../lib/workbench/workbook'
import { temporary, tinyDetector, tinyScenes, tinyWeights } from '../train/tiny'

let dataset: Dataset
let data: string
let teacher: string
let cfg: string
before(async () => {
  dataset = await tinyScenes(temporary())
  data = join(temporary(), 'frames')
  await writeDataset(dataset, 'coco', data)
  teacher = join(temporary(), 'mine.json')
  const model = { network: tinyDetector(), weights: tinyWeights(), optimizer: new Map(), step: 0 }
  saveCheckpoint(teacher, { ...model, classes: dataset.classes, provenance: {} })
  cfg = join(temporary(), 'tiny.cfg')
  writeFileSync(cfg, networkCfg(yolov3Tiny({ input: [64, 96], classes: 2, multiplier: 1 / 16 })))
})

const shared =
  'methods=[{method: output-kd, weight: 1, scales: shared}, {method: feature-mse, weight: 1, scales: shared}]'
const plain = [
  ...['lambda.methods', 'threshold', 'temperature.methods'].map((key) => `ablations.${key}=[]`),
  ...['recipe.batch=2', 'side.labelled=2'],
]

const open = (settings: Partial<StudySettings>) =>
  createStudy({
    ...{ profile: 'smoke', set: plain, data, reading: { outside: true } },
    ...{ out: temporary(), cache: temporary() },
    ...settings,
  })

describe('a study of models of one’s own', () => {
  test('slims a given teacher instead of training one', async () => {
    const study = await open({ teacher: [teacher] })
    const { plan, runs } = study
    assert.deepEqual(
      plan.preparation.map(({ kind }) => kind),
      ['sparse', 'prune', 'finetune'],
    )
    assert.ok('given' in plan.teacher)
    assert.equal(plan.teacher.given, 'mine')
    const [sparse] = plan.preparation
    assert.deepEqual(sparse?.kind === 'sparse' && sparse.start, plan.teacher)
    assert.deepEqual(plan.networks.teacher.input, [64, 96])
    assert.deepEqual(loadModel(plan.teacher, runs).classes, dataset.classes)
    assert.deepEqual(readPreparation(study), [])
    checkStudy(study)
  })

  test('trains a teacher whose heads are new, from where it stands', async () => {
    const { plan } = await open({ teacher: [teacher], newHeads: true })
    const [first] = plan.preparation
    assert.ok(first?.kind === 'teacher' && first.start && 'given' in first.start)
    assert.equal(first.detector, undefined)
    assert.deepEqual(plan.teacher, refTo(first))
  })

  test('takes a given student in place of the slimmed teacher', async () => {
    const study = await open({ teacher: [teacher], student: [cfg], set: [...plain, shared] })
    const { plan, notes } = study
    assert.deepEqual(
      plan.preparation.map(({ kind }) => kind),
      ['finetune'],
    )
    assert.deepEqual(plan.student, refTo(plan.preparation[0]!))
    assert.ok('given' in plan.pruned && plan.slimming === undefined)
    assert.deepEqual(headsOf(plan.networks.student).anchors, headsOf(tinyDetector()).anchors.slice(0, 2))
    assert.match(notes.join(' '), /its heads \(conv15, conv22\) are made anew for 8 classes/)
    checkStudy(study)
  })

  test('is refused before anything runs when a method cannot compare the two, with every arm', async () => {
    const study = await open({ teacher: [teacher], student: [cfg], set: plain })
    assert.throws(
      () => checkStudy(study),
      /smoke: expected what its networks allow, found 5 that they do not:\n {2}arm output-kd: output-kd: .*stride 8, which only the teacher has/,
    )
  })

  test('is refused when the classes do not fit, with both lists', async () => {
    const other = join(temporary(), 'other.json')
    const network = yolov3({ input: [64, 96], classes: 2, multiplier: 1 / 16 })
    saveCheckpoint(other, {
      ...{ network, weights: initialWeights(network, 1), optimizer: new Map(), step: 0 },
      ...{ classes: ['cat', 'dog'], provenance: {} },
    })
    await assert.rejects(
      open({ teacher: [other] }),
      new RegExp(`the data's: ${dataset.classes.join(', ')}; the model's: cat, dog; .*--new-heads`),
    )
  })

  test('is told to the notebooks with whole paths', () => {
    const told = environmentOf({
      profile: 'smoke',
      out: 'o',
      teacher: ['a.cfg', 'b.weights'],
      newHeads: true,
    })
    assert.deepEqual(JSON.parse(told.WORKBOOK_TEACHER!), [
      join(process.cwd(), 'a.cfg'),
      join(process.cwd(), 'b.weights'),
    ])
    assert.deepEqual([told.WORKBOOK_STUDENT, told.WORKBOOK_NEW_HEADS], ['', '1'])
  })
})

describe('an arm that another arm teaches', () => {
  const arm = { steps: 2, rate: 0.01 }
  const taught = { ...arm, terms: [{ method: 'class-kd', weight: 1 }] }
  const sweep = (arms: object[], more: object = {}) => ({
    ...{
      name: 'chain',
      question: 'Does it run?',
      profile: 'smoke',
      seeds: [1, 2],
      references: ['larger'],
      arms,
    },
    ...more,
  })
  const problem = (document: object) => {
    const file = join(temporary(), 'sweep.yaml')
    writeFileSync(file, JSON.stringify(document))
    assert.throws(() => loadSweep(file))
    try {
      loadSweep(file)
    } catch (error) {
      return String(error)
    }
    return ''
  }

  test('waits for it, seed by seed, and is planned in whatever order they are written', async () => {
    const study = await open({ teacher: [teacher] })
    const { student: fine, ...plan } = study.plan
    // The teacher itself stands in for the student, which nobody has trained.
    const ready = { ...study, plan: { ...plan, student: plan.teacher } }
    assert.ok(fine)
    const parsed = sweepSchema.parse(
      sweep([
        { ...taught, name: 'second', teacher: 'first' },
        { ...taught, name: 'first', teacher: 'larger' },
        { ...arm, name: 'larger', start: 'teacher', seeds: [2, 3] },
      ]),
    )
    const [second, first, larger] = planArms(parsed, ready).map(({ trials }) => trials)
    const teachers = (trials: typeof second) =>
      trials!.map((trial) => (trial.kind === 'distill' ? trial.teacher : undefined))
    assert.deepEqual(teachers(second), first!.map(refTo))
    // Seed 1 is none of the teacher's, whose first is 2.
    assert.deepEqual(teachers(first), [refTo(larger![0]!), refTo(larger![0]!)])
    assert.equal(new Set([...second!, ...first!, ...larger!].map(trialHash)).size, 6)
    checkSweep(parsed, study)
  })

  test('is refused where there is no such arm, nothing to teach by, or a circle', () => {
    const larger = { ...arm, name: 'larger' }
    assert.match(
      problem(sweep([larger, { ...taught, name: 'a', teacher: 'b' }])),
      /"arms\[1\]\.teacher": expected one of teacher, pruned, student, larger, or a list of files, found b/,
    )
    assert.match(
      problem(sweep([larger, { ...arm, name: 'a', teacher: 'larger' }])),
      /"arms\[1\]\.teacher": expected terms or pseudo beside it/,
    )
    assert.match(
      problem(
        sweep([larger, { ...taught, name: 'a', teacher: 'b' }, { ...taught, name: 'b', teacher: 'a' }]),
      ),
      /"arms\[1\]\.teacher": expected a model that does not wait for this arm, found a <- b <- a/,
    )
  })
})
