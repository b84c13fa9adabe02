/** The tiles at the top of a report: accuracy kept, cost, recommendation. */
import { type ArmNumbers, MACS_SHARE, METRICS, shortOf } from '../study'
import { leadingSplit } from './findings'
import { ap, count, percent, pointsInterval } from './format'
import type { Summary } from './summary'

/** One of the answers at the top of a report. */
export interface Tile {
  readonly title: string
  /** A few words or one number. */
  readonly value: string
  readonly detail: string
  /** Its colour; the words say the same. */
  readonly tone: 'better' | 'worse' | 'open'
}

/**
 * The tiles of a comparison that has a teacher and a student to recommend; none otherwise.
 *
 * The recommendation follows from the paired interval of student - teacher (mAP@0.5) on the split that leads the report: take
 * the student where its lower bound is at least 0 and its MACs are within the budget of the selection rule; do not take it where
 * its upper bound is below 0; otherwise, and with fewer images or seeds than a verdict needs, neither is shown.
 */
export function tiles(summary: Summary): readonly Tile[] {
  const { arms, selection } = summary
  const teacher = arms.find(({ name }) => name === 'teacher')
  const student = arms.find(({ name }) => name === selection?.chosen?.name)
  if (!teacher || !student) return []
  return [accuracyKept(teacher, student, summary), cost(teacher, student), recommendation(student, summary)]
}

function accuracyKept(teacher: ArmNumbers, student: ArmNumbers, summary: Summary): Tile {
  const split = leadingSplit(summary)
  const [own, teachers] = [student, teacher].map(({ splits }) => splits[split]?.values.mAP50?.value)
  const difference = student.splits[split]?.differences.teacher?.mAP50
  const kept = own !== undefined && teachers ? own / teachers : undefined
  return {
    title: 'Accuracy kept',
    value: kept === undefined ? 'not measured' : percent(kept),
    detail: `${METRICS.mAP50.name} on ${split}: “${student.name}” ${ap(own)}, teacher ${ap(teachers)}; student − teacher ${pointsInterval(difference)} points.`,
    tone: difference?.verdict === 'better' || difference?.verdict === 'worse' ? difference.verdict : 'open',
  }
}

function cost(teacher: ArmNumbers, student: ArmNumbers): Tile {
  const share = student.macs / teacher.macs
  return {
    title: 'Cost',
    value: `${percent(share)} of the operations`,
    detail: `${count(student.macs)} multiply-accumulates an image, the teacher’s ${count(teacher.macs)}. Operations are not time: see Cost.`,
    tone: share <= MACS_SHARE ? 'better' : 'worse',
  }
}

function recommendation(student: ArmNumbers, summary: Summary): Tile {
  const split = leadingSplit(summary)
  const difference = student.splits[split]?.differences.teacher?.mAP50
  const title = 'Recommendation'
  if (!difference)
    return {
      title,
      value: 'not shown',
      detail: `“${student.name}” was not measured on ${split}.`,
      tone: 'open',
    }
  const lacking = shortOf(difference)
  if (lacking.length > 0)
    return {
      title,
      value: 'not shown',
      detail: `Too little was measured of student − teacher for a verdict: ${lacking.join('; ')}.`,
      tone: 'open',
    }
  const { lower, upper } = difference
  const within = student.macsShare !== undefined && student.macsShare <= MACS_SHARE
  if (lower >= 0 && within)
    return {
      title,
      value: `take ${student.name}`,
      detail: `Its interval of student − teacher starts at 0 or above, with at most ${percent(MACS_SHARE)} of the operations.`,
      tone: 'better',
    }
  if (upper < 0)
    return {
      title,
      value: 'do not take',
      detail: `The rule chooses “${student.name}”, but its whole interval of student − teacher lies below 0: it is not as good as the teacher. Whether it is good enough for its cost is yours to say.`,
      tone: 'worse',
    }
  return {
    title,
    value: 'not shown',
    detail: within
      ? `The interval of student − teacher of “${student.name}” holds 0: neither a loss nor the lack of one is shown.`
      : `“${student.name}” takes more than ${percent(MACS_SHARE)} of the teacher’s operations.`,
    tone: 'open',
  }
}
