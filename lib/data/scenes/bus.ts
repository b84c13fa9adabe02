import type { Random } from '../../base'
import { mix } from './light'
import type { Model } from './model'
import type { Rgb } from './raster'
import type { Town } from './style'
import { axles, BLACK, endLamps, GLASS, wheels } from './vehicle-parts'

/** A box on wheels with a band of windows, doors, a tall windscreen and a lit destination. */
export function bus(random: Random, town: Town): Model {
  const double = random.chance(town.doubleDecker)
  const length = random.uniform(8.5, 11.5) * town.vehicleLength
  const height = (double ? 4.1 : random.uniform(2.9, 3.2)) * (double ? 1 : town.vehicleHeight)
  const width = 2.5
  const half = width / 2
  const colour = random.pick(town.busColours)
  const second = random.chance(0.5) ? random.pick(town.busColours) : mix(colour, [240, 240, 240], 0.75)
  const panes = Math.round(length / 1.5)
  const doors = random.chance(0.7)
  const lit = random.chance(0.85)
  const decks: [number, number][] = double
    ? [
        [0.24, 0.45],
        [0.62, 0.86],
      ]
    : [[0.4, 0.8]]
  const l = length
  const base = 0.3
  return {
    width,
    length,
    height,
    paint(painter, id, x, z, heading) {
      painter.place(id, x, z, heading)
      painter.shadow(width * 1.1, length * 1.03, painter.light.shadow)
      axles(painter, half, [-0.27 * l, 0.3 * l], 0.48)
      painter.box([-half, base, -l / 2], [half, height, l / 2], colour)
      const lamps = painter.light.lamps && lit
      const glass: Rgb = lamps ? [206, 188, 130] : GLASS
      const inside = lamps ? 0.75 : 0
      for (const side of [-1, 1]) {
        const stripes = painter.panesOnSide(side, half + 0.01)
        stripes(-l / 2, height * 0.9, l / 2, height, second)
        stripes(-l / 2, base, l / 2, height * 0.17, second)
        const windows = painter.panesOnSide(side, half + 0.02)
        for (const [low, high] of decks) {
          for (let i = 0; i < panes; i++) {
            const from = -l / 2 + 0.25 + ((l - 0.5) * i) / panes
            const to = from + (l - 0.5) / panes - 0.16
            windows(from, height * low, to, height * high, glass, inside)
          }
        }
        if (doors && side === town.traffic) {
          const frame = painter.panesOnSide(side, half + 0.03)
          const wings = painter.panesOnSide(side, half + 0.04)
          for (const at of [0.36, -0.06]) {
            frame(at * l, base + 0.1, at * l + 1.2, height * 0.82, BLACK)
            wings(at * l + 0.08, base + 0.3, at * l + 0.55, height * 0.78, glass, inside)
            wings(at * l + 0.65, base + 0.3, at * l + 1.12, height * 0.78, glass, inside)
          }
        }
        wheels(painter, side, half + 0.02, [-0.27 * l, 0.3 * l], 0.48)
      }
      const end = l / 2 + 0.01
      const front = painter.panesOnEnd(1, end)
      const back = painter.panesOnEnd(-1, -end)
      const bottom = height * (double ? 0.24 : 0.34)
      const top = height * (double ? 0.5 : 0.8)
      front(-half * 0.92, bottom, half * 0.92, top, glass, inside * 0.6)
      if (double) front(-half * 0.92, height * 0.62, half * 0.92, height * 0.88, glass, inside)
      front(-0.03, bottom, 0.03, top, BLACK)
      const board = height * (double ? 0.52 : 0.84)
      front(-half * 0.75, board, half * 0.75, board + height * 0.1, BLACK)
      const letters = painter.panesOnEnd(1, end + 0.01)
      letters(-half * 0.5, board + height * 0.03, half * 0.45, board + height * 0.075, [255, 170, 40], 0.9)
      for (const [low, high] of decks)
        back(-half * 0.78, height * (low + 0.12), half * 0.78, height * high, glass, inside)
      back(-half * 0.6, height * 0.14, half * 0.6, height * 0.26, mix(colour, BLACK, 0.6))
      endLamps(painter, half, 0.85, l / 2, lamps)
    },
  }
}
