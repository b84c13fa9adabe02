/** When a loss counts, in the unit of the step that is asked for (optimizer steps or epochs). */
export interface Schedule {
  /** First step at which the loss may count. */
  readonly start?: number
  /** First step at which it no longer counts. */
  readonly stop?: number
  /** Steps after `start` over which the factor grows linearly from 0 to 1; 0 for at once. */
  readonly ramp?: number
}

/** The factor at a step: 0 outside [start, stop), min(1, (step - start) / ramp) inside. */
export function scheduleFactor(step: number, schedule: Schedule = {}): number {
  const { start = 0, stop = Number.POSITIVE_INFINITY, ramp = 0 } = schedule
  if (step < start || step >= stop) return 0
  return ramp > 0 ? Math.min(1, (step - start) / ramp) : 1
}
