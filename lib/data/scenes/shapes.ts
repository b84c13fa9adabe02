import { sinCos } from './angles'

/** Corners of a flat shape, as pairs of its two coordinates. */
export type Shape = readonly (readonly [number, number])[]

/** The rectangle between two opposite corners. */
export function rectangle(a0: number, b0: number, a1: number, b1: number): Shape {
  return [
    [a0, b0],
    [a0, b1],
    [a1, b1],
    [a1, b0],
  ]
}

/** The corners of a regular polygon on the unit circle, the first one at the top (`phase` 0, in turns). */
export function regularPolygon(corners: number, phase = 0): Shape {
  return Array.from({ length: corners }, (_, i) => {
    const { sin, cos } = sinCos(i / corners + phase)
    return [sin, cos] as const
  })
}
