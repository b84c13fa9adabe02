/** What the student misses: recall by class and size, and the objects that the teacher finds and the student does not. */
import {
  byClassAndSize,
  type Detections,
  findTruths,
  type ObjectGroup,
  sideOf,
  type Truths,
} from '../evaluate'
import { type BootstrapOptions, type Interval, imageResamples, sharesInterval } from '../study'

/** Recall of objects of one class and size. */
export interface RecallRow {
  readonly name: string
  /** "small"; none for a whole class. */
  readonly size?: string
  readonly objects: number
  /** Shares of the objects that are found, with intervals over images. */
  readonly teacher: Interval
  readonly student: Interval
  /** student - teacher, paired. */
  readonly difference: Interval
}

/** Objects of a class by who finds them. */
export interface FoundRow {
  readonly name: string
  readonly objects: number
  readonly both: number
  readonly onlyTeacher: number
  readonly onlyStudent: number
  readonly neither: number
  /** Share of the objects that the teacher finds and the student misses, with its interval over images. */
  readonly lost: Interval
  /** Boxes that are on no object. */
  readonly wrongTeacher: number
  readonly wrongStudent: number
}

/** An object that the teacher finds and the student misses. */
export interface LostObject {
  readonly image: number
  readonly label: number
  /** Root of its area, in pixels. */
  readonly side: number
}

/** The safety view of a pair of models on a split. */
export interface Safety {
  readonly recall: readonly RecallRow[]
  readonly found: readonly FoundRow[]
  /** The largest first. */
  readonly lost: readonly LostObject[]
}

/**
 * Compares two models at one score, by COCO's matching at IoU 0.5 (`findTruths`). Intervals come from resampled images, the same
 * for both models.
 *
 * @param detections the teacher's and the student's, on the images of `truths`
 */
export function safetyOf(
  truths: Truths,
  detections: readonly [teacher: Detections, student: Detections],
  classes: readonly string[],
  { minScore, bootstrap = {} }: { readonly minScore: number; readonly bootstrap?: BootstrapOptions },
): Safety {
  const [teacher, student] = [
    findTruths(truths, detections[0], { minScore }),
    findTruths(truths, detections[1], { minScore }),
  ]
  const groups = byClassAndSize(truths)
  const resamples = imageResamples(truths.images, bootstrap)
  /** Share of rows that count, with its interval. */
  const share = (rows: readonly number[], value: (row: number) => number): Interval =>
    sharesInterval(
      rows.map((row) => ({ image: truths.image[row]!, value: value(row) })),
      resamples,
      bootstrap,
    )
  const isLost = (row: number) => teacher.found[row]! * (1 - student.found[row]!)
  const recallOf = ({
    label,
    size,
    rows,
  }: Omit<ObjectGroup, 'size'> & { readonly size?: string }): RecallRow => ({
    name: classes[label]!,
    ...(size !== undefined && { size }),
    objects: rows.length,
    teacher: share(rows, (row) => teacher.found[row]!),
    student: share(rows, (row) => student.found[row]!),
    difference: share(rows, (row) => student.found[row]! - teacher.found[row]!),
  })
  const foundOf = (name: string, rows: readonly number[], labels: readonly number[]): FoundRow => {
    const count = (byTeacher: 0 | 1, byStudent: 0 | 1) =>
      rows.filter((row) => teacher.found[row] === byTeacher && student.found[row] === byStudent).length
    const wrong = (of: typeof teacher) => labels.reduce((sum, label) => sum + of.wrong[label]!, 0)
    return {
      ...{ name, objects: rows.length },
      ...{ both: count(1, 1), onlyTeacher: count(1, 0), onlyStudent: count(0, 1), neither: count(0, 0) },
      lost: share(rows, isLost),
      ...{ wrongTeacher: wrong(teacher), wrongStudent: wrong(student) },
    }
  }
  const rowsOf = (label?: number) =>
    groups.filter((group) => label === undefined || group.label === label).flatMap(({ rows }) => rows)
  const labels = [...new Set(groups.map(({ label }) => label))]
  const all = [...classes.keys()]
  return {
    recall: labels.flatMap((label) => [
      ...groups.filter((group) => group.label === label).map(recallOf),
      recallOf({ label, rows: rowsOf(label) }),
    ]),
    found: [
      ...labels.map((label) => foundOf(classes[label]!, rowsOf(label), [label])),
      foundOf('all', rowsOf(), all),
    ],
    lost: rowsOf()
      .filter((row) => isLost(row) === 1)
      .map((row) => ({ image: truths.image[row]!, label: truths.label[row]!, side: sideOf(truths, row) }))
      .sort((a, b) => b.side - a.side || a.image - b.image),
  }
}
