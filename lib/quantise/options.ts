/** What is asked of a quantised network, and what it was quantised with. */
import { z } from 'zod'
import { type Schema, sha256 } from '../base'
import { type Grids, gridOf, symmetricGridOf, TARGETS, type Target } from './grids'

/** How a training quantises the network that it trains. */
export interface QuantiseOptions {
  /** Frames of training, drawn by the training's seed, on which the activations' ranges are measured before it begins. */
  readonly frames: number
  /** The runtime in whose places values are rounded; TFLite rounds where ONNX Runtime does. */
  readonly for: Target
  /** Whether the convolutions that give the logits are rounded too. */
  readonly head: boolean
}

const options = z
  .object({
    frames: z.number().int().positive().default(128),
    for: z.enum(TARGETS).default('onnxruntime'),
    head: z.boolean().default(false),
  })
  .strict()

/** `int8`, or the options in which it differs. */
export const quantiseSchema: Schema<QuantiseOptions> = z.union([
  z.literal('int8').transform(() => options.parse({})),
  options,
])

const range = z.object({ min: z.number(), max: z.number() }).strict()

/** Which range every activation had on frames. */
export const calibrationSchema = z
  .object({
    format: z.literal('calibration/1'),
    /** SHA-256 of the checkpoint's numbers, and hash of the data set. */
    checkpoint: z.string(),
    data: z.string(),
    frames: z.number().int().positive(),
    seed: z.number(),
    /** By the names of `activationNames`. */
    ranges: z.record(range),
  })
  .strict()

/** Ranges of every activation, for int8. */
export type Calibration = z.infer<typeof calibrationSchema> & {
  /** SHA-256 of the rest, as JSON. */
  readonly sha256: string
}

/** A calibration with its hash. */
export function calibrationOf(found: z.infer<typeof calibrationSchema>): Calibration {
  const known = calibrationSchema.parse(found)
  return { ...known, sha256: sha256(JSON.stringify(known)) }
}

/** With what a network was trained or measured as int8; its checkpoint keeps it, and its int8 files have the same scales. */
export const quantisationSchema = z
  .object({ for: z.enum(TARGETS), head: z.boolean(), calibration: calibrationSchema })
  .strict()

/** What a network was quantised with. */
export type Quantisation = z.infer<typeof quantisationSchema>

/** The grids of a calibration; `symmetric` around 0 as signed numbers. */
export function gridsOf(
  { ranges }: Pick<Calibration, 'ranges'>,
  { head = false, symmetric = false }: { readonly head?: boolean; readonly symmetric?: boolean } = {},
): Grids {
  const make = symmetric ? symmetricGridOf : gridOf
  return { activations: new Map(Object.entries(ranges).map(([name, found]) => [name, make(found)])), head }
}
