import { z } from 'zod'
import { parseDocument, type Schema } from '../base'
import { gatherRows, nonMaxSuppression, tf, topK } from '../engine'
import { DECODE_DEFAULTS, type DecodeConfig, type DecodeOptions, LARGEST_LOG_SIZE } from './decode-options'

const probability = z.number().min(0).max(1)
const count = z.number().int().min(1)
const optionsSchema: Schema<DecodeOptions> = z
  .object({
    objectness: probability.default(DECODE_DEFAULTS.objectness),
    perScale: count.default(DECODE_DEFAULTS.perScale),
    classProbability: probability.default(DECODE_DEFAULTS.classProbability),
    iou: probability.default(DECODE_DEFAULTS.iou),
    limit: count.default(DECODE_DEFAULTS.limit),
  })
  .strict()

/** Every slot of a network's outputs, decoded. */
export interface Decoded {
  /** x1 y1 x2 y2 in pixels of the network's input, [n, slots, 4]. */
  readonly boxes: tf.Tensor3D
  /** sigmoid(objectness) [n, slots]. */
  readonly objectness: tf.Tensor2D
  /** Class probabilities [n, slots, classes]. */
  readonly probabilities: tf.Tensor3D
}

/**
 * Logits of one scale as boxes and probabilities:
 * bx = (sigmoid(tx) * s - (s - 1) / 2 + cx) * stride, bw = anchor * exp(tw) (YOLOv3, with s = scale_x_y of YOLOv4).
 *
 * @param logits [n, h, w, anchors * (5 + classes)]
 * @throws Error when there is no such scale, or the logits have another number of channels
 */
export function decodeScale(logits: tf.Tensor4D, scale: number, config: DecodeConfig): Decoded {
  const [n, h, w] = logits.shape
  const [anchors, stride, s] = [config.anchors[scale], config.strides[scale], config.scaleXY[scale]]
  if (anchors === undefined || stride === undefined || s === undefined) {
    throw new Error(`decodeScale: expected a scale in 0..${config.anchors.length - 1}, found ${scale}`)
  }
  const slots = h * w * anchors.length
  if (logits.shape[3] !== anchors.length * (5 + config.classes)) {
    throw new Error(
      `stride ${stride}: expected logits [n, h, w, ${anchors.length} * (5 + ${config.classes})], found [${logits.shape}]`,
    )
  }
  const t = tf.reshape(logits, [n, h, w, anchors.length, 5 + config.classes])
  const cells = new Float32Array(h * w * 2)
  for (let y = 0; y < h; y++) for (let x = 0; x < w; x++) cells.set([x, y], (y * w + x) * 2)
  const offset = tf.sub(tf.tensor(cells, [1, h, w, 1, 2]), (s - 1) / 2)
  const [txy, twh, objectness, classes] = tf.split(t, [2, 2, 1, config.classes], 4)
  const centre = tf.mul(tf.add(tf.mul(tf.sigmoid(txy!), s), offset), stride)
  const size = tf.mul(
    tf.exp(tf.minimum(twh!, LARGEST_LOG_SIZE)),
    tf.tensor(anchors.flat(), [1, 1, 1, anchors.length, 2]),
  )
  const half = tf.mul(size, 0.5)
  return {
    boxes: tf.reshape(tf.concat([tf.sub(centre, half), tf.add(centre, half)], 4), [n, slots, 4]),
    objectness: tf.reshape(tf.sigmoid(objectness!), [n, slots]),
    probabilities: tf.reshape(tf.sigmoid(classes!), [n, slots, config.classes]),
  }
}

/** Detections after NMS, padded to the same number for every image. */
export interface DetectionTensors {
  /** x1 y1 x2 y2 in pixels of the network's input [n, limit, 4], zeros past `counts`. */
  readonly boxes: tf.Tensor3D
  /** Class probability * objectness, descending [n, limit]. */
  readonly scores: tf.Tensor2D
  /** Class index as float32 [n, limit]. */
  readonly labels: tf.Tensor2D
  /** int32 [n]. */
  readonly counts: tf.Tensor1D
}

/**
 * Logits of all scales as the final detections of a batch, on the device: `decodeScale`, the thresholds and limits of
 * `DecodeOptions`, then class-wise NMS. Equal scores keep the order of the slots: by scale, then row, column, anchor (on
 * a scale with more than `perScale` slots by objectness first).
 *
 * @param outputs logits [n, h, w, anchors * (5 + classes)] of each scale, in the order of the heads
 * @param options replace single ones of DECODE_DEFAULTS
 * @throws Error naming the option that is wrong, or when there are other numbers of scales or channels than the config says
 */
export function detect(
  outputs: readonly tf.Tensor4D[],
  config: DecodeConfig,
  options: Partial<DecodeOptions> = {},
): DetectionTensors {
  const { objectness, perScale, classProbability, iou, limit } = parseDocument(
    options,
    optionsSchema,
    'detect options',
  )
  if (outputs.length !== config.anchors.length) {
    throw new Error(`expected logits of ${config.anchors.length} scales, found ${outputs.length}`)
  }
  const candidates = outputs.map((logits, scale) => {
    const all = decodeScale(logits, scale, config)
    const slots = all.boxes.shape[1]
    if (slots <= perScale) return all
    const { values, indices } = topK(all.objectness, perScale)
    return {
      boxes: gatherRows(all.boxes, indices),
      objectness: values,
      probabilities: gatherRows(all.probabilities, indices),
    }
  })
  const conf = tf.concat(
    candidates.map((c) => c.objectness),
    1,
  )
  const probabilities = tf.concat(
    candidates.map((c) => c.probabilities),
    1,
  )
  const present = tf.cast(tf.greaterEqual(conf, objectness), 'float32')
  const likely = tf.cast(tf.greater(probabilities, classProbability), 'float32')
  const scores = tf.mul(tf.mul(probabilities, likely), tf.expandDims(tf.mul(conf, present), 2)) as tf.Tensor3D
  return nonMaxSuppression(
    tf.concat(
      candidates.map((c) => c.boxes),
      1,
    ),
    scores,
    limit,
    iou,
  )
}
