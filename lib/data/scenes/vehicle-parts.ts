import type { Painter } from './painter'
import type { Rgb } from './raster'
import { regularPolygon, type Shape } from './shapes'
import type { Point } from './solid'

export const GLASS: Rgb = [44, 54, 66]
export const BLACK: Rgb = [22, 22, 24]
export const HEADLAMP: Rgb = [255, 246, 214]
export const TAIL_LAMP: Rgb = [214, 24, 20]
const UNDERSIDE: Rgb = [14, 14, 15]
const TYRE: Rgb = [26, 26, 28]
const ROUND = regularPolygon(12)

/** Wheels seen from the ends and through the gap under the body. */
export function axles(painter: Painter, half: number, at: readonly number[], radius: number): void {
  const rear = Math.min(...at)
  const front = Math.max(...at)
  painter.box([-half * 0.8, radius * 0.5, rear], [half * 0.8, radius * 1.3, front], UNDERSIDE)
  for (const z of at) {
    for (const side of [-1, 1]) {
      const outer = side * half * 0.98
      const inner = side * (half - 0.3)
      painter.box(
        [Math.min(outer, inner), 0, z - radius * 0.8],
        [Math.max(outer, inner), radius * 1.4, z + radius * 0.8],
        TYRE,
      )
    }
  }
}

export function wheels(
  painter: Painter,
  side: number,
  half: number,
  at: readonly number[],
  radius: number,
): void {
  for (const z of at) {
    const disc = (r: number): Shape => ROUND.map(([a, b]) => [z + a * r, radius + b * r] as const)
    painter.onSide(side, half + 0.01, disc(radius * 1.12), [16, 16, 18])
    painter.onSide(side, half + 0.02, disc(radius), TYRE)
    painter.onSide(side, half + 0.03, disc(radius * 0.58), [150, 152, 156])
    painter.onSide(side, half + 0.04, disc(radius * 0.2), [70, 70, 74])
  }
}

/** A pane on the slope from `low` to `high` (z, y), slightly smaller than the slope and in front of it. */
export function slantedGlass(
  painter: Painter,
  low: readonly [number, number],
  high: readonly [number, number],
  half: number,
  direction: 1 | -1,
): void {
  const dz = high[0] - low[0]
  const dy = high[1] - low[1]
  const length = Math.sqrt(dz * dz + dy * dy)
  const normal: Point = [0, (-dz / length) * direction, (dy / length) * direction]
  const at = (t: number): readonly [number, number] => [
    low[0] + dz * t + normal[2] * 0.01,
    low[1] + dy * t + normal[1] * 0.01,
  ]
  const [z0, y0] = at(0.1)
  const [z1, y1] = at(0.9)
  painter.face(
    [
      [-half, y0, z0],
      [-half * 0.92, y1, z1],
      [half * 0.92, y1, z1],
      [half, y0, z0],
    ],
    normal,
    GLASS,
  )
}

export function endLamps(painter: Painter, half: number, y: number, end: number, lamps: boolean): void {
  const glow = lamps ? 1 : 0
  const front = painter.panesOnEnd(1, end + 0.02)
  const back = painter.panesOnEnd(-1, -end - 0.02)
  for (const side of [-1, 1]) {
    const at = side * half
    front(at * 0.62, y - 0.12, at * 0.94, y + 0.12, HEADLAMP, glow || 0.25)
    back(at * 0.7, y - 0.14, at * 0.96, y + 0.14, TAIL_LAMP, glow * 0.9 || 0.15)
  }
  lampHalos(painter, glow, half * 0.78, y, end)
}

export function lampHalos(painter: Painter, glow: number, x: number, y: number, end: number): void {
  if (glow === 0) return
  const facing = painter.depth([0, 0, end]) < painter.depth([0, 0, -end])
  for (const side of [-1, 1]) {
    if (facing) painter.halo([side * x, y, end], 0.5, HEADLAMP, 0.22)
    else painter.halo([side * x, y, -end], 0.3, TAIL_LAMP, 0.18)
  }
}
