/** The published run's ground-truth loss, its variant `seed`, as a preset. */
import type { AssignOptions } from './assign'
import type { YoloLossOptions } from './yolo'

/** Several anchors per truth from IoU 0.5, neighbouring cells, no negatives above IoU 0.7. */
export const SEED_ASSIGN = {
  ignoreThreshold: 0.7,
  multiAnchor: true,
  multiAnchorThreshold: 0.5,
  crossGrid: true,
} as const satisfies Required<AssignOptions>

/** Plain sums, boxes by 1 - GIoU in pixels, class targets smoothed by 0.01. */
export const SEED_LOSS = {
  box: 'giou',
  normalise: 'sum',
  smoothing: 0.01,
  boxWeight: 1,
  objectnessWeight: 1,
  classWeight: 1,
} as const satisfies Required<YoloLossOptions>
