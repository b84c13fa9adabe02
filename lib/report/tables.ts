/** The report's tables as plain rows, which notebooks turn into DataFrames. */
import { evenRows, type TableRow } from '../base'
import {
  type ArmNumbers,
  type FailedArm,
  LEADING_METRICS,
  latencyOfArm,
  METRIC_NAMES,
  METRICS,
  type MetricName,
  type Split,
  type Variation,
  verdictText,
} from '../study'
import { type Compared, failedCell, plannedSeeds } from './differences'
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
  shareInterval,
  short,
  significant,
} from './format'
import type { Safety } from './safety'
import type { Summary, TrialSummary } from './summary'

const SPLITS = ['validation', 'test', 'shifted'] as const

/** Accuracy of every arm, and its operations relative to the teacher's; for a failed arm, the reason. */
export function accuracyTable(
  { arms, failed = [] }: Pick<Compared, 'arms' | 'failed'>,
  metrics: readonly MetricName[] = LEADING_METRICS,
): TableRow[] {
  const splits = SPLITS.filter((split) => arms.some((arm) => arm.splits[split]))
  const [first = 'validation'] = splits
  const [metric = 'mAP50'] = metrics
  const rows = arms.map((arm) => ({
    model: arm.name,
    ...Object.fromEntries(
      splits.flatMap((split) =>
        metrics.map((metric) => [
          `${split} ${METRICS[metric].name} [interval]`,
          apInterval(arm.splits[split]?.values[metric]),
        ]),
      ),
    ),
    'of the teacher’s MACs': percent(arm.macsShare),
    seeds: seedsOf(arm),
  }))
  const without = failed.filter(({ variation }) => !variation)
  return evenRows([
    ...rows,
    ...without.map((arm) => ({
      model: arm.name,
      [`${first} ${METRICS[metric].name} [interval]`]: failedCell(arm),
      seeds: noneOf(arm),
    })),
  ])
}

const noneOf = ({ failed }: FailedArm): string => `none of ${failed.length}`

/** Every metric of every arm on a split. */
export function metricsTable({ arms }: Pick<Compared, 'arms'>, split: Split): TableRow[] {
  const shown = METRIC_NAMES.filter((metric) => arms.some((arm) => arm.splits[split]?.values[metric]))
  return arms.flatMap(({ name, splits: { [split]: numbers } }) =>
    numbers
      ? {
          model: name,
          ...Object.fromEntries(
            shown.map((metric) => [METRICS[metric].name, apInterval(numbers.values[metric])]),
          ),
        }
      : [],
  )
}

/** "1, 2"; "1 (of 2)" where trials failed. */
function seedsOf(arm: ArmNumbers): string {
  const { test, validation, shifted } = arm.splits
  const seeds = (test ?? validation ?? shifted)?.seeds ?? []
  const planned = plannedSeeds(arm)
  const missing = arm.failed && planned > seeds.length ? ` (of ${planned})` : ''
  return `${seeds.join(', ') || '–'}${missing}`
}

/** What was trained, for how long, at what cost, and the resulting accuracy; for a failed arm, the reason. */
export function trainingTable(
  { arms, failed = [] }: Pick<Compared, 'arms' | 'failed'>,
  split: Split,
): TableRow[] {
  const rows = arms.map((arm) => ({
    model: arm.name,
    seeds: seedsOf(arm),
    steps: stepsText(arm),
    'MACs of the training': arm.trainingMacs > 0 ? count(arm.trainingMacs) : '–',
    'MACs an image': count(arm.macs),
    ...Object.fromEntries(
      LEADING_METRICS.map((metric) => [
        `${split} ${METRICS[metric].name} [interval]`,
        apInterval(arm.splits[split]?.values[metric]),
      ]),
    ),
    'gradient ratios':
      arm.terms.map(({ method, ratio }) => `${method} ${significant(ratio)}`).join(', ') || '–',
  }))
  return evenRows([
    ...rows,
    ...failed.map((arm) => ({
      model: arm.name,
      seeds: noneOf(arm),
      [`${split} ${METRICS[LEADING_METRICS[0]].name} [interval]`]: failedCell(arm),
    })),
  ])
}

/** "350"; "8667 of 9000" where a rule ended trainings before their last step. */
const stepsText = ({ steps, budget }: ArmNumbers): string | number =>
  budget ? `${steps} of ${budget.steps}` : steps || '–'

/** Cost of using each model; its time, median and 95th percentile, where it was measured. */
export function sizeTable({
  arms,
  latency,
}: Pick<Compared, 'arms'> & Partial<Pick<Summary, 'latency'>>): TableRow[] {
  return arms.map(({ name, macs, mmdet, parameters, macsShare }) => ({
    model: name,
    MACs: count(macs),
    'of the teacher’s': percent(macsShare),
    'mmdet count': mmdet === undefined ? '–' : count(mmdet),
    parameters: parameters === undefined ? '–' : count(parameters),
    'weights, float32': parameters === undefined ? '–' : bytes(4 * parameters),
    ...(latency && { [MS]: milliseconds(latencyOfArm(latency, name)) }),
  }))
}

const MS = 'ms a frame (95th percentile)'
const COSTS = ['MACs', 'parameters', MS]

/** Accuracy and cost of every arm. */
export function overviewTable(
  summary: Pick<Compared, 'arms' | 'failed'> & Partial<Pick<Summary, 'latency'>>,
): TableRow[] {
  const sizes = sizeTable(summary)
  return accuracyTable(summary).map(({ seeds = '', ...accuracy }, i) => {
    const costs = Object.entries(sizes[i] ?? {}).filter(([column]) => COSTS.includes(column))
    return { ...accuracy, ...Object.fromEntries(costs), seeds }
  })
}

/** AP at IoU 0.5 by class, one column per arm: "AP of control", so that an arm may be called like another column. */
export function perClassTable({ arms }: Pick<Compared, 'arms'>, split: Split): TableRow[] {
  const shown = arms.flatMap(({ name, splits: { [split]: numbers } }) => (numbers ? [{ name, numbers }] : []))
  return (shown[0]?.numbers.perClass ?? []).map(({ name, truths }, label) => ({
    class: name,
    objects: truths,
    ...Object.fromEntries(shown.map((arm) => [`AP of ${arm.name}`, ap(arm.numbers.perClass[label]?.ap)])),
  }))
}

/** Recall of teacher and student by class and size, and their paired difference. */
export function recallTable({ recall }: Safety, [teacher, student]: readonly [string, string]): TableRow[] {
  return recall.map((row) => ({
    class: row.name,
    size: row.size ?? 'all',
    objects: row.objects,
    [teacher]: percent(row.teacher.value),
    [student]: percent(row.student.value),
    [`${student} − ${teacher}, points`]: pointsInterval({
      ...row.difference,
      difference: row.difference.value,
    }),
  }))
}

/** Objects by who finds them, and boxes on no object. */
export function foundTable({ found }: Safety, [teacher, student]: readonly [string, string]): TableRow[] {
  return found.map((row) => ({
    class: row.name,
    objects: row.objects,
    'both find': row.both,
    [`only ${teacher}`]: row.onlyTeacher,
    [`only ${teacher}, share`]: shareInterval(row.lost),
    [`only ${student}`]: row.onlyStudent,
    neither: row.neither,
    [`wrong boxes, ${teacher}`]: row.wrongTeacher,
    [`wrong boxes, ${student}`]: row.wrongStudent,
  }))
}

/** Each method's weight, and its effect on the gradient. */
export function gradientTable(arms: readonly ArmNumbers[]): TableRow[] {
  return arms.flatMap((arm) =>
    arm.terms.map(({ method, lambda, ratio, cosine, threshold, temperature }) => ({
      model: arm.name,
      method,
      λ: significant(lambda),
      'gradient ratio': significant(ratio),
      cosine: cosine === null ? '–' : significant(cosine),
      ...(threshold !== undefined && { threshold: significant(threshold) }),
      ...(temperature !== undefined && { temperature: significant(temperature) }),
    })),
  )
}

/** The points of an ablation, each against the control of its seed; of those that failed, why. */
export function ablationTable(
  ablations: readonly ArmNumbers[],
  varied: Variation['varied'],
  reference = 'control',
  failed: readonly FailedArm[] = [],
): TableRow[] {
  const column = varied === 'lambda' ? 'λ relative to its own' : varied
  const rows = ablations.flatMap(({ variation, terms, splits: { validation } }): TableRow[] => {
    const term = terms.find(({ method }) => method === variation?.method)
    if (variation?.varied !== varied || !term || !validation) return []
    const difference = validation.differences[reference]?.mAP50
    return [
      {
        method: variation.method,
        [column]: `${significant(variation.value)}${variation.own ? ' (own)' : ''}`,
        λ: significant(term.lambda),
        'gradient ratio': significant(term.ratio),
        'validation mAP@0.5 [interval]': apInterval(validation.values.mAP50),
        'validation COCO AP [interval]': apInterval(validation.values.AP),
        'to the control, points': pointsInterval(difference),
        verdict: difference ? verdictText(difference) : '–',
      },
    ]
  })
  const without = failed.flatMap((arm): TableRow[] => {
    const { variation } = arm
    if (variation?.varied !== varied) return []
    return [
      {
        method: variation.method,
        [column]: significant(variation.value),
        'validation mAP@0.5 [interval]': failedCell(arm),
      },
    ]
  })
  return evenRows([...rows, ...without])
}

/** The candidates in the order of the rule's table, and which of them it chose. */
export function selectionTable({ selection }: Summary): TableRow[] {
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
export function dataTable({ data: { classes, splits } }: Summary): TableRow[] {
  const row = (what: string, of: (counts: (typeof splits)[number]) => number | undefined): TableRow => ({
    what,
    ...Object.fromEntries(splits.map((counts) => [counts.split, of(counts) ?? '–'])),
  })
  return [
    row('images', ({ images }) => images),
    ...classes.map((name, label) => row(name, ({ boxes }) => boxes?.[label])),
  ]
}

/** Cost of every training, one row per trial. */
export function costTable({ trials }: Summary): TableRow[] {
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

/** What identifies every trial: hashes of config, data and weights, and when it finished. */
export function provenanceTable({ trials }: Summary): TableRow[] {
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

/** One row per trial with all digits, for `metrics.csv` and further computation. */
export function trialRows({ trials }: Summary): TableRow[] {
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
    steps: training?.steps ?? '',
    seconds: training?.seconds ?? '',
    trainingMacs: training?.macs ?? '',
    weights: metrics.weights,
    data: config.data.hash,
    hash: metrics.hash,
  }
}
