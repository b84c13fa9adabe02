/** The report's section about the sweeps beside the comparison. */
import type { TableRow } from '../base'
import { LEADING_METRICS, METRICS, type SweepResult } from '../study'
import { differencesTable, failuresTable } from './differences'
import { type Block, details, figure, type Section, section, table, text } from './document'
import { computeFigure, payoffFigure } from './figures'
import { short, trainingSeeds } from './format'
import { onValidation, type Payoff, payoffs, payoffTable } from './payoff'
import type { ReportInput } from './summary'
import { trainingTable } from './tables'

/** The side questions: this run's short answers, then the longer runs shipped with the workbook. */
export function sideSweeps({ sweeps = [], shipped = [] }: ReportInput): Section {
  const shown = ({ sweep, arms, failed }: SweepResult): Block[] => [
    text(sweep.question),
    ...LEADING_METRICS.map((metric) =>
      figure(
        `${METRICS[metric].name} against the compute of training.`,
        computeFigure(arms, { split: sweep.split, metric, failed }),
      ),
    ),
    table('Arms', trainingTable({ arms, failed }, sweep.split)),
    table('Paired differences, points', differencesTable(withTeacher({ sweep, arms, failed }), sweep.split)),
    table('Trials that failed', failuresTable({ arms, failed })),
  ]
  return section('sweeps', 'Appendix: when to distil, and on what', [
    sweeps.length > 0 &&
      text(
        'This run has few seeds and few steps: a first look, not a result. Rely on the longer runs below.',
      ),
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

/** Where distillation pays, by the sweeps shipped with the workbook: a map and its table for each data set they were run on. */
export function payoffSection({ shipped = [] }: ReportInput): Section {
  const found = payoffs(shipped)
  const datasets = [...new Set(found.map(({ data }) => data))]
    .map((data) => found.filter((payoff) => payoff.data === data))
    .sort((a, b) => b.length - a.length)
  const sweepsOf = (own: readonly Payoff[]) => [...new Set(own.map(({ sweep }) => sweep))].join(', ')
  const [most = [], ...others] = datasets
  return section('payoff', 'Where distillation pays', [
    text(
      'From the longer runs shipped with the workbook, not from this one. A distillation step also runs the teacher, and a step with unlabelled ' +
        'frames sees more images: a method pays where it is shown to beat a control that was given as much compute.',
    ),
    figure(
      `Every cell has the arm that does best there on validation, and its intervals, which do not know that it was chosen; sweeps ${sweepsOf(onValidation(most))}.`,
      payoffFigure(most),
    ),
    details(
      'Every arm, with its intervals',
      datasets.map((own) =>
        table(`Distilled minus others, points; sweeps ${sweepsOf(own)}`, payoffTable(own)),
      ),
    ),
    others.length > 0 &&
      details(
        'Other data',
        others.map((own) => figure(`Sweeps ${sweepsOf(onValidation(own))}.`, payoffFigure(own))),
      ),
  ])
}

/** A sweep's arms and references, with the teacher as the last reference. */
function withTeacher({ sweep, arms, failed }: SweepResult) {
  return { arms, failed, references: [...new Set([...sweep.references, 'teacher'])] }
}

/** The splits measured on: "on validation; carla-plateau-test on test". */
function splitsOf(results: readonly SweepResult[]): string {
  const others = results.filter(({ sweep }) => sweep.split !== 'validation')
  return ['on validation', ...others.map(({ sweep }) => `${sweep.name} on ${sweep.split}`)].join('; ')
}

/** A sweep's distilled arms compared with its references; of one that distils nothing, the arms that are no references. */
function gist({ sweep, arms }: SweepResult): TableRow[] {
  const methods = arms.filter(({ role }) => role === 'method')
  const students = arms.filter(({ role, name }) => role !== 'teacher' && !sweep.references.includes(name))
  const asked = methods.length > 0 ? methods : students
  return differencesTable({ arms, references: sweep.references }, sweep.split)
    .filter(({ model }) => asked.some(({ name }) => name === model))
    .map((row) => ({ sweep: sweep.name, seeds: sweep.seeds.length, ...row }))
}
