/** Assigns objects to the detector's slots (scale, cell, anchor). */
import { z } from 'zod'
import { parseDocument } from '../base'
import type { Box } from '../data/types'
import { lookUp, tf } from '../engine'
import {
  bestSlot,
  type GridConfig,
  ignoreAll,
  ignoreOverlaps,
  measure,
  shapeIoU,
  TARGET_CHANNELS,
  type TargetScale,
  TargetTable,
  write,
  writeSecondary,
} from './slots'

/**
 * The target of each slot, as its entry in a table: target = table[index]. The values of a target are
 * (positive, negative, x1, y1, x2, y2, class). `negative` is 0 or 1. `positive` is the weight of the slot's truth (1 except
 * for pseudo-labels) where `negative` is 0, else 0. A slot with neither is ignored. Box (pixels of the network's input)
 * and class are 0 where the slot is not positive.
 */
export interface Targets {
  /** In the order of the heads. */
  readonly scales: readonly TargetScale[]
  /** Row-major values [k, 7]; k is a power of two, and entries that no slot has are 0. */
  readonly table: Float32Array
}

const iou = z.number().min(0).max(1)

/** How truths are assigned. */
export const assignSchema = z
  .object({
    /** A slot whose anchor box, centred in its cell, has IoU above this with any truth is not a negative. */
    ignoreThreshold: iou.default(0.7),
    /** Also select every (scale, anchor) whose width and height alone have IoU above `multiAnchorThreshold`. */
    multiAnchor: z.boolean().default(false),
    multiAnchorThreshold: iou.default(0.5),
    /** For every selected (scale, anchor), also take the nearer horizontal and the nearer vertical neighbour cell. */
    crossGrid: z.boolean().default(false),
  })
  .strict()

/** How truths are assigned to slots; what is left out has a default. */
export type AssignOptions = Readonly<z.input<typeof assignSchema>>

/**
 * Assigns truths to slots.
 *
 * - Every slot of a labelled image is negative, unless its anchor box, centred in its cell at
 *   ((i + 0.5) * stride, (j + 0.5) * stride), has IoU > `ignoreThreshold` with any truth.
 * - A truth's best slot is the first maximum of that same IoU over the anchors at the truth's cell in each scale, the
 *   first head's first; it is positive. `multiAnchor` and `crossGrid` add secondary slots.
 * - All secondary slots are written in the order of the truths, then all best slots in that order; the last write wins.
 * - A truth of weight 0 removes its slots from the negatives and takes none from another truth.
 * - Truths without area are skipped. Difficult and crowd truths are not objects, but slots on them are ignored. Cell
 *   indices of truths outside the frame are clamped to the grid; their boxes stay as they are.
 *
 * @param truths one list per image, boxes in pixels of the network's input; undefined for an unlabelled image, whose
 *   slots are neither positive nor negative
 * @throws RangeError when a label is not a class index, a coordinate is not finite, or the strides do not divide the input
 * @throws Error naming the wrong option
 */
export function assignTargets(
  truths: readonly (readonly Box[] | undefined)[],
  config: GridConfig,
  options: AssignOptions = {},
): Targets {
  const { ignoreThreshold, multiAnchor, multiAnchorThreshold, crossGrid } = parseDocument(
    options,
    assignSchema,
    'assignTargets options',
  )
  const { strides } = config
  const [height, width] = config.input
  const coarsest = Math.max(...strides)
  if (!(height > 0 && width > 0) || height % coarsest !== 0 || width % coarsest !== 0) {
    throw new RangeError(`expected an input of multiples of ${coarsest} pixels, found [${config.input}]`)
  }
  const scales = strides.map((stride, s): TargetScale => {
    const shape = [truths.length, height / stride, width / stride, config.anchors[s]!.length] as const
    return { shape, index: new Int32Array(shape.reduce((product, size) => product * size)) }
  })
  const table = new TargetTable()

  for (const [image, boxes] of truths.entries()) {
    if (boxes === undefined) {
      for (const scale of scales) ignoreAll(scale, image)
      continue
    }
    const all = measure(boxes, image, config.classes)
    for (const [s, scale] of scales.entries()) {
      for (const truth of all)
        ignoreOverlaps(scale, image, strides[s]!, config.anchors[s]!, truth, ignoreThreshold)
    }
    const objects = table.enter(all.filter(({ box }) => !box.difficult && !box.crowd))
    const best = objects.map((truth) => bestSlot(truth, scales, config))
    if (multiAnchor || crossGrid) {
      for (const [t, truth] of objects.entries()) {
        for (const [s, anchors] of config.anchors.entries()) {
          for (const [a, [width, height]] of anchors.entries()) {
            const isBest = best[t]!.scale === s && best[t]!.anchor === a
            const fits = multiAnchor && shapeIoU(truth, width, height) > multiAnchorThreshold
            if (isBest || fits) writeSecondary(scales[s]!, image, a, strides[s]!, truth, crossGrid)
          }
        }
      }
    }
    for (const [t, truth] of objects.entries()) {
      const { scale, row, column, anchor } = best[t]!
      write(scales[scale]!, image, row, column, anchor, truth)
    }
  }
  return { scales, table: table.values(truths.length) }
}

/** Targets on the device: the table [k, 7], and of each scale the entries [n, h, w, anchors] as int32. */
export type TargetInputs = { readonly table: tf.Tensor2D; readonly index: tf.Tensor4D[] }

/** The targets as they are fed to a graph: 4 bytes a slot instead of 28. */
export function targetInputs({ table, scales }: Targets): TargetInputs {
  return {
    table: tf.tensor2d(table, [table.length / TARGET_CHANNELS, TARGET_CHANNELS]),
    index: scales.map(({ index, shape }) => tf.tensor4d(index, [...shape], 'int32')),
  }
}

/** Looks up every slot's target, on the device: [n, h, w, anchors, 7] of each scale, for `yoloLoss`. */
export function lookUpTargets({ table, index }: TargetInputs): tf.Tensor5D[] {
  return index.map((entries) => lookUp(table, entries) as tf.Tensor5D)
}

/** The targets as tensors [n, h, w, anchors, 7], one per scale, for `yoloLoss`. */
export function targetTensors(targets: Targets): tf.Tensor5D[] {
  return tf.tidy(() => lookUpTargets(targetInputs(targets)))
}
