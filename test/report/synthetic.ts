/** Trials as a study leaves them behind, with made-up detectors, so that the report can be tested in a second. */

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Random } from '../../lib/base'
import { type Detections, evaluateDetections, type Truths } from '../../lib/evaluate'
import type { ReportInput } from '../../lib/report'
import { type Arm, CONTROL_NAMES, loadProfile, type Role, type Variation } from '../../lib/study'
import {
  FILES,
  type Metrics,
  metricsSchema,
  readTrial,
  type TrialConfig,
  type TrialResult,
  trialFolder,
  trialHash,
  writeConfig,
  writeDetections,
  writeMetrics,
} from '../../lib/trial'

const CLASSES = ['car', 'bus', 'truck', 'pedestrian', 'cyclist', 'motorbike', 'light', 'sign']
const profile = loadProfile('smoke')
const data = { hash: 'd'.repeat(64) }
const recipe = { ...profile.recipe, precision: 'float32' as const }
const shipped = (name: string) => ({ shipped: name, sha256: (name === 'teacher' ? 'a' : 'b').repeat(64) })
const ref = (config: TrialConfig) => ({ trial: trialHash(config) })

type Split = 'validation' | 'test'

/** How a made-up detector does: the share of objects it finds, and its cost. */
interface Quality {
  readonly found: number
  readonly macs: number
}

export interface SyntheticOptions {
  readonly images?: number
  readonly seeds?: readonly number[]
  readonly test?: boolean
  /** Share of objects found by control and method 4; the others lie between. */
  readonly control?: number
  readonly best?: number
}

/** A study under `runs`: teacher, student, three controls, five methods, and ablations of lambda, threshold and temperature. */
export function syntheticStudy(runs: string, options: SyntheticOptions = {}): ReportInput {
  const { images = 80, seeds = [1, 2], test = true, control = 0.72, best = 0.8 } = options
  const write = (config: TrialConfig, quality: Quality) => writeTrial(runs, config, quality, images)
  const evaluate = (start: ReturnType<typeof ref | typeof shipped>, split: Split): TrialConfig => ({
    kind: 'evaluate',
    data,
    start,
    split,
    batch: 8,
    precision: 'float32',
  })
  const fixed = (role: 'teacher' | 'student', quality: Quality): Arm => ({
    role,
    name: role,
    runs: [
      {
        evaluations: {
          validation: write(evaluate(shipped(role), 'validation'), quality),
          ...(test && { test: write(evaluate(shipped(role), 'test'), quality) }),
        },
      },
    ],
  })
  const training = (seed: number) => ({ steps: 15, rate: 0.01, seed, recipe })
  type Distill = Extract<TrialConfig, { kind: 'distill' }>
  const distill = (term: Distill['terms'][number], seed: number): TrialConfig => ({
    kind: 'distill',
    data,
    start: shipped('student'),
    teacher: shipped('teacher'),
    training: training(seed),
    terms: [term],
  })
  const trained = (
    role: Role,
    name: string,
    of: (seed: number) => TrialConfig,
    found: number,
    { macs = STUDENT, series }: { macs?: number; series?: string } = {},
  ): Arm => ({
    role,
    name,
    series,
    runs: seeds.map((seed) => {
      const quality = { found: found + 0.004 * seed, macs }
      const training = write(of(seed), quality)
      return {
        seed,
        training,
        evaluations: {
          validation: training,
          ...(test && { test: write(evaluate(ref(of(seed)), 'test'), quality) }),
        },
      }
    }),
  })
  const shares: { [method: string]: number } = {
    'output-kd': control,
    'class-kd': (control + best) / 2,
    'masked-class-kd': (control + best) / 2,
    'objectness-mse': best,
    'feature-mse': control - (best - control),
  }
  const arms = [
    fixed('teacher', { found: 0.82, macs: TEACHER }),
    fixed('student', { found: 0.68, macs: STUDENT }),
    trained(
      'control',
      'control',
      (seed) => ({ kind: 'control', data, start: shipped('student'), training: training(seed) }),
      control,
      { series: 'without a teacher' },
    ),
    trained(
      'control',
      CONTROL_NAMES.compute,
      (seed) => ({
        kind: 'control',
        data,
        start: shipped('student'),
        training: { ...training(seed), steps: 26 },
      }),
      (control + best) / 2,
      { series: 'without a teacher' },
    ),
    trained(
      'teacher',
      CONTROL_NAMES.teacher,
      (seed) => ({ kind: 'control', data, start: shipped('teacher'), training: training(seed) }),
      0.82,
      { macs: TEACHER },
    ),
    ...profile.methods.map((term) =>
      trained('method', term.method, (seed) => distill(term, seed), shares[term.method] ?? control),
    ),
  ]
  const ablation = (
    method: string,
    varied: Variation['varied'],
    value: number,
    change: object,
    found: number,
  ): Arm => {
    const term = profile.methods.find((candidate) => candidate.method === method)!
    const [seed] = seeds as [number]
    const training = write(distill({ ...term, ...change }, seed), { found, macs: STUDENT })
    return {
      role: 'method',
      name: `${method}, ${varied} ${value}`,
      variation: { method, varied, value, own: false },
      runs: [{ seed, training, evaluations: { validation: training } }],
    }
  }
  return {
    name: profile.name,
    question: 'Does distillation help?',
    profile,
    workers: 2,
    references: [CONTROL_NAMES.steps, CONTROL_NAMES.compute, 'teacher'],
    splits: test ? ['validation', 'test'] : ['validation'],
    data: {
      name: 'street scenes',
      hash: data.hash,
      ownData: false,
      classes: ['car', 'sign'],
      splits: [
        { split: 'train', images: 12, boxes: [31, 7] },
        { split: 'unlabelled', images: 5, boxes: undefined },
      ],
    },
    arms: [
      ...arms,
      ...['objectness-mse', 'class-kd'].flatMap((method) => [
        ablation(method, 'lambda', 0.33, { weight: { ratio: 0.1 } }, control),
        ablation(method, 'lambda', 3, { weight: { ratio: 0.9 } }, control - 0.05),
      ]),
      ...[0.01, 0.3].map((threshold) =>
        ablation('masked-class-kd', 'threshold', threshold, { threshold }, control),
      ),
      ablation('class-kd', 'temperature', 4, { temperature: 4 }, control),
    ],
  }
}

const TEACHER = 136_700_000
const STUDENT = 63_400_000

function writeTrial(
  runs: string,
  config: TrialConfig,
  { found, macs }: Quality,
  images: number,
): TrialResult {
  const folder = join(runs, trialFolder(config))
  const split = config.kind === 'evaluate' && config.split === 'test' ? 'test' : 'validation'
  const truths = makeTruths(split, images)
  const detections = makeDetections(truths, split, found, trialHash(config))
  const ids = Array.from({ length: images }, (_, i) => `${split}/${i}`)
  const metrics = metricsSchema.parse({
    format: 'trial-metrics/1',
    hash: trialHash(config),
    kind: config.kind,
    evaluation: {
      split,
      ...evaluateDetections(truths, detections, { classes: CLASSES }),
      secondsPerImage: macs / 2e10,
    },
    complexity: {
      macs,
      macsByPart: { backbone: macs * 0.4, neck: macs * 0.45, head: macs * 0.15 },
      parameters: macs / 80,
      mmdet: macs * 1.006,
    },
    weights: trialHash(config).split('').reverse().join(''),
    provenance: {
      commit: 'c'.repeat(40),
      node: 'v20.19.0',
      tensorflow: '2.21.0',
      device: 'a processor',
      threads: 1,
      finished: '2026-01-01T00:00:00.000Z',
    },
    ...trainingOf(config, macs),
  })
  writeConfig(folder, config)
  writeDetections(folder, { truths, detections, ids })
  if ('training' in config) writeFileSync(join(folder, FILES.log), makeLog(config))
  writeMetrics(folder, metrics)
  const trial = readTrial(folder)
  if (!trial) throw new Error(`${folder}: expected a trial`)
  return trial
}

function trainingOf(config: TrialConfig, macs: number): Pick<Metrics, 'training' | 'gradients'> {
  if (!('training' in config)) return {}
  const images = config.training.steps * recipe.batch
  const training = {
    steps: config.training.steps,
    images,
    seconds: 150,
    waitedShare: 0.01,
    last: { total: 3 },
  }
  if (config.kind !== 'distill') return { training: { ...training, macs: images * 3 * macs } }
  const [{ method, weight }] = config.terms as [(typeof config.terms)[number]]
  const ratio = typeof weight === 'number' ? weight * 0.5 : weight.ratio
  const unitRatio = 0.1 + 0.2 * method.length
  return {
    training: { ...training, macs: images * (3 * macs + TEACHER) },
    gradients: [{ method, unitRatio, ratio, lambda: ratio / unitRatio, cosine: 0.02 * method.length }],
  }
}

function makeLog(config: Extract<TrialConfig, { training: object }>): string {
  const method = config.kind === 'distill' ? config.terms[0]?.method : undefined
  const rows = Array.from({ length: 15 }, (_, i) => {
    const fall = (1 + 0.02 * (method?.length ?? 0)) / (1 + i / 6)
    const terms = { box: 1.2 * fall, objectness: 1.6 * fall, class: 0.7 * fall }
    return JSON.stringify({
      level: 30,
      time: 1e12 + i,
      step: i + 1,
      rate: 0.01,
      imagesPerSecond: 70,
      total: 3.5 * fall,
      gradientNorm: 2,
      ...terms,
      ...(method && { [`${method}/stride32`]: 0.1 * fall, [`${method}/stride16`]: 0.2 * fall }),
    })
  })
  return `${rows.join('\n')}\n`
}

function makeTruths(split: Split, images: number): Truths {
  const random = new Random('truths', split, images)
  const rows = Array.from({ length: images }, (_, image) =>
    Array.from({ length: 2 + random.integer(6) }, () => {
      const [x, y] = [random.uniform(0, 200), random.uniform(0, 70)]
      return {
        image,
        label: random.integer(8),
        box: [x, y, x + random.uniform(8, 50), y + random.uniform(8, 25)],
      }
    }),
  ).flat()
  return {
    images,
    classes: CLASSES.length,
    image: Int32Array.from(rows, ({ image }) => image),
    label: Int32Array.from(rows, ({ label }) => label),
    // As they come back from the file.
    box: Float64Array.from(Float32Array.from(rows.flatMap(({ box }) => box))),
  }
}

/** Which objects are hard is the same for every detector, so that pairing pays. */
function makeDetections(truths: Truths, split: Split, found: number, key: string): Detections {
  const shared = new Random('difficulty', split)
  const own = new Random(key)
  const rows: { image: number; label: number; score: number; box: number[] }[] = []
  truths.image.forEach((image, i) => {
    const difficulty = shared.next() + own.normal() * 0.03
    const box = [...truths.box.subarray(4 * i, 4 * i + 4)].map((side) => side + own.normal() * 0.7)
    if (difficulty < found && box[2]! > box[0]! && box[3]! > box[1]!) {
      rows.push({ image, label: truths.label[i]!, score: own.uniform(0.3, 1), box })
    }
  })
  for (let i = 0; i < truths.images * 4; i++) {
    const [x, y] = [own.uniform(0, 200), own.uniform(0, 70)]
    const box = [x, y, x + 20, y + 15]
    rows.push({ image: own.integer(truths.images), label: own.integer(8), score: own.uniform(0, 0.5), box })
  }
  return {
    image: Int32Array.from(rows, ({ image }) => image),
    label: Int32Array.from(rows, ({ label }) => label),
    score: Float64Array.from(Float32Array.from(rows, ({ score }) => score)),
    box: Float64Array.from(Float32Array.from(rows.flatMap(({ box }) => box))),
  }
}
