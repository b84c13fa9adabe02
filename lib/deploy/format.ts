/** What stands behind the logits in a file, and what a file format must be able to say for it. */
import { DECODE_DEFAULTS, type DecodeOptions } from '../detector'
import type { Plan } from '../quantise/plan'

/**
 * Arithmetic for what stands behind the logits. Every value is [n, slots, width]: the slots of a scale by row, column, anchor.
 */
export interface HeadFormat<T> {
  /** Logits as float32, where the body computes in less. */
  floating(logits: T): T
  /** Logits of one scale, anchor-major. */
  slots(logits: T, slots: number, width: number): T
  columns(x: T, begin: number, width: number): T
  sigmoid(x: T): T
  exp(x: T): T
  atMost(x: T, limit: number): T
  add(a: T, b: T | Values): T
  subtract(a: T, b: T): T
  multiply(a: T, b: T | Values): T
  join(values: readonly T[], axis: 1 | 2): T
  /** 1 where x is above the threshold, or at least as large with `orEqual`; else 0. */
  above(x: T, threshold: number, orEqual: boolean): T
  /** Of [n, slots, 1] the numbers of the `count` largest, in descending order. */
  largest(x: T, count: number): T
  /** The slots with these numbers. */
  pick(x: T, chosen: T, width: number): T
  /** The final detections by class-wise NMS; scores of 0 never count. */
  suppress(boxes: T, scores: T, sizes: SuppressionSizes): Detections<T>
}

/** A number, or constants [1, slots, width] of the same for every image. */
export type Values = number | { readonly shape: readonly number[]; readonly values: Float32Array }

export interface SuppressionSizes {
  readonly slots: number
  readonly classes: number
  readonly limit: number
  readonly iou: number
}

export interface Detections<T> {
  readonly boxes: T
  readonly scores: T
  readonly labels: T
  readonly counts: T
}

/** Slots of each scale: by row, column, anchor. */
export function slotsOf({ steps, outputs, decode }: Plan): number[] {
  return outputs.map((step, scale) => {
    const [h, w] = steps[step]!.shape
    return h * w * decode.anchors[scale]!.length
  })
}

/** No box is larger than e^16 anchors. */
const LARGEST_LOG_SIZE = 16

interface Decoded<T> {
  readonly boxes: T
  readonly objectness: T
  readonly probabilities: T
}

/** Boxes and probabilities of one scale, as `decodeScale` computes them. */
function decodeScale<T>(format: HeadFormat<T>, plan: Plan, scale: number, logits: T): Decoded<T> {
  const { classes } = plan.decode
  const [anchors, s, stride] = [
    plan.decode.anchors[scale]!,
    plan.decode.scaleXY[scale]!,
    plan.decode.strides[scale]!,
  ]
  const [h, w] = plan.steps[plan.outputs[scale]!]!.shape
  const slots = h * w * anchors.length
  const [offsets, sizes] = [new Float32Array(slots * 2), new Float32Array(slots * 2)]
  for (let slot = 0; slot < slots; slot++) {
    const cell = Math.floor(slot / anchors.length)
    offsets.set([(cell % w) - (s - 1) / 2, Math.floor(cell / w) - (s - 1) / 2], slot * 2)
    sizes.set(anchors[slot % anchors.length]!, slot * 2)
  }
  const constant = (values: Float32Array): Values => ({ shape: [1, slots, 2], values })
  const t = format.slots(logits, slots, 5 + classes)
  const place = format.add(format.multiply(format.sigmoid(format.columns(t, 0, 2)), s), constant(offsets))
  const centre = format.multiply(place, stride)
  const size = format.multiply(
    format.exp(format.atMost(format.columns(t, 2, 2), LARGEST_LOG_SIZE)),
    constant(sizes),
  )
  const half = format.multiply(size, 0.5)
  return {
    boxes: format.join([format.subtract(centre, half), format.add(centre, half)], 2),
    objectness: format.sigmoid(format.columns(t, 4, 1)),
    probabilities: format.sigmoid(format.columns(t, 5, classes)),
  }
}

/** Boxes [n, slots, 4], x1 y1 x2 y2 in pixels, and scores [n, slots, classes], class probability * objectness, of all scales. */
export function writeDecoded<T>(
  format: HeadFormat<T>,
  plan: Plan,
  logits: readonly T[],
): { boxes: T; scores: T } {
  const scales = logits.map((x, scale) => decodeScale(format, plan, scale, x))
  return {
    boxes: format.join(
      scales.map(({ boxes }) => boxes),
      1,
    ),
    scores: format.join(
      scales.map(({ probabilities, objectness }) => format.multiply(probabilities, objectness)),
      1,
    ),
  }
}

/** The final detections, as `detect` finds them: thresholds and limits, then class-wise NMS. */
export function writeDetections<T>(
  format: HeadFormat<T>,
  plan: Plan,
  logits: readonly T[],
  options: DecodeOptions = DECODE_DEFAULTS,
): Detections<T> {
  const { classes } = plan.decode
  const slots = slotsOf(plan)
  const scales = logits.map((x, scale): Decoded<T> => {
    const all = decodeScale(format, plan, scale, x)
    if (slots[scale]! <= options.perScale) return all
    const chosen = format.largest(all.objectness, options.perScale)
    return {
      boxes: format.pick(all.boxes, chosen, 4),
      objectness: format.pick(all.objectness, chosen, 1),
      probabilities: format.pick(all.probabilities, chosen, classes),
    }
  })
  const joined = (part: keyof Decoded<T>) =>
    format.join(
      scales.map((scale) => scale[part]),
      1,
    )
  const [objectness, probabilities] = [joined('objectness'), joined('probabilities')]
  const present = format.multiply(objectness, format.above(objectness, options.objectness, true))
  const likely = format.multiply(probabilities, format.above(probabilities, options.classProbability, false))
  const kept = slots.reduce((sum, count) => sum + Math.min(count, options.perScale), 0)
  const sizes = { slots: kept, classes, limit: options.limit, iou: options.iou }
  return format.suppress(joined('boxes'), format.multiply(likely, present), sizes)
}
