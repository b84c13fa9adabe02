/** Red, green and blue, 0 to 255; painting clamps other values. */
export type Rgb = readonly [number, number, number]

/** Leaves the ids of the pixels unchanged: for shadows, glows and rain, which hide nothing. */
export const KEEP = -1

/** The drawing surface: packed colours (red in the low byte) and, for every pixel, the id of the topmost object. */
export interface Raster {
  readonly width: number
  readonly height: number
  readonly colours: Uint32Array
  readonly ids: Uint16Array
  /** Number of the frame's pixels that each id has covered, even if hidden later. */
  readonly painted: Uint32Array
}

/** Ids run from 1 to 255; 0 is scenery. */
export const IDS = 256

export function createRaster(width: number, height: number): Raster {
  const size = width * height
  return {
    width,
    height,
    colours: new Uint32Array(size),
    ids: new Uint16Array(size),
    painted: new Uint32Array(IDS),
  }
}

export function pack(r: number, g: number, b: number): number {
  return byte(r) + byte(g) * 256 + byte(b) * 65536
}

function byte(value: number): number {
  return value <= 0 ? 0 : value >= 255 ? 255 : Math.floor(value + 0.5)
}

const crossings = new Float64Array(256)

/**
 * Fills a polygon (even-odd rule; a pixel belongs to it when its centre does).
 *
 * @param xy corners in pixels, x and y alternating
 * @param alpha 0 (nothing) to 256 (opaque)
 * @param id what the pixels then show: an object, 0 for scenery, or KEEP
 */
export function fillPolygon(
  raster: Raster,
  xy: Float64Array,
  corners: number,
  colour: number,
  alpha: number,
  id: number,
): void {
  let top = Number.POSITIVE_INFINITY
  let bottom = Number.NEGATIVE_INFINITY
  for (let i = 0; i < corners; i++) {
    const y = xy[2 * i + 1]!
    if (y < top) top = y
    if (y > bottom) bottom = y
  }
  const first = Math.max(0, Math.ceil(top - 0.5))
  const last = Math.min(raster.height, Math.ceil(bottom - 0.5))
  for (let row = first; row < last; row++) {
    const centre = row + 0.5
    let count = 0
    let xa = xy[2 * corners - 2]!
    let ya = xy[2 * corners - 1]!
    for (let i = 0; i < corners; i++) {
      const xb = xy[2 * i]!
      const yb = xy[2 * i + 1]!
      if (ya <= centre !== yb <= centre) {
        const x = xa + ((centre - ya) * (xb - xa)) / (yb - ya)
        let k = count++
        while (k > 0 && crossings[k - 1]! > x) {
          crossings[k] = crossings[k - 1]!
          k--
        }
        crossings[k] = x
      }
      xa = xb
      ya = yb
    }
    for (let k = 0; k + 1 < count; k += 2) {
      const from = Math.max(0, Math.ceil(crossings[k]! - 0.5))
      const to = Math.min(raster.width, Math.ceil(crossings[k + 1]! - 0.5))
      if (from < to) fillSpan(raster, row * raster.width + from, row * raster.width + to, colour, alpha, id)
    }
  }
}

/** Fills the pixels from..to - 1 of one row. */
export function fillSpan(
  raster: Raster,
  from: number,
  to: number,
  colour: number,
  alpha: number,
  id: number,
): void {
  const { colours, ids } = raster
  if (alpha >= 256) colours.fill(colour, from, to)
  else {
    const r = colour & 255
    const g = (colour >> 8) & 255
    const b = (colour >> 16) & 255
    for (let p = from; p < to; p++) {
      const old = colours[p]!
      const oldR = old & 255
      const oldG = (old >> 8) & 255
      const oldB = (old >> 16) & 255
      colours[p] =
        (oldR + (((r - oldR) * alpha) >> 8)) |
        ((oldG + (((g - oldG) * alpha) >> 8)) << 8) |
        ((oldB + (((b - oldB) * alpha) >> 8)) << 16)
    }
  }
  if (id === KEEP) return
  let fresh = 0
  for (let p = from; p < to; p++) {
    if (ids[p] !== id) {
      ids[p] = id
      fresh++
    }
  }
  raster.painted[id]! += fresh
}
