import type { Random } from '../../base'
import { mix } from './light'
import type { Model } from './model'
import type { Rgb } from './raster'
import type { Shape } from './shapes'
import type { Town } from './style'
import { axles, BLACK, GLASS, HEADLAMP, lampHalos, slantedGlass, TAIL_LAMP, wheels } from './vehicle-parts'

const PLATE: Rgb = [226, 226, 214]

/** Saloon, estate or hatchback: a body, a cabin of glass with pillars, wheels, lamps at both ends. */
export function car(random: Random, town: Town): Model {
  const kind = random.pick(['saloon', 'hatchback', 'estate', 'suv'] as const)
  const length = random.uniform(3.9, 4.7) * town.vehicleLength * (kind === 'hatchback' ? 0.9 : 1)
  const height = random.uniform(1.4, 1.5) * town.vehicleHeight * (kind === 'suv' ? 1.14 : 1)
  const width = random.uniform(1.7, 1.86)
  const colour = random.pick(town.carColours)
  const l = length
  const waist = height * 0.6
  const rear = kind === 'saloon' ? -0.4 : -0.485
  const roofRear = kind === 'saloon' ? -0.24 : kind === 'hatchback' ? -0.36 : -0.42
  const base = kind === 'suv' ? 0.3 : 0.23
  const half = width / 2
  const body: Shape = [
    [-l / 2, base + 0.1],
    [-0.49 * l, waist * 0.97],
    [rear * l, waist * 1.04],
    [0.24 * l, waist * 1.02],
    [0.46 * l, waist * 0.86],
    [l / 2, waist * 0.66],
    [l / 2, base],
  ]
  const cabin: Shape = [
    [rear * l, waist * 1.02],
    [roofRear * l, height],
    [0.06 * l, height],
    [0.25 * l, waist],
  ]
  const lit = random.chance(0.7)
  const wheel = kind === 'suv' ? 0.36 : 0.31
  const taxi = random.chance(0.04)
  return {
    width,
    length,
    height,
    paint(painter, id, x, z, heading) {
      painter.place(id, x, z, heading)
      painter.shadow(width * 1.1, length * 1.04, painter.light.shadow)
      axles(painter, half, [-0.31 * l, 0.31 * l], wheel)
      painter.prism(body, half, colour)
      painter.prism(cabin, half * 0.86, colour)
      const glow = painter.light.lamps && lit ? 1 : 0
      slantedGlass(painter, [rear * l, waist * 1.02], [roofRear * l, height], half * 0.78, -1)
      slantedGlass(painter, [0.25 * l, waist], [0.06 * l, height], half * 0.78, 1)
      for (const side of [-1, 1]) {
        const low = waist * 1.05
        const high = height * 0.95
        painter.onSide(
          side,
          half * 0.865,
          [
            [rear * l * 0.95, low],
            [roofRear * l + 0.06, high],
            [-0.12 * l, high],
            [-0.12 * l, low],
          ],
          GLASS,
        )
        painter.onSide(
          side,
          half * 0.865,
          [
            [-0.095 * l, low],
            [-0.095 * l, high],
            [0.05 * l, high],
            [0.2 * l, low],
          ],
          GLASS,
        )
        painter.panesOnSide(side, half)(-0.46 * l, base, 0.47 * l, base + 0.13, mix(colour, BLACK, 0.6))
        wheels(painter, side, half, [-0.31 * l, 0.31 * l], wheel)
      }
      const front = painter.panesOnEnd(1, l / 2 + 0.01)
      const back = painter.panesOnEnd(-1, -l / 2 - 0.01)
      for (const side of [-1, 1]) {
        const at = side * half
        front(at * 0.55, waist * 0.52, at * 0.95, waist * 0.7, HEADLAMP, glow || 0.25)
        back(at * 0.6, waist * 0.66, at * 0.97, waist * 0.92, TAIL_LAMP, glow * 0.9 || 0.15)
      }
      front(-half * 0.5, waist * 0.4, half * 0.5, waist * 0.62, BLACK)
      front(-half, base, half, base + 0.12, mix(colour, BLACK, 0.7))
      back(-half, base + 0.1, half, base + 0.26, mix(colour, BLACK, 0.7))
      back(-0.26, waist * 0.6, 0.26, waist * 0.74, PLATE)
      front(-0.26, base + 0.13, 0.26, base + 0.24, PLATE)
      if (taxi) painter.box([-0.25, height, -0.1], [0.25, height + 0.16, 0.05], [240, 200, 60], glow)
      lampHalos(painter, glow, half * 0.75, waist * 0.62, l / 2)
    },
  }
}
