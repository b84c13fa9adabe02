import type { HeadConfig } from './heads'

/** Thresholds on the way from a network's outputs to detections. */
export interface DecodeOptions {
  /** Slots with less objectness are dropped. */
  readonly objectness: number
  /** Best slots by objectness that stay on every scale. */
  readonly perScale: number
  /** A (box, class) stays when its class probability is above this, before it is multiplied by objectness. */
  readonly classProbability: number
  /** IoU above which (strictly) a lower-scored box of the same class is suppressed. */
  readonly iou: number
  /** Detections kept per image. */
  readonly limit: number
}

/** The published run's post-processing. */
export const DECODE_DEFAULTS: DecodeOptions = {
  objectness: 0.005,
  perScale: 1000,
  classProbability: 0.05,
  iou: 0.45,
  limit: 100,
}

/** What decoding needs to know of a detector. */
export type DecodeConfig = Pick<HeadConfig, 'anchors' | 'classes' | 'scaleXY' | 'strides'>

/** No box is larger than e^16 anchors, so that coordinates stay finite whatever the logits. */
export const LARGEST_LOG_SIZE = 16
