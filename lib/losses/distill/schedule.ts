import { z } from 'zod'
import { parseDocument } from '../../base'

/** When a loss counts, in the unit of the requested step (optimizer steps or epochs). */
export const termScheduleSchema = z
  .object({
    /** First step at which the loss may count. */
    start: z.number().int().min(0).optional(),
    /** First step at which it no longer counts. */
    stop: z.number().int().positive().optional(),
    /** Steps after `start` over which the factor grows linearly from 0 to 1; 0 starts at once. */
    ramp: z.number().int().min(0).optional(),
  })
  .strict()
/** When a term counts, and how it sets in. */
export type Schedule = Readonly<z.infer<typeof termScheduleSchema>>

/**
 * The factor at a step: 0 outside [start, stop), min(1, (step - start) / ramp) inside.
 * @throws Error naming the wrong key of the schedule
 */
export function scheduleFactor(step: number, schedule?: Schedule): number {
  if (schedule === undefined) return 1
  const parsed = parseDocument(schedule, termScheduleSchema, 'schedule of a distillation loss')
  const { start = 0, stop = Number.POSITIVE_INFINITY, ramp = 0 } = parsed
  if (step < start || step >= stop) return 0
  return ramp > 0 ? Math.min(1, (step - start) / ramp) : 1
}
