/** What a file gives, by name: the same names in every format. */
import { DECODE_DEFAULTS } from '../detector'
import { type BodyFormat, writeBody } from '../quantise/body'
import type { Grids } from '../quantise/grids'
import type { Plan } from '../quantise/plan'
import { type HeadFormat, slotsOf, writeDecoded, writeDetections } from './format'
import type { Head } from './options'

/** An output: its shape without the batch, in the order of a TensorFlow value. */
export interface Output {
  readonly name: string
  readonly shape: readonly number[]
  readonly type: 'float32' | 'int32'
}

/**
 * Outputs of a head: `logits32`, `logits16`, `logits8` by stride; `boxes` and `scores`; or `boxes`, `scores`, `labels` and
 * `counts`.
 */
export function outputsOf(plan: Plan, head: Head): Output[] {
  const float = (name: string, ...shape: number[]): Output => ({ name, shape, type: 'float32' })
  if (head === 'logits') {
    const { strides } = plan.decode
    return plan.outputs.map((step, scale) => {
      const before = strides.slice(0, scale).filter((stride) => stride === strides[scale]).length
      return float(`logits${strides[scale]}${before > 0 ? `_${before}` : ''}`, ...plan.steps[step]!.shape)
    })
  }
  if (head === 'decoded') {
    const slots = slotsOf(plan).reduce((sum, count) => sum + count, 0)
    return [float('boxes', slots, 4), float('scores', slots, plan.decode.classes)]
  }
  const { limit } = DECODE_DEFAULTS
  return [
    float('boxes', limit, 4),
    float('scores', limit),
    float('labels', limit),
    { name: 'counts', shape: [], type: 'int32' },
  ]
}

/** Writes body and head; gives the values in the order of `outputsOf`. */
export function writeOutputs<T>(
  format: BodyFormat<T> & HeadFormat<T>,
  plan: Plan,
  images: T,
  head: Head,
  grids?: Grids,
): T[] {
  const logits = writeBody(format, plan, images, grids).map((x) => format.floating(x))
  if (head === 'logits') return logits
  if (head === 'decoded') {
    const { boxes, scores } = writeDecoded(format, plan, logits)
    return [boxes, scores]
  }
  const { boxes, scores, labels, counts } = writeDetections(format, plan, logits)
  return [boxes, scores, labels, counts]
}
