/** A sweep as a table. */
import type { SweepResult } from '../study'
import type { TableRow } from './document'
import { ap, apInterval, count, pointsInterval } from './format'

/** One row an arm, after the teacher and the student; intervals and paired differences over images and seeds. */
export function sweepTable({ sweep, rows }: SweepResult): TableRow[] {
  return rows.map(({ name, seeds, steps, trainingMacs, mAP50, AP, toReference, toTeacher }) => ({
    model: name,
    seeds: seeds.join(', ') || '–',
    steps: steps || '–',
    'training MACs': trainingMacs > 0 ? count(trainingMacs) : '–',
    'mAP@0.5': apInterval(mAP50),
    'COCO AP': ap(AP),
    [`minus ${sweep.reference}, points`]: pointsInterval(toReference),
    verdict: toReference?.verdict ?? '',
    'minus the teacher, points': pointsInterval(toTeacher),
  }))
}
