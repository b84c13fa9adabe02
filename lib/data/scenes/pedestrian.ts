import type { Random } from '../../base'
import { mix } from './light'
import type { Model } from './model'
import type { Rgb } from './raster'
import { regularPolygon } from './shapes'
import type { Limb, Point } from './solid'
import type { Town } from './style'

export const SKIN: readonly Rgb[] = [
  [226, 182, 150],
  [196, 146, 112],
  [140, 96, 70],
  [92, 62, 48],
]
export const HAIR: readonly Rgb[] = [
  [40, 30, 26],
  [86, 58, 34],
  [150, 116, 66],
  [150, 146, 142],
]
const DARK: Rgb = [28, 28, 32]
const DOME = regularPolygon(16).filter(([, y]) => y >= 0)

/** A person on foot: legs in stride, arms, head; sometimes a skirt, a bag, a child's size or an umbrella. */
export function pedestrian(random: Random, town: Town, rain: boolean): Model {
  const child = random.chance(0.1)
  const height = child ? random.uniform(1.05, 1.35) : random.uniform(1.58, 1.88)
  const h = height
  const skin = random.pick(SKIN)
  const hair = random.pick(HAIR)
  const coat = random.pick(town.clothes)
  const trousers = random.pick(town.clothes)
  const shoes = mix(trousers, DARK, 0.7)
  const stride = random.chance(0.3) ? 0.02 : random.uniform(0.07, 0.16)
  const swing = random.chance(0.5) ? 1 : -1
  const skirt = random.chance(0.2)
  const bag = random.chance(0.3)
  const umbrella = rain && random.chance(0.4)
  const stout = random.uniform(0.85, 1.25)
  const limbs: Limb[] = []
  const limb = (a: Point, b: Point, ra: number, rb: number, colour: Rgb) => {
    limbs.push({ a: scaled(a, h), b: scaled(b, h), ra: ra * h, rb: rb * h, colour })
  }
  for (const side of [-1, 1]) {
    const step = side * swing * stride
    const legs = skirt ? skin : trousers
    limb([side * 0.05, 0.5, 0], [side * 0.055, 0.27, step * 0.55], 0.052 * stout, 0.042, legs)
    limb([side * 0.055, 0.27, step * 0.55], [side * 0.055, 0.045, step * 1.15 - 0.02], 0.042, 0.03, legs)
    limb(
      [side * 0.055, 0.025, step * 1.15 - 0.02],
      [side * 0.06, 0.02, step * 1.15 + 0.06],
      0.026,
      0.022,
      shoes,
    )
    limb([side * 0.125 * stout, 0.79, 0], [side * 0.15 * stout, 0.62, -step * 0.5], 0.036, 0.032, coat)
    limb(
      [side * 0.15 * stout, 0.62, -step * 0.5],
      [side * 0.14 * stout, 0.48, -step * 0.9 + 0.03],
      0.03,
      0.026,
      coat,
    )
    limb(
      [side * 0.14 * stout, 0.465, -step * 0.9 + 0.035],
      [side * 0.14 * stout, 0.455, -step * 0.9 + 0.035],
      0.026,
      0.026,
      skin,
    )
    limb([side * 0.055 * stout, 0.78, 0], [side * 0.045, 0.52, 0], 0.068 * stout, 0.062 * stout, coat)
  }
  if (skirt) limb([0, 0.54, 0], [0, 0.36, 0], 0.085 * stout, 0.125 * stout, random.pick(town.clothes))
  limb([0, 0.84, 0], [0, 0.87, 0.005], 0.034, 0.034, skin)
  limb([0, 0.935, 0.012], [0, 0.92, 0.016], 0.062, 0.052, skin)
  limb([0, 0.95, -0.016], [0, skirt ? 0.88 : 0.93, -0.026], 0.063, 0.054, hair)
  if (bag) limb([0, 0.72, -0.1], [0, 0.6, -0.1], 0.075, 0.08, random.pick(town.clothes))
  const canopy = random.pick(town.clothes)
  return {
    width: h * 0.36,
    length: h * 0.3,
    height: h,
    paint(painter, id, x, z, heading) {
      painter.place(id, x, z, heading)
      painter.shadow(h * 0.34, h * 0.34, painter.light.shadow)
      painter.limbs(limbs)
      if (!umbrella) return
      // The box is the person's: what the umbrella hides counts as hidden.
      painter.place(0, x, z, 0)
      painter.limbs([
        { a: [0.1 * h, 0.62 * h, 0], b: [0.06 * h, 1.1 * h, 0], ra: 0.012, rb: 0.012, colour: DARK },
      ])
      painter.onEnd(
        -1,
        -0.1,
        DOME.map(([a, b]) => [(0.06 + a * 0.3) * h, (0.98 + b * 0.2) * h] as const),
        canopy,
      )
    },
  }
}

function scaled(point: Point, factor: number): Point {
  return [point[0] * factor, point[1] * factor, point[2] * factor]
}
