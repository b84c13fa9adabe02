/** Which student is recommended: a rule stated before the run that uses validation only. */
import type { ArmNumbers } from './arm-numbers'
import type { PairedDifference } from './statistics'

/** Largest fraction of the teacher's MACs allowed for a student. */
export const MACS_SHARE = 0.5

/** The rule in words. */
export const SELECTION_RULE =
  'Stated before the run, on the validation split alone: only students with at most 50 % of the teacher’s ' +
  'multiply-accumulates (MACs) are candidates. Those for which the lower bound of the paired interval of student − teacher ' +
  '(mAP@0.5) is at least 0 come first; of these the one with the best mAP@0.5 is chosen. Where there is none, the best ' +
  'mAP@0.5 decides. The mAP@0.5 of a student that was trained with several seeds is the mean over them, and its model is ' +
  'that of the best seed; of equal ones the first listed is taken.'

/** A student that may be recommended. */
export interface Candidate {
  readonly name: string
  readonly macs: number
  /** Validation mAP@0.5 of each training seed; a model not trained in the comparison has no seed. */
  readonly runs: readonly { readonly seed?: number; readonly mAP50: number }[]
  /** student - teacher on validation. */
  readonly toTeacher: PairedDifference
}

/** A candidate in the rule's table. */
export interface SelectionRow {
  readonly name: string
  /** Fraction of the teacher's MACs. */
  readonly macsShare: number
  /** On validation, mean over seeds. */
  readonly mAP50: number
  /** Lower bound of student - teacher. */
  readonly lower: number
  readonly withinBudget: boolean
  /** Whether the lower bound is at least 0. */
  readonly first: boolean
}

/** What the rule chose. */
export interface Selection<C extends Candidate = Candidate> {
  /** The candidate and its best seed; undefined if no candidate is within the budget. */
  readonly chosen: { readonly candidate: C; readonly seed: number | undefined } | undefined
  /** The reason, in a sentence. */
  readonly reason: string
  /** One row per candidate, in the order given. */
  readonly table: readonly SelectionRow[]
}

/** Applies `SELECTION_RULE`. */
export function select<C extends Candidate>(candidates: readonly C[], teacherMacs: number): Selection<C> {
  const rows = candidates.map((candidate) => {
    const { name, macs, runs, toTeacher } = candidate
    if (runs.length === 0) throw new RangeError(`selection: expected a run of ${name}, found none`)
    const row: SelectionRow = {
      name,
      macsShare: macs / teacherMacs,
      mAP50: runs.reduce((sum, run) => sum + run.mAP50, 0) / runs.length,
      lower: toTeacher.lower,
      withinBudget: macs <= MACS_SHARE * teacherMacs,
      first: toTeacher.lower >= 0,
    }
    return { candidate, row }
  })
  const table = rows.map(({ row }) => row)
  const within = rows.filter(({ row }) => row.withinBudget)
  const preferred = within.filter(({ row }) => row.first)
  const pool = preferred.length > 0 ? preferred : within
  const best = firstBest(pool, ({ row }) => row.mAP50)
  const budget = `${100 * MACS_SHARE} % of the teacher’s MACs`
  if (!best) return { chosen: undefined, reason: `No student has at most ${budget}.`, table }
  const { seed } = firstBest(best.candidate.runs, (run) => run.mAP50)!
  const count = (n: number) => (n === 1 ? '1 student' : `${n} students`)
  const reason =
    preferred.length > 0
      ? `${best.row.name}: of ${count(within.length)} within ${budget}, ${preferred.length} had a paired interval of ` +
        'student − teacher that starts at 0 or above, and it has the best validation mAP@0.5 of these.'
      : `${best.row.name}: none of ${count(within.length)} within ${budget} had a paired interval of student − teacher ` +
        'that starts at 0 or above, so the best validation mAP@0.5 decided.'
  return { chosen: { candidate: best.candidate, seed }, reason, table }
}

function firstBest<T>(items: readonly T[], score: (item: T) => number): T | undefined {
  let best: T | undefined
  for (const item of items) if (best === undefined || score(item) > score(best)) best = item
  return best
}

/** The rule applied to arms in numbers; undefined without a teacher, or if no arm was measured on validation. */
export function selectStudent(arms: readonly ArmNumbers[]): Selection | undefined {
  const teacher = arms.find(({ name }) => name === 'teacher')
  if (!teacher) return undefined
  const candidates = arms.flatMap(
    ({ name, macs, trials, variation, splits: { validation } }): Candidate[] => {
      const toTeacher = validation?.differences[teacher.name]?.mAP50
      return toTeacher && !variation ? [{ name, macs, runs: trials, toTeacher }] : []
    },
  )
  return candidates.length > 0 ? select(candidates, teacher.macs) : undefined
}
