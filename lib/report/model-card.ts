import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { headsOf, layersOf } from '../detector'
import { evaluationOn, latencyOfArm, type PairedDifference, verdictText } from '../study'
import { loadCheckpoint } from '../train'
import { FILES, type TrialResult } from '../trial'
import { budgetOf, choices } from './deploy'
import { type Section, section, table } from './document'
import {
  ap,
  apInterval,
  bytes,
  count,
  describeLatency,
  duration,
  milliseconds,
  percent,
  pointsInterval,
} from './format'
import type { ReportInput, Summary } from './summary'

/** After Mitchell et al. 2019, "Model cards for model reporting", as far as the trials provide it. */
export function modelCard(input: ReportInput, summary: Summary): Section {
  const { chosen } = summary.selection ?? {}
  const arm = input.arms.find(({ name }) => name === chosen?.name)
  const numbers = summary.arms.find(({ name }) => name === chosen?.name)
  const run = arm?.runs.find(({ seed }) => seed === chosen?.seed)
  const trial = run && evaluationOn(run, 'validation')
  if (!numbers || !trial) return section('model-card', 'Model card', [])
  const { complexity } = trial.metrics
  const entries: [string, string][] = [
    ['model', run.seed === undefined ? numbers.name : `${numbers.name}, seed ${run.seed}`],
    ...architecture(trial),
    [
      'size',
      `${count(complexity.macs)} MACs (${percent(numbers.macsShare)} of the teacher’s), mmdet count ${count(complexity.mmdet)}, ${count(complexity.parameters)} parameters, ${bytes(4 * complexity.parameters)} as float32`,
    ],
    ...time(summary, numbers.name),
    ...(['validation', 'test'] as const).flatMap((split): [string, string][] => {
      const measurement = evaluationOn(run, split)?.metrics.evaluation
      const interval = summary.trials.find(
        (row) =>
          row.arm === arm?.name && row.seed === run.seed && row.trial.metrics.evaluation.split === split,
      )?.mAP50
      if (!measurement || !interval) return []
      const { AP } = measurement.coco
      return [[split, `mAP@0.5 ${apInterval(interval)}, COCO AP ${ap(AP)} on ${measurement.images} images`]]
    }),
    ['weakest class', weakest(evaluationOn(run, 'test') ?? trial)],
    ...summary.references.map((reference): [string, string] => [
      `arm against ${reference}`,
      against((numbers.splits.test ?? numbers.splits.validation)?.differences[reference]?.mAP50),
    ]),
    ...fileToTake(input, trial.metrics.weights),
    ['training', training(trial)],
    ['training data', `${summary.data.name}, hash ${summary.data.hash}`],
    ['weights', `SHA-256 ${trial.metrics.weights}`],
    ['trial', trial.metrics.hash],
    [
      'intended use',
      `Finding ${trial.metrics.evaluation.perClass.map(({ name }) => name).join(', ')} in images like those of the data set; the study of distillation.`,
    ],
    [
      'not intended',
      'Any decision that bears on safety; images of another kind, on which nothing was measured.',
    ],
  ]
  return section('model-card', 'Model card of the chosen student', [
    table(
      'The chosen student',
      entries.map(([what, is]) => ({ what, value: is })),
    ),
  ])
}

/** How long the model takes for a frame, and the teacher beside it. */
function time({ latency }: Summary, name: string): [string, string][] {
  const own = latency && latencyOfArm(latency, name)
  if (!own) return []
  const teacher = name === 'teacher' ? undefined : latencyOfArm(latency, 'teacher')
  return [
    [
      'time',
      `${milliseconds(own)} ms a frame${teacher ? `, the teacher ${milliseconds(teacher)}` : ''}: ${describeLatency(latency)}`,
    ],
  ]
}

/** Which file a team should take, where files were measured. */
function fileToTake({ benchmark, profile }: ReportInput, weights: string): [string, string][] {
  if (!benchmark) return []
  const { measured, command } = benchmark
  if (!measured) return [['file to take', `not measured; ${command}`]]
  const isOther = !measured.models.some(({ sha256 }) => sha256 === weights)
  const note = isOther
    ? ' The files measured are those of the student before distillation: same layers, same time.'
    : ''
  return [['file to take', choices(measured, budgetOf(measured, profile)).join(' ') + note]]
}

function against(difference: PairedDifference | undefined): string {
  return difference
    ? `${pointsInterval(difference)} points of mAP@0.5: ${verdictText(difference)}`
    : 'not measured'
}

function weakest({ metrics: { evaluation } }: TrialResult): string {
  const measuredClasses = evaluation.perClass.flatMap(({ name, ap: value }) =>
    value === null ? [] : [{ name, value }],
  )
  const [first] = measuredClasses.sort((a, b) => a.value - b.value)
  return first ? `${first.name}, AP@0.5 ${ap(first.value)} on ${evaluation.split}` : 'none'
}

function training({ config, metrics }: TrialResult): string {
  if (!('training' in config)) {
    const { start } = config
    if ('given' in start) return `none here: ${start.given} was given as it is`
    if ('trial' in start)
      return `that of trial ${start.trial.slice(0, 12)}, which made it before the comparison`
    return 'shipped with the workbook; its checkpoint says how it was made'
  }
  const { steps, seed, rate, recipe } = config.training
  const terms = config.kind === 'distill' ? config.terms.map(({ method }) => method).join(', ') : ''
  const took = metrics.training ? `, ${duration(metrics.training.seconds)}` : ''
  const rounding = 'quantise' in config && config.quantise ? ', rounded as its int8 file' : ''
  return `${steps} steps of ${recipe.batch} images at rate ${rate}, seed ${seed}${took}${rounding}; ${terms ? `distilled by ${terms}` : 'without a teacher'}`
}

function architecture({ folder }: TrialResult): [string, string][] {
  const file = join(folder, FILES.model)
  if (!existsSync(file)) return []
  const { network } = loadCheckpoint(file)
  const { input, classes, strides } = headsOf(network)
  const { layers } = layersOf(network)
  const widths = (['backbone', 'neck', 'head'] as const).map(
    (part) =>
      `${part} ${layers
        .filter((layer) => layer.part === part)
        .map(({ out }) => out)
        .join(', ')}`,
  )
  return [
    [
      'architecture',
      `YOLOv3 of ${layers.length} convolutions, heads at strides ${strides.join(', ')}, input ${input[1]} × ${input[0]} pixels, ` +
        `${classes} classes`,
    ],
    ['channels', widths.join('; ')],
  ]
}
