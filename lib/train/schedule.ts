import { z } from 'zod'
import { parseDocument } from '../base'

/** Learning-rate schedules by name; a rate is a pure function of the step, so that a resumed run continues exactly. */
export const scheduleSchema = z.discriminatedUnion('kind', [
  z
    .object({
      /** Half a cosine from `rate` down to `rate * final` (Loshchilov & Hutter 2017, eq. 5, without restarts). */
      kind: z.literal('cosine'),
      rate: z.number().positive(),
      final: z.number().min(0).max(1).default(0.01),
    })
    .strict(),
  z
    .object({
      /** (rate - floor) * (1 - e / epochs)^power + floor by whole epochs e: the published run's schedule. */
      kind: z.literal('poly'),
      rate: z.number().positive(),
      floor: z.number().min(0).default(1e-6),
      power: z.number().positive().default(0.9),
      epochs: z.number().int().positive(),
    })
    .strict(),
])

/** A linear rise of the rate at the start, on top of the schedule. */
export const warmUpSchema = z
  .object({
    /** Steps over which the rate rises linearly. */
    steps: z.number().int().min(0),
    /** Share of the schedule's rate at step 0. */
    from: z.number().min(0).max(1).default(0.1),
  })
  .strict()

export type RateSchedule = z.infer<typeof scheduleSchema>
export type WarmUp = z.infer<typeof warmUpSchema>

const argumentsSchema = z.object({
  schedule: scheduleSchema,
  warmUp: warmUpSchema,
  step: z.number().min(0),
  steps: z.number().int().positive(),
  stepsPerEpoch: z.number().positive(),
})

/**
 * Learning rate of a step.
 *
 * @param step counted from 0
 * @param steps of the whole run
 * @param stepsPerEpoch of the loader, for schedules by epoch
 * @throws Error naming what is wrong of the schedule, the warm-up or the place in the run
 */
export function learningRate(
  schedule: RateSchedule,
  warmUp: WarmUp,
  at: { step: number; steps: number; stepsPerEpoch: number },
): number {
  const given = parseDocument({ schedule, warmUp, ...at }, argumentsSchema, 'learningRate')
  const { step, steps, stepsPerEpoch } = given
  const { steps: rising, from } = given.warmUp
  const warm = step < rising ? from + ((1 - from) * step) / rising : 1
  if (given.schedule.kind === 'cosine') {
    const { rate, final } = given.schedule
    return warm * rate * (final + ((1 - final) * (1 + Math.cos((Math.PI * step) / steps))) / 2)
  }
  const { rate, floor, power, epochs } = given.schedule
  const epoch = Math.min(Math.floor(step / stepsPerEpoch), epochs)
  return warm * ((rate - floor) * (1 - epoch / epochs) ** power + floor)
}
