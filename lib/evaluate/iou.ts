/**
 * Intersection over union of box i of `a` and box j of `b` (corners x1 y1 x2 y2, [rows * 4]).
 * `pixel` = 1 is the VOC devkit's form, in which a box from 3 to 5 covers three pixels. 0 where the boxes
 * do not overlap, boxes of zero area included.
 */
export function iou(a: Float64Array, i: number, b: Float64Array, j: number, pixel: 0 | 1 = 0): number {
  const ax1 = a[4 * i]!
  const ay1 = a[4 * i + 1]!
  const ax2 = a[4 * i + 2]!
  const ay2 = a[4 * i + 3]!
  const bx1 = b[4 * j]!
  const by1 = b[4 * j + 1]!
  const bx2 = b[4 * j + 2]!
  const by2 = b[4 * j + 3]!
  const width = Math.min(ax2, bx2) - Math.max(ax1, bx1) + pixel
  if (width <= 0) return 0
  const height = Math.min(ay2, by2) - Math.max(ay1, by1) + pixel
  if (height <= 0) return 0
  const overlap = width * height
  const areaA = (ax2 - ax1 + pixel) * (ay2 - ay1 + pixel)
  const areaB = (bx2 - bx1 + pixel) * (by2 - by1 + pixel)
  return overlap / (areaA + areaB - overlap)
}

/** Share of box i of `a` that lies inside box j of `b`: COCO's overlap with a crowd. */
export function coverage(a: Float64Array, i: number, b: Float64Array, j: number): number {
  const width = Math.min(a[4 * i + 2]!, b[4 * j + 2]!) - Math.max(a[4 * i]!, b[4 * j]!)
  if (width <= 0) return 0
  const height = Math.min(a[4 * i + 3]!, b[4 * j + 3]!) - Math.max(a[4 * i + 1]!, b[4 * j + 1]!)
  if (height <= 0) return 0
  return (width * height) / ((a[4 * i + 2]! - a[4 * i]!) * (a[4 * i + 3]! - a[4 * i + 1]!))
}
