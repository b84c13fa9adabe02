import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { Dataset } from '../../lib/data'
import { complexity, darknet21, initialWeights, scaledWidths } from '../../lib/detector'
import {
  armOf,
  loadProfile,
  namedTrials,
  type Profile,
  planArms,
  planModels,
  profileSweep,
  type StartingPoint,
  type Study,
  withTerms,
} from '../../lib/study'
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
import { temporary, tinyConfig } from '../train/tiny'
import { placeModel, tinyTraining } from './tiny'

/** Data that are never opened: nine sizes of boxes for the anchors. */
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
  seed: 1,
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
      { kind: 'teacher', data, detector: tinyConfig(), training },
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

/** A study of the imagined data whose teacher and student have been trained, as far as planning looks. */
function prepared(change: Partial<Profile> = {}, seeds: readonly number[] = [1]): Study {
  const profile = { ...loadProfile('smoke'), ...change }
  const plan = planModels({ ...options, profile, seed: seeds[0]! })
  const runs = temporary()
  const [teacher] = plan.preparation
  assert.ok(teacher?.kind === 'teacher' && teacher.detector)
  assert.ok('trial' in plan.teacher && 'trial' in plan.student)
  const { input, classes, anchors } = teacher.detector
  const { backbone, neck } = scaledWidths(0.0625)
  for (const [{ trial }, network] of [
    [plan.teacher, darknet21(teacher.detector.backbone, teacher.detector)],
    [plan.student, darknet21(backbone, { neck, input, classes, anchors })],
  ] as const) {
    placeModel(runs, trial, { network, weights: initialWeights(network, 1) })
  }
  return {
    settings: { profile: profile.name, out: runs, cache: runs },
    ...{ profile, dataset, plan, runs, precision: 'float32', workers: 1 },
    changes: [],
    notes: [],
    sweep: profileSweep(profile, { seeds, ownData: false }),
    run: () => Promise.reject(new Error('nothing is to run')),
    attempt: () => Promise.reject(new Error('nothing is to run')),
    jobs: () => assert.fail('nothing is to run'),
  }
}

/** The student's fraction of the teacher's MACs in `prepared`. */
function shareOf({ plan, runs }: Study): number {
  const [teacher, student] = [plan.teacher, plan.student].map(
    (ref) => complexity(loadModel(ref, runs).network).macs,
  )
  return student! / teacher!
}

const trainingOf = (trial: TrialConfig | undefined) => {
  assert.ok(trial && 'training' in trial)
  return trial.training
}

describe('the trials of a profile', () => {
  const study = prepared()
  const { plan } = study

  test('have stable names', () => {
    assert.deepEqual(
      [...namedTrials(study).keys()],
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
        'class-kd, temperature 4',
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

  test('are known before teacher and student exist, except those of arms that start from them', () => {
    const early = { ...study, runs: temporary() }
    assert.deepEqual(
      [...namedTrials(early).keys()],
      ['teacher', 'sparse', 'prune', 'finetune', 'teacher on validation', 'student on validation'],
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
    const methods = planArms(study.sweep, study).filter(({ role }) => role === 'method')
    assert.equal(methods.length, 5 + 4)
    for (const { trials } of methods) {
      for (const trial of trials) {
        assert.ok(trial.kind === 'distill')
        assert.deepEqual([trial.start, trial.teacher], [plan.student, plan.teacher])
      }
    }
    const trials = [...namedTrials(study).values()]
    assert.equal(new Set(trials.map(trialHash)).size, trials.length)
    for (const trial of trials) trialSchema.parse(trial)
  })

  test('control and methods have equal steps, rate and recipe: only the teacher differs', () => {
    const control = trainingOf(armOf(study, 'control').trials[0])
    for (const { method } of study.profile.methods)
      assert.deepEqual(trainingOf(armOf(study, method).trials[0]), control)
  })

  test('has controls at equal compute, of the teacher and from scratch where the profile asks for them', () => {
    const controls = { equalCompute: true, teacher: true, scratch: true }
    const full = prepared({ controls })
    const share = shareOf(full)
    const [compute, teacherOn, scratch] = [
      'control, equal compute',
      'teacher trained on',
      'from scratch',
    ].map((name) => armOf(full, name).trials[0])
    assert.ok(compute?.kind === 'control' && teacherOn?.kind === 'control' && scratch?.kind === 'control')
    // A distilled step costs 3 passes of the student and one of the teacher, the control's 3 of the student.
    assert.equal(compute.training.steps, Math.round(15 + 15 / (3 * share)))
    const { student, teacher } = full.plan
    assert.deepEqual([compute.start, teacherOn.start, scratch.start], [student, teacher, student])
    assert.deepEqual([compute.fresh, teacherOn.fresh, scratch.fresh], [undefined, undefined, true])
    assert.equal(scratch.training.steps, 20 + 15)

    const { methods } = full.profile
    const scheduled = prepared({
      controls,
      methods: methods.map((term, i) => ({ ...term, schedule: { start: 2, stop: 5 + i } })),
    })
    // The method that is taught longest costs most.
    const taught = 3 + methods.length - 1
    const { steps } = trainingOf(armOf(scheduled, 'control, equal compute').trials[0])
    assert.equal(steps, Math.round(15 + taught / (3 * share)))
  })

  test('vary one thing at a time in the ablations', () => {
    const scaled = armOf(study, 'objectness-mse, lambda x 3').trials[0]!
    assert.deepEqual(scaled.kind === 'distill' && scaled.terms, [
      { method: 'objectness-mse', weight: { ratio: 0.3 * 3 } },
    ])
    const { arm, trials } = armOf(study, 'masked-class-kd')
    const threshold = armOf(study, 'masked-class-kd, threshold 0.3').trials
    assert.deepEqual(threshold, [withTerms(trials[0]!, { ...arm.terms[0]!, threshold: 0.3 })])
    const soft = armOf(study, 'class-kd')
    assert.deepEqual(armOf(study, 'class-kd, temperature 4').trials, [
      withTerms(soft.trials[0]!, { ...soft.arm.terms[0]!, temperature: 4 }),
    ])
  })

  test('run with every seed asked for, the ablations with the first', () => {
    const two = prepared({}, [5, 6])
    const of = (name: string) => armOf(two, name).trials.map((trial) => trainingOf(trial).seed)
    assert.deepEqual(of('control'), [5, 6])
    for (const { method } of two.profile.methods) assert.deepEqual(of(method), [5, 6])
    assert.deepEqual(of('class-kd, lambda x 3'), [5])
  })

  test('fit the data: its classes, and anchors by k-means, smallest at stride 8', () => {
    const [teacher] = plan.preparation
    assert.ok(teacher?.kind === 'teacher' && teacher.detector)
    assert.equal(teacher.detector.classes, 3)
    const areas = teacher.detector.anchors.flat().map(([w, h]) => w * h)
    assert.ok(Math.min(...areas.slice(0, 3)) > Math.max(...areas.slice(6)))
    assert.ok(complexity(darknet21(teacher.detector.backbone, teacher.detector)).macs > 0)
  })

  test('need the methods that the ablations name', () => {
    const { methods } = study.profile
    const without = (name: string) => ({ methods: methods.filter(({ method }) => method !== name) })
    assert.throws(
      () => prepared(without('class-kd')),
      /profile smoke: ablations need method "class-kd" among its methods/,
    )
    assert.throws(
      () => prepared(without('masked-class-kd')),
      /ablations\.threshold: expected a method with a/,
    )
    const { ablations } = study.profile
    const temperature = { methods: ['feature-mse' as const], values: [2] }
    assert.throws(
      () => prepared({ ablations: { ...ablations, temperature } }),
      /ablations\.temperature\.methods: expected methods with a temperature, found feature-mse/,
    )
    assert.throws(
      () => armOf(study, 'nobody'),
      /arm nobody: expected among the study's arms, found control, /,
    )
    assert.throws(
      () => withTerms(armOf(study, 'control').trials[0]!),
      /expected a distillation trial, found control/,
    )
  })
})

describe('shipped checkpoints', () => {
  const profile = loadProfile('default')
  const eight = { ...options, dataset: { ...dataset, classes: [...'abcdefgh'] } }

  test('replace the training of teacher and student', () => {
    const plan = planModels({ ...eight, profile })
    assert.deepEqual(plan.preparation, [])
    assert.equal(plan.slimming, undefined)
    const { sha256 } = loadCheckpoint(join(SHIPPED, 'default-teacher.json'))
    assert.deepEqual(plan.teacher, { shipped: 'default-teacher', sha256 })
    assert.deepEqual(plan.student, shippedRef('default-student'))
    assert.equal(loadModel(plan.teacher, '/nowhere').sha256, sha256)
  })

  test('are not taken from scratch, nor for other data', () => {
    assert.equal(planModels({ ...eight, profile, from: 'scratch' }).preparation.length, 4)
    const own = planModels({ ...options, profile, ownData: true })
    assert.equal(own.preparation.length, 4)
    const [teacher] = own.preparation
    assert.ok(teacher?.kind === 'teacher' && teacher.detector)
    assert.equal(teacher.training.steps, profile.ownDataSteps.teacher)
    assert.deepEqual(teacher.data.crop, profile.crop)
    // The profile's anchors are those of its own scenes.
    assert.notDeepEqual(teacher.detector.anchors, profile.detector.anchors)
  })

  test('are refused if the profile asks for other models, with both values and the remedy', () => {
    const { stages, detector } = profile
    const refused = (change: Partial<Profile>, from: StartingPoint = 'student') => {
      try {
        planModels({ ...eight, from, profile: { ...profile, ...change } })
      } catch (error) {
        assert.ok(error instanceof Error)
        return error.message
      }
      return undefined
    }
    const width = refused({ detector: { ...detector, width: 0.5 } })
    assert.match(
      width!,
      /detector\.width .*: the profile asks for \[\[32,64,.* default-teacher was made with \[\[16,32,/,
    )
    assert.match(width!, /--from scratch trains what the profile says/)
    assert.match(
      refused({ detector: { ...detector, input: [128, 256] } })!,
      /detector\.input: the profile asks for \[128,256\], the checkpoint default-teacher was made with \[96,256\]/,
    )
    const anchors = structuredClone(profile.detector.anchors)
    assert.ok(Array.isArray(anchors))
    anchors[0]![0] = [80, 48]
    assert.match(refused({ detector: { ...detector, anchors } })!, /detector\.anchors: /)
    assert.match(
      refused({ stages: { ...stages, teacher: { ...stages.teacher, steps: 99 } } })!,
      /stages\.teacher\.steps: the profile asks for 99, the checkpoint default-teacher was made with 12000/,
    )
    const sparse = { stages: { ...stages, sparse: { ...stages.sparse, strength: 0.01 } } }
    assert.match(
      refused(sparse)!,
      /stages\.sparse\.strength: .* 0\.01, the checkpoint default-sparse .* 0\.003/,
    )
    const pruned = { stages: { ...stages, prune: { ...stages.prune, macs: 0.3 } } }
    assert.match(
      refused(pruned)!,
      /stages\.prune\.macs: the profile asks for 0\.3, .* default-pruned .* 0\.464/,
    )
    assert.match(refused(pruned)!, /--from teacher slims the shipped teacher/)
    // From the teacher on everything is made anew, and other data and seeds are no other model.
    assert.equal(refused(pruned, 'teacher'), undefined)
    assert.equal(refused(sparse, 'scratch'), undefined)
    assert.equal(refused({ checkpoints: undefined, detector: { ...detector, width: 0.5 } }), undefined)
    assert.equal(refused({}), undefined)
  })

  test('that are missing or different are named', () => {
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
