/** Rules that decide from a training's evaluations when it ends and which weights it keeps; fixed in advance. */
import { z } from 'zod'
import type { RateSchedule } from './schedule'

const steps = z.number().int().positive()

/** Evaluations on the validation split during training. */
export const validationSchema = z
  .object({
    /** Steps between two evaluations; the end of the training always has one. */
    every: steps,
    /** The final weights: those of the best evaluation (see `bestRow`), or the last. */
    keep: z.enum(['best', 'last']).default('best'),
    /** Steps without gain after which the training ends, or a `plateau` schedule begins its decay (see `findPlateau`). */
    patience: steps.optional(),
    /** An evaluation is a gain if its mAP@0.5 exceeds that of the last gain by more than this. */
    gain: z.number().min(0).default(0),
  })
  .strict()

/** When a training is evaluated, and what that decides. */
export type ValidationRule = z.infer<typeof validationSchema>

/** Evaluations along the way that decide nothing: a curve, on so many images, spread evenly over the validation split. */
export const curveSchema = z.object({ every: steps, images: steps }).strict()

/** When a training is evaluated for its curve alone, and on how many images. */
export type CurveRule = z.infer<typeof curveSchema>

/**
 * Result of an evaluation during training: mAP@0.5 (VOC, all-point) and COCO AP after that many steps; `images` where
 * it was not the whole validation split.
 */
export const validationRowSchema = z
  .object({
    step: z.number().int().min(0),
    mAP50: z.number(),
    AP: z.number(),
    images: z.number().int().positive().optional(),
  })
  .strict()
/** One evaluation during a training. */
export type ValidationRow = z.infer<typeof validationRowSchema>

/** A checkpoint's record of a training's evaluations. */
export const validationStateSchema = z
  .object({
    rule: validationSchema,
    rows: z.array(validationRowSchema),
    /** Where the best weights are stored: the step that names their file, and the SHA-256 of their numbers. */
    best: z
      .object({ step: z.number().int().min(0), sha256: z.string() })
      .strict()
      .optional(),
  })
  .strict()
export type ValidationState = z.infer<typeof validationStateSchema>

/** The evaluation with the largest mAP@0.5; ties go to the larger COCO AP, then to the earlier one. */
export function bestRow(rows: readonly ValidationRow[]): ValidationRow | undefined {
  let best = rows[0]
  for (const row of rows) {
    if (row.mAP50 > best!.mAP50 || (row.mAP50 === best!.mAP50 && row.AP > best!.AP)) best = row
  }
  return best
}

/** Where a training stopped improving. */
export interface Plateau {
  /** Step of the evaluation at which the rule said stop. */
  readonly step: number
  /** The last gain before that. */
  readonly gained: ValidationRow
}

/**
 * The first evaluation at which the last gain is at least `patience` steps ago. The first evaluation is a gain, and then
 * each whose mAP@0.5 exceeds that of the last gain by more than `gain`; small improvements thus add up to one.
 *
 * @param rows in the order of steps
 */
export function findPlateau(
  rows: readonly ValidationRow[],
  { patience, gain }: Pick<ValidationRule, 'patience' | 'gain'>,
): Plateau | undefined {
  if (patience === undefined) return undefined
  let gained = rows[0]
  for (const row of rows) {
    if (row.mAP50 > gained!.mAP50 + gain) gained = row
    else if (row.step - gained!.step >= patience) return { step: row.step, gained: gained! }
  }
  return undefined
}

export interface Stage {
  /** Steps after which the training ends, according to the evaluations so far. */
  readonly end: number
  /** With a `plateau` schedule: the step from which on the rate falls. */
  readonly decayFrom?: number
  readonly plateau?: Plateau
}

/**
 * When a training ends, given the evaluations so far: after `steps` at most; if the rule says stop, at that step, or
 * with a `plateau` schedule `decay` steps later. Once the rate falls, the rule changes nothing any more.
 *
 * @throws Error when the schedule's decay is longer than the training
 */
export function stageOf(
  { steps, schedule, validation }: { steps: number; schedule: RateSchedule; validation?: ValidationRule },
  rows: readonly ValidationRow[],
): Stage {
  const plateau = validation && findPlateau(rows, validation)
  if (schedule.kind !== 'plateau') return { end: plateau?.step ?? steps, plateau }
  const latest = steps - schedule.decay
  if (latest < 0) {
    throw new Error(
      `schedule.decay: expected at most the training's ${steps} steps, found ${schedule.decay}; train longer`,
    )
  }
  if (!plateau || plateau.step > latest) return { end: steps, decayFrom: latest }
  return { end: plateau.step + schedule.decay, decayFrom: plateau.step, plateau }
}
