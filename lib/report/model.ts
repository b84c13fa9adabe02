/** Builds the report from trials: its numbers, and its text, tables and figures in order. */

import {
  type Arm,
  type ArmNumbers,
  LEADING_METRICS,
  METRICS,
  readTables,
  type Split,
  type SweepResult,
  stageSteps,
} from '../study'
import { readLog } from '../trial'
import { differencesTable, differenceTable } from './differences'
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
import { type ReportInput, type Summary, summarise } from './summary'
import {
  ablationTable,
  accuracyTable,
  costTable,
  dataTable,
  gradientTable,
  metricsTable,
  perClassTable,
  provenanceTable,
  selectionTable,
  sizeTable,
  trainingTable,
} from './tables'

import { type Tile, tiles } from './tiles'

export interface ReportModel {
  readonly title: string
  readonly subtitle: string
  readonly tiles: readonly Tile[]
  readonly findings: Findings
  readonly sections: readonly Section[]
  readonly summary: Summary
}

/** Reads the trials' metrics, detections and logs and derives the report from them; leaves out what a run lacks. */
export function buildReport(input: ReportInput): ReportModel {
  const summary = summarise(input)
  const { data } = summary
  const sections = [
    results(summary),
    classes(input, summary),
    methods(input, summary),
    ablations(summary),
    selection(summary),
    modelCard(input, summary),
    cost(summary),
    published(input, summary),
    section('limits', 'Limits', [list(limits(summary))]),
    settings(input, summary),
    origin(summary),
    sideSweeps(input),
  ]
  return {
    title: isStudy(input) ? 'Distillation of a pruned detector' : input.question,
    subtitle: `${isStudy(input) ? 'Profile' : 'Sweep'} ${input.name}, data set ${data.name}${data.ownData ? '' : ' (rendered street scenes)'}`,
    tiles: tiles(summary),
    findings: findings(summary),
    sections: sections.filter(({ blocks }) => blocks.length > 0),
    summary,
  }
}

/** Whether the comparison is a profile's own, not a sweep. */
const isStudy = ({ name, profile }: ReportInput): boolean => name === profile.name

function results(summary: Summary): Section {
  const { arms, references } = summary
  const split = leadingSplit(summary)
  const others = (['validation', 'test', 'shifted'] as const).filter(
    (other) => other !== split && arms.some(({ splits }) => splits[other]),
  )
  const [reference, ...further] = references
  const differences = (name: string, on: Split) =>
    table(`Minus ${name}, on ${on}`, differenceTable(summary, on, name))
  return section('results', 'Results', [
    table('Accuracy', accuracyTable(summary)),
    text(
      'mAP@0.5 is Pascal VOC’s (all-point), COCO AP the mean over IoU 0.5 to 0.95; both are means over the seeds.',
    ),
    figure('Every model’s mAP@0.5 with its interval.', methodsFigure(arms, { split, reference })),
    ...(reference === undefined ? [] : againstFirst(arms, reference, split, differences)),
    ...further.flatMap((name) => [
      differences(name, split),
      figure(`The same against ${name}.`, differencesFigure(arms, { split, reference: name })),
    ]),
    ...LEADING_METRICS.map((metric) =>
      figure(
        `What training gained in ${METRICS[metric].name}, and what it cost: a method worth its price lies above the line of the models trained without a teacher.`,
        computeFigure(arms, { split, metric }),
      ),
    ),
    figure('Accuracy and cost of every model.', paretoFigure(arms, { split })),
    details('More measures', [table(`Every measure on ${split}`, metricsTable(summary, split))]),
    ...others.map((other) =>
      details(
        `Differences on ${other}`,
        references.map((name) => differences(name, other)),
      ),
    ),
  ])
}

function againstFirst(
  arms: readonly ArmNumbers[],
  reference: string,
  split: Split,
  differences: (name: string, on: Split) => Block,
): Block[] {
  return [
    differences(reference, split),
    figure(
      `What distillation adds to ${reference}: paired differences, whose intervals are narrower than those of the models, since both models saw the same images and seeds.`,
      differencesFigure(arms, { split, reference }),
    ),
    figure(
      'The same in COCO AP, which counts how exactly boxes fit.',
      differencesFigure(arms, { split, reference, metric: 'AP' }),
    ),
  ]
}

function classes(input: ReportInput, summary: Summary): Section {
  const split = leadingSplit(summary)
  const { chosen } = summary.selection ?? {}
  const accuracy = ({ splits }: ArmNumbers) => splits[split]?.values.mAP50?.value ?? Number.NEGATIVE_INFINITY
  const [best] = summary.arms
    .filter(({ role }) => role === 'method')
    .sort((a, b) => accuracy(b) - accuracy(a))
  const compared = input.arms.filter(
    ({ name }) =>
      name === 'teacher' || name === summary.references[0] || name === best?.name || name === chosen?.name,
  )
  const tables = readTables(
    compared.map((arm): Arm => ({ ...arm, runs: arm.runs.slice(0, 1) })),
    split,
  )
  const models = [...tables].map(([arm, [first]]) => ({ name: arm.name, table: first!.table }))
  const names = summary.arms.find(({ splits }) => splits[split])?.splits[split]?.perClass ?? []
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

function methods(input: ReportInput, { arms }: Summary): Section {
  const rows = gradientTable(arms)
  const runs = input.arms.flatMap(({ name, variation, runs: [first] }) => {
    if (variation) return []
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

function ablations({ ablations: points, bootstrap, references: [reference] }: Summary): Section {
  return section('ablations', 'Ablations', [
    text(
      `On validation, with the first seed, against the control of that seed; bars are ${percent(bootstrap.confidence)} intervals of the paired difference.`,
    ),
    figure('Effect of the weight of distillation.', lambdaFigure(points, reference)),
    table('Weight λ', ablationTable(points, 'lambda', reference)),
    figure('Effect of the mask’s threshold.', thresholdFigure(points, reference)),
    table('Objectness threshold', ablationTable(points, 'threshold', reference)),
  ])
}

/** The side questions: this run's short answers, then the longer runs shipped with the workbook. */
function sideSweeps({ sweeps = [], shipped = [] }: ReportInput): Section {
  const shown = ({ sweep, arms }: SweepResult): Block[] => [
    text(sweep.question),
    ...LEADING_METRICS.map((metric) =>
      figure(
        `${METRICS[metric].name} against the compute of training.`,
        computeFigure(arms, { split: sweep.split, metric }),
      ),
    ),
    table('Arms', trainingTable({ arms }, sweep.split)),
    table('Paired differences, points', differencesTable(withTeacher({ sweep, arms }), sweep.split)),
  ]
  return section('sweeps', 'Appendix: when to distil, and on what', [
    sweeps.length > 0 &&
      text('This run has one seed and few steps: a first look, not a result. Rely on the longer runs below.'),
    ...sweeps.map((result) => details(`${result.sweep.name}: this run`, shown(result))),
    table(
      `Results of the longer runs shipped with the workbook, ${splitsOf(shipped)}`,
      shipped.flatMap(gist),
    ),
    ...shipped.map((result) =>
      details(
        `${result.sweep.name}: ${trainingSeeds(result.sweep.seeds.length)}, shipped with the workbook`,
        [
          ...shown(result),
          text(`Made by: ${result.command} (data ${short(String(result.provenance.data))}).`),
        ],
      ),
    ),
  ])
}

/** A sweep's arms and references, with the teacher as the last reference. */
function withTeacher({ sweep, arms }: SweepResult) {
  return { arms, references: [...new Set([...sweep.references, 'teacher'])] }
}

/** The splits measured on: "on validation; carla-plateau-test on test". */
function splitsOf(results: readonly SweepResult[]): string {
  const others = results.filter(({ sweep }) => sweep.split !== 'validation')
  return ['on validation', ...others.map(({ sweep }) => `${sweep.name} on ${sweep.split}`)].join('; ')
}

/** A sweep's distilled arms compared with its references. */
function gist({ sweep, arms }: SweepResult): TableRow[] {
  const distilled = arms.filter(({ role }) => role === 'method').map(({ name }) => name)
  return differencesTable({ arms, references: sweep.references }, sweep.split)
    .filter(({ model }) => distilled.some((name) => name === model))
    .map((row) => ({ sweep: sweep.name, seeds: sweep.seeds.length, ...row }))
}

function selection(summary: Summary): Section {
  const { selection: made } = summary
  if (!made) return section('selection', 'Selection', [])
  return section('selection', 'Selection', [
    text(made.rule),
    text(made.reason),
    table('Candidates', selectionTable(summary)),
  ])
}

function cost(summary: Summary): Section {
  const trained = summary.trials.flatMap(({ trial }) => trial.metrics.training ?? [])
  const seconds = trained.reduce((sum, training) => sum + training.seconds, 0)
  const rows = [...new Map(costTable(summary).map((row) => [`${row.trial} ${row.seed}`, row])).values()]
  return section('cost', 'Cost', [
    table('Using a model', sizeTable(summary)),
    text(
      'One multiply-accumulate (MAC) is two floating-point operations; the mmdet count also includes biases, batch norm, ' +
        'activations and poolings, and is what published tables call FLOPs. Within one architecture, milliseconds differ only by chance.',
    ),
    table('Training', rows),
    rows.length > 0 &&
      text(
        `${duration(seconds)} of training in all, counted trial by trial; trials that ran side by side took less time together. MACs count a backward pass as two forward passes and include the teacher’s forward passes. Peak memory is that of the process.` +
          (summary.trials.some(({ role }) => role === 'preparation')
            ? ''
            : ' Teacher and student are shipped with the workbook; this run does not include the cost of their training.'),
      ),
  ])
}

function published(input: ReportInput, summary: Summary): Section {
  if (!isStudy(input)) return section('published', 'Published against reproduced', [])
  return section('published', 'Published against reproduced', [
    text(PUBLISHED_STATEMENT),
    table('Published against reproduced', publishedRows(summary)),
  ])
}

function settings(input: ReportInput, { profile, data, arms }: Summary): Section {
  const { changes = [] } = input
  const { recipe, stages, detector } = profile
  const seeds = new Set(arms.flatMap(({ splits: { validation, test } }) => (validation ?? test)?.seeds ?? []))
  const { teacher, sparse, finetune, distill } = stageSteps(profile, data.ownData)
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
    [
      'steps of teacher, sparse, fine-tuned, distilled',
      [teacher, sparse, finetune, ...(isStudy(input) ? [distill] : ['by arm'])].join(', '),
    ],
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
    changes.length > 0 &&
      table(
        'Changed of the profile that it extends',
        changes.map(({ key, from, to }) => ({ key, before: valueText(from), now: valueText(to) })),
      ),
    text('For the rest, see the profile’s file and every trial’s config.json.'),
  ])
}

/** A value of a profile as one writes it. */
const valueText = (value: unknown): string => (value === undefined ? 'none' : JSON.stringify(value))

function origin(summary: Summary): Section {
  const { trials, data } = summary
  const keys = ['commit', 'tensorflow', 'node', 'device', 'threads'] as const
  const values = keys.map((key) => {
    const found = new Set(trials.map(({ trial }) => String(trial.metrics.provenance[key] ?? 'not recorded')))
    return { what: key as string, value: [...found].join('; ') }
  })
  return section('provenance', 'Provenance', [
    table('What the trials ran with', [...values, { what: 'data hash', value: data.hash }]),
    table('Images and objects by class', dataTable(summary)),
    (data.files || data.unseen) &&
      details('What became of every file of the data, and what the network does not see', [
        list(data.files ?? []),
        list(data.unseen ?? []),
      ]),
    details('Every trial', [table('Trials', provenanceTable(summary))]),
  ])
}
