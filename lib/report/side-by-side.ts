/** Truth, teacher and student on the images on which the two disagree most. */
import { type Box, readSampleImage } from '../data'
import {
  byDisagreement,
  type Detections,
  disagreementOf,
  type Exhibit,
  exhibit,
  type ScoredBox,
  type Truths,
} from '../evaluate'
import { type Arm, evaluationOn, type Profile, type Split, type Study } from '../study'
import { readDetections } from '../trial'
import { type Safety, safetyOf } from './safety'

/** Truth, teacher and student on the images on which the two differ most, and on those where the student misses most. */
export interface SideBySide {
  readonly models: readonly [teacher: string, student: string]
  readonly split: Split
  /** Least score of what is shown and counted. */
  readonly minScore: number
  /** What each of them finds, on the whole split. */
  readonly safety: Safety
  /** The largest disagreement first. */
  readonly exhibits: readonly Exhibit[]
  /** Images with the largest objects that the teacher finds and the student misses. */
  readonly lost: readonly Exhibit[]
}

/** How many images are shown, and from which score on. */
export interface SideBySideOptions {
  /** Images that are shown, of each kind. Default 8. */
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
  {
    arms,
    splits,
    profile,
  }: {
    readonly arms: readonly Arm[]
    readonly splits: readonly Split[]
    readonly profile?: Pick<Profile, 'bootstrap'>
  },
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
  const both = [teacher!.detections, student!.detections] as const
  const safety = safetyOf(truths, both, classes, { minScore, bootstrap: profile?.bootstrap })
  const found = both.map((detections) => boxesByImage(detections, ids.length, minScore))
  const labelled = truthsByImage(truths)
  const images = ids.map((_, i) => ({ truths: labelled[i]!, found: found.map((boxes) => boxes[i]!) }))
  const ranked = images
    .map((image, index) => ({ index, ...(disagreementOf(image) ?? { boxes: 0, weight: 0 }) }))
    .sort(byDisagreement)
  const samples = new Map(study.dataset.splits[split]?.map((sample) => [sample.id, sample]))
  const shown = async (index: number, about = ''): Promise<Exhibit> => {
    const sample = samples.get(ids[index]!)
    if (!sample)
      throw new Error(
        `${split}: expected the image ${ids[index]} that was measured, found none in the data set`,
      )
    const image = await readSampleImage(sample)
    return exhibit({ name: sample.id + about, image, ...images[index]! }, index, { models, classes })
  }
  const exhibits: Exhibit[] = []
  for (const { index } of ranked.slice(0, count)) exhibits.push(await shown(index))
  const lost: Exhibit[] = []
  const largest = new Map([...safety.lost].reverse().map((object) => [object.image, object]))
  for (const { image, label, side } of [...largest.values()].sort((a, b) => b.side - a.side).slice(0, count))
    lost.push(await shown(image, `: ${classes[label]} of ${Math.round(side)} pixels`))
  return { models, split, minScore, safety, exhibits, lost }
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
