import type { Random } from '../../base'
import { mix } from './light'
import type { Model } from './model'
import type { Town } from './style'
import { axles, BLACK, endLamps, GLASS, slantedGlass, wheels } from './vehicle-parts'

/** A cab and, behind it, a box, a tarpaulin with ribs, a tank of panels or an open bed with a load. */
export function truck(random: Random, town: Town): Model {
  const kind = random.pick(['box', 'box', 'tarpaulin', 'bed', 'tipper'] as const)
  const length = random.uniform(6, 9.5) * town.vehicleLength
  const height = random.uniform(3.0, 3.6) * town.vehicleHeight
  const width = random.uniform(2.3, 2.5)
  const half = width / 2
  const colour = random.pick(town.carColours)
  const cargo = random.pick(town.cargoColours)
  const cabHeight = kind === 'bed' || kind === 'tipper' ? height * 0.82 : height * random.uniform(0.74, 0.9)
  const cabLength = 1.9
  const top = kind === 'bed' ? height * 0.45 : kind === 'tipper' ? height * 0.66 : height
  const load = random.pick(town.cargoColours)
  const lit = random.chance(0.8)
  const l = length
  const split = l / 2 - cabLength
  const axle = random.chance(0.5) ? [-0.34 * l, -0.34 * l + 1.15, l / 2 - 1] : [-0.3 * l, l / 2 - 1]
  return {
    width,
    length,
    height: Math.max(top, cabHeight),
    paint(painter, id, x, z, heading) {
      painter.place(id, x, z, heading)
      painter.shadow(width * 1.1, length * 1.03, painter.light.shadow)
      const lamps = painter.light.lamps && lit
      axles(painter, half, axle, 0.48)
      const chassis = () =>
        painter.box([-half * 0.8, 0.55, -l / 2], [half * 0.8, 0.95, l / 2 - 0.3], [52, 52, 56])
      const cab = () => {
        painter.prism(
          [
            [split + 0.12, 0.5],
            [split + 0.12, cabHeight],
            [l / 2 - 0.3, cabHeight],
            [l / 2, cabHeight * 0.55],
            [l / 2, 0.5],
          ],
          half * 0.96,
          colour,
        )
        slantedGlass(painter, [l / 2, cabHeight * 0.57], [l / 2 - 0.27, cabHeight * 0.93], half * 0.85, 1)
        for (const side of [-1, 1]) {
          painter.onSide(
            side,
            half * 0.97,
            [
              [split + 0.75, cabHeight * 0.58],
              [split + 0.75, cabHeight * 0.9],
              [l / 2 - 0.38, cabHeight * 0.9],
              [l / 2 - 0.16, cabHeight * 0.58],
            ],
            GLASS,
          )
        }
        const front = painter.panesOnEnd(1, l / 2 + 0.01)
        front(-half * 0.6, 0.75, half * 0.6, cabHeight * 0.5, mix(colour, BLACK, 0.75))
        front(-half * 0.95, 0.5, half * 0.95, 0.72, [60, 60, 64])
      }
      const body = () => {
        if (kind === 'bed') {
          painter.box([-half * 0.7, 1, -l / 2 + 0.5], [half * 0.7, height * 0.68, split - 0.8], load)
        }
        painter.box([-half, 0.9, -l / 2], [half, top, split - 0.1], cargo)
        const ribs = kind === 'box' ? 2 : 6
        for (const side of [-1, 1]) {
          const panels = painter.panesOnSide(side, half + 0.01)
          for (let i = 1; i < ribs; i++) {
            const at = -l / 2 + ((split - 0.1 + l / 2) * i) / ribs
            panels(at - 0.05, 0.95, at + 0.05, top - 0.06, mix(cargo, BLACK, 0.3))
          }
          if (kind === 'box') panels(-l * 0.3, top * 0.55, l * 0.08, top * 0.75, mix(load, cargo, 0.3))
          painter.panesOnSide(side, half)(-l * 0.12, 0.5, l * 0.12, 0.85, [110, 110, 112])
        }
        const end = -l / 2 - 0.01
        const back = painter.panesOnEnd(-1, end)
        back(-0.04, 0.95, 0.04, top - 0.06, mix(cargo, BLACK, 0.5))
        for (const side of [-1, 1])
          back(side * half * 0.5, 1, side * half * 0.44, top - 0.1, mix(cargo, BLACK, 0.35))
        back(-half, 0.55, half, 0.9, [70, 70, 74])
        painter.panesOnEnd(-1, end - 0.01)(-half * 0.6, 0.64, half * 0.6, 0.8, [216, 180, 40])
      }
      chassis()
      const cabFirst = painter.depth([0, 0, l / 2]) > painter.depth([0, 0, -l / 2])
      const order = cabFirst ? [cab, body] : [body, cab]
      for (const part of order) part()
      for (const side of [-1, 1]) wheels(painter, side, half + 0.02, axle, 0.48)
      endLamps(painter, half, 0.78, l / 2, lamps)
    },
  }
}
