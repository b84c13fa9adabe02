import { applyColour, type Colour } from './colour'
import type { Placement, Region } from './transform'
import type { RgbImage } from './types'

/** From this many source pixels per target pixel on, an axis is averaged over the whole footprint. */
const BOX_FROM = 2

export interface ResampleOptions {
  /** The part of the image that may be seen; default: all of it. Everything else is `fill`. */
  readonly visible?: Region
  /** Value of pixels outside, 0 .. 255, not affected by `colour`. Default 0. */
  readonly fill?: number
  readonly colour?: Colour
}

/** For each target pixel of one axis, the source pixels that contribute to it, and their weights. */
interface Taps {
  /** Target pixels first .. last - 1 have their centre inside the source. */
  readonly first: number
  readonly last: number
  readonly start: Int32Array
  readonly count: Int32Array
  /** [size * width] */
  readonly weight: Float32Array
  readonly width: number
}

/**
 * Writes the image as the network sees it to `target`, as [h, w, 3] floats in 0 .. 1. The axes are
 * independent: bilinear between half-pixel centres (edges repeated, like cv2.INTER_LINEAR) where a target
 * pixel covers up to 2 source pixels, the exact area average (cv2.INTER_AREA) where it covers more, so that
 * small lights do not fall between samples. Target pixels whose centre lies outside `visible` get `fill`.
 */
export function resample(
  image: RgbImage,
  placement: Placement,
  [height, width]: readonly [number, number],
  target: Float32Array,
  options: ResampleOptions = {},
): void {
  const { visible = { x1: 0, y1: 0, x2: image.width, y2: image.height }, fill = 0, colour } = options
  const across = axisTaps(placement.scaleX, placement.shiftX, visible.x1, visible.x2, width)
  const down = axisTaps(placement.scaleY, placement.shiftY, visible.y1, visible.y2, height)
  const grey = fill / 255
  const from = across.first * 3
  const to = across.last * 3
  if (across.first > 0 || across.last < width || down.first > 0 || down.last < height) target.fill(grey)
  if (to <= from) return

  // Keep two horizontally filtered source rows: neighbouring target rows share them.
  const kept = [new Float32Array(width * 3), new Float32Array(width * 3)] as const
  const keptRow = [-1, -1]
  let oldest = 0
  const filtered = (row: number): Float32Array => {
    if (keptRow[0] === row) return kept[0]
    if (keptRow[1] === row) return kept[1]
    const line = kept[oldest as 0 | 1]
    keptRow[oldest] = row
    oldest = 1 - oldest
    filterRow(image.pixels, row * image.width * 3, across, line)
    return line
  }

  for (let y = down.first; y < down.last; y++) {
    const out = y * width * 3
    const tap = y * down.width
    const row = down.start[y]!
    const count = down.count[y]!
    const w0 = down.weight[tap]! / 255
    const line0 = filtered(row)
    if (count === 1) {
      for (let i = from; i < to; i++) target[out + i] = w0 * line0[i]!
    } else {
      const w1 = down.weight[tap + 1]! / 255
      const line1 = filtered(row + 1)
      for (let i = from; i < to; i++) target[out + i] = w0 * line0[i]! + w1 * line1[i]!
    }
    for (let more = 2; more < count; more++) {
      const weight = down.weight[tap + more]! / 255
      const line = filtered(row + more)
      for (let i = from; i < to; i++) target[out + i]! += weight * line[i]!
    }
    if (colour !== undefined) applyColour(target, out + from, out + to, colour)
  }
}

function axisTaps(scale: number, shift: number, low: number, high: number, size: number): Taps {
  const step = 1 / Math.abs(scale)
  const width = step > BOX_FROM ? Math.ceil(step) + 1 : 2
  const start = new Int32Array(size)
  const count = new Int32Array(size)
  const weight = new Float32Array(size * width)
  let first = size
  let last = 0
  for (let i = 0; i < size; i++) {
    const centre = (i + 0.5 - shift) / scale
    if (centre < low || centre >= high) continue
    first = Math.min(first, i)
    last = i + 1
    if (step > BOX_FROM) {
      const begin = Math.max(low, centre - step / 2)
      const end = Math.min(high, centre + step / 2)
      start[i] = Math.floor(begin)
      count[i] = Math.min(width, Math.ceil(end) - start[i]!)
      for (let tap = 0; tap < count[i]!; tap++) {
        const pixel = start[i]! + tap
        weight[i * width + tap] = (Math.min(end, pixel + 1) - Math.max(begin, pixel)) / (end - begin)
      }
    } else {
      const left = Math.floor(centre - 0.5)
      const share = centre - 0.5 - left
      const single = left < low || left + 1 >= high
      start[i] = left < low ? low : left
      count[i] = single ? 1 : 2
      weight[i * width] = single ? 1 : 1 - share
      weight[i * width + 1] = single ? 0 : share
    }
  }
  return { first, last, start, count, weight, width }
}

function filterRow(pixels: Uint8Array, row: number, taps: Taps, line: Float32Array): void {
  const { first, last, start, count, weight, width } = taps
  for (let x = first; x < last; x++) {
    const taken = count[x]!
    const w = x * width
    const to = x * 3
    let at = row + start[x]! * 3
    const w0 = weight[w]!
    let r = w0 * pixels[at]!
    let g = w0 * pixels[at + 1]!
    let b = w0 * pixels[at + 2]!
    for (let tap = 1; tap < taken; tap++) {
      at += 3
      const next = weight[w + tap]!
      r += next * pixels[at]!
      g += next * pixels[at + 1]!
      b += next * pixels[at + 2]!
    }
    line[to] = r
    line[to + 1] = g
    line[to + 2] = b
  }
}
