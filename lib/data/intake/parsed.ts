/** The content of annotation files, before anybody has looked at an image. */

/** A box as given in an annotation file, with its place there. */
export interface ParsedBox {
  readonly x1: number
  readonly y1: number
  readonly x2: number
  readonly y2: number
  /** Name of the class. */
  readonly name: string
  readonly difficult?: boolean
  readonly crowd?: boolean
  readonly area?: number
  /** Width and height where the file states them (COCO): x2 - x1 can differ in the last bit. */
  readonly size?: readonly [width: number, height: number]
  readonly line?: number
  readonly key?: string
}

/** An image as described in an annotation file. */
export interface ParsedImage {
  /** Path or name of the image as written; undefined if the file's own name identifies it. */
  readonly image: string | undefined
  /** The file's id of the image (COCO). */
  readonly id?: number | string
  /** Size as written. */
  readonly width?: number
  readonly height?: number
  /** undefined if the image is unlabelled. */
  readonly boxes: readonly ParsedBox[] | undefined
  /** Number of boxes that could not be read; each was reported. */
  readonly refused?: number
  /** Whether boxes are fractions of the image's width and height, not pixels. */
  readonly relative?: boolean
  /** The annotation file, and the place in it. */
  readonly source: string
  readonly line?: number
  readonly key?: string
}

/**
 * A fraction of a side in pixels. Fractions usually have six decimals; a corner within that rounding of a whole pixel
 * becomes that pixel, so that boxes on whole pixels are the same in every notation.
 */
export function pixelsOf(share: number, side: number): number {
  const pixels = share * side
  const whole = Math.round(pixels)
  return Math.abs(pixels - whole) <= 1e-6 * side ? whole : pixels
}

/** Farthest corner of a box from that of its image, in pixels: what is computed of such boxes stays finite. */
const FARTHEST = 1e9

/** What is wrong with corners in pixels that are not finite, or so far away that sums of them would not be. */
export function beyondLimits({
  x1,
  y1,
  x2,
  y2,
}: {
  readonly x1: number
  readonly y1: number
  readonly x2: number
  readonly y2: number
}): string | undefined {
  const corners = [x1, y1, x2, y2]
  if (corners.every((value) => Math.abs(value) <= FARTHEST)) return undefined
  return `expected corners that a number can hold, within ${FARTHEST} pixels, found ${corners.join(', ')}`
}
