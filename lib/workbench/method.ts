/** What the chapters about distillation methods share: the trials of one method, and how they are shown. */
import { type Markdown, markdown } from '../base'
import { type MethodName, PUBLISHED } from '../losses'
import {
  ablationTable,
  batchImage,
  type CellMapOptions,
  cellMapsFigure,
  checkMethod,
  collectStudy,
  differenceOf,
  drawOutcome,
  evaluatedRun,
  format,
  gradientMaps,
  imageUrl,
  lambdaFigure,
  lossComparisonFigure,
  lossFigure,
  mostChanged,
  objectnessMaps,
  type Probe,
  prCurveFigure,
  type Summary,
  shareWhere,
  summarise,
  summariseTried,
  validationFigure,
} from '../report'
import { armOf, LEADING_METRICS, metricTable, type Study, shortOf, verdictText, withTerms } from '../study'
import { readDetections, readLog, type Term, type TrialConfig, type TrialResult } from '../trial'
import { showMarkdown, showPlot, showTable } from './display'
import { showGallery } from './pictures'
import { describeTrial, runTrials, tryTrials } from './run-trials'
import { openStudy, prepareModels } from './study'

/** A method of the study, and the models that it starts from. */
export interface MethodChapter {
  readonly study: Study
  readonly start: { readonly teacher: TrialResult; readonly student: TrialResult }
  readonly term: Term
  /** One per seed. */
  readonly trials: readonly TrialConfig[]
}

/** A method whose trials have run. */
export interface MethodResult extends MethodChapter {
  /** The student trained on without a teacher, one per seed. */
  readonly controls: readonly TrialResult[]
  readonly distilled: readonly TrialResult[]
  readonly summary: Summary
  /** What a reader has tried, by its description. */
  readonly tried: Map<string, TrialResult>
}

/**
 * Opens the study with its teacher and student, and shows them as they are before a method is used.
 * @throws Error if the profile does not have the method
 */
export async function openMethod(name: MethodName): Promise<MethodChapter> {
  const study = await openStudy()
  const start = await prepareModels(study)
  const { arm, trials } = armOf(study, name)
  const term = arm.terms[0]!
  const share = start.student.metrics.complexity.macs / start.teacher.metrics.complexity.macs
  const mAP = (run: TrialResult) => markdown`**${format.ap(run.metrics.evaluation.voc.mAP)}**`
  const settings = Object.entries({ ...PUBLISHED[name], ...term }).flatMap(([key, value]) =>
    key === 'temperature' || key === 'threshold' || key === 'variant' ? [`${key} ${value}`] : [],
  )
  showMarkdown`Before any distillation, on ${start.student.metrics.evaluation.images} validation images: the
teacher has mAP@0.5 ${mAP(start.teacher)}; the student, with ${format.percent(share)} of its
multiply-accumulates, ${mAP(start.student)}. This notebook trains the control and \`${name}\` with
${format.trainingSeeds(trials.length)} each; the first is ${describeTrial(trials[0]!)}${settings.length > 0 && `, with ${settings.join(' and ')}`}.`
  return { study, start, term, trials }
}

/**
 * Shows how large a method's loss and its gradient are beside the ground truth's, on the probe's batch.
 * @param value the loss in inference mode
 */
export function showScale(probe: Probe, term: Term, value: number): void {
  const { losses, norms, unreachedStudent } = checkMethod(probe, term)
  showTable(
    [
      {
        'ground-truth loss': losses.groundTruth,
        'distillation loss, λ = 1': losses.distillation,
        'gradient norm, ground truth': norms.groundTruth,
        'gradient norm, λ = 1': norms.distillation,
        ratio: norms.ratio,
        cosine: norms.cosine,
        'λ for a ratio of 0.3': 0.3 / norms.ratio,
        'weights it does not reach': unreachedStudent.length,
      },
    ],
    {
      caption: `Beside the ground truth, ${probe.batch.ids.length} images; published λ ${PUBLISHED[term.method].weight}`,
    },
  )
  showMarkdown`The distillation loss has two values on one batch: ${value.toPrecision(5)} above, with the student in inference
mode, whose batch norm uses the statistics gathered in training, and **${losses.distillation.toPrecision(5)}** here, in training
mode, as a step sees it: there batch norm uses the statistics of the batch. The teacher is in inference mode in both.`
}

/** The image of a probe's batch with the most objects: its index, and how maps of it are drawn. */
export async function busiestImage({ batch }: Probe): Promise<{
  readonly index: number
  readonly drawing: Pick<CellMapOptions, 'size' | 'url' | 'boxes'>
}> {
  const objects = batch.truths.map((boxes) => boxes?.length ?? 0)
  const index = objects.indexOf(Math.max(...objects))
  const size = batchImage(batch, index)
  return { index, drawing: { size, url: await imageUrl(size), boxes: batch.truths[index] } }
}

/** Shows the norm of a method's gradient in every cell of the busiest image; returns how much of it is where the teacher sees objects. */
export async function showPull(
  probe: Probe,
  term: Term,
): Promise<{ readonly inside: number; readonly cells: number }> {
  const { index, drawing } = await busiestImage(probe)
  const pull = gradientMaps(probe, term, index)
  showPlot(
    cellMapsFigure([{ name: 'gradient', maps: pull }], {
      ...drawing,
      title: `Where ${term.method} pulls: norm of its gradient in every cell`,
      unit: 'per unit of λ',
    }),
  )
  const focus = shareWhere(pull, objectnessMaps(probe.t, probe.teacher, index), 0.05)
  showMarkdown`On this image **${format.percent(focus.inside)}** of the gradient's norm lies in the
**${format.percent(focus.cells)}** of cells where the teacher's objectness is at least 0.05.`
  return focus
}

/** Runs the trials of a method and of the control, or finds them, and compares them on validation. */
export async function runMethod(method: MethodChapter): Promise<MethodResult> {
  const { study, term, trials } = method
  const controls = await tryTrials(study, armOf(study, 'control').trials)
  const distilled = await tryTrials(study, trials)
  const summary = summarise(
    collectStudy(study, { methods: [term.method], test: false, metrics: LEADING_METRICS }),
  )
  return { ...method, controls, distilled, summary, tried: new Map() }
}

/** Runs a method's trials and shows what came of them: numbers, precision over recall, losses, an image before and after. */
export async function showMethod(method: MethodChapter): Promise<MethodResult> {
  const result = await runMethod(method)
  showMethodTable(result)
  showPrecision(result)
  showLosses(result)
  await showBeforeAndAfter(result)
  return result
}

/** Teacher, student, control and method on validation, and the paired differences to the control. */
export function showMethodTable({ summary }: MethodResult): void {
  const { confidence } = summary.bootstrap
  showTable(
    summary.arms.map(({ name, macsShare, splits: { validation } }) => ({
      model: name,
      MACs: format.percent(macsShare),
      'mAP@0.5': format.apInterval(validation?.values.mAP50),
      'COCO AP': format.apInterval(validation?.values.AP),
      'minus the control, points': format.pointsInterval(validation?.differences.control?.mAP50),
      verdict: validation?.differences.control?.mAP50
        ? verdictText(validation.differences.control.mAP50)
        : '',
    })),
    { caption: `On validation; ${format.percent(confidence)} intervals, differences paired` },
  )
}

/** Precision over recall of the class whose AP differs most between the method and the control. */
export function showPrecision({ study, start, term, controls, distilled }: MethodResult): void {
  const apOf = (trial: TrialResult) => trial.metrics.evaluation.perClass.map(({ ap }) => ap ?? 0)
  const [control, first] = [apOf(controls[0]!), apOf(distilled[0]!)]
  const gaps = first.map((ap, label) => Math.abs(ap - control[label]!))
  const label = gaps.indexOf(Math.max(...gaps))
  const models = [
    { name: 'teacher', trial: start.teacher },
    { name: 'control', trial: controls[0]! },
    { name: term.method, trial: distilled[0]! },
  ]
  showPlot(
    prCurveFigure(
      models.map(({ name, trial }) => ({ name, table: metricTable(readDetections(trial.folder)) })),
      {
        label,
        title: `Precision over recall of ${study.dataset.classes[label]}, the class whose AP differs most`,
      },
    ),
  )
}

const logged = (name: string, trial: TrialResult) => ({ name, rows: readLog(trial.folder) })

/** The terms of the method's loss over the steps, the run beside the control's, and accuracy on validation along the way. */
export function showLosses({ study, term, controls, distilled }: MethodResult): void {
  showPlot(lossFigure(logged(term.method, distilled[0]!)))
  showPlot(lossComparisonFigure([logged('control', controls[0]!), logged(term.method, distilled[0]!)]))
  const { arms } = collectStudy(study, { methods: [term.method], test: false })
  const accuracy = arms.filter(({ variation }) => !variation).flatMap(evaluatedRun)
  if (accuracy.length > 0) showPlot(validationFigure(accuracy))
}

/** The validation image on which the student and the distilled student differ most, with the detections of both. */
export async function showBeforeAndAfter({ study, start, distilled }: MethodResult): Promise<void> {
  const [first] = distilled
  const changed = mostChanged(readDetections(start.student.folder), readDetections(first!.folder))
  showGallery(
    [
      {
        svg: await drawOutcome(study, start.student, changed),
        caption: 'before: the student that distillation starts from',
      },
      {
        svg: await drawOutcome(study, first!, changed),
        caption: `after: ${describeTrial(first!.config)}`,
      },
    ],
    { columns: 1 },
  )
}

/**
 * Trains with a changed term, first seed, and shows the losses beside the study's and beside those that were tried before.
 * @param change a λ as `weight`, or another option of the method
 */
export async function tryMethod(result: MethodResult, change: Partial<Omit<Term, 'method'>>): Promise<void> {
  const { study, term, trials, controls, distilled, tried } = result
  const [own] = await runTrials(study, [withTerms(trials[0]!, { ...term, ...change })])
  tried.set(describeTrial(own!.config), own!)
  const beside = [...tried].map(([name, trial]) => logged(name, trial))
  const before = [logged('control', controls[0]!), logged(term.method, distilled[0]!)]
  showPlot(lossComparisonFigure([...before, ...beside]))
  const points = summariseTried(study, term.method, [...tried.values()])
  showPlot(lambdaFigure(points))
  showTable(ablationTable(points, 'lambda'), { caption: 'The study’s and yours, on validation, first seed' })
}

/** What the comparison of a method with the control on validation says, in two sentences. */
export function methodVerdict({ summary, term: { method } }: MethodResult): Markdown {
  const arm = summary.arms.find(({ name }) => name === method)!
  const [weight] = arm.terms
  const { mAP50, AP } = differenceOf(summary.arms, method, 'control')
  const words = {
    better: 'The first interval lies above 0: distillation helped here.',
    worse: 'The first interval lies below 0: distillation did harm here.',
    'no difference shown':
      'The first interval holds 0: no difference is shown, which is not the same as none.',
    'not shown': `That is too little for a verdict (${shortOf(mAP50).join('; ')}).`,
  }
  return markdown`With λ = ${format.significant(weight!.lambda)} (gradient ratio ${format.significant(weight!.ratio)})
\`${method}\` differs from the control by **${format.pointsInterval(mAP50)} points** of mAP@0.5, and by
${format.pointsInterval(AP)} of COCO AP, on ${mAP50.images} validation images with
${format.trainingSeeds(mAP50.seeds)}. ${words[mAP50.verdict]}`
}
