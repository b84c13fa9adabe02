/** From a study's trials to the report: its numbers, and its text, tables and figures in order. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type Arm, FILES, measured, readTables, type SweepResult, type TrialResult } from '../study'
import { loadCheckpoint } from '../train'
import { type Block, details, figure, list, type Section, table, text } from './document'
import {
  computeFigure,
  differencesFigure,
  gradientsFigure,
  lambdaFigure,
  lossComparisonFigure,
  lossFigure,
  methodsFigure,
  paretoFigure,
  perClassFigure,
  prCurveFigure,
  thresholdFigure,
} from './figures'
import { type Findings, findings, leadingSplit, limits, PUBLISHED_STATEMENT, publishedRows } from './findings'
import { ap, apInterval, count, duration, milliseconds, percent, pointsInterval, significant } from './format'
import { readLog } from './log'
import { type ReportInput, type StudySummary, summariseStudy } from './summary'
import { sweepDifferenceTable, sweepFigure, sweepTable } from './sweep'
import {
  ablationTable,
  costTable,
  dataTable,
  differenceTable,
  gradientTable,
  mainTable,
  perClassTable,
  provenanceTable,
  selectionTable,
} from './tables'

export interface ReportModel {
  readonly title: string
  readonly subtitle: string
  readonly findings: Findings
  readonly sections: readonly Section[]
  readonly summary: StudySummary
}

/** Reads the trials' metrics, detections and logs, and says what follows from them; what a run lacks is left out. */
export function buildReport(input: ReportInput): ReportModel {
  const summary = summariseStudy(input)
  const { profile, data } = summary
  const sections = [
    results(summary),
    classes(input, summary),
    methods(input, summary),
    ablations(summary),
    sideSweeps(input),
    selection(summary),
    modelCard(input, summary),
    cost(summary),
    published(summary),
    section('limits', 'Limits', [list(limits(summary))]),
    settings(summary),
    origin(summary),
  ]
  return {
    title: 'Distillation of a pruned detector',
    subtitle: `Profile ${profile.name}, data set ${data.name}${data.ownData ? '' : ' (rendered street scenes)'}`,
    findings: findings(summary),
    sections: sections.filter(({ blocks }) => blocks.length > 0),
    summary,
  }
}

function section(id: string, title: string, blocks: readonly (Block | false | undefined)[]): Section {
  const shown = blocks.filter((block): block is Block => {
    if (!block) return false
    if (block.kind === 'table') return block.rows.length > 0
    if (block.kind === 'list') return block.items.length > 0
    if (block.kind === 'figure') return block.figure.data.length > 0
    return block.kind === 'text' || block.blocks.length > 0
  })
  // Prose alone speaks of tables and figures that this run does not have.
  return { id, title, blocks: shown.every(({ kind }) => kind === 'text') ? [] : shown }
}

function results(summary: StudySummary): Section {
  const { arms } = summary
  const split = leadingSplit(summary)
  const other = split === 'test' ? 'validation' : 'test'
  return section('results', 'Results', [
    table('Accuracy and cost', mainTable(summary)),
    text(
      'mAP@0.5 is Pascal VOC’s (all-point), COCO AP the mean over IoU 0.5 to 0.95; both are means over the seeds. One ' +
        'multiply-accumulate (MAC) is two floating-point operations; the mmdet count also takes in biases, batch norm, activations ' +
        'and poolings, and is what published tables call FLOPs.',
    ),
    figure('Every model’s mAP@0.5 with its interval.', methodsFigure(arms, { split })),
    table(`Paired differences on ${split}`, differenceTable(summary, split)),
    figure(
      'What distillation adds to training on: paired differences, whose intervals are narrower than those of the models, since both models saw the same images and seeds.',
      differencesFigure(arms, { split }),
    ),
    figure(
      'The same against the control at equal compute, which takes more steps, since a step of it does not pay for the teacher.',
      differencesFigure(arms, { split, reference: 'compute' }),
    ),
    figure(
      'What training on has brought, and cost: a method that is worth its price lies above the line of the models that were trained on without a teacher.',
      computeFigure(arms, { split }),
    ),
    table(`Paired differences on ${other}`, differenceTable(summary, other)),
    figure('Accuracy and cost of every model.', paretoFigure(arms, { split })),
  ])
}

function classes(input: ReportInput, summary: StudySummary): Section {
  const split = leadingSplit(summary)
  const { chosen } = summary.selection ?? {}
  const compared = input.arms.filter(
    ({ role, name }) => role === 'teacher' || role === 'control' || name === chosen?.name,
  )
  const tables = readTables(
    compared.map((arm): Arm => ({ ...arm, runs: arm.runs.slice(0, 1) })),
    split,
  )
  const models = [...tables].map(([arm, [first]]) => ({ name: arm.name, table: first!.table }))
  const names = summary.arms.find((arm) => arm[split])?.[split]?.perClass ?? []
  const curves = names.flatMap(({ name, truths }, label) =>
    truths === 0
      ? []
      : [
          figure(
            `${name}: ${truths} objects, first seed.`,
            prCurveFigure(models, { label, title: `${name}, IoU 0.5, ${split}` }),
          ),
        ],
  )
  return section('classes', 'Classes', [
    figure(
      'AP at IoU 0.5 by class; in brackets the number of objects.',
      perClassFigure(summary.arms, { split }),
    ),
    details('Table by class', [table(`AP at IoU 0.5 by class on ${split}`, perClassTable(summary, split))]),
    details('Precision over recall by class', curves),
  ])
}

function methods(input: ReportInput, { arms }: StudySummary): Section {
  const rows = gradientTable(arms)
  const runs = input.arms.flatMap(({ name, runs: [first] }) => {
    const logged = first?.training ? readLog(first.training.folder) : []
    return logged.length > 1 ? [{ name, rows: logged }] : []
  })
  return section('methods', 'Methods', [
    rows.length > 0 &&
      text(
        'A weight λ means nothing without the ground-truth loss’s normalisation. The comparable quantity is the ratio of gradient norms, distillation over ground truth, measured at the start; its cosine says whether the two pull the same way.',
      ),
    table('Weights and gradients, first seed', rows),
    rows.length > 0 && figure('Gradients before the first step.', gradientsFigure(arms)),
    figure('Losses over training, first seed.', lossComparisonFigure(runs)),
    details(
      'Loss terms by method',
      runs.map((run) => figure(`Terms of ${run.name}’s loss, first seed.`, lossFigure(run))),
    ),
  ])
}

function ablations({ lambda, threshold, bootstrap }: StudySummary): Section {
  return section('ablations', 'Ablations', [
    text(
      `On validation, with the first seed, against the control of that seed; bars are ${percent(bootstrap.confidence)} intervals of the paired difference.`,
    ),
    lambda.length > 0 && figure('How the weight of distillation matters.', lambdaFigure(lambda)),
    table('Weight λ', ablationTable(lambda, 'lambda')),
    threshold.length > 0 && figure('How the mask’s threshold matters.', thresholdFigure(threshold)),
    table('Objectness threshold', ablationTable(threshold, 'threshold')),
  ])
}

/** What else was asked: this run's short answers, then the longer runs that come with the workbook. */
function sideSweeps({ sweeps = [], shipped = [] }: ReportInput): Section {
  const shown = (result: SweepResult): Block[] => [
    text(result.sweep.question),
    figure('Accuracy against the compute of training.', sweepFigure(result)),
    table('Arms', sweepTable(result)),
    table('Paired differences, points', sweepDifferenceTable(result)),
  ]
  return section('sweeps', 'When to distil, and on what', [
    sweeps.length > 0 &&
      text(
        'In this run, with one seed and few steps: a look, not a result. What can be relied on are the longer runs below.',
      ),
    ...sweeps.map((result) => details(`${result.sweep.name}: this run`, shown(result))),
    ...shipped.flatMap((result) => [
      details(`${result.sweep.name}: ${result.sweep.seeds.length} seeds, comes with the workbook`, [
        ...shown(result),
        text(`Made by: ${result.command} (data ${String(result.provenance.data).slice(0, 12)}).`),
      ]),
    ]),
  ])
}

function selection(summary: StudySummary): Section {
  const { selection: made } = summary
  if (!made) return section('selection', 'Selection', [])
  return section('selection', 'Selection', [
    text(made.rule),
    text(made.reason),
    table('Candidates', selectionTable(summary)),
  ])
}

/** After Mitchell et al. 2019, "Model cards for model reporting", as far as the trials say. */
function modelCard(input: ReportInput, summary: StudySummary): Section {
  const { chosen } = summary.selection ?? {}
  const arm = input.arms.find(({ name }) => name === chosen?.name)
  const numbers = summary.arms.find(({ name }) => name === chosen?.name)
  const run = arm?.runs.find(({ seed }) => seed === chosen?.seed)
  const trial = run && measured(run, 'validation')
  if (!numbers || !trial) return section('model-card', 'Model card', [])
  const { complexity } = trial.metrics
  const entries: [string, string][] = [
    ['model', `${numbers.name}, seed ${run.seed}`],
    ...architecture(trial),
    [
      'size',
      `${count(complexity.macs)} MACs (${percent(numbers.macsShare)} of the teacher’s), mmdet count ${count(complexity.mmdet)}, ${count(complexity.parameters)} parameters`,
    ],
    ...(['validation', 'test'] as const).flatMap((split): [string, string][] => {
      const measurement = measured(run, split)?.metrics.evaluation
      const interval = summary.trials.find(
        (row) =>
          row.arm === arm?.name && row.seed === run.seed && row.trial.metrics.evaluation.split === split,
      )?.mAP50
      if (!measurement || !interval) return []
      const { AP } = measurement.coco
      const time = milliseconds(measurement.secondsPerImage)
      return [
        [
          split,
          `mAP@0.5 ${apInterval(interval)}, COCO AP ${ap(AP)} on ${measurement.images} images, ${time} ms an image`,
        ],
      ]
    }),
    ['arm against the teacher', against(numbers.test?.toTeacher ?? numbers.validation?.toTeacher)],
    ['training data', `${summary.data.name}, hash ${summary.data.hash}`],
    ['weights', `SHA-256 ${trial.metrics.weights}`],
    ['trial', trial.metrics.hash],
    [
      'intended use',
      `Finding ${trial.metrics.evaluation.perClass.map(({ name }) => name).join(', ')} in images like those of the data set; the study of distillation.`,
    ],
    [
      'not intended',
      'Any decision that bears on safety, and images of another kind, on which nothing was measured.',
    ],
  ]
  return section('model-card', 'Model card of the chosen student', [
    table(
      'The chosen student',
      entries.map(([what, is]) => ({ what, value: is })),
    ),
  ])
}

function against(difference: Parameters<typeof pointsInterval>[0]): string {
  return difference
    ? `${pointsInterval(difference)} points of mAP@0.5: ${difference.verdict}`
    : 'not measured'
}

function architecture({ folder }: TrialResult): [string, string][] {
  const file = join(folder, FILES.model)
  if (!existsSync(file)) return []
  const { input, classes: number, backbone, neck } = loadCheckpoint(file).detector
  const widths = `stem ${backbone.in[0]}; stages ${backbone.out.join(', ')}; blocks ${backbone.mid.join(', ')}`
  return [
    ['architecture', `YOLOv3 on darknet21, input ${input[1]} × ${input[0]} pixels, ${number} classes`],
    ['channels', `${widths}; neck ${neck.join(', ')}`],
  ]
}

function cost(summary: StudySummary): Section {
  const trained = summary.trials.flatMap(({ trial }) => trial.metrics.training ?? [])
  const seconds = trained.reduce((sum, training) => sum + training.seconds, 0)
  const rows = [...new Map(costTable(summary).map((row) => [`${row.trial} ${row.seed}`, row])).values()]
  return section('cost', 'Cost', [
    text(
      `${duration(seconds)} of training in all, counted trial by trial; trials that ran side by side took less time together. MACs count a backward pass as two forward passes and take in the teacher’s forward passes.` +
        (summary.trials.some(({ role }) => role === 'preparation')
          ? ''
          : ' Teacher and student come with the workbook; what their training cost is not part of this run.'),
    ),
    table('Trainings', rows),
  ])
}

function published(summary: StudySummary): Section {
  return section('published', 'Published against reproduced', [
    text(PUBLISHED_STATEMENT),
    table('Published against reproduced', publishedRows(summary)),
  ])
}

function settings({ profile, data, arms }: StudySummary): Section {
  const { recipe, stages, detector } = profile
  const seeds = new Set(
    arms.flatMap(({ role, validation }) =>
      role === 'control' || role === 'method' ? (validation?.seeds ?? []) : [],
    ),
  )
  const { teacher, sparse, finetune, distill } = data.ownData
    ? profile.ownDataSteps
    : {
        teacher: stages.teacher.steps,
        sparse: stages.sparse.steps,
        finetune: stages.finetune.steps,
        distill: stages.distill.steps,
      }
  const entries: [string, string][] = [
    [
      'input',
      `${detector.input[1]} × ${detector.input[0]} pixels, width ${significant(detector.width)} of the published`,
    ],
    ['batch', String(recipe.batch)],
    [
      'ground-truth loss',
      Object.entries(recipe.loss)
        .map(([name, value]) => `${name} ${value}`)
        .join(', '),
    ],
    [
      'optimiser',
      `SGD: ${Object.entries(recipe.sgd)
        .map(([name, value]) => `${name} ${value}`)
        .join(', ')}; ${recipe.schedule}`,
    ],
    ['steps of teacher, sparse, fine-tuned, distilled', [teacher, sparse, finetune, distill].join(', ')],
    [
      'pruning',
      `to ${percent(stages.prune.macs)} of the MACs; floor ${stages.prune.floor}, cap ${stages.prune.cap}, multiples of ${stages.prune.multiple}, shared masks by ${stages.prune.shared}`,
    ],
    ['seeds', [...seeds].join(', ') || 'none'],
  ]
  return section('settings', 'Settings', [
    table(
      `Profile ${profile.name}`,
      entries.map(([setting, value]) => ({ setting, value })),
    ),
    text('The profile’s file and every trial’s config.json say the rest.'),
  ])
}

function origin(summary: StudySummary): Section {
  const { trials, data } = summary
  const keys = ['commit', 'tensorflow', 'node', 'device', 'threads'] as const
  const values = keys.map((key) => {
    const found = new Set(trials.map(({ trial }) => String(trial.metrics.provenance[key] ?? 'not recorded')))
    return { what: key as string, value: [...found].join('; ') }
  })
  return section('provenance', 'Provenance', [
    table('What the trials ran with', [...values, { what: 'data hash', value: data.hash }]),
    table('Images and objects by class', dataTable(summary)),
    details('Every trial', [table('Trials', provenanceTable(summary))]),
  ])
}
