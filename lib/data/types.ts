import type { Account } from './intake/account'

/**
 * A labelled rectangle in pixels of its image, corners at continuous coordinates: `x1 <= x < x2`,
 * origin at the top left of the top-left pixel. A one-pixel box at the origin is (0, 0, 1, 1).
 */
export interface Box {
  readonly x1: number
  readonly y1: number
  readonly x2: number
  readonly y2: number
  /** Index into the data set's `classes`. */
  readonly label: number
  /** VOC: found or not, it counts for nothing in evaluation; training skips it. */
  readonly difficult?: boolean
  /** COCO: a region of many objects that absorbs detections. */
  readonly crowd?: boolean
  /** Of a pseudo-label: how much it counts in training, 0 .. 1; at 0 nothing is learnt where it lies. 1 where absent. */
  readonly weight?: number
  /** COCO: area of the segmentation in square pixels, where it differs from the box's. */
  readonly area?: number
}

/** One image and what is in it. `boxes` is undefined where nobody has labelled the image. */
export interface Sample {
  /** Unique within the data set; stable over machines (a path relative to the data set, say). */
  readonly id: string
  /** Absolute path of the image file. */
  readonly file: string
  readonly width: number
  readonly height: number
  readonly boxes: readonly Box[] | undefined
  /** EXIF orientation, where the pixels are turned as it says when they are read; size and boxes are those seen then. */
  readonly orientation?: number
}

export type SplitName = 'train' | 'validation' | 'test' | 'unlabelled' | 'shifted'

export interface Dataset {
  readonly name: string
  readonly classes: readonly string[]
  readonly splits: { readonly [split in SplitName]?: readonly Sample[] }
  /** SHA-256 over classes, ids, boxes and image bytes of every split, as lower-case hex. */
  readonly hash: string
  /** What became of every file and box, where a folder of the user's was read. */
  readonly account?: Account
}

/** Pixels as they come from a decoder: RGB, row by row, 3 bytes a pixel. */
export interface RgbImage {
  readonly width: number
  readonly height: number
  readonly pixels: Uint8Array
}
