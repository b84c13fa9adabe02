/**
 * The YOLOv3 training loss (Redmon & Farhadi 2018) with a choice of box loss: generalised IoU (Rezatofighi et al.
 * 2019, equation 3 and algorithm 2), IoU, or YOLOv3's own on the offsets.
 */
import { z } from 'zod'
import { parseDocument } from '../base'
import type { HeadConfig as Heads } from '../detector'
import { tf } from '../engine'
import { TARGET_CHANNELS } from './slots'
import type { LossResult } from './types'

const weight = z.number().min(0)

/** The choice of loss, and how its terms are added. */
export const lossSchema = z
  .object({
    /** 1 - GIoU, 1 - IoU, or YOLOv3's own loss of the offsets. */
    box: z.enum(['giou', 'iou', 'xywh']).default('giou'),
    /** Divisor of the sums: 1, the labelled images of the batch, or its positive slots. */
    normalise: z.enum(['sum', 'image', 'positive']).default('positive'),
    /** e of the class targets onehot * (1 - e) + e / classes. */
    smoothing: z.number().min(0).max(1).default(0.01),
    /** Factors of the terms. */
    boxWeight: weight.default(1),
    objectnessWeight: weight.default(1),
    classWeight: weight.default(1),
  })
  .strict()

/** Form and weights of the YOLOv3 loss; what is left out has a default. */
export type YoloLossOptions = Readonly<z.input<typeof lossSchema>>
/** The loss of a box's place and size. */
export type BoxLoss = NonNullable<YoloLossOptions['box']>
/** What the terms of the loss are divided by. */
export type Normalisation = NonNullable<YoloLossOptions['normalise']>

type HeadConfig = Pick<Heads, 'classes' | 'anchors' | 'scaleXY' | 'strides'>

/** Sizes are decoded as anchor * exp(clip(tw)): beyond e^16 times an anchor, IoU and its gradient are 0 in float32. */
const LARGEST_LOG_SIZE = 16

/**
 * Sum over slots of
 *
 *     objectness  BCE(obj, positive)                             over positives and negatives
 *     class       BCE(class, onehot * (1 - e) + e / classes)     over positives
 *     box         1 - GIoU(decoded box, truth), or 1 - IoU, in pixels    over positives
 *     xy, wh      instead of box: 2 * BCE(txy, (frac + (s - 1) / 2) / s) and 2 * (twh - log(size / anchor))^2
 *
 * divided as `normalise` says (by at least 1). Boxes decode as bx = (sigmoid(tx) * s - (s - 1) / 2 + cx) * stride and
 * bw = anchor * exp(tw). Unlabelled images have neither positives nor negatives and contribute nothing. The loss is finite
 * for logits whose squares float32 can hold, and never NaN for finite logits.
 *
 * @param outputs logits [n, h, w, anchors * (5 + classes)] of each scale, as the detector gives them
 * @param targets [n, h, w, anchors, 7] of each scale, see `assignTargets`
 * @param weighted whether positives may weigh less than 1: each then counts by its weight in every sum and in `positive`
 * @returns terms `box` (or `xy` and `wh`), `objectness` and `class`, weighted and divided
 * @throws Error naming the wrong option, or both shapes if outputs and targets do not fit
 */
export function yoloLoss(
  outputs: readonly tf.Tensor4D[],
  targets: readonly tf.Tensor5D[],
  config: HeadConfig,
  options: YoloLossOptions = {},
  weighted = false,
): LossResult {
  const { box, normalise, smoothing, boxWeight, objectnessWeight, classWeight } = parseDocument(
    options,
    lossSchema,
    'yoloLoss options',
  )
  checkShapes(outputs, targets, config)
  const logits = flatten(outputs, 5 + config.classes) // [n, slots, 5 + classes]
  const [xy, wh, objectness, classes] = tf.split(logits, [2, 2, 1, config.classes], 2)
  const truth = flatten(targets, TARGET_CHANNELS) // [n, slots, 7]
  const [positive, negative, from, to, label] = tf.split(truth, [1, 1, 2, 2, 1], 2)
  const known = tf.add(positive!, negative!) // 1 where a slot is not ignored
  const divisor = divisorOf(normalise, positive!, known)
  const term = (sum: tf.Tensor, weight: number) => tf.div(tf.mul(sum, weight), divisor).asScalar()
  const masked = (values: tf.Tensor) => tf.sum(tf.mul(values, positive!))

  // BCE with target 0 or 1 is softplus(-x) for a positive and softplus(x) for a negative.
  const isPositive = weighted ? tf.sign(positive!) : positive!
  const sign = tf.sub(negative!, isPositive)
  const objectnessSum = tf.sum(tf.mul(tf.softplus(tf.mul(objectness!, sign)), known))

  // tfjs's oneHot refuses a single class.
  const onehot = tf.cast(tf.equal(label!, tf.range(0, config.classes)), 'float32') // [n, slots, classes]
  const classTarget = tf.add(tf.mul(onehot, 1 - smoothing), smoothing / config.classes)
  const classSum = masked(crossEntropy(classes!, classTarget))

  const grid = gridOf(outputs, config)
  const boxTerms: { [name: string]: tf.Scalar } = {}
  if (box === 'xywh') {
    const centre = tf.sub(tf.mul(tf.add(from!, to!), 0.5), grid.origin)
    const xyTarget = tf.clipByValue(tf.div(tf.add(centre, grid.shift), grid.reach), 0, 1)
    // Adding 1 keeps the logarithm finite where there is no truth.
    const size = tf.add(tf.sub(to!, from!), tf.sub(1, isPositive))
    const share = weighted ? tf.sqrt(positive!) : positive!
    const whError = tf.mul(tf.sub(wh!, tf.log(tf.div(size, grid.anchor))), share)
    boxTerms.xy = term(masked(crossEntropy(xy!, xyTarget)), 2 * boxWeight)
    boxTerms.wh = term(tf.sum(tf.square(whError)), 2 * boxWeight)
  } else {
    boxTerms.box = term(masked(overlapLoss(box, xy!, wh!, from!, to!, grid)), boxWeight)
  }

  const terms = {
    ...boxTerms,
    objectness: term(objectnessSum, objectnessWeight),
    class: term(classSum, classWeight),
  }
  return { total: tf.addN(Object.values(terms)) as tf.Scalar, terms }
}

/** Binary cross-entropy from logits: softplus(x) - x * target, elementwise. */
function crossEntropy(logits: tf.Tensor, target: tf.Tensor): tf.Tensor {
  return tf.sub(tf.softplus(logits), tf.mul(logits, target))
}

/** [n, h, w, ...] of each scale to one [n, slots, channels]. */
function flatten(scales: readonly tf.Tensor[], channels: number): tf.Tensor3D {
  return tf.concat(
    scales.map((scale) => tf.reshape(scale, [scale.shape[0]!, -1, channels]) as tf.Tensor3D),
    1,
  )
}

function divisorOf(normalise: Normalisation, positive: tf.Tensor, known: tf.Tensor): tf.Tensor {
  switch (normalise) {
    case 'sum':
      return tf.scalar(1)
    case 'image':
      // A labelled image always has slots that are not ignored.
      return tf.maximum(tf.sum(tf.max(known, [1, 2])), 1)
    case 'positive':
      return tf.maximum(tf.sum(positive), 1)
  }
}

/** Constants for decoding, in pixels, one row per slot. */
interface Grid {
  /** Top left of the slot's cell [1, slots, 2]. */
  readonly origin: tf.Tensor3D
  /** Width and height of its anchor [1, slots, 2]. */
  readonly anchor: tf.Tensor3D
  /** s * stride: the range of sigmoid(tx) [1, slots, 1]. */
  readonly reach: tf.Tensor3D
  /** (s - 1) / 2 * stride: how far that range starts before the cell [1, slots, 1]. */
  readonly shift: tf.Tensor3D
}

function gridOf(outputs: readonly tf.Tensor4D[], { anchors, scaleXY, strides }: HeadConfig): Grid {
  const slots = outputs.reduce((sum, { shape }, s) => sum + shape[1] * shape[2] * anchors[s]!.length, 0)
  const origin = new Float32Array(slots * 2)
  const anchor = new Float32Array(slots * 2)
  const reach = new Float32Array(slots)
  const shift = new Float32Array(slots)
  let slot = 0
  for (const [s, { shape }] of outputs.entries()) {
    const [stride, scale] = [strides[s]!, scaleXY[s]!]
    for (let row = 0; row < shape[1]; row++) {
      for (let column = 0; column < shape[2]; column++) {
        for (const [width, height] of anchors[s]!) {
          origin[slot * 2] = column * stride
          origin[slot * 2 + 1] = row * stride
          anchor[slot * 2] = width
          anchor[slot * 2 + 1] = height
          reach[slot] = scale * stride
          shift[slot] = ((scale - 1) / 2) * stride
          slot++
        }
      }
    }
  }
  return {
    origin: tf.tensor3d(origin, [1, slots, 2]),
    anchor: tf.tensor3d(anchor, [1, slots, 2]),
    reach: tf.tensor3d(reach, [1, slots, 1]),
    shift: tf.tensor3d(shift, [1, slots, 1]),
  }
}

/**
 * 1 - IoU or 1 - GIoU of every slot [n, slots, 1]. Positions are relative to the slot's cell, so that float32 keeps its
 * digits far from the frame's origin.
 */
function overlapLoss(
  box: 'giou' | 'iou',
  xy: tf.Tensor,
  wh: tf.Tensor,
  from: tf.Tensor,
  to: tf.Tensor,
  { origin, anchor, reach, shift }: Grid,
): tf.Tensor {
  const centre = tf.sub(tf.mul(tf.sigmoid(xy), reach), shift)
  const size = tf.mul(tf.exp(tf.clipByValue(wh, -LARGEST_LOG_SIZE, LARGEST_LOG_SIZE)), anchor)
  const half = tf.mul(size, 0.5)
  const truthSize = tf.sub(to, from)
  const low = tf.maximum(tf.sub(centre, half), tf.sub(from, origin))
  const high = tf.minimum(tf.add(centre, half), tf.sub(to, origin))
  const overlap = tf.sub(high, low) // negative where the boxes are apart
  const hull = tf.sub(tf.add(size, truthSize), overlap)
  // One product of sides for all the areas.
  const sides = tf.concat([tf.relu(overlap), hull, size, truthSize], 1)
  const [width, height] = tf.split(sides, 2, 2)
  const [intersection, enclosing, area, truthArea] = tf.split(tf.mul(width!, height!), 4, 1)
  const union = tf.sub(tf.add(area!, truthArea!), intersection!)
  const iou = tf.div(intersection!, union)
  if (box === 'iou') return tf.sub(1, iou)
  // GIoU = IoU - (enclosing - union) / enclosing
  return tf.sub(tf.sub(2, iou), tf.div(union, enclosing!))
}

function checkShapes(
  outputs: readonly tf.Tensor4D[],
  targets: readonly tf.Tensor5D[],
  { anchors, classes, strides }: HeadConfig,
): void {
  if (outputs.length !== anchors.length || targets.length !== anchors.length) {
    throw new Error(
      `expected ${anchors.length} scales as in config.anchors, found ${outputs.length} outputs and ${targets.length} targets`,
    )
  }
  for (const [s, { shape }] of outputs.entries()) {
    const [n, h, w] = shape
    const count = anchors[s]!.length
    if (shape[3] !== count * (5 + classes)) {
      throw new Error(
        `stride ${strides[s]}: expected logits [n, h, w, ${count} * (5 + ${classes})], found [${shape}]`,
      )
    }
    const expected = [n, h, w, count, TARGET_CHANNELS]
    if (String(targets[s]!.shape) !== String(expected)) {
      throw new Error(
        `stride ${strides[s]}: expected targets [${expected}] for logits [${shape}], found [${targets[s]!.shape}]`,
      )
    }
  }
}
