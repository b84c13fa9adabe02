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
  /** VOC: does not count in evaluation, whether found or not; training skips it. */
  readonly difficult?: boolean
  /** COCO: a region of many objects that absorbs detections. */
  readonly crowd?: boolean
  /** Weight of a pseudo-label in training, 0 .. 1; with 0 nothing is learnt in its area. Default: 1. */
  readonly weight?: number
  /** COCO: area of the segmentation in square pixels, where it differs from the box's. */
  readonly area?: number
}

/** One image and its objects. `boxes` is undefined if the image is unlabelled. */
export interface Sample {
  /** Unique within the data set and stable across machines, such as a path relative to the data set. */
  readonly id: string
  /** Absolute path of the image file. */
  readonly file: string
  readonly width: number
  readonly height: number
  readonly boxes: readonly Box[] | undefined
  /** EXIF orientation applied when the pixels are read; size and boxes refer to the turned image. */
  readonly orientation?: number
  /** SHA-256 of the file's bytes, if known: they are checked against it when the image is decoded. */
  readonly digest?: string
}

/** A part of a data set; `shifted` shows another town. */
export type SplitName = 'train' | 'validation' | 'test' | 'unlabelled' | 'shifted'

/** Images with their boxes, by split. */
export interface Dataset {
  readonly name: string
  readonly classes: readonly string[]
  readonly splits: { readonly [split in SplitName]?: readonly Sample[] }
  /** SHA-256 over classes, ids, boxes and image bytes of every split, as lower-case hex. */
  readonly hash: string
  /** What became of every file and box, if a user's folder was read. */
  readonly account?: Account
}

/** Pixels as a decoder returns them: RGB, row by row, 3 bytes per pixel. */
export interface RgbImage {
  readonly width: number
  readonly height: number
  readonly pixels: Uint8Array
}
