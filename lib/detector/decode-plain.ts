/**
 * Decoding and NMS on plain arrays: for logits that another runtime has computed, in a browser or another process. `detect`
 * does the same on the device.
 */
import { iou } from '../data/overlap'
import { DECODE_DEFAULTS, type DecodeConfig, type DecodeOptions, LARGEST_LOG_SIZE } from './decode-options'

/** Raw logits of one image on one scale, row by row: [height, width, anchors * (5 + classes)]. */
export interface LogitMap {
  readonly height: number
  readonly width: number
  readonly values: Float32Array
}

/** A detection in pixels of the network's input. */
export interface PlainDetection {
  readonly x1: number
  readonly y1: number
  readonly x2: number
  readonly y2: number
  readonly label: number
  /** Class probability * objectness. */
  readonly score: number
}

/** Rounded to float32, as `detect` has it, so that the same scores are equal. */
const sigmoid = (x: number) => Math.fround(1 / (1 + Math.exp(-x)))

/**
 * Logits of one image as its detections by descending score: bx = (sigmoid(tx) * s - (s - 1) / 2 + cx) * stride,
 * bw = anchor * exp(tw), then the thresholds and limits of `DecodeOptions` and class-wise NMS. Equal scores keep the order of
 * the slots: by scale, then row, column, anchor. Equal to `detect` up to the rounding of float32.
 *
 * @param outputs one map for each scale, in the order of the heads
 * @param options replace single ones of DECODE_DEFAULTS
 * @throws Error when there are other numbers of scales or logits than the config says
 */
export function detectPlain(
  outputs: readonly LogitMap[],
  config: DecodeConfig,
  options: Partial<DecodeOptions> = {},
): PlainDetection[] {
  const settings = { ...DECODE_DEFAULTS, ...options }
  if (outputs.length !== config.anchors.length)
    throw new Error(`expected logits of ${config.anchors.length} scales, found ${outputs.length}`)
  const found = outputs.flatMap((map, scale) => candidates(map, scale, config, settings))
  // Sorting is stable, so that equal scores stay in the order of the slots.
  found.sort((a, b) => b.score - a.score)
  return suppress(found, settings)
}

/** What the thresholds leave of one scale, in the order of the slots (of more than `perScale`, by objectness). */
function candidates(
  { height, width, values }: LogitMap,
  scale: number,
  config: DecodeConfig,
  settings: DecodeOptions,
): PlainDetection[] {
  const anchors = config.anchors[scale]!
  const [stride, s, depth] = [config.strides[scale]!, config.scaleXY[scale]!, 5 + config.classes]
  const slots = height * width * anchors.length
  if (values.length !== slots * depth)
    throw new Error(
      `stride ${stride}: expected ${height} x ${width} x ${anchors.length} x (5 + ${config.classes}) logits, found ${values.length}`,
    )
  const found: PlainDetection[] = []
  for (const slot of strongest(values, slots, depth, settings)) {
    const at = slot * depth
    const confidence = sigmoid(values[at + 4]!)
    const [anchorWidth, anchorHeight] = anchors[slot % anchors.length]!
    const cell = Math.floor(slot / anchors.length)
    const x = (sigmoid(values[at]!) * s - (s - 1) / 2 + (cell % width)) * stride
    const y = (sigmoid(values[at + 1]!) * s - (s - 1) / 2 + Math.floor(cell / width)) * stride
    const halfWidth = (anchorWidth * Math.exp(Math.min(values[at + 2]!, LARGEST_LOG_SIZE))) / 2
    const halfHeight = (anchorHeight * Math.exp(Math.min(values[at + 3]!, LARGEST_LOG_SIZE))) / 2
    const corners = { x1: x - halfWidth, y1: y - halfHeight, x2: x + halfWidth, y2: y + halfHeight }
    for (let label = 0; label < config.classes; label++) {
      const probability = sigmoid(values[at + 5 + label]!)
      if (probability > settings.classProbability && confidence > 0)
        found.push({ ...corners, label, score: Math.fround(probability * confidence) })
    }
  }
  return found
}

/** Slots of enough objectness: all of them in their order, or the best `perScale` in descending order. */
function strongest(values: Float32Array, slots: number, depth: number, settings: DecodeOptions): number[] {
  const kept: number[] = []
  for (let slot = 0; slot < slots; slot++)
    if (sigmoid(values[slot * depth + 4]!) >= settings.objectness) kept.push(slot)
  if (slots <= settings.perScale) return kept
  return kept.sort((a, b) => values[b * depth + 4]! - values[a * depth + 4]!).slice(0, settings.perScale)
}

/** Keeps boxes by descending score, dropping those that overlap a kept one of their class by more than `iou`. */
function suppress(found: readonly PlainDetection[], settings: DecodeOptions): PlainDetection[] {
  const kept: PlainDetection[] = []
  const byClass = new Map<number, PlainDetection[]>()
  for (const box of found) {
    const others = byClass.get(box.label) ?? []
    if (others.some((other) => iou(other, box) > settings.iou)) continue
    byClass.set(box.label, [...others, box])
    if (kept.push(box) === settings.limit) break
  }
  return kept
}
