import type { Painter } from './painter'

/** Something that can be put into the street: its size in metres and how it is painted where it stands. */
export interface Model {
  readonly width: number
  readonly length: number
  readonly height: number
  /** Metres from the ground to the labelled part's lower edge. */
  readonly base?: number
  /** Paints it at (x, z), turned by `heading`; `id` goes to the labelled parts. */
  paint(painter: Painter, id: number, x: number, z: number, heading: number): void
}
