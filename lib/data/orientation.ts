import { type ImageHeader, uprightSize } from './images'
import type { ParsedImage } from './intake/parsed'

/** How a labelled image's pixels are to be read. */
export interface Turned {
  readonly width: number
  readonly height: number
  /** The orientation that is applied; absent where the pixels stay as stored. */
  readonly orientation?: number
}

/**
 * Whether an image is turned as its EXIF orientation says. The rule: it is where the notation gives shares, where the
 * annotation states the turned size and not the stored one, and where nobody has labelled it; it stays as stored where the
 * annotation states that size alone. Where the size says nothing the boxes may: those that fit one reading only decide.
 *
 * @returns undefined where both readings are possible
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
  // Neither: the size is wrong whichever way it is read.
  return asStored ? undefined : stored
}

type Size = { readonly width: number; readonly height: number }

const states = ({ width, height }: ParsedImage, size: Size) => width === size.width && height === size.height

/** Whether every box lies within a size, a pixel of rounding allowed. */
function holds({ width, height }: Size, { boxes = [] }: ParsedImage): boolean {
  return boxes.every(({ x1, y1, x2, y2 }) => x1 > -1 && y1 > -1 && x2 < width + 1 && y2 < height + 1)
}
