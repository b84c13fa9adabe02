import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { Dataset } from '../../lib/data'
import { complexity } from '../../lib/detector'
import { loadProfile, methodOf, namedTrials, planStudy, withTerms } from '../../lib/study'
import { loadCheckpoint } from '../../lib/train'
import {
  describeRef,
  loadModel,
  refTo,
  SHIPPED,
  shippedRef,
  type TrialConfig,
  trialFolder,
  trialHash,
  trialSchema,
} from '../../lib/trial'
import { temporary, tinyDetector } from '../train/tiny'
import { tinyTraining } from './tiny'

/** Data that is never opened: nine sizes of boxes for the anchors. */
const dataset: Dataset = {
  name: 'imagined',
  classes: ['a', 'b', 'c'],
  hash: 'd'.repeat(64),
  splits: {
    train: [6, 10, 14, 20, 28, 36, 44, 56, 70].map((side, i) => ({
      id: String(i),
      file: `/nowhere/${i}.png`,
      width: 128,
      height: 200,
      boxes: [{ x1: 0, y1: 60, x2: side, y2: 60 + side, label: i % 3 }],
    })),
  },
}
const options = {
  dataset,
  precision: 'float32',
  ownData: false,
  from: 'student',
  seeds: [1],
} as const

describe('a trial’s hash', () => {
  const input = {
    kind: 'distill',
    data: { hash: 'abc' },
    start: { trial: '1'.repeat(64) },
    teacher: { shipped: 'teacher', sha256: '2'.repeat(64) },
    training: tinyTraining(3),
    terms: [{ method: 'class-kd', weight: { ratio: 0.3 }, temperature: 2 }],
  }
  const config = trialSchema.parse(input)
  const hash = trialHash(config)

  test('is the same on every machine', () => {
    assert.equal(hash, '199a28549009a23a93346db7394b9d0349a79bfd6008283646e4ccc0a834a925')
    assert.equal(trialFolder(config), `class-kd-${hash.slice(0, 12)}`)
  })

  test('does not depend on the order of keys, nor on defaults being written out', () => {
    const reversed = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(reversed)
      if (typeof value !== 'object' || value === null) return value
      const entries = Object.entries(value).reverse()
      return Object.fromEntries(entries.map(([key, part]) => [key, reversed(part)]))
    }
    assert.equal(trialHash(reversed(config) as TrialConfig), hash)
    assert.equal(trialHash(trialSchema.parse(input)), hash)
    assert.equal(trialHash(JSON.parse(JSON.stringify(config))), hash)
  })

  test('depends on every value of every kind of trial', () => {
    const start = { trial: '1'.repeat(64) }
    const data = { hash: 'abc', crop: [0, 0.1, 1, 0.9] }
    const training = tinyTraining(3)
    const prune = { macs: 0.5 }
    const kinds = [
      { ...input, data },
      { kind: 'teacher', data, detector: tinyDetector(), training },
      { kind: 'sparse', data, start, training, strength: 1e-3 },
      { kind: 'prune', data, start, prune },
      { kind: 'finetune', data, start, training },
      { kind: 'control', data, start, training },
      { kind: 'evaluate', data, start, split: 'test', batch: 8, precision: 'float32' },
    ].map((kind) => trialSchema.parse(kind))
    const hashes = new Set(kinds.map(trialHash))
    let count = kinds.length
    for (const kind of kinds) {
      for (const path of leaves(kind)) {
        const changed = changedAt(kind, path)
        // Some values have only one legal form, such as `false` for a part that is off.
        if (!changed) continue
        hashes.add(trialHash(changed))
        count++
      }
    }
    assert.ok(count > 150, `${count} configs`)
    assert.equal(hashes.size, count)
  })
})

type Path = readonly string[]

function leaves(value: unknown, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [path]
  return Object.entries(value).flatMap(([key, part]) => leaves(part, [...path, key]))
}

/** The config with another legal value at a place; undefined where a few attempts find none. */
function changedAt(config: TrialConfig, path: Path): TrialConfig | undefined {
  const attempts = (value: unknown): unknown[] => {
    if (typeof value === 'boolean') return [!value]
    if (typeof value === 'number') return [value + 1, value / 2, value + 32, value - 0.01, value + 0.01]
    const others = [
      'giou',
      'iou',
      'cosine',
      'poly',
      'union',
      'mean',
      'validation',
      'nearest',
      'bfloat16',
      'positive',
      'image',
    ]
    return [...others, 'output-kd', '3'.repeat(64), 'other'].filter((other) => other !== value)
  }
  for (const attempt of attempts(
    path.reduce<unknown>((part, key) => (part as Record<string, unknown>)[key], config),
  )) {
    const copy = structuredClone(config) as unknown as Record<string, unknown>
    const parent = path.slice(0, -1).reduce((part, key) => part[key] as Record<string, unknown>, copy)
    parent[path.at(-1)!] = attempt
    const parsed = trialSchema.safeParse(copy)
    if (parsed.success && parsed.data.kind === config.kind) return parsed.data
  }
  return undefined
}

describe('the trials of a profile', () => {
  const plan = planStudy({ ...options, profile: loadProfile('smoke') })

  test('have names that stay', () => {
    assert.deepEqual(
      [...namedTrials(plan, 'float32').keys()],
      [
        'teacher',
        'sparse',
        'prune',
        'finetune',
        'teacher on validation',
        'student on validation',
        'control, seed 1',
        'control, equal compute, seed 1',
        'teacher trained on, seed 1',
        'output-kd, seed 1',
        'class-kd, seed 1',
        'masked-class-kd, seed 1',
        'objectness-mse, seed 1',
        'feature-mse, seed 1',
        'objectness-mse, lambda x 3',
        'class-kd, lambda x 3',
        'masked-class-kd, threshold 0.3',
        'teacher on test',
        'student on test',
        'control, seed 1, on test',
        'control, equal compute, seed 1, on test',
        'teacher trained on, seed 1, on test',
        'output-kd, seed 1, on test',
        'class-kd, seed 1, on test',
        'masked-class-kd, seed 1, on test',
        'objectness-mse, seed 1, on test',
        'feature-mse, seed 1, on test',
      ],
    )
  })

  test('start from one another, and are all different', () => {
    const [teacher, sparse, pruned, finetune] = plan.preparation as [
      TrialConfig,
      TrialConfig,
      TrialConfig,
      TrialConfig,
    ]
    assert.deepEqual('start' in sparse && sparse.start, refTo(teacher))
    assert.deepEqual('start' in pruned && pruned.start, refTo(sparse))
    assert.deepEqual('start' in finetune && finetune.start, refTo(pruned))
    assert.deepEqual([plan.teacher, plan.student], [refTo(teacher), refTo(finetune)])
    for (const { trials } of plan.methods) {
      for (const trial of trials) {
        assert.equal(trial.kind, 'distill')
        assert.deepEqual('start' in trial && trial.start, plan.student)
        assert.deepEqual('teacher' in trial && trial.teacher, plan.teacher)
      }
    }
    const trials = [...namedTrials(plan, 'float32').values()]
    assert.equal(new Set(trials.map(trialHash)).size, trials.length)
    for (const trial of trials) trialSchema.parse(trial)
  })

  test('control and methods have equal steps, rate and recipe: only the teacher differs', () => {
    const [control] = plan.control
    for (const { trials } of plan.methods)
      assert.deepEqual(
        'training' in trials[0]! && trials[0].training,
        'training' in control! && control.training,
      )
  })

  test('has controls at equal compute, of the teacher and from scratch where the profile asks for them', () => {
    const profile = loadProfile('smoke')
    const controls = { equalCompute: true, teacher: true, scratch: true }
    const { otherControls, student, teacher } = planStudy({ ...options, profile: { ...profile, controls } })
    const [compute, teacherOn, scratch] = otherControls.map(({ trials: [trial] }) => trial)
    assert.ok(compute?.kind === 'control' && teacherOn?.kind === 'control' && scratch?.kind === 'control')
    // A distilled step costs 3 * 0.464 + 1 passes of the teacher, the control's 3 * 0.464.
    assert.equal(compute.training.steps, Math.round((15 * (3 * 0.464 + 1)) / (3 * 0.464)))
    const scheduled = {
      ...profile,
      controls,
      methods: profile.methods.map((term, i) => ({ ...term, schedule: { start: 2, stop: 5 + i } })),
    }
    const [shorter] = planStudy({ ...options, profile: scheduled }).otherControls
    // The method that is taught longest costs most.
    const taught = 3 + profile.methods.length - 1
    assert.deepEqual(
      shorter!.trials.map((trial) => 'training' in trial && trial.training.steps),
      options.seeds.map(() => Math.round(15 + taught / (3 * 0.464))),
    )
    assert.deepEqual([compute.start, teacherOn.start, scratch.start], [student, teacher, student])
    assert.deepEqual([compute.fresh, teacherOn.fresh, scratch.fresh], [undefined, undefined, true])
    assert.equal(scratch.training.steps, 20 + 15)
  })

  test('vary one thing at a time in the ablations', () => {
    const [first, second] = plan.lambdaAblation
    const scaled = first!.trial
    assert.deepEqual(scaled.kind === 'distill' && scaled.terms, [
      { method: 'objectness-mse', weight: { ratio: 0.3 * 3 } },
    ])
    assert.equal(second!.method, 'class-kd')
    const [threshold] = plan.thresholdAblation
    const own = methodOf(plan, 'masked-class-kd')
    assert.deepEqual(threshold!.trial, withTerms(own.trials[0]!, { ...own.term, threshold: 0.3 }))
  })

  test('run with every seed asked for, the ablations with the first', () => {
    const seeds = planStudy({ ...options, profile: loadProfile('smoke'), seeds: [5, 6] })
    const of = (trials: readonly TrialConfig[]) =>
      trials.map((trial) => ('training' in trial ? trial.training.seed : undefined))
    assert.deepEqual(of(seeds.control), [5, 6])
    for (const { trials } of seeds.methods) assert.deepEqual(of(trials), [5, 6])
    assert.deepEqual(of(seeds.lambdaAblation.map(({ trial }) => trial)), [5, 5])
    assert.throws(
      () => planStudy({ ...options, profile: loadProfile('smoke'), seeds: [] }),
      /at least one seed/,
    )
  })

  test('fit the data: its classes, and anchors by k-means, smallest at stride 8', () => {
    const [teacher] = plan.preparation
    assert.ok(teacher?.kind === 'teacher')
    assert.equal(teacher.detector.classes, 3)
    const areas = teacher.detector.anchors.flat().map(([w, h]) => w * h)
    assert.ok(Math.min(...areas.slice(0, 3)) > Math.max(...areas.slice(6)))
    assert.ok(complexity(teacher.detector).macs > 0)
  })

  test('need the methods that the ablations name', () => {
    const profile = loadProfile('smoke')
    const methods = profile.methods.filter(({ method }) => method !== 'class-kd')
    assert.throws(
      () => planStudy({ ...options, profile: { ...profile, methods } }),
      /profile smoke: ablations need method "class-kd" among its methods/,
    )
    assert.throws(
      () => methodOf({ ...plan, methods: plan.methods.slice(1) }, 'output-kd'),
      /method output-kd: expected/,
    )
    assert.throws(() => withTerms(plan.control[0]!), /expected a distillation trial, found control/)
  })
})

describe('shipped checkpoints', () => {
  const profile = loadProfile('default')

  test('stand for the training of teacher and student', () => {
    const plan = planStudy({ ...options, profile })
    assert.deepEqual(plan.preparation, [])
    assert.equal(plan.slimming, undefined)
    const { sha256 } = loadCheckpoint(join(SHIPPED, 'default-teacher.json'))
    assert.deepEqual(plan.teacher, { shipped: 'default-teacher', sha256 })
    assert.deepEqual('start' in plan.control[0]! && plan.control[0].start, shippedRef('default-student'))
    assert.equal(loadModel(plan.teacher, '/nowhere').sha256, sha256)
  })

  test('are not taken from scratch, nor for other data', () => {
    assert.equal(planStudy({ ...options, profile, from: 'scratch' }).preparation.length, 4)
    const own = planStudy({ ...options, profile, ownData: true })
    assert.equal(own.preparation.length, 4)
    const [teacher] = own.preparation
    assert.ok(teacher?.kind === 'teacher')
    assert.equal(teacher.training.steps, profile.ownDataSteps.teacher)
    assert.deepEqual(teacher.data.crop, profile.crop)
    // The profile's anchors are those of its own scenes.
    assert.notDeepEqual(teacher.detector.anchors, profile.detector.anchors)
  })

  test('teacher and student are models of the profile: its input, anchors and share of MACs', () => {
    const [teacher, student] = ['default-teacher', 'default-student'].map((name) =>
      loadCheckpoint(join(SHIPPED, `${name}.json`)),
    )
    for (const { detector } of [teacher!, student!]) {
      assert.deepEqual(detector.input, profile.detector.input)
      assert.deepEqual(detector.anchors, profile.detector.anchors)
    }
    const share = complexity(student!.detector).macs / complexity(teacher!.detector).macs
    assert.ok(share <= profile.stages.prune.macs && share > 0.9 * profile.stages.prune.macs, `${share}`)
  })

  test('that are missing or others are named', () => {
    assert.throws(
      () => shippedRef('large-teacher'),
      /large-teacher\.json: expected a shipped checkpoint, found .*default-teacher\.json.*; --from scratch/,
    )
    const other = { shipped: 'default-teacher', sha256: '0'.repeat(64) }
    assert.throws(
      () => loadModel(other, '/nowhere'),
      /the shipped default-teacher: expected SHA-256 0{64}, found [0-9a-f]{64}/,
    )
    const runs = temporary()
    assert.throws(
      () => loadModel({ trial: 'e'.repeat(64) }, runs),
      /expected a finished trial e{12}, found none; run it first/,
    )
  })

  test('have short names', () => {
    assert.equal(describeRef(shippedRef('default-teacher')), 'the shipped default-teacher')
    assert.equal(describeRef({ trial: 'e'.repeat(64) }), 'trial eeeeeeeeeeee')
  })
})
