/**
 * What assignment reads and writes slot by slot: overlaps of truths with anchors, and the slots' entries in the table.
 *
 * Plain arithmetic on typed arrays: it runs in the training thread for every batch, so each truth visits only
 * the cells around it, and a slot is one number.
 */
import type { Box } from '../data/types'
import type { HeadConfig } from '../detector'

/** Values of a target: positive, negative, x1, y1, x2, y2, class. */
export const TARGET_CHANNELS = 7

/** The entries with which every table of targets begins: of slots without an object, and of slots that are ignored. */
const NEGATIVE = 0
const IGNORED = 1
const FIRST_TRUTH = 2

/** Entries for every image of a batch, at least, so that tables of batches with few truths have one size. */
const ENTRIES_PER_IMAGE = 64

/** Which entry of the table is the target of each slot of a scale. */
export interface TargetScale {
  readonly shape: readonly [n: number, h: number, w: number, anchors: number]
  /** Row-major. */
  readonly index: Int32Array
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

/** Makes every slot of an image neither positive nor negative. */
export function ignoreAll({ index, shape }: TargetScale, image: number): void {
  const size = index.length / shape[0]
  index.fill(IGNORED, image * size, (image + 1) * size)
}

/** An object with its entry in the table. */
export interface Entered extends Truth {
  readonly entry: number
}

/** The objects of a batch as the entries of a table. */
export class TargetTable {
  readonly #boxes: Box[] = []

  /** The objects with the entries that they get. */
  enter(objects: readonly Truth[]): Entered[] {
    return objects.map((truth) => ({ ...truth, entry: FIRST_TRUTH + this.#boxes.push(truth.box) - 1 }))
  }

  /**
   * [k, TARGET_CHANNELS]: the negative and the ignored target, then every object's, then zeros. k is a power of two: where
   * batches have up to `ENTRIES_PER_IMAGE` objects an image, all of them feed one shape.
   * @param images in the batch
   */
  values(images: number): Float32Array {
    const needed = Math.max(FIRST_TRUTH + this.#boxes.length, ENTRIES_PER_IMAGE * images)
    const values = new Float32Array(2 ** Math.ceil(Math.log2(needed)) * TARGET_CHANNELS)
    values.set([0, 1], NEGATIVE * TARGET_CHANNELS)
    for (const [i, { weight = 1, x1, y1, x2, y2, label }] of this.#boxes.entries())
      values.set([weight, 0, x1, y1, x2, y2, label], (FIRST_TRUTH + i) * TARGET_CHANNELS)
    return values
  }
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

/** Ignores the slots whose anchor box overlaps a truth by more than the threshold. */
export function ignoreOverlaps(
  { index, shape }: TargetScale,
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
        if (iou > threshold) index[((image * rows + row) * columns + column) * count + a] = IGNORED
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
  truth: Entered,
  crossGrid: boolean,
): void {
  const [, rows, columns] = scale.shape
  const { row, column } = cellOf(truth, stride, scale)
  write(scale, image, row, column, anchor, truth)
  if (!crossGrid) return
  const nextColumn = column + Math.sign(truth.x / stride - column - 0.5)
  const nextRow = row + Math.sign(truth.y / stride - row - 0.5)
  if (nextColumn !== column && nextColumn >= 0 && nextColumn < columns) {
    write(scale, image, row, nextColumn, anchor, truth)
  }
  if (nextRow !== row && nextRow >= 0 && nextRow < rows) write(scale, image, nextRow, column, anchor, truth)
}

/** Gives a slot to a truth; one of weight 0 takes it from the negatives only. */
export function write(
  { index, shape }: TargetScale,
  image: number,
  row: number,
  column: number,
  anchor: number,
  { box, entry }: Entered,
): void {
  const [, rows, columns, count] = shape
  const at = ((image * rows + row) * columns + column) * count + anchor
  if (box.weight !== 0) index[at] = entry
  else if (index[at]! < FIRST_TRUTH) index[at] = IGNORED
}
