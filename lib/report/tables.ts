/** The report's tables as plain rows, from which notebooks make DataFrames. */
import type { Split } from '../study'
import type { TableRow } from './document'
import {
  ap,
  apInterval,
  bytes,
  count,
  duration,
  milliseconds,
  percent,
  points,
  pointsInterval,
  short,
  significant,
} from './format'
import { type ComparedWith, REFERENCES } from './references'
import type { AblationSummary, ArmSummary, StudySummary, TrialSummary } from './summary-types'

const SPLITS = ['validation', 'test'] as const

/** Accuracy of every arm, and what share of the teacher's operations it takes. */
export function accuracyTable({ arms }: StudySummary): TableRow[] {
  const splits = SPLITS.filter((split) => arms.some((arm) => arm[split]))
  return arms.map((arm) => ({
    model: arm.name,
    ...Object.fromEntries(
      splits.flatMap((split) => [
        [`${split} mAP@0.5 [interval]`, apInterval(arm[split]?.mAP50)],
        [`${split} COCO AP [interval]`, apInterval(arm[split]?.AP)],
      ]),
    ),
    'of the teacher’s MACs': percent(arm.macsShare),
    seeds:
      arm.role === 'teacher' || arm.role === 'student'
        ? '–'
        : ((arm.test ?? arm.validation)?.seeds.join(', ') ?? '–'),
  }))
}

/** What using each model costs. Arms of one architecture differ in the milliseconds by chance alone. */
export function sizeTable({ arms }: StudySummary): TableRow[] {
  return arms.map(({ name, complexity, macsShare, test, validation }) => ({
    model: name,
    MACs: count(complexity.macs),
    'of the teacher’s': percent(macsShare),
    'mmdet count': count(complexity.mmdet),
    parameters: count(complexity.parameters),
    'weights, float32': bytes(4 * complexity.parameters),
    'ms an image': milliseconds((test ?? validation)?.secondsPerImage),
  }))
}

const COSTS = ['MACs', 'parameters', 'ms an image']

/** Accuracy and cost of every arm beside each other. */
export function overviewTable(summary: StudySummary): TableRow[] {
  const sizes = sizeTable(summary)
  return accuracyTable(summary).map(({ seeds = '', ...accuracy }, i) => {
    const costs = Object.entries(sizes[i] ?? {}).filter(([column]) => COSTS.includes(column))
    return { ...accuracy, ...Object.fromEntries(costs), seeds }
  })
}

/** Paired differences of every arm to a reference, in points, with their verdicts. */
export function differenceTable({ arms }: StudySummary, split: Split, reference: ComparedWith): TableRow[] {
  const { mAP50: key, AP: keyAP } = REFERENCES[reference]
  return arms.flatMap((arm): TableRow[] => {
    const [mAP50, AP] = [arm[split]?.[key], arm[split]?.[keyAP]]
    if (!mAP50 || !AP) return []
    return [
      {
        model: arm.name,
        'mAP@0.5, points': pointsInterval(mAP50),
        p: mAP50.pValue.toFixed(3),
        verdict: mAP50.verdict,
        'COCO AP, points': pointsInterval(AP),
        'verdict of COCO AP': AP.verdict,
      },
    ]
  })
}

/** AP at IoU 0.5 by class, a column an arm. */
export function perClassTable({ arms }: StudySummary, split: Split): TableRow[] {
  const shown = arms.flatMap((arm) => {
    const numbers = arm[split]
    return numbers ? [{ name: arm.name, numbers }] : []
  })
  return (shown[0]?.numbers.perClass ?? []).map(({ name, truths }, label) => ({
    class: name,
    objects: truths,
    ...Object.fromEntries(shown.map((arm) => [arm.name, ap(arm.numbers.perClass[label]?.ap)])),
  }))
}

/** What each method's weight was, and what it meant for the gradient. */
export function gradientTable(arms: readonly ArmSummary[]): TableRow[] {
  return arms.flatMap((arm) =>
    arm.terms.map(({ method, lambda, ratio, cosine, threshold }) => ({
      model: arm.name,
      method,
      λ: significant(lambda),
      'gradient ratio': significant(ratio),
      cosine: cosine === null ? '–' : significant(cosine),
      ...(threshold !== undefined && { threshold: significant(threshold) }),
    })),
  )
}

export function ablationTable(
  ablations: readonly AblationSummary[],
  varied: 'lambda' | 'threshold',
): TableRow[] {
  return ablations.map(({ method, value, own, term, mAP50, AP, toControl }) => ({
    method,
    [varied === 'lambda' ? 'λ relative to its own' : 'threshold']:
      `${significant(value)}${own ? ' (own)' : ''}`,
    λ: significant(term.lambda),
    'gradient ratio': significant(term.ratio),
    'validation mAP@0.5 [interval]': apInterval(mAP50),
    'validation COCO AP [interval]': apInterval(AP),
    'to the control, points': pointsInterval(toControl),
    verdict: toControl?.verdict ?? '–',
  }))
}

export function selectionTable({ selection }: StudySummary): TableRow[] {
  return (selection?.table ?? []).map(({ name, macsShare, mAP50, lower, withinBudget, first }) => ({
    student: name,
    'of the teacher’s MACs': percent(macsShare),
    'within the budget': withinBudget ? 'yes' : 'no',
    'validation mAP@0.5': ap(mAP50),
    'lower bound of student − teacher, points': points(lower),
    'at least 0': first ? 'yes' : 'no',
    chosen: name === selection?.chosen?.name ? 'chosen' : '',
  }))
}

/** Images, and boxes by class, of every split. */
export function dataTable({ data: { classes, splits } }: StudySummary): TableRow[] {
  const row = (what: string, of: (counts: (typeof splits)[number]) => number | undefined): TableRow => ({
    what,
    ...Object.fromEntries(splits.map((counts) => [counts.split, of(counts) ?? '–'])),
  })
  return [
    row('images', ({ images }) => images),
    ...classes.map((name, label) => row(name, ({ boxes }) => boxes?.[label])),
  ]
}

/** Cost of every training, by the trial. */
export function costTable({ trials }: StudySummary): TableRow[] {
  return trials.flatMap(({ arm, seed, trial }): TableRow[] => {
    const { training } = trial.metrics
    if (!training) return []
    return [
      {
        trial: arm,
        seed: seed ?? '–',
        steps: training.steps,
        images: training.images,
        'wall time': duration(training.seconds),
        'images a second': (training.images / training.seconds).toPrecision(3),
        'waited for data': percent(training.waitedShare),
        ...(training.peakBytes !== undefined && { 'peak memory': bytes(training.peakBytes) }),
        'MACs of the training': count(training.macs),
      },
    ]
  })
}

export function provenanceTable({ trials }: StudySummary): TableRow[] {
  return trials.map(({ arm, seed, trial: { metrics, config } }) => ({
    trial: arm,
    kind: config.kind,
    seed: seed ?? '–',
    split: metrics.evaluation.split,
    'config hash': short(metrics.hash),
    'data hash': short(config.data.hash),
    'weights hash': short(metrics.weights),
    'wall time': metrics.training ? duration(metrics.training.seconds) : '–',
    finished: String(metrics.provenance.finished ?? '–')
      .slice(0, 16)
      .replace('T', ' '),
  }))
}

/** One row a trial, numbers in full, for `metrics.csv` and for computing with. */
export function trialTable({ trials }: StudySummary): TableRow[] {
  return trials.map(trialRow)
}

function trialRow({ arm, role, seed, mAP50, trial: { config, metrics } }: TrialSummary): TableRow {
  const { evaluation, complexity, training, gradients = [] } = metrics
  const terms = config.kind === 'distill' ? config.terms : []
  const joined = (values: readonly (string | number | undefined)[]) =>
    values.filter((value) => value !== undefined).join('+')
  return {
    arm,
    role,
    kind: config.kind,
    methods: joined(terms.map(({ method }) => method)),
    lambda: joined(gradients.map(({ lambda }) => lambda)),
    ratio: joined(gradients.map(({ ratio }) => ratio)),
    threshold: joined(terms.map(({ threshold }) => threshold)),
    seed: seed ?? '',
    split: evaluation.split,
    images: evaluation.images,
    mAP50: evaluation.voc.mAP ?? '',
    lower: mAP50?.lower ?? '',
    upper: mAP50?.upper ?? '',
    mAP11: evaluation.voc.mAP11 ?? '',
    ...Object.fromEntries(Object.entries(evaluation.coco).map(([name, value]) => [`COCO ${name}`, value])),
    macs: complexity.macs,
    mmdet: complexity.mmdet,
    parameters: complexity.parameters,
    milliseconds: 1000 * evaluation.secondsPerImage,
    steps: training?.steps ?? '',
    seconds: training?.seconds ?? '',
    trainingMacs: training?.macs ?? '',
    weights: metrics.weights,
    data: config.data.hash,
    hash: metrics.hash,
  }
}
