import type { Box } from './types'

export type Corners = Pick<Box, 'x1' | 'y1' | 'x2' | 'y2'>

/** Intersection over union of two boxes, |A and B| / |A or B|; 0 where they do not overlap. */
export function iou(a: Corners, b: Corners): number {
  const w = Math.min(a.x2, b.x2) - Math.max(a.x1, b.x1)
  const h = Math.min(a.y2, b.y2) - Math.max(a.y1, b.y1)
  if (w <= 0 || h <= 0) return 0
  return (w * h) / ((a.x2 - a.x1) * (a.y2 - a.y1) + (b.x2 - b.x1) * (b.y2 - b.y1) - w * h)
}
