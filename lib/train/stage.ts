/** How far a training goes, and which of its weights it leaves: rules over its evaluations, written down before. */
import { z } from 'zod'
import type { RateSchedule } from './schedule'

const steps = z.number().int().positive()

/** Evaluations on the validation split while training. */
export const validationSchema = z
  .object({
    /** Steps between two evaluations; the end of the training always has one. */
    every: steps,
    /** The weights that the training leaves: those of the best evaluation (see `bestRow`), or the last. */
    keep: z.enum(['best', 'last']).default('best'),
    /** Steps without gain after which the training ends, or a schedule `plateau` begins its decay (see `findPlateau`). */
    patience: steps.optional(),
    /** An evaluation counts as gain where its mAP@0.5 is higher than that of the last gain by more than this. */
    gain: z.number().min(0).default(0),
  })
  .strict()

export type ValidationRule = z.infer<typeof validationSchema>

/** What an evaluation while training measured: mAP@0.5 (VOC, all-point) and COCO AP, after so many steps. */
export const validationRowSchema = z
  .object({ step: z.number().int().min(0), mAP50: z.number(), AP: z.number() })
  .strict()
export type ValidationRow = z.infer<typeof validationRowSchema>

/** What a checkpoint says about a training's evaluations. */
export const validationStateSchema = z
  .object({
    rule: validationSchema,
    rows: z.array(validationRowSchema),
    /** Where the best weights are kept: the step that names their file, and the SHA-256 of their numbers. */
    best: z
      .object({ step: z.number().int().min(0), sha256: z.string() })
      .strict()
      .optional(),
  })
  .strict()
export type ValidationState = z.infer<typeof validationStateSchema>

/** The evaluation with the largest mAP@0.5; of equal ones that with the larger COCO AP, then the earlier one. */
export function bestRow(rows: readonly ValidationRow[]): ValidationRow | undefined {
  let best = rows[0]
  for (const row of rows) {
    if (row.mAP50 > best!.mAP50 || (row.mAP50 === best!.mAP50 && row.AP > best!.AP)) best = row
  }
  return best
}

/** Where a training stopped to gain. */
export interface Plateau {
  /** Step of the evaluation at which the rule said stop. */
  readonly step: number
  /** The last gain before. */
  readonly gained: ValidationRow
}

/**
 * The first evaluation at which the last gain is `patience` steps ago or more. The first evaluation is a gain, and then
 * each whose mAP@0.5 is above that of the last gain by more than `gain`; small steps up add up, until they are one.
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
  /** Steps after which the training ends, as far as the evaluations say. */
  readonly end: number
  /** Of a schedule `plateau`: the step from which on the rate falls. */
  readonly decayFrom?: number
  readonly plateau?: Plateau
}

/**
 * How far a training goes after the evaluations so far: `steps` at most; where the rule says stop, to that step, or
 * with a schedule `plateau` to `decay` steps after it. A rule that says stop while the rate falls changes nothing.
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
