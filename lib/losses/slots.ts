/**
 * What assignment reads and writes slot by slot: overlaps of truths with anchors, and the arrays of targets.
 *
 * Plain arithmetic on typed arrays: it runs in the training thread for every batch, so each truth visits only
 * the cells around it.
 */
import type { Box } from '../data/types'
import type { HeadConfig } from '../detector'

/** Values of a slot: positive, negative, x1, y1, x2, y2, class. */
export const TARGET_CHANNELS = 7

/** Targets of one scale: row-major values of shape [n, h, w, anchors, TARGET_CHANNELS]. */
export interface TargetScale {
  readonly shape: readonly [number, number, number, number, number]
  readonly data: Float32Array
}

/** Largest coordinate in pixels: areas of boxes, and of hulls with predictions, stay finite in float32. */
const LARGEST_CORNER = 1e9

export type GridConfig = Pick<HeadConfig, 'input' | 'classes' | 'anchors' | 'strides'>

/** The part of a truth that assignment needs. */
export interface Truth {
  readonly box: Box
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

/**
 * The truths of an image that have an area.
 * @throws RangeError naming a box whose corners or label are out of range
 */
export function measure(boxes: readonly Box[], image: number, classes: number): Truth[] {
  const truths: Truth[] = []
  for (const [index, box] of boxes.entries()) {
    const { x1, y1, x2, y2, label } = box
    if (![x1, y1, x2, y2].every((corner) => Math.abs(corner) <= LARGEST_CORNER)) {
      throw new RangeError(
        `image ${image}, box ${index}: expected finite corners within ${LARGEST_CORNER} pixels, found ` +
          `(${x1}, ${y1}, ${x2}, ${y2})`,
      )
    }
    if (!Number.isInteger(label) || label < 0 || label >= classes) {
      throw new RangeError(
        `image ${image}, box ${index}: expected a label in 0..${classes - 1}, found ${label}; ` +
          "compare the detector's class count with the data set's classes",
      )
    }
    const [width, height] = [x2 - x1, y2 - y1]
    // Targets are float32, where a sliver may lose its area.
    if (Math.fround(x2) > Math.fround(x1) && Math.fround(y2) > Math.fround(y1))
      truths.push({ box, x: (x1 + x2) / 2, y: (y1 + y2) / 2, width, height })
  }
  return truths
}

/** Makes every slot of an image negative. */
export function markNegatives({ data, shape }: TargetScale, image: number): void {
  const size = data.length / shape[0]
  for (let i = image * size + 1; i < (image + 1) * size; i += TARGET_CHANNELS) data[i] = 1
}

/** Sum of the weights of all positive slots. */
export function weightOf(scales: readonly TargetScale[]): number {
  let sum = 0
  for (const { data } of scales) for (let i = 0; i < data.length; i += TARGET_CHANNELS) sum += data[i]!
  return sum
}

/** IoU of a truth and an anchor box with the given centre and size. */
function positionalIoU(truth: Truth, x: number, y: number, width: number, height: number): number {
  const { box } = truth
  const w = Math.min(box.x2, x + width / 2) - Math.max(box.x1, x - width / 2)
  const h = Math.min(box.y2, y + height / 2) - Math.max(box.y1, y - height / 2)
  if (w <= 0 || h <= 0) return 0
  return (w * h) / (truth.width * truth.height + width * height - w * h)
}

/** IoU of a truth and an anchor with a common centre; no position gives a larger one. */
export function shapeIoU(truth: Truth, width: number, height: number): number {
  const overlap = Math.min(truth.width, width) * Math.min(truth.height, height)
  return overlap / (truth.width * truth.height + width * height - overlap)
}

/** Takes `negative` from the slots whose anchor box overlaps a truth by more than the threshold. */
export function ignoreOverlaps(
  { data, shape }: TargetScale,
  image: number,
  stride: number,
  anchors: readonly (readonly [number, number])[],
  truth: Truth,
  threshold: number,
): void {
  const [, rows, columns, count] = shape
  // Rounding must not lose a cell at the border of the search; the comparison inside decides.
  const slack = 1e-6
  for (const [a, [width, height]] of anchors.entries()) {
    if (shapeIoU(truth, width, height) <= threshold - slack) continue
    // Along each axis IoU <= overlap / larger side, which bounds the distance of the centres.
    const dx = (width + truth.width) / 2 - threshold * Math.max(width, truth.width) + slack
    const dy = (height + truth.height) / 2 - threshold * Math.max(height, truth.height) + slack
    const left = Math.max(0, Math.ceil((truth.x - dx) / stride - 0.5))
    const right = Math.min(columns - 1, Math.floor((truth.x + dx) / stride - 0.5))
    const top = Math.max(0, Math.ceil((truth.y - dy) / stride - 0.5))
    const bottom = Math.min(rows - 1, Math.floor((truth.y + dy) / stride - 0.5))
    for (let row = top; row <= bottom; row++) {
      for (let column = left; column <= right; column++) {
        const iou = positionalIoU(truth, (column + 0.5) * stride, (row + 0.5) * stride, width, height)
        if (iou > threshold) {
          data[(((image * rows + row) * columns + column) * count + a) * TARGET_CHANNELS + 1] = 0
        }
      }
    }
  }
}

function clamp(value: number, high: number): number {
  return Math.max(0, Math.min(high, value))
}

/** The cell of a truth's centre, clamped to the grid. */
function cellOf(truth: Truth, stride: number, { shape }: TargetScale): { row: number; column: number } {
  return {
    row: clamp(Math.floor(truth.y / stride), shape[1] - 1),
    column: clamp(Math.floor(truth.x / stride), shape[2] - 1),
  }
}

interface Slot {
  readonly scale: number
  readonly row: number
  readonly column: number
  readonly anchor: number
}

/** The slot whose anchor box, centred in the cell of the truth's centre, has the largest IoU; the first of equal ones. */
export function bestSlot(truth: Truth, scales: readonly TargetScale[], config: GridConfig): Slot {
  let best: Slot = { scale: 0, row: 0, column: 0, anchor: 0 }
  let highest = -1
  for (const [scale, anchors] of config.anchors.entries()) {
    const stride = config.strides[scale]!
    const { row, column } = cellOf(truth, stride, scales[scale]!)
    for (const [anchor, [width, height]] of anchors.entries()) {
      const iou = positionalIoU(truth, (column + 0.5) * stride, (row + 0.5) * stride, width, height)
      if (iou > highest) {
        highest = iou
        best = { scale, row, column, anchor }
      }
    }
  }
  return best
}

/** Writes a selected (scale, anchor) at the truth's cell and, with crossGrid, at its two nearer neighbours. */
export function writeSecondary(
  scale: TargetScale,
  image: number,
  anchor: number,
  stride: number,
  truth: Truth,
  crossGrid: boolean,
): void {
  const [, rows, columns] = scale.shape
  const { row, column } = cellOf(truth, stride, scale)
  write(scale, image, row, column, anchor, truth.box)
  if (!crossGrid) return
  const nextColumn = column + Math.sign(truth.x / stride - column - 0.5)
  const nextRow = row + Math.sign(truth.y / stride - row - 0.5)
  if (nextColumn !== column && nextColumn >= 0 && nextColumn < columns) {
    write(scale, image, row, nextColumn, anchor, truth.box)
  }
  if (nextRow !== row && nextRow >= 0 && nextRow < rows)
    write(scale, image, nextRow, column, anchor, truth.box)
}

/** Writes a truth into a slot, by its weight; one of weight 0 is neither positive nor negative. */
export function write(
  { data, shape }: TargetScale,
  image: number,
  row: number,
  column: number,
  anchor: number,
  box: Box,
): void {
  const [, rows, columns, count] = shape
  const at = (((image * rows + row) * columns + column) * count + anchor) * TARGET_CHANNELS
  const { weight = 1 } = box
  if (weight === 0) {
    if (data[at] === 0) data[at + 1] = 0
    return
  }
  data[at] = weight
  data[at + 1] = 0
  data[at + 2] = box.x1
  data[at + 3] = box.y1
  data[at + 4] = box.x2
  data[at + 5] = box.y2
  data[at + 6] = box.label
}
