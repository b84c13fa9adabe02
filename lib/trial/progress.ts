/** How far a trial is, as its process tells whoever waits for it. */
import type { TrialProgress } from './trial'

/** Messages about a trial's progress are thinned out to this. */
const REPORT_MS = 200

/** Steps or images done, and how many there are. */
export function position(event: TrialProgress): [value: number, total: number] {
  return event.phase === 'training' ? [event.progress.step, event.progress.steps] : [event.done, event.total]
}

/** Passes on what comes after a pause, and the last of each phase. */
export function thinnedOut(report: (progress: TrialProgress) => void): (progress: TrialProgress) => void {
  let last = 0
  return (progress) => {
    const [value, total] = position(progress)
    if (value < total && performance.now() - last < REPORT_MS) return
    last = performance.now()
    report(progress)
  }
}
