import { type ImageHeader, uprightSize } from './images'
import type { ParsedImage } from './intake/parsed'

/** How to read a labelled image's pixels. */
export interface Turned {
  readonly width: number
  readonly height: number
  /** The orientation applied; absent if the pixels stay as stored. */
  readonly orientation?: number
}

/**
 * Whether to turn an image by its EXIF orientation. It is turned if the notation uses fractions, if the annotation states
 * the turned size but not the stored one, or if the image is unlabelled. It stays as stored if the annotation states only
 * the stored size. If the size does not decide, the boxes may: those that fit only one reading.
 *
 * @returns undefined if both readings are possible
 */
export function turnedAs(image: ImageHeader, parsed: ParsedImage): Turned | undefined {
  const { orientation, width, height } = image
  const stored = { width, height }
  if (orientation === undefined) return stored
  const turned = { ...uprightSize(image), orientation }
  if (parsed.relative || !parsed.boxes?.length)
    return states(parsed, stored) && !states(parsed, turned) ? stored : turned
  const isStated = parsed.width !== undefined && parsed.height !== undefined
  const [asStored, asTurned] = isStated
    ? [states(parsed, stored), states(parsed, turned)]
    : [holds(stored, parsed), holds(turned, parsed)]
  if (asStored !== asTurned) return asTurned ? turned : stored
  // Neither: the size is wrong in both readings.
  return asStored ? undefined : stored
}

type Size = { readonly width: number; readonly height: number }

const states = ({ width, height }: ParsedImage, size: Size) => width === size.width && height === size.height

/** Whether every box lies within a size, allowing one pixel for rounding. */
function holds({ width, height }: Size, { boxes = [] }: ParsedImage): boolean {
  return boxes.every(({ x1, y1, x2, y2 }) => x1 > -1 && y1 > -1 && x2 < width + 1 && y2 < height + 1)
}
