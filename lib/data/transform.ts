import type { Corners } from './overlap'
import type { Box } from './types'

/**
 * Where an image lies in the network's input: x_input = scaleX * x_image + shiftX, and likewise y, in continuous
 * pixel coordinates. A mirrored image has a negative scaleX.
 */
export interface Placement {
  readonly scaleX: number
  readonly shiftX: number
  readonly scaleY: number
  readonly shiftY: number
}

/** A rectangle of whole pixels: columns x1 .. x2 - 1 and rows y1 .. y2 - 1. */
export interface Region {
  readonly x1: number
  readonly y1: number
  readonly x2: number
  readonly y2: number
}

/** Which transformed boxes to keep: those with enough of their area inside and not too small. */
export interface KeepRule {
  /** Least fraction of the box's area that must lie inside, 0 .. 1. */
  readonly minKept: number
  /** Least width and height after clipping, in pixels of the network input. */
  readonly minSide: number
}

/** Applies `first`, then `second`: x -> second(first(x)). */
export function compose(first: Placement, second: Placement): Placement {
  return {
    scaleX: second.scaleX * first.scaleX,
    shiftX: second.scaleX * first.shiftX + second.shiftX,
    scaleY: second.scaleY * first.scaleY,
    shiftY: second.scaleY * first.shiftY + second.shiftY,
  }
}

/** A box of the image in pixels of the network input, not clipped. */
export function toInput<B extends Corners>(box: B, placement: Placement): B {
  const { scaleX, shiftX, scaleY, shiftY } = placement
  const [xa, xb] = [scaleX * box.x1 + shiftX, scaleX * box.x2 + shiftX]
  const [ya, yb] = [scaleY * box.y1 + shiftY, scaleY * box.y2 + shiftY]
  return {
    ...box,
    x1: Math.min(xa, xb),
    y1: Math.min(ya, yb),
    x2: Math.max(xa, xb),
    y2: Math.max(ya, yb),
  }
}

/** A box of the network input (a detection, for example) in pixels of the original image: the inverse of `toInput`. */
export function toImage<B extends Corners>(box: B, placement: Placement): B {
  const { scaleX, shiftX, scaleY, shiftY } = placement
  return toInput(box, {
    scaleX: 1 / scaleX,
    shiftX: -shiftX / scaleX,
    scaleY: 1 / scaleY,
    shiftY: -shiftY / scaleY,
  })
}

/**
 * Boxes of an image placed into `bounds` (pixels of the network input): transformed, clipped, and dropped
 * if less than `minKept` of their area is left, a side is shorter than `minSide`, or nothing is left.
 * A segmentation's area is scaled with the kept area.
 */
export function placeBoxes(
  boxes: readonly Box[],
  placement: Placement,
  bounds: Corners,
  rule: KeepRule,
): Box[] {
  const placed: Box[] = []
  for (const box of boxes) {
    const whole = toInput(box, placement)
    const x1 = Math.max(whole.x1, bounds.x1)
    const y1 = Math.max(whole.y1, bounds.y1)
    const x2 = Math.min(whole.x2, bounds.x2)
    const y2 = Math.min(whole.y2, bounds.y2)
    if (!(x2 > x1 && y2 > y1) || x2 - x1 < rule.minSide || y2 - y1 < rule.minSide) continue
    const kept = ((x2 - x1) * (y2 - y1)) / ((whole.x2 - whole.x1) * (whole.y2 - whole.y1))
    if (kept < rule.minKept) continue
    const clipped = { ...box, x1, y1, x2, y2 }
    if (box.area === undefined) placed.push(clipped)
    else placed.push({ ...clipped, area: box.area * kept * Math.abs(placement.scaleX * placement.scaleY) })
  }
  return placed
}

/** 'stretch' fills the input, changing the aspect; 'pad' keeps it and pads at the right and the bottom. */
export type Fit = 'stretch' | 'pad'

/** `region` of a frame scaled into the input [height, width]. */
export function fitRegion(region: Region, [height, width]: readonly [number, number], fit: Fit): Placement {
  let scaleX = width / (region.x2 - region.x1)
  let scaleY = height / (region.y2 - region.y1)
  if (fit === 'pad') scaleX = scaleY = Math.min(scaleX, scaleY)
  return { scaleX, shiftX: -scaleX * region.x1, scaleY, shiftY: -scaleY * region.y1 }
}

/**
 * A crop given as fractions [x1, y1, x2, y2] of the frame, in whole pixels of an image: each edge snaps to the
 * nearest pixel border. The published crop, rows 140 .. 860 of 1080, is [0, 140 / 1080, 1, 860 / 1080].
 */
export function cropRegion(
  width: number,
  height: number,
  crop: readonly [number, number, number, number] | undefined,
): Region {
  if (crop === undefined) return { x1: 0, y1: 0, x2: width, y2: height }
  const region = {
    x1: Math.round(crop[0] * width),
    y1: Math.round(crop[1] * height),
    x2: Math.round(crop[2] * width),
    y2: Math.round(crop[3] * height),
  }
  if (region.x2 <= region.x1 || region.y2 <= region.y1)
    throw new RangeError(`crop: [${crop.join(', ')}] leaves no pixel of a ${width}x${height} image; widen it`)
  return region
}
