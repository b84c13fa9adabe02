/** The report's section about how accuracy grew while models were trained. */
import { join } from 'node:path'
import { type Arm, RECORDS, recordName, type Stage, type SweepFile } from '../study'
import type { ValidationRow } from '../train'
import { FILES, readLogFile, readValidation, readValidationFile } from '../trial'
import { details, figure, type Section, section, text } from './document'
import { type EvaluatedRun, lossFigure, validationFigure } from './figures'
import { trainingSeeds } from './format'
import type { ReportInput } from './summary'

/** Curves of the arms, and of the trainings that made teacher and student. */
export function learning({ arms, stages = [] }: ReportInput): Section {
  const runs = arms.filter(({ variation }) => !variation).flatMap(evaluatedRun)
  const made = stages.filter(({ log }) => log !== undefined)
  const evaluated = made.map((stage): EvaluatedRun & { readonly stage: Stage } => ({
    stage,
    name: STAGE_NAMES[stage.kind],
    rows: stage.validation === undefined ? [] : readValidationFile(stage.validation),
  }))
  const without = evaluated.filter(({ rows }) => rows.length < 2)
  return section('training', 'Training curves', [
    figure(
      `On ${imagesOf(runs)}, ${seedsOf(arms, runs)}; a point marks the best evaluation.`,
      validationFigure(runs),
    ),
    figure(
      `How teacher and student were made, on ${imagesOf(evaluated)}.`,
      titled(
        validationFigure(evaluated),
        'Teacher and student while they were trained: mAP@0.5 (left), COCO AP (right)',
      ),
    ),
    details('Losses of the trainings that made teacher and student', [
      ...(without.length > 0
        ? [
            text(
              `Of ${without.map(({ name }) => name).join(', ')} only the losses were recorded, and the accuracy at the end.`,
            ),
          ]
        : []),
      ...made.map(({ kind, log }) =>
        figure(
          `Terms of the loss: ${STAGE_NAMES[kind]}.`,
          lossFigure({ name: STAGE_NAMES[kind], rows: readLogFile(log!) }),
        ),
      ),
    ]),
  ])
}

const STAGE_NAMES: { readonly [kind in Stage['kind']]: string } = {
  teacher: 'teacher',
  sparse: 'teacher, made sparse',
  prune: 'pruned',
  finetune: 'student',
}

/** An arm's curve, or one for every seed where a rule ended some earlier. */
export function evaluatedRun({ name, runs }: Pick<Arm, 'name' | 'runs'>): EvaluatedRun[] {
  return curvesOf(
    name,
    runs.map(({ training }) => (training ? readValidation(training.folder) : [])),
  )
}

/** The curves of a shipped sweep's arms: of those whose trials were evaluated along the way. */
export function shippedCurves({ arms }: Pick<SweepFile, 'arms'>): EvaluatedRun[] {
  const rowsOf = (hash: string) =>
    readValidationFile(join(RECORDS, `${recordName(hash)}.${FILES.validation}`))
  return arms.flatMap(({ name, trials }) =>
    curvesOf(
      name,
      trials.map(({ hash }) => rowsOf(hash)),
    ),
  )
}

/** The mean over the seeds at the steps that all of them have; where a rule ended some earlier, every seed's own. */
function curvesOf(name: string, bySeed: readonly (readonly ValidationRow[])[]): EvaluatedRun[] {
  const drawn = bySeed.filter((rows) => rows.length > 1)
  const [first, ...others] = drawn
  if (!first) return []
  const ends = new Set(drawn.map((rows) => rows.at(-1)!.step))
  if (ends.size > 1) return drawn.map((rows) => ({ name, rows }))
  const rows = first.flatMap((row): ValidationRow[] => {
    const same = others.map((other) => other.find(({ step }) => step === row.step))
    const found = [row, ...same.flatMap((other) => other ?? [])]
    if (found.length <= others.length) return []
    const mean = (metric: 'mAP50' | 'AP') => found.reduce((sum, one) => sum + one[metric], 0) / found.length
    return [{ ...row, mAP50: mean('mAP50'), AP: mean('AP') }]
  })
  return [{ name, rows }]
}

/** "120 images of validation"; the whole split where a rule evaluated on that. */
function imagesOf(runs: readonly EvaluatedRun[]): string {
  const counts = new Set(runs.flatMap(({ rows: [row] }) => (row ? [row.images] : [])))
  const [images] = counts
  return counts.size === 1 && images !== undefined
    ? `${images} images of validation, spread evenly over it`
    : 'validation'
}

function seedsOf(arms: readonly Arm[], drawn: readonly EvaluatedRun[]): string {
  const seeds = Math.max(0, ...arms.filter(({ variation }) => !variation).map(({ runs }) => runs.length))
  if (seeds <= 1) return 'one seed'
  const apart = new Set(drawn.map(({ name }) => name)).size < drawn.length
  return apart
    ? `${trainingSeeds(seeds)}: their mean, or a line each where a rule ended some earlier`
    : `mean over ${trainingSeeds(seeds)}`
}

function titled<F extends { readonly layout: { readonly title: object } }>(drawn: F, title: string): F {
  return { ...drawn, layout: { ...drawn.layout, title: { ...drawn.layout.title, text: title } } }
}
