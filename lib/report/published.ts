/** The published run beside this one. */
import type { ArmNumbers } from '../study'
import { leadingSplit } from './findings'
import { apInterval, count, percent, points, pointsInterval } from './format'
import type { OwnModel, Summary } from './summary'

/** The run that this workbook follows: darknet21-YOLOv3, 512x192, 8 classes of a car’s cockpit; counts by mmdet’s rules. */
export const PUBLISHED_CASE = {
  teacher: { mmdet: 8.5e9, mAP50: 0.74 },
  student: { mmdet: 3.94e9, mAP50: 0.731 },
  distilled: { method: 'objectness-mse', mAP50: 0.7413 },
} as const

/** The published numbers beside this run's. */
export function publishedRows(summary: Summary): { [column: string]: string }[] {
  const split = leadingSplit(summary)
  const { teacher, student, distilled } = PUBLISHED_CASE
  const of = (role: ArmNumbers['role']) => summary.arms.find((arm) => arm.role === role)
  const method = summary.arms.find(({ name }) => name === distilled.method)
  const [ownTeacher, ownStudent, control] = [of('teacher'), of('student'), of('control')]
  const [reference] = summary.references
  const on = (arm: ArmNumbers | undefined) => arm?.splits[split]
  const [distilled50, student50] = [on(method)?.values.mAP50, on(ownStudent)?.values.mAP50]
  const share = (arm: ArmNumbers | undefined) =>
    arm?.mmdet !== undefined && ownTeacher?.mmdet !== undefined ? percent(arm.mmdet / ownTeacher.mmdet) : '–'
  const row = (what: string, published: string, here: string, comparable: string) => ({
    what,
    published,
    [`this run (${split})`]: here,
    comparable,
  })
  const { teacher: ofOwn, student: studentOfOwn } = summary.models?.given ?? {}
  const widths = (own: OwnModel | undefined) =>
    own ? 'no: another network' : 'no: other input size and widths'
  const size = (arm: ArmNumbers | undefined) => (arm?.mmdet === undefined ? '–' : count(arm.mmdet))
  return [
    row('teacher, mmdet count', count(teacher.mmdet), size(ownTeacher), widths(ofOwn)),
    row('student, mmdet count', count(student.mmdet), size(ownStudent), widths(studentOfOwn ?? ofOwn)),
    row(
      'student over teacher',
      percent(student.mmdet / teacher.mmdet),
      share(ownStudent),
      studentOfOwn ? 'no: not a slimmed teacher' : 'yes',
    ),
    row(
      'teacher, mAP@0.5',
      teacher.mAP50.toFixed(4),
      apInterval(on(ownTeacher)?.values.mAP50),
      'no: other data',
    ),
    row(
      'student, mAP@0.5',
      student.mAP50.toFixed(4),
      apInterval(on(ownStudent)?.values.mAP50),
      'no: other data',
    ),
    row(
      'student − teacher, points',
      points(student.mAP50 - teacher.mAP50),
      pointsInterval(on(ownStudent)?.differences.teacher?.mAP50),
      'sign and size, with care',
    ),
    row(
      `${distilled.method}, mAP@0.5`,
      distilled.mAP50.toFixed(4),
      apInterval(on(method)?.values.mAP50),
      'no: other data',
    ),
    row(
      `${distilled.method} − student, points`,
      points(distilled.mAP50 - student.mAP50),
      distilled50 && student50 ? points(distilled50.value - student50.value) : '–',
      'no: includes longer training',
    ),
    row(
      `${distilled.method} − control, points`,
      'not published',
      control && reference !== undefined ? pointsInterval(on(method)?.differences[reference]?.mAP50) : '–',
      'the effect of distillation itself',
    ),
  ]
}

/** Why the published numbers and those of a study are not comparable. */
export const PUBLISHED_STATEMENT =
  'The published run used other images (a car’s cockpit, 512 × 192 pixels, 8 classes), full widths, one run per row, and gave neither intervals nor ' +
  'a control trained on without a teacher. Absolute values are therefore not comparable; the share of the ' +
  'student’s cost is, and the sign of differences with care.'
