/** Builds the report from trials: its numbers, and its text, tables and figures in order. */

import { type Arm, type ArmNumbers, LEADING_METRICS, METRICS, readTables, type Split } from '../study'
import { readLog } from '../trial'
import { cost, origin, settings } from './background'
import { formatsSection } from './deploy'
import { differenceTable, failuresTable } from './differences'
import { type Block, details, figure, list, type Section, section, table, text } from './document'
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
  recallFigure,
  temperatureFigure,
  thresholdFigure,
} from './figures'
import { type Findings, findings, leadingSplit, limits } from './findings'
import { percent, shareInterval } from './format'
import { learning } from './learning'
import { modelCard } from './model-card'
import { PUBLISHED_STATEMENT, publishedRows } from './published'
import { payoffSection, sideSweeps } from './side-sweeps'
import { isStudy, type ReportInput, type Summary, summarise } from './summary'
import {
  ablationTable,
  accuracyTable,
  foundTable,
  gradientTable,
  metricsTable,
  perClassTable,
  recallTable,
  selectionTable,
} from './tables'
import { type Tile, tiles } from './tiles'

/** A report before it is written in a format. */
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
    payoffSection(input),
    failures(input, summary),
    classes(input, summary),
    safetySection(input),
    imagesSection(input),
    learning(input),
    methods(input, summary),
    ablations(summary),
    selection(summary),
    modelCard(input, summary),
    formatsSection(input),
    cost(summary),
    published(input, summary),
    section('limits', 'Limits', [list(limits(summary))]),
    settings(input, summary),
    origin(summary),
    sideSweeps(input),
  ]
  return {
    title: isStudy(input)
      ? `Distillation ${input.models?.given.student ? 'into another' : 'of a pruned'} detector`
      : input.question,
    subtitle: `${isStudy(input) ? 'Profile' : 'Sweep'} ${input.name}, data set ${data.name}${data.ownData ? '' : ' (rendered street scenes)'}`,
    tiles: tiles(summary),
    findings: findings(summary),
    sections: sections.filter(({ blocks }) => blocks.length > 0),
    summary,
  }
}

function results(summary: Summary): Section {
  const { arms, failed, references } = summary
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
    figure('Every model’s mAP@0.5 with its interval.', methodsFigure(arms, { split, reference, failed })),
    ...(reference === undefined ? [] : againstFirst(summary, reference, split, differences)),
    ...further.flatMap((name) => [
      differences(name, split),
      figure(`The same against ${name}.`, differencesFigure(arms, { split, reference: name, failed })),
    ]),
    ...LEADING_METRICS.map((metric) =>
      figure(
        `What training gained in ${METRICS[metric].name}, and what it cost: a method worth its price lies above the line of the models trained without a teacher.`,
        computeFigure(arms, { split, metric, failed }),
      ),
    ),
    figure('Accuracy and cost of every model.', paretoFigure(arms, { split, failed })),
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
  { arms, failed }: Pick<Summary, 'arms' | 'failed'>,
  reference: string,
  split: Split,
  differences: (name: string, on: Split) => Block,
): Block[] {
  return [
    differences(reference, split),
    figure(
      `What distillation adds to ${reference}: paired differences, whose intervals are narrower than those of the models, since both models saw the same images and seeds.`,
      differencesFigure(arms, { split, reference, failed }),
    ),
    figure(
      'The same in COCO AP, which counts how exactly boxes fit.',
      differencesFigure(arms, { split, reference, metric: 'AP', failed }),
    ),
  ]
}

/** Trials that failed, and the losses of those that diverged. */
function failures(input: ReportInput, summary: Summary): Section {
  const logs = input.arms.flatMap(({ name, failed = [] }) =>
    failed.flatMap(({ seed, folder, failure }) => {
      const rows = failure.kind === 'diverged' && folder ? readLog(folder) : []
      return rows.length > 1 ? [{ name: seed === undefined ? name : `${name}, seed ${seed}`, rows }] : []
    }),
  )
  return section('failed', 'What failed', [
    table('Trials that failed', failuresTable(failuresOf(summary))),
    text(
      'What is said of an arm stands on its other seeds, and a difference on the seeds that both arms have. A step of a training is ' +
        'counted from 1. With another setting an arm is another trial, and the same command then runs that one alone; a ' +
        'training that diverged is repeated as it was with --retry alone, anything else is tried again.',
    ),
    details(
      'Losses until they were not finite',
      logs.map((run) => figure(`Terms of ${run.name}’s loss.`, lossFigure(run))),
    ),
  ])
}

/** Failures of arms and ablations alike. */
const failuresOf = ({ arms, ablations, failed }: Summary) => ({
  arms: [...arms, ...ablations.filter(({ variation }) => !variation?.own)],
  failed,
})

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

function imagesSection({ sideBySide }: ReportInput): Section {
  if (!sideBySide) return section('images', 'Images', [])
  const { models, split, exhibits } = sideBySide
  const [teacher, student] = models
  return section('images', 'Truth, teacher and student', [
    {
      ...{ kind: 'exhibits', models, exhibits },
      caption: `The images of ${split} on which ${teacher} and ${student} differ most.`,
    },
  ])
}

function safetySection({ sideBySide }: ReportInput): Section {
  if (!sideBySide) return section('safety', 'Safety', [])
  const { models, split, minScore, safety, lost } = sideBySide
  const [teacher, student] = models
  const all = safety.found.find(({ name }) => name === 'all')
  return section('safety', `What the ${student} misses`, [
    all &&
      text(
        `At a score of ${minScore} the ${teacher} finds ${all.both + all.onlyTeacher} of ${all.objects} objects on ${split}, the ${student} ` +
          `${all.both + all.onlyStudent}. It misses ${all.onlyTeacher} that the ${teacher} finds (${shareInterval(all.lost)}), and finds ` +
          `${all.onlyStudent} that the ${teacher} misses. First seed, IoU 0.5; sizes are roots of areas in pixels: tiny below 16, small ` +
          'below 32, medium below 96.',
      ),
    figure(
      `Recall at a score of ${minScore}; in brackets the number of objects.`,
      recallFigure(safety.recall, models),
    ),
    table(`Objects of ${split} by who finds them`, foundTable(safety, models)),
    details('Table by class and size', [
      table(`Recall on ${split} at a score of ${minScore}`, recallTable(safety, models)),
    ]),
    {
      ...{ kind: 'exhibits', models, exhibits: lost },
      caption: `The largest objects that the ${teacher} finds and the ${student} misses, one an image.`,
    },
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

function ablations({ ablations: points, failed, bootstrap, references: [reference] }: Summary): Section {
  return section('ablations', 'Ablations', [
    text(
      `On validation, with the first seed, against the control of that seed; bars are ${percent(bootstrap.confidence)} intervals of the paired difference.`,
    ),
    figure('Effect of the weight of distillation.', lambdaFigure(points, reference)),
    table('Weight λ', ablationTable(points, 'lambda', reference, failed)),
    figure('Effect of the mask’s threshold.', thresholdFigure(points, reference)),
    table('Objectness threshold', ablationTable(points, 'threshold', reference, failed)),
    figure('Effect of the temperature.', temperatureFigure(points, reference)),
    table('Temperature', ablationTable(points, 'temperature', reference, failed)),
  ])
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

function published(input: ReportInput, summary: Summary): Section {
  if (!isStudy(input)) return section('published', 'Published against reproduced', [])
  return section('published', 'Published against reproduced', [
    text(PUBLISHED_STATEMENT),
    table('Published against reproduced', publishedRows(summary)),
  ])
}
