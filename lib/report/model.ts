/** From a study's trials to the report: its numbers, and its text, tables and figures in order. */

import { type Arm, CONTROL_NAMES, readTables, type Split, type SweepResult } from '../study'
import { readLog } from '../trial'
import {
  type Block,
  details,
  figure,
  list,
  type Section,
  section,
  type TableRow,
  table,
  text,
} from './document'
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
import { duration, percent, short, significant, trainingSeeds } from './format'
import { modelCard } from './model-card'
import { type ComparedWith, REFERENCES } from './references'
import { summariseStudy } from './summary'
import type { ArmSummary, ReportInput, StudySummary } from './summary-types'
import { sweepDifferenceTable, sweepFigure, sweepTable } from './sweep'
import {
  ablationTable,
  accuracyTable,
  costTable,
  dataTable,
  differenceTable,
  gradientTable,
  perClassTable,
  provenanceTable,
  selectionTable,
  sizeTable,
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

function results(summary: StudySummary): Section {
  const { arms } = summary
  const split = leadingSplit(summary)
  const other = split === 'test' ? 'validation' : 'test'
  const differences = (reference: ComparedWith, on: Split) =>
    table(`Minus ${REFERENCES[reference].name}, on ${on}`, differenceTable(summary, on, reference))
  return section('results', 'Results', [
    table('Accuracy', accuracyTable(summary)),
    text(
      'mAP@0.5 is Pascal VOC’s (all-point), COCO AP the mean over IoU 0.5 to 0.95; both are means over the seeds.',
    ),
    figure('Every model’s mAP@0.5 with its interval.', methodsFigure(arms, { split })),
    differences('control', split),
    figure(
      'What distillation adds to training on: paired differences, whose intervals are narrower than those of the models, since both models saw the same images and seeds.',
      differencesFigure(arms, { split }),
    ),
    figure(
      'The same in COCO AP, which counts how exactly boxes sit.',
      differencesFigure(arms, { split, metric: 'AP' }),
    ),
    differences('compute', split),
    figure(
      'The same against the control at equal compute, which takes more steps, since a step of it does not pay for the teacher.',
      differencesFigure(arms, { split, reference: 'compute' }),
    ),
    differences('teacher', split),
    figure(
      'What training on has brought, and cost: a method that is worth its price lies above the line of the models that were trained on without a teacher.',
      computeFigure(arms, { split }),
    ),
    figure('Accuracy and cost of every model.', paretoFigure(arms, { split })),
    details(
      `Differences on ${other}`,
      (['control', 'compute', 'teacher'] as const).map((reference) => differences(reference, other)),
    ),
  ])
}

function classes(input: ReportInput, summary: StudySummary): Section {
  const split = leadingSplit(summary)
  const { chosen } = summary.selection ?? {}
  const accuracy = ({ [split]: numbers }: ArmSummary) => numbers?.mAP50.value ?? Number.NEGATIVE_INFINITY
  const [best] = summary.arms
    .filter(({ role }) => role === 'method')
    .sort((a, b) => accuracy(b) - accuracy(a))
  const compared = input.arms.filter(
    ({ role, name }) =>
      role === 'teacher' || name === CONTROL_NAMES.steps || name === best?.name || name === chosen?.name,
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
    details('Precision over recall by class: teacher, control, best method and chosen student', curves),
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
    figure('mAP@0.5 against the compute of training.', sweepFigure(result)),
    figure('COCO AP against the compute of training.', sweepFigure(result, 'AP')),
    table('Arms', sweepTable(result)),
    table('Paired differences, points', sweepDifferenceTable(result)),
  ]
  return section('sweeps', 'When to distil, and on what', [
    sweeps.length > 0 &&
      text(
        'In this run, with one seed and few steps: a look, not a result. What can be relied on are the longer runs below.',
      ),
    ...sweeps.map((result) => details(`${result.sweep.name}: this run`, shown(result))),
    table(
      `What the longer runs that come with the workbook gave, ${splitsOf(shipped)}`,
      shipped.flatMap(gist),
    ),
    ...shipped.map((result) =>
      details(`${result.sweep.name}: ${trainingSeeds(result.sweep.seeds.length)}, comes with the workbook`, [
        ...shown(result),
        text(`Made by: ${result.command} (data ${short(String(result.provenance.data))}).`),
      ]),
    ),
  ])
}

/** On which images: "on validation; carla-plateau-test on test". */
function splitsOf(results: readonly SweepResult[]): string {
  const others = results.filter(({ sweep }) => sweep.split !== 'validation')
  return ['on validation', ...others.map(({ sweep }) => `${sweep.name} on ${sweep.split}`)].join('; ')
}

/** A sweep's distilled arms against its references. */
function gist(result: SweepResult): TableRow[] {
  const distilled = new Set(
    result.rows.filter(({ terms }) => terms.length > 0).map((row) => row.name as string | number),
  )
  return sweepDifferenceTable(result, { teacher: false })
    .filter(({ model }) => distilled.has(model!))
    .map((row) => ({ sweep: result.sweep.name, seeds: result.sweep.seeds.length, ...row }))
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

function cost(summary: StudySummary): Section {
  const trained = summary.trials.flatMap(({ trial }) => trial.metrics.training ?? [])
  const seconds = trained.reduce((sum, training) => sum + training.seconds, 0)
  const rows = [...new Map(costTable(summary).map((row) => [`${row.trial} ${row.seed}`, row])).values()]
  return section('cost', 'Cost', [
    table('Using a model', sizeTable(summary)),
    text(
      'One multiply-accumulate (MAC) is two floating-point operations; the mmdet count also takes in biases, batch norm, ' +
        'activations and poolings, and is what published tables call FLOPs. Models of one architecture differ in milliseconds by chance.',
    ),
    table('Training', rows),
    rows.length > 0 &&
      text(
        `${duration(seconds)} of training in all, counted trial by trial; trials that ran side by side took less time together. MACs count a backward pass as two forward passes and take in the teacher’s forward passes. Peak memory is that of the process.` +
          (summary.trials.some(({ role }) => role === 'preparation')
            ? ''
            : ' Teacher and student come with the workbook; what their training cost is not part of this run.'),
      ),
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
