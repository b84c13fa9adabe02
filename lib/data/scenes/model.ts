import type { Painter } from './painter'

/** Something to place in the street: its size in metres and how to paint it there. */
export interface Model {
  readonly width: number
  readonly length: number
  readonly height: number
  /** Metres from the ground to the lower edge of the labelled part. */
  readonly base?: number
  /** Paints it at (x, z), turned by `heading`; `id` goes to the labelled parts. */
  paint(painter: Painter, id: number, x: number, z: number, heading: number): void
}
