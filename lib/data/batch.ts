import { Random } from '../base'
import { type Augmentation, drawInputSize, drawView, holdsCentre } from './augment'
import { frameRegion, readFrame, type SharedFrames } from './frames'
import { resample } from './resample'
import { applyStrong, type StrongLook } from './strong'
import { compose, type Fit, fitRegion, type KeepRule, type Placement, placeBoxes, toInput } from './transform'
import type { Box } from './types'

/** One batch of network inputs. */
export interface Batch {
  readonly step: number
  /** Number of complete passes over the samples before this batch. */
  readonly epoch: number
  /** [n, h, w, 3], RGB as bytes; a network takes them in 0 .. 1, see `unitValues`. */
  readonly images: Uint8Array
  readonly shape: readonly [number, number, number, number]
  /** The same images in a stronger look, if requested: same shape, every pixel in its place. */
  readonly strong?: Uint8Array
  /** Boxes in pixels of the network input; undefined for an unlabelled image. */
  readonly truths: readonly (Box[] | undefined)[]
  readonly ids: readonly string[]
  /** Index of each image in the loader's samples. */
  readonly indices: readonly number[]
  /** How each original image lies in the input; `toImage` takes detections back. */
  readonly placements: readonly Placement[]
}

/** Everything that determines a loader's batches: with it, a batch is a pure function of the step. */
export interface BatchPlan {
  readonly input: readonly [number, number]
  readonly batch: number
  readonly seed: number
  readonly shuffle: boolean
  readonly augment: Augmentation | false
  /** Number of augmented views of an image that the epochs cycle through; by default every epoch has its own. */
  readonly views?: number
  /** Gives every image a second, stronger look. */
  readonly strong?: StrongLook
  readonly fit: Fit
  /** Value of pixels outside the frame, 0 .. 255. */
  readonly fill: number
  readonly dropLast: boolean
}

/** Without augmentation, a box stays if the crop leaves enough of it, however small it is. */
export const UNCHANGED: KeepRule = { minKept: 0.3, minSide: 0 }

/** Batches in one pass over `count` samples. */
export function stepsPerEpoch(plan: BatchPlan, count: number): number {
  return plan.dropLast ? Math.floor(count / plan.batch) : Math.ceil(count / plan.batch)
}

/** The samples of a step; each epoch has its own order, from (seed, epoch). */
export function batchIndices(
  plan: BatchPlan,
  count: number,
  step: number,
): { epoch: number; indices: number[] } {
  const steps = stepsPerEpoch(plan, count)
  const epoch = Math.floor(step / steps)
  const start = (step % steps) * plan.batch
  const order = plan.shuffle ? epochOrder(plan.seed, epoch, count) : undefined
  const indices: number[] = []
  for (let at = start; at < Math.min(start + plan.batch, count); at++) indices.push(order ? order[at]! : at)
  return { epoch, indices }
}

const orders = new Map<string, Int32Array>()

/** Remembers the last two orders: for a large set, drawing one costs about as much as a batch. */
function epochOrder(seed: number, epoch: number, count: number): Int32Array {
  const key = `${seed} ${epoch} ${count}`
  let order = orders.get(key)
  if (order === undefined) {
    order = new Random(seed, 'order', epoch).permutation(count)
    if (orders.size >= 2) orders.delete(orders.keys().next().value as string)
    orders.set(key, order)
  }
  return order
}

/** Bytes as a network takes them: v / 255. On a device `unitPixels` of the engine does the same. */
export function unitValues(bytes: Uint8Array): Float32Array {
  return Float32Array.from(bytes, (byte) => byte / 255)
}

/**
 * Reads, augments and resamples the images of a step. Each is computed in floating point and rounded to bytes once, at the end.
 * Randomness depends on (seed, view, index) only.
 */
export async function makeBatch(plan: BatchPlan, frames: SharedFrames, step: number): Promise<Batch> {
  const { epoch, indices } = batchIndices(plan, frames.samples.length, step)
  const number = plan.views === undefined ? epoch : epoch % plan.views
  const [height, width] =
    plan.augment !== false && plan.augment.multiScale
      ? drawInputSize(new Random(plan.seed, 'input size', step), plan.augment.multiScale)
      : plan.input
  const length = height * width * 3
  const images = new Uint8Array(indices.length * length)
  const strong = plan.strong && new Uint8Array(images.length)
  // One image before rounding, in 0 .. 1.
  const pixels = new Float32Array(length)
  const truths: (Box[] | undefined)[] = []
  const placements: Placement[] = []
  const decoded = await Promise.all(indices.map((index) => readFrame(frames, index)))
  indices.forEach((index, i) => {
    const frame = decoded[i]!
    const sample = frames.samples[index]!
    const crop = frameRegion(sample, frames.crop)
    const toFrame = { scaleX: 1, shiftX: -crop.x1, scaleY: 1, shiftY: -crop.y1 }
    const whole = { x1: 0, y1: 0, x2: frame.width, y2: frame.height }
    const rule = plan.augment || UNCHANGED
    let boxes = sample.boxes && placeBoxes(sample.boxes, toFrame, whole, { ...rule, minSide: 0 })
    let view = { placement: fitRegion(whole, [height, width], plan.fit), visible: whole }
    const isUnchanged = !plan.augment && !plan.strong && frame.width === width && frame.height === height
    if (plan.augment) {
      const random = new Random(plan.seed, 'augment', number, index)
      const drawn = drawView(random, frame, boxes ?? [], [height, width], plan.fit, plan.augment)
      if (plan.augment.minIouCrop) boxes = boxes?.filter((box) => holdsCentre(drawn.visible, box))
      resample(frame, drawn.placement, [height, width], pixels, { ...drawn, fill: plan.fill })
      view = drawn
    } else if (!isUnchanged) {
      resample(frame, view.placement, [height, width], pixels, { fill: plan.fill })
    }
    // Its bytes are what resampling and rounding give.
    if (isUnchanged) images.set(frame.pixels, i * length)
    else round(pixels, images, i * length)
    if (plan.strong && strong) {
      applyStrong(
        new Random(plan.seed, 'strong', number, index),
        { values: pixels, height, width },
        plan.strong,
      )
      round(pixels, strong, i * length)
    }
    const seen = toInput(view.visible, view.placement)
    const bounds = {
      x1: Math.max(0, seen.x1),
      y1: Math.max(0, seen.y1),
      x2: Math.min(width, seen.x2),
      y2: Math.min(height, seen.y2),
    }
    truths.push(boxes && placeBoxes(boxes, view.placement, bounds, rule))
    placements.push(compose(toFrame, view.placement))
  })
  return {
    step,
    epoch,
    images,
    shape: [indices.length, height, width, 3],
    ...(strong && { strong }),
    truths,
    ids: indices.map((index) => frames.samples[index]!.id),
    indices,
    placements,
  }
}

/** Writes values in 0 .. 1 as bytes to target[offset ..], rounded to the nearest, halves to even. */
function round(values: Float32Array, target: Uint8Array, offset: number): void {
  const bytes = new Uint8ClampedArray(target.buffer, target.byteOffset + offset, values.length)
  for (let i = 0; i < values.length; i++) bytes[i] = values[i]! * 255
}
