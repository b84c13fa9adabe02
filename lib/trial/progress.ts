/** Progress of a trial, reported by its process to whoever waits for it. */
import type { TrialProgress } from './trial'

/** Minimum interval between progress messages of a trial. */
const REPORT_MS = 200

/** Steps or images done, and their total number. */
export function position(event: TrialProgress): [value: number, total: number] {
  return event.phase === 'training' ? [event.progress.step, event.progress.steps] : [event.done, event.total]
}

/** Passes on an event after each interval, and the last event of each phase. */
export function thinnedOut(report: (progress: TrialProgress) => void): (progress: TrialProgress) => void {
  let last = 0
  return (progress) => {
    const [value, total] = position(progress)
    if (value < total && performance.now() - last < REPORT_MS) return
    last = performance.now()
    report(progress)
  }
}
