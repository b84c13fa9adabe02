/**
 * Truths of a whole set as columns: row i is one object. Boxes are x1 y1 x2 y2 in pixels.
 * `image` counts from 0 to `images` - 1, `label` from 0 to `classes` - 1.
 */
export interface Truths {
  readonly images: number
  readonly classes: number
  readonly image: Int32Array
  readonly label: Int32Array
  /** [rows * 4] */
  readonly box: Float64Array
  /** VOC's difficult flag, 0 or 1; all 0 where absent. */
  readonly difficult?: Uint8Array
  /** COCO's iscrowd flag, 0 or 1; all 0 where absent. */
  readonly crowd?: Uint8Array
  /** COCO's area in square pixels; the box's own area where absent. */
  readonly area?: Float64Array
  /** [rows * 2] width and height where the source states them (COCO): x2 - x1 can differ in the last bit. */
  readonly size?: Float64Array
}

/** Detections of a whole set as columns, in list order, which breaks ties in score. */
export interface Detections {
  readonly image: Int32Array
  readonly label: Int32Array
  readonly score: Float64Array
  /** [rows * 4] */
  readonly box: Float64Array
  /** [rows * 2] width and height where the source states them (COCO): x2 - x1 can differ in the last bit. */
  readonly size?: Float64Array
}

/** Limits of an area in square pixels, both inclusive. */
export type AreaRange = readonly [low: number, high: number]
