import type { Groups } from './ranking'
import type { Detections, Truths } from './types'

/** Limits of an area in square pixels, both inclusive. */
export type AreaRange = readonly [low: number, high: number]

export interface CocoMatchingOptions {
  readonly iouThresholds: readonly number[]
  readonly areaRanges: readonly AreaRange[]
  /** Detections kept for an image and class. */
  readonly maxDetections: number
}

/** The best detections of every image and class. */
export interface Kept {
  /** [kept] rows by class, then by descending score; ties by image, then in list order */
  readonly row: Int32Array
  /** [kept] place among those of the same image and class */
  readonly rank: Int32Array
  /** [classes + 1] */
  readonly start: Int32Array
  /** [kept] the same detections by class, then image, then descending score: numbers into `row`, rows and images */
  readonly byImage: Int32Array
  readonly rowOf: Int32Array
  readonly imageOf: Int32Array
}

/** A matching under way, as its blocks see it. */
export interface CocoMatching {
  readonly truths: Truths
  readonly detections: Detections
  readonly kept: Kept
  /** Truths by class, then image, then in list order. */
  readonly truthRows: Groups
  readonly ignored: Uint8Array
  readonly options: CocoMatchingOptions
}
