import type { Rgb } from './raster'

/** Metres: x to the right, y up from the ground, z forward, in an object's own frame. */
export type Point = readonly [number, number, number]

/**
 * A pinhole camera above the origin that looks along z. `focal`, `centreX` and `horizon` are in pixels of the
 * 1920x1080 frame; `scale` and `rowOffset` convert them to pixels of the raster: (v - rowOffset) * scale.
 */
export interface Camera {
  readonly focal: number
  readonly centreX: number
  readonly horizon: number
  readonly height: number
  readonly scale: number
  readonly rowOffset: number
}

/** A straight limb with round ends; its radius runs from `ra` at `a` to `rb` at `b`. A ball has a = b. */
export interface Limb {
  readonly a: Point
  readonly b: Point
  readonly ra: number
  readonly rb: number
  readonly colour: Rgb
  /** 0 takes the light of the scene, 1 shines by itself. */
  readonly glow?: number
}

/** A limb of constant thickness. */
export function bar(a: Point, b: Limb['b'], radius: number, colour: Rgb, glow = 0): Limb {
  return { a, b, ra: radius, rb: radius, colour, glow }
}

/** What an id would cover if nothing hid it and the frame had no border, in raster pixels. */
export interface Extent {
  x1: number
  y1: number
  x2: number
  y2: number
}
