/** Truth, teacher and student on the images on which the two disagree most. */
import { type Box, readSampleImage } from '../data'
import {
  agreementTable,
  byDisagreement,
  type Detections,
  disagreementOf,
  type Exhibit,
  exhibit,
  type ScoredBox,
  type Truths,
} from '../evaluate'
import { type Arm, evaluationOn, type Split, type Study } from '../study'
import { readDetections } from '../trial'
import type { TableRow } from './document'

/** Truth, teacher and student on the images on which the two differ most. */
export interface SideBySide {
  readonly models: readonly [teacher: string, student: string]
  readonly split: Split
  /** Least score of what is shown and counted. */
  readonly minScore: number
  /** Objects by who finds them, on the whole split. */
  readonly agreement: readonly TableRow[]
  readonly exhibits: readonly Exhibit[]
}

/** How many images are shown, and from which score on. */
export interface SideBySideOptions {
  /** Images that are shown. Default 8. */
  readonly count?: number
  /** Least score of a box that is shown and counted. Default 0.3. */
  readonly minScore?: number
}

/**
 * Lays what teacher and student found beside the truth, both of the first seed, on the last split on which both were
 * measured. The student is the fine-tuned one without distillation.
 * @returns undefined where one of them was not measured
 */
export async function sideBySide(
  study: Pick<Study, 'dataset'>,
  { arms, splits }: { readonly arms: readonly Arm[]; readonly splits: readonly Split[] },
  { count = 8, minScore = 0.3 }: SideBySideOptions = {},
): Promise<SideBySide | undefined> {
  const models = ['teacher', 'student'] as const
  const runs = models.map((name) => arms.find((arm) => arm.name === name)?.runs[0])
  const [ofTeacher, ofStudent] = runs
  if (!ofTeacher || !ofStudent) return undefined
  const split = [...splits].reverse().find((name) => runs.every((run) => run && evaluationOn(run, name)))
  if (!split) return undefined
  const [teacher, student] = [ofTeacher, ofStudent].map((run) =>
    readDetections(evaluationOn(run, split)!.folder),
  )
  const { classes } = study.dataset
  const { ids, truths } = teacher!
  const found = [teacher!, student!].map(({ detections }) => boxesByImage(detections, ids.length, minScore))
  const labelled = truthsByImage(truths)
  const images = ids.map((_, i) => ({ truths: labelled[i]!, found: found.map((boxes) => boxes[i]!) }))
  const ranked = images
    .map((image, index) => ({ index, ...(disagreementOf(image) ?? { boxes: 0, weight: 0 }) }))
    .sort(byDisagreement)
  const samples = new Map(study.dataset.splits[split]?.map((sample) => [sample.id, sample]))
  const exhibits: Exhibit[] = []
  for (const { index } of ranked.slice(0, count)) {
    const sample = samples.get(ids[index]!)
    if (!sample)
      throw new Error(
        `${split}: expected the image ${ids[index]} that was measured, found none in the data set`,
      )
    const image = await readSampleImage(sample)
    exhibits.push(await exhibit({ name: sample.id, image, ...images[index]! }, index, { models, classes }))
  }
  return { models, split, minScore, agreement: agreementTable(images, models, classes), exhibits }
}

function boxesByImage(detections: Detections, images: number, minScore: number): ScoredBox[][] {
  const lists: ScoredBox[][] = Array.from({ length: images }, () => [])
  detections.image.forEach((image, row) => {
    const score = detections.score[row]!
    if (score >= minScore) lists[image]!.push({ ...boxAt(detections, row), score })
  })
  return lists
}

function truthsByImage(truths: Truths): Box[][] {
  const lists: Box[][] = Array.from({ length: truths.images }, () => [])
  truths.image.forEach((image, row) => {
    lists[image]!.push({ ...boxAt(truths, row), ...(truths.crowd?.[row] === 1 && { crowd: true }) })
  })
  return lists
}

function boxAt({ box, label }: Pick<Truths, 'box' | 'label'>, row: number): Box {
  const [x1, y1, x2, y2] = box.subarray(4 * row, 4 * row + 4)
  return { x1: x1!, y1: y1!, x2: x2!, y2: y2!, label: label[row]! }
}
