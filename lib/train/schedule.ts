import { z } from 'zod'
import { parseDocument } from '../base'

/** Learning-rate schedules by name; the rate is a pure function of the step, so a resumed run continues exactly. */
export const scheduleSchema = z.discriminatedUnion('kind', [
  z
    .object({
      /** Half a cosine from `rate` down to `rate * final` (Loshchilov & Hutter 2017, eq. 5, without restarts). */
      kind: z.literal('cosine'),
      rate: z.number().positive(),
      /** Steps of the half cosine, after which the rate stays constant; the whole training by default. */
      over: z.number().int().positive().optional(),
      final: z.number().min(0).max(1).default(0.01),
    })
    .strict(),
  z
    .object({
      /** (rate - floor) * (1 - e / epochs)^power + floor for whole epochs e: the published run's schedule. */
      kind: z.literal('poly'),
      rate: z.number().positive(),
      floor: z.number().min(0).default(1e-6),
      power: z.number().positive().default(0.9),
      epochs: z.number().int().positive(),
    })
    .strict(),
  z
    .object({
      /**
       * Half cosines from `rate` down to `rate * final`, repeated (Loshchilov & Hutter 2017): the first takes `period`
       * steps, each later one `factor` times as many as the one before. The end of the training may cut the last one short.
       */
      kind: z.literal('restarts'),
      rate: z.number().positive(),
      period: z.number().int().positive(),
      factor: z.number().int().positive().default(1),
      final: z.number().min(0).max(1).default(0.01),
    })
    .strict(),
  z
    .object({
      /**
       * `rate` until the validation rule says stop, or only `decay` steps remain; then half a cosine over `decay` steps
       * down to `rate * final`, where the training ends.
       */
      kind: z.literal('plateau'),
      rate: z.number().positive(),
      decay: z.number().int().positive(),
      final: z.number().min(0).max(1).default(0.01),
    })
    .strict(),
])

/** A linear rise of the rate at the start, multiplied onto the schedule. */
export const warmUpSchema = z
  .object({
    /** Steps over which the rate rises linearly. */
    steps: z.number().int().min(0),
    /** Fraction of the schedule's rate at step 0. */
    from: z.number().min(0).max(1).default(0.1),
  })
  .strict()

/** How the learning rate falls. */
export type RateSchedule = z.infer<typeof scheduleSchema>
/** How the learning rate rises at the start. */
export type WarmUp = z.infer<typeof warmUpSchema>

const argumentsSchema = z.object({
  schedule: scheduleSchema,
  warmUp: warmUpSchema,
  step: z.number().min(0),
  steps: z.number().int().positive(),
  stepsPerEpoch: z.number().positive(),
  decayFrom: z.number().min(0).optional(),
})

/**
 * Learning rate of a step.
 *
 * @param at the `step`, counted from 0; the `steps` of the whole run; the loader's `stepsPerEpoch`, for schedules by epoch; and
 *   `decayFrom`, the step at which a plateau ends, as far as it is known (see `stageOf`)
 * @throws Error naming what is wrong with the schedule, the warm-up or the position in the run
 */
export function learningRate(
  schedule: RateSchedule,
  warmUp: WarmUp,
  at: { step: number; steps: number; stepsPerEpoch: number; decayFrom?: number },
): number {
  const given = parseDocument({ schedule, warmUp, ...at }, argumentsSchema, 'learningRate')
  const { step, steps, stepsPerEpoch, decayFrom = steps } = given
  const { steps: rising, from } = given.warmUp
  const warm = step < rising ? from + ((1 - from) * step) / rising : 1
  const { rate } = given.schedule
  if (given.schedule.kind === 'cosine') {
    const { over = steps, final } = given.schedule
    return warm * rate * halfCosine(Math.min(1, step / over), final)
  }
  if (given.schedule.kind === 'restarts') {
    return warm * rate * halfCosine(cyclePosition(step, given.schedule), given.schedule.final)
  }
  if (given.schedule.kind === 'plateau') {
    const { decay, final } = given.schedule
    return warm * rate * (step < decayFrom ? 1 : halfCosine((step - decayFrom) / decay, final))
  }
  const { floor, power, epochs } = given.schedule
  const epoch = Math.min(Math.floor(step / stepsPerEpoch), epochs)
  return warm * ((rate - floor) * (1 - epoch / epochs) ** power + floor)
}

/** Half a cosine from 1 at 0 to `final` at 1. */
function halfCosine(position: number, final: number): number {
  return final + ((1 - final) * (1 + Math.cos(Math.PI * position))) / 2
}

/** Position of a step in its cycle, 0 .. 1. */
function cyclePosition(step: number, { period, factor }: { period: number; factor: number }): number {
  let [start, length] = [0, period]
  while (step >= start + length) {
    start += length
    length *= factor
  }
  return (step - start) / length
}
