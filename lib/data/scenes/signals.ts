import type { Random } from '../../base'
import { mix } from './light'
import type { Model } from './model'
import type { Rgb } from './raster'
import { rectangle, regularPolygon } from './shapes'
import { bar } from './solid'
import type { Town } from './style'
import { weighted } from './weighted'

const POLE: Rgb = [104, 108, 112]
const WHITE: Rgb = [236, 236, 232]
const BLACK: Rgb = [24, 24, 26]
const RED: Rgb = [200, 30, 34]
const BLUE: Rgb = [28, 82, 168]
const YELLOW: Rgb = [238, 196, 32]
const GREEN: Rgb = [34, 120, 76]
const ROUND = regularPolygon(14)

/** States of the traffic lights; all lights in a street agree, so a scene has one. */
export const LIGHT_STATES = ['red', 'red', 'green', 'green', 'amber', 'red-amber'] as const
export type LightState = (typeof LIGHT_STATES)[number]

/**
 * A traffic light: a housing with red, amber and green lamps, lit according to the state. The label is the
 * housing's; the pole, and the arm that sometimes carries it over the road, are scenery.
 */
export function trafficLight(random: Random, town: Town, arm: number, state: LightState): Model {
  const size = random.uniform(0.95, 1.3)
  const lying = random.chance(town.horizontalLights)
  const base = arm === 0 ? random.uniform(2.2, 2.8) : random.uniform(4.0, 4.6)
  const w = (lying ? 1.25 : 0.46) * size
  const h = (lying ? 0.46 : 1.25) * size
  const lamps: { colour: Rgb; lit: boolean }[] = [
    { colour: [255, 44, 34], lit: state === 'red' || state === 'red-amber' },
    { colour: [255, 186, 40], lit: state === 'amber' || state === 'red-amber' },
    { colour: [44, 240, 130], lit: state === 'green' },
  ]
  return {
    width: w,
    length: 0.4,
    height: base + h,
    base,
    paint(painter, id, x, z, heading) {
      painter.place(0, x, z, heading)
      const top = arm === 0 ? base : base + h * 0.6
      painter.limbs([bar([-arm, 0, 0.1], [-arm, top, 0.1], 0.08, POLE)])
      if (arm !== 0) painter.limbs([bar([-arm, top, 0.1], [0, top, 0.1], 0.06, POLE)])
      painter.place(id, x, z, heading)
      const edge = town.lightPlate ? 0.08 * size : 0
      const plate = (rim: number, colour: Rgb) =>
        painter.onEnd(-1, 0, rectangle(-w / 2 - rim, base - rim, w / 2 + rim, base + h + rim), colour)
      if (town.lightPlate) {
        plate(edge, WHITE)
        plate(edge * 0.6, BLACK)
      }
      painter.box([-w / 2, base, -0.25], [w / 2, base + h, 0], town.lightHousing)
      lamps.forEach(({ colour, lit }, i) => {
        const cx = lying ? ((i - 1) * w) / 3 : 0
        const cy = lying ? base + h / 2 : base + h * (5 / 6 - i / 3)
        const r = 0.165 * size
        const disc = ROUND.map(([a, b]) => [cx + a * r, cy + b * r] as const)
        painter.onEnd(-1, -0.26, disc, lit ? colour : mix(colour, BLACK, 0.78), lit ? 1 : 0)
        if (lit && painter.light.hour !== 'day') painter.halo([cx, cy, -0.3], r * 2.4, colour, 0.16)
      })
    },
  }
}

/** A traffic sign on a pole; the label is the plate's. */
export function trafficSign(random: Random, town: Town): Model {
  const kinds = ['ban', 'order', 'warning', 'yield', 'stop', 'square', 'diamond'] as const
  const kind = kinds[weighted(random, town.signs)]!
  const r = random.uniform(0.46, 0.64)
  const base = random.uniform(1.9, 2.5)
  const picture = pictogram(random)
  const square = random.chance(0.6) ? BLUE : GREEN
  return {
    width: 2 * r,
    length: 0.2,
    height: base + 2 * r,
    base,
    paint(painter, id, x, z, heading) {
      painter.place(0, x, z, heading)
      painter.limbs([bar([0, 0, 0.08], [0, base + r, 0.08], 0.05, POLE)])
      painter.place(id, x, z, heading)
      const cy = base + r
      let layer = 0
      const plate = (corners: number, phase: number, share: number, colour: Rgb) => {
        layer += 0.005
        const shape = regularPolygon(corners, phase).map(
          ([a, b]) => [a * r * share, cy + b * r * share] as const,
        )
        painter.onEnd(-1, -layer, shape, colour, 0.15)
      }
      const ink = (colour: Rgb, share: number) => {
        layer += 0.005
        const y = (value: number) => cy + value * r * share
        const bars = painter.panesOnEnd(-1, -layer)
        for (const [x0, y0, x1, y1] of picture)
          bars(x0 * r * share, y(y0), x1 * r * share, y(y1), colour, 0.1)
      }
      if (kind === 'ban') {
        plate(16, 0, 1, RED)
        plate(16, 0, 0.74, WHITE)
        ink(BLACK, 0.5)
      } else if (kind === 'order') {
        plate(16, 0, 1, WHITE)
        plate(16, 0, 0.92, BLUE)
        ink(WHITE, 0.55)
      } else if (kind === 'warning') {
        plate(3, 0, 1.15, RED)
        plate(3, 0, 0.72, WHITE)
        ink(BLACK, 0.34)
      } else if (kind === 'yield') {
        plate(3, 0.5, 1.15, RED)
        plate(3, 0.5, 0.68, WHITE)
      } else if (kind === 'stop') {
        plate(8, 1 / 16, 1.04, WHITE)
        plate(8, 1 / 16, 0.96, RED)
        painter.panesOnEnd(-1, -0.03)(-0.68 * r, cy - 0.2 * r, 0.68 * r, cy + 0.2 * r, WHITE, 0.15)
        const gaps = painter.panesOnEnd(-1, -0.04)
        for (const at of [-0.34, 0, 0.34])
          gaps((at - 0.03) * r, cy - 0.2 * r, (at + 0.03) * r, cy + 0.2 * r, RED, 0.15)
      } else if (kind === 'square') {
        plate(4, 1 / 8, 1.3, WHITE)
        plate(4, 1 / 8, 1.2, square)
        ink(WHITE, 0.6)
      } else {
        plate(4, 0, 1.2, WHITE)
        plate(4, 0, 0.95, YELLOW)
        if (picture.length > 2) ink(BLACK, 0.45)
      }
    },
  }
}

/** A few bars that stand for a number, an arrow or a figure, in a square from -1 to 1. */
function pictogram(random: Random): readonly (readonly [number, number, number, number])[] {
  const kind = random.integer(4)
  if (kind === 0) return [[-0.16, -1, 0.16, 0.9]]
  if (kind === 1) return [[-0.95, -0.2, 0.95, 0.2]]
  if (kind === 2) {
    return [
      [-0.8, -0.8, -0.1, 0.8],
      [0.15, -0.8, 0.8, 0.8],
      [0.36, -0.5, 0.58, 0.5],
    ]
  }
  return [
    [-0.14, -1, 0.14, 0.4],
    [-0.6, 0.1, 0.6, 0.4],
    [-0.3, 0.4, 0.3, 0.75],
  ]
}
