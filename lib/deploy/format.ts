/** What a file format can say, and what is said in it: a network's body, and what stands behind the logits. */
import { type Activation, DECODE_DEFAULTS, type DecodeOptions } from '../detector'
import type { Grid, Grids } from './grids'
import { type Convolution, IMAGES, type Plan, type Pool, type Step } from './plan'

/** A step of a kind. */
export type Of<K extends Step['kind']> = Step & { readonly kind: K }

/** A writer of a network's operations; T is a value in the file, one map of each image. */
export interface BodyFormat<T> {
  /** Convolution and bias, without the activation. */
  conv(x: T, step: Convolution, quantised: boolean): T
  activate(x: T, activation: Activation, name: string): T
  depthToSpace(x: T, step: Of<'depthToSpace'>): T
  nearest(x: T, step: Of<'nearest'>): T
  residual(a: T, b: T, step: Step): T
  concat(values: readonly T[], step: Step): T
  maxPool(x: T, step: Pool): T
  slice(x: T, step: Of<'slice'>): T
  widen(x: T, step: Of<'widen'>): T
  /** Rounds to the grid's 256 values. */
  quantise(x: T, grid: Grid, name: string): T
  /** Whether a convolution's values are rounded in front of their activation too. */
  readonly quantisesInFront: boolean
}

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

/** Writes the network; gives the logits of every scale, in float. */
export function writeBody<T>(format: BodyFormat<T>, plan: Plan, images: T, grids?: Grids): T[] {
  const values: T[] = []
  const at = (value: number): T => (value === IMAGES ? input : values[value]!)
  const round = (x: T, name: string): T => {
    const grid = grids?.activations.get(name)
    return grid ? format.quantise(x, grid, name) : x
  }
  const input = round(images, 'images')
  plan.steps.forEach((step, i) => {
    values.push(write(format, step, step.from.map(at), round, isQuantised(plan, i, grids)))
  })
  return plan.outputs.map(at)
}

/** The convolutions that give the logits stay in float, unless asked: they cost 1.3 to 1.9 points of AP otherwise. */
function isQuantised({ outputs }: Plan, step: number, grids: Grids | undefined): boolean {
  return grids !== undefined && (grids.head || !outputs.includes(step))
}

function write<T>(
  format: BodyFormat<T>,
  step: Step,
  from: readonly T[],
  round: (x: T, name: string) => T,
  quantised: boolean,
): T {
  const [x] = from as [T]
  switch (step.kind) {
    case 'conv': {
      const sum = format.conv(x, step, quantised)
      const { name, activation } = step
      if (activation === 'linear') return quantised ? round(sum, name) : sum
      const rounded = format.quantisesInFront ? round(sum, inFront(name)) : sum
      return round(format.activate(rounded, activation, name), name)
    }
    case 'add':
      return round(format.residual(x, from[1]!, step), step.name)
    case 'concat':
      return round(format.concat(from, step), step.name)
    case 'activate':
      return round(format.activate(x, step.activation, step.name), step.name)
    case 'slice':
      return format.slice(x, step)
    case 'widen':
      return format.widen(x, step)
    case 'depthToSpace':
      return format.depthToSpace(x, step)
    case 'nearest':
      return format.nearest(x, step)
    case 'maxPool':
      return format.maxPool(x, step)
  }
}

/** Name of the values in front of a convolution's activation. */
export const inFront = (name: string): string => `${name}/sum`

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
