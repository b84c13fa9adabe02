import type { Random } from '../random'
import { regularPolygon } from './angles'
import { mix } from './light'
import type { Painter, Point } from './painter'
import type { Rgb } from './raster'
import type { Town } from './style'

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

const GLASS: Rgb = [44, 54, 66]
const UNDERSIDE: Rgb = [14, 14, 15]
const TYRE: Rgb = [26, 26, 28]
const BLACK: Rgb = [22, 22, 24]
const HEADLAMP: Rgb = [255, 246, 214]
const TAIL_LAMP: Rgb = [214, 24, 20]
const PLATE: Rgb = [226, 226, 214]
const ROUND = regularPolygon(12)

type Shape = readonly (readonly [number, number])[]

function rectangle(a0: number, b0: number, a1: number, b1: number): Shape {
  return [
    [a0, b0],
    [a0, b1],
    [a1, b1],
    [a1, b0],
  ]
}

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
      painter.place(id, x, z, heading)
      axles(painter, half, [-0.31 * l, 0.31 * l], wheel)
      painter.prism(body, half, colour)
      painter.prism(cabin, half * 0.86, colour)
      const glow = painter.light.lamps && lit ? 1 : 0
      slantedGlass(painter, [rear * l, waist * 1.02], [roofRear * l, height], half * 0.78, -1)
      slantedGlass(painter, [0.25 * l, waist], [0.06 * l, height], half * 0.78, 1)
      for (const side of [-1, 1]) {
        const low = waist * 1.05
        const high = height * 0.95
        painter.onSide(side, half * 0.865, [[rear * l * 0.95, low], [roofRear * l + 0.06, high], [-0.12 * l, high], [-0.12 * l, low]], GLASS) // biome-ignore format: a shape
        painter.onSide(side, half * 0.865, [[-0.095 * l, low], [-0.095 * l, high], [0.05 * l, high], [0.2 * l, low]], GLASS) // biome-ignore format: a shape
        painter.onSide(side, half, rectangle(-0.46 * l, base, 0.47 * l, base + 0.13), mix(colour, BLACK, 0.6))
        wheels(painter, side, half, [-0.31 * l, 0.31 * l], wheel)
      }
      const front = l / 2 + 0.01
      const back = -l / 2 - 0.01
      for (const side of [-1, 1]) {
        painter.onEnd(1, front, rectangle(side * half * 0.55, waist * 0.52, side * half * 0.95, waist * 0.7), HEADLAMP, glow || 0.25) // biome-ignore format: a call
        painter.onEnd(-1, back, rectangle(side * half * 0.6, waist * 0.66, side * half * 0.97, waist * 0.92), TAIL_LAMP, glow * 0.9 || 0.15) // biome-ignore format: a call
      }
      painter.onEnd(1, front, rectangle(-half * 0.5, waist * 0.4, half * 0.5, waist * 0.62), BLACK)
      painter.onEnd(1, front, rectangle(-half, base, half, base + 0.12), mix(colour, BLACK, 0.7))
      painter.onEnd(-1, back, rectangle(-half, base + 0.1, half, base + 0.26), mix(colour, BLACK, 0.7))
      painter.onEnd(-1, back, rectangle(-0.26, waist * 0.6, 0.26, waist * 0.74), PLATE)
      painter.onEnd(1, front, rectangle(-0.26, base + 0.13, 0.26, base + 0.24), PLATE)
      if (taxi) painter.box([-0.25, height, -0.1], [0.25, height + 0.16, 0.05], [240, 200, 60], glow)
      lampHalos(painter, glow, half * 0.75, waist * 0.62, l / 2)
    },
  }
}

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
  const decks: [number, number][] = double ? [[0.24, 0.45], [0.62, 0.86]] : [[0.4, 0.8]] // biome-ignore format: a list
  const l = length
  const base = 0.3
  return {
    width,
    length,
    height,
    paint(painter, id, x, z, heading) {
      painter.place(id, x, z, heading)
      painter.shadow(width * 1.1, length * 1.03, painter.light.shadow)
      painter.place(id, x, z, heading)
      axles(painter, half, [-0.27 * l, 0.3 * l], 0.48)
      painter.box([-half, base, -l / 2], [half, height, l / 2], colour)
      const lamps = painter.light.lamps && lit
      const glass: Rgb = lamps ? [206, 188, 130] : GLASS
      const inside = lamps ? 0.75 : 0
      for (const side of [-1, 1]) {
        painter.onSide(side, half + 0.01, rectangle(-l / 2, height * 0.9, l / 2, height), second)
        painter.onSide(side, half + 0.01, rectangle(-l / 2, base, l / 2, height * 0.17), second)
        for (const [low, high] of decks) {
          for (let i = 0; i < panes; i++) {
            const from = -l / 2 + 0.25 + ((l - 0.5) * i) / panes
            const to = from + (l - 0.5) / panes - 0.16
            painter.onSide(side, half + 0.02, rectangle(from, height * low, to, height * high), glass, inside)
          }
        }
        if (doors && side === town.traffic) {
          for (const at of [0.36, -0.06]) {
            painter.onSide(side, half + 0.03, rectangle(at * l, base + 0.1, at * l + 1.2, height * 0.82), BLACK) // biome-ignore format: a call
            painter.onSide(side, half + 0.04, rectangle(at * l + 0.08, base + 0.3, at * l + 0.55, height * 0.78), glass, inside) // biome-ignore format: a call
            painter.onSide(side, half + 0.04, rectangle(at * l + 0.65, base + 0.3, at * l + 1.12, height * 0.78), glass, inside) // biome-ignore format: a call
          }
        }
        wheels(painter, side, half + 0.02, [-0.27 * l, 0.3 * l], 0.48)
      }
      const front = l / 2 + 0.01
      const back = -l / 2 - 0.01
      const bottom = double ? 0.24 : 0.34
      painter.onEnd(1, front, rectangle(-half * 0.92, height * bottom, half * 0.92, height * (double ? 0.5 : 0.8)), glass, inside * 0.6) // biome-ignore format: a call
      if (double) painter.onEnd(1, front, rectangle(-half * 0.92, height * 0.62, half * 0.92, height * 0.88), glass, inside) // biome-ignore format: a call
      painter.onEnd(1, front, rectangle(-0.03, height * bottom, 0.03, height * (double ? 0.5 : 0.8)), BLACK)
      const board = height * (double ? 0.52 : 0.84)
      painter.onEnd(1, front, rectangle(-half * 0.75, board, half * 0.75, board + height * 0.1), BLACK)
      painter.onEnd(1, front + 0.01, rectangle(-half * 0.5, board + height * 0.03, half * 0.45, board + height * 0.075), [255, 170, 40], 0.9) // biome-ignore format: a call
      for (const [low, high] of decks) {
        painter.onEnd(-1, back, rectangle(-half * 0.78, height * (low + 0.12), half * 0.78, height * high), glass, inside) // biome-ignore format: a call
      }
      painter.onEnd(-1, back, rectangle(-half * 0.6, height * 0.14, half * 0.6, height * 0.26), mix(colour, BLACK, 0.6)) // biome-ignore format: a call
      endLamps(painter, half, 0.85, l / 2, lamps)
    },
  }
}

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
      painter.place(id, x, z, heading)
      const lamps = painter.light.lamps && lit
      axles(painter, half, axle, 0.48)
      const chassis = () => painter.box([-half * 0.8, 0.55, -l / 2], [half * 0.8, 0.95, l / 2 - 0.3], [52, 52, 56]) // biome-ignore format: a call
      const cab = () => {
        painter.prism([[split + 0.12, 0.5], [split + 0.12, cabHeight], [l / 2 - 0.3, cabHeight], [l / 2, cabHeight * 0.55], [l / 2, 0.5]], half * 0.96, colour) // biome-ignore format: a profile
        slantedGlass(painter, [l / 2, cabHeight * 0.57], [l / 2 - 0.27, cabHeight * 0.93], half * 0.85, 1)
        for (const side of [-1, 1]) {
          painter.onSide(side, half * 0.97, [[split + 0.75, cabHeight * 0.58], [split + 0.75, cabHeight * 0.9], [l / 2 - 0.38, cabHeight * 0.9], [l / 2 - 0.16, cabHeight * 0.58]], GLASS) // biome-ignore format: a shape
        }
        const front = l / 2 + 0.01
        painter.onEnd(1, front, rectangle(-half * 0.6, 0.75, half * 0.6, cabHeight * 0.5), mix(colour, BLACK, 0.75)) // biome-ignore format: a call
        painter.onEnd(1, front, rectangle(-half * 0.95, 0.5, half * 0.95, 0.72), [60, 60, 64])
      }
      const body = () => {
        if (kind === 'bed') {
          painter.box([-half * 0.7, 1, -l / 2 + 0.5], [half * 0.7, height * 0.68, split - 0.8], load)
        }
        painter.box([-half, 0.9, -l / 2], [half, top, split - 0.1], cargo)
        const ribs = kind === 'box' ? 2 : 6
        for (const side of [-1, 1]) {
          for (let i = 1; i < ribs; i++) {
            const at = -l / 2 + ((split - 0.1 + l / 2) * i) / ribs
            painter.onSide(side, half + 0.01, rectangle(at - 0.05, 0.95, at + 0.05, top - 0.06), mix(cargo, BLACK, 0.3)) // biome-ignore format: a call
          }
          if (kind === 'box') {
            painter.onSide(side, half + 0.01, rectangle(-l * 0.3, top * 0.55, l * 0.08, top * 0.75), mix(load, cargo, 0.3)) // biome-ignore format: a call
          }
          painter.onSide(side, half, rectangle(-l * 0.12, 0.5, l * 0.12, 0.85), [110, 110, 112])
        }
        const back = -l / 2 - 0.01
        painter.onEnd(-1, back, rectangle(-0.04, 0.95, 0.04, top - 0.06), mix(cargo, BLACK, 0.5))
        for (const side of [-1, 1]) {
          painter.onEnd(-1, back, rectangle(side * half * 0.5, 1, side * half * 0.44, top - 0.1), mix(cargo, BLACK, 0.35)) // biome-ignore format: a call
        }
        painter.onEnd(-1, back, rectangle(-half, 0.55, half, 0.9), [70, 70, 74])
        painter.onEnd(-1, back - 0.01, rectangle(-half * 0.6, 0.64, half * 0.6, 0.8), [216, 180, 40])
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

/** Wheels seen from the ends and through the gap under the body. */
function axles(painter: Painter, half: number, at: readonly number[], radius: number): void {
  const rear = Math.min(...at)
  const front = Math.max(...at)
  painter.box([-half * 0.8, radius * 0.5, rear], [half * 0.8, radius * 1.3, front], UNDERSIDE)
  for (const z of at) {
    for (const side of [-1, 1]) {
      const outer = side * half * 0.98
      const inner = side * (half - 0.3)
      painter.box([Math.min(outer, inner), 0, z - radius * 0.8], [Math.max(outer, inner), radius * 1.4, z + radius * 0.8], TYRE) // biome-ignore format: a call
    }
  }
}

function wheels(painter: Painter, side: number, half: number, at: readonly number[], radius: number): void {
  for (const z of at) {
    const disc = (r: number): Shape => ROUND.map(([a, b]) => [z + a * r, radius + b * r] as const)
    painter.onSide(side, half + 0.01, disc(radius * 1.12), [16, 16, 18])
    painter.onSide(side, half + 0.02, disc(radius), TYRE)
    painter.onSide(side, half + 0.03, disc(radius * 0.58), [150, 152, 156])
    painter.onSide(side, half + 0.04, disc(radius * 0.2), [70, 70, 74])
  }
}

/** A pane on the slope from `low` to `high` (z, y), a little smaller than the slope and before it. */
function slantedGlass(
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
  painter.face([[-half, y0, z0], [-half * 0.92, y1, z1], [half * 0.92, y1, z1], [half, y0, z0]], normal, GLASS) // biome-ignore format: a pane
}

function endLamps(painter: Painter, half: number, y: number, end: number, lamps: boolean): void {
  const glow = lamps ? 1 : 0
  for (const side of [-1, 1]) {
    painter.onEnd(1, end + 0.02, rectangle(side * half * 0.62, y - 0.12, side * half * 0.94, y + 0.12), HEADLAMP, glow || 0.25) // biome-ignore format: a call
    painter.onEnd(-1, -end - 0.02, rectangle(side * half * 0.7, y - 0.14, side * half * 0.96, y + 0.14), TAIL_LAMP, glow * 0.9 || 0.15) // biome-ignore format: a call
  }
  lampHalos(painter, glow, half * 0.78, y, end)
}

function lampHalos(painter: Painter, glow: number, x: number, y: number, end: number): void {
  if (glow === 0) return
  const facing = painter.depth([0, 0, end]) < painter.depth([0, 0, -end])
  for (const side of [-1, 1]) {
    if (facing) painter.halo([side * x, y, end], 0.5, HEADLAMP, 0.22)
    else painter.halo([side * x, y, -end], 0.3, TAIL_LAMP, 0.18)
  }
}
