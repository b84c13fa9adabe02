import type { Random } from '../../base'
import type { Model } from './model'
import type { Painter } from './painter'
import { HAIR, SKIN } from './pedestrian'
import type { Rgb } from './raster'
import { regularPolygon } from './shapes'
import type { Limb, Point } from './solid'
import type { Town } from './style'

const DARK: Rgb = [28, 28, 32]
const METAL: Rgb = [120, 122, 126]
const RING = regularPolygon(14)

/** A rider on a bicycle: two thin wheels, a frame, a body that leans forward, legs on the pedals. */
export function cyclist(random: Random, town: Town): Model {
  const limbs = bicycle(random, town)
  const skin = random.pick(SKIN)
  const top = random.chance(0.15) ? ([214, 226, 50] as const) : random.pick(town.clothes)
  const trousers = random.pick(town.clothes)
  const lean = random.uniform(0.05, 0.4)
  const pedal = random.uniform(-0.16, 0.16)
  const shoulderY = 1.47 - lean * 0.45
  const shoulderZ = -0.08 + lean
  for (const side of [-1, 1]) {
    const foot: Point = [side * 0.1, 0.32 + side * pedal, 0.04 + side * 0.1]
    const knee: Point = [side * 0.11, 0.68 + side * pedal * 0.6, 0.2]
    const hand: Point = [side * 0.22, 1.0, 0.4]
    const shoulder: Point = [side * 0.17, shoulderY, shoulderZ]
    const elbow: Point = [side * 0.26, (shoulderY + 1.0) / 2 - 0.04, (shoulderZ + 0.4) / 2]
    limbs.push(
      { a: [side * 0.08, 0.93, -0.22], b: knee, ra: 0.095, rb: 0.07, colour: trousers },
      { a: knee, b: foot, ra: 0.065, rb: 0.045, colour: trousers },
      { a: foot, b: [foot[0], foot[1] - 0.02, foot[2] + 0.12], ra: 0.045, rb: 0.035, colour: DARK },
      { a: shoulder, b: elbow, ra: 0.06, rb: 0.05, colour: top },
      { a: elbow, b: hand, ra: 0.045, rb: 0.04, colour: random.chance(0.5) ? skin : top },
      {
        a: [side * 0.1, 0.98, -0.22],
        b: [side * 0.09, shoulderY - 0.03, shoulderZ],
        ra: 0.11,
        rb: 0.11,
        colour: top,
      },
    )
  }
  const headZ = shoulderZ + 0.07 + lean * 0.1
  const headY = shoulderY + 0.24
  limbs.push({ a: [0, headY, headZ], b: [0, headY - 0.05, headZ + 0.01], ra: 0.105, rb: 0.09, colour: skin })
  const helmet = random.chance(0.6) ? random.pick(town.carColours) : random.pick(HAIR)
  limbs.push({
    a: [0, headY + 0.05, headZ - 0.03],
    b: [0, headY + 0.04, headZ - 0.04],
    ra: 0.115,
    rb: 0.1,
    colour: helmet,
  })
  if (random.chance(0.25)) {
    limbs.push({
      a: [0, shoulderY - 0.1, shoulderZ - 0.17],
      b: [0, 1.12, -0.34],
      ra: 0.14,
      rb: 0.14,
      colour: random.pick(town.clothes),
    })
  }
  return twoWheeler(limbs, headY + 0.17, 0.55, 1.75, random.chance(0.5), 0.86)
}

/** A bicycle that nobody rides; one of the unlabelled things in the street. */
export function parkedBicycle(random: Random, town: Town): Model {
  return twoWheeler(bicycle(random, town), 1.05, 0.5, 1.75, false, 0.86)
}

/** A rider on a motorcycle or a scooter: fat wheels, a heavy body, a full helmet. */
export function motorbike(random: Random, town: Town): Model {
  const scooter = random.chance(0.3)
  const paint = random.pick(town.carColours)
  const limbs: Limb[] = []
  const wheel = scooter ? 0.24 : 0.31
  const base = scooter ? 0.6 : 0.7
  for (const z of [-base, base]) {
    limbs.push(...ring(z, wheel - 0.04, 0.075))
    limbs.push({ a: [0, wheel, z], b: [0, wheel, z], ra: wheel * 0.45, rb: wheel * 0.45, colour: METAL })
  }
  const part = (a: Point, b: Point, ra: number, rb: number, colour: Rgb, glow = 0) => {
    limbs.push({ a, b, ra, rb, colour, glow })
  }
  if (scooter) {
    part([0, 0.35, -0.3], [0, 0.38, 0.3], 0.12, 0.1, paint)
    part([0, 0.55, -0.5], [0, 0.6, -0.15], 0.2, 0.18, paint)
    part([0, 0.4, 0.4], [0, 0.95, 0.32], 0.2, 0.15, paint)
    part([0, 0.95, 0.32], [0, wheel, base], 0.06, 0.05, DARK)
  } else {
    part([0, 0.42, -0.12], [0, 0.44, 0.2], 0.2, 0.2, [66, 66, 70])
    part([0, 0.74, -0.1], [0, 0.8, 0.3], 0.16, 0.18, paint)
    part([0, 0.76, -0.7], [0, 0.72, -0.15], 0.09, 0.12, DARK)
    part([0, 0.8, 0.48], [0, 0.98, 0.42], 0.17, 0.12, paint)
    part([0, 0.85, 0.5], [0, wheel, base], 0.06, 0.05, METAL)
    part([0, 0.6, -0.4], [0, wheel, -base], 0.06, 0.05, METAL)
    part([0.15, 0.34, 0.0], [0.17, 0.4, -0.75], 0.05, 0.07, METAL)
    part([0, wheel * 2.05, base - 0.1], [0, wheel * 2.05, base + 0.12], 0.05, 0.05, paint)
  }
  part([-0.34, 1.0, 0.36], [0.34, 1.0, 0.36], 0.03, 0.03, DARK)
  part([0, 0.86, 0.6], [0, 0.86, 0.62], 0.1, 0.1, [255, 244, 206], random.chance(0.7) ? 1 : 0.3)
  part([0, 0.74, -0.78], [0, 0.74, -0.8], 0.06, 0.06, [214, 24, 20], 0.6)
  const ridden = random.chance(0.9)
  if (ridden) {
    const jacket = random.chance(0.45) ? DARK : random.pick(town.clothes)
    const trousers = random.chance(0.5) ? ([40, 42, 50] as const) : random.pick(town.clothes)
    const lean = random.uniform(0.02, 0.22)
    const y = 1.36 - lean * 0.4
    const z = -0.2 + lean
    for (const side of [-1, 1]) {
      const knee: Point = [side * 0.24, 0.68, 0.16]
      const elbow: Point = [side * 0.36, (y + 1) / 2 - 0.03, (z + 0.36) / 2]
      part([side * 0.12, 0.88, -0.28], knee, 0.12, 0.09, trousers)
      part(knee, [side * 0.22, 0.3, -0.08], 0.085, 0.065, trousers)
      part([side * 0.22, 0.27, -0.08], [side * 0.22, 0.27, 0.08], 0.06, 0.05, DARK)
      part([side * 0.21, y, z], elbow, 0.085, 0.07, jacket)
      part(elbow, [side * 0.32, 1.02, 0.34], 0.07, 0.06, jacket)
      part([side * 0.11, 0.92, -0.28], [side * 0.11, y, z], 0.15, 0.15, jacket)
    }
    const helmet = random.pick(town.carColours)
    part([0, y + 0.27, z + 0.05], [0, y + 0.23, z + 0.05], 0.155, 0.15, helmet)
    part([-0.06, y + 0.26, z + 0.17], [0.06, y + 0.26, z + 0.17], 0.06, 0.06, [24, 26, 34])
  }
  return twoWheeler(limbs, ridden ? 1.75 : 1.15, 0.72, 2.0, true, 0.6)
}

function bicycle(random: Random, town: Town): Limb[] {
  const frame = random.pick(town.carColours)
  const limbs: Limb[] = []
  for (const z of [-0.53, 0.53]) limbs.push(...ring(z, 0.35, 0.024))
  const tube = (a: Point, b: Point, radius = 0.026, colour: Rgb = frame) => {
    limbs.push({ a, b, ra: radius, rb: radius, colour })
  }
  tube([0, 0.3, -0.06], [0, 0.86, -0.2])
  tube([0, 0.3, -0.06], [0, 0.82, 0.36])
  tube([0, 0.78, -0.17], [0, 0.84, 0.35])
  tube([0, 0.3, -0.06], [0, 0.35, -0.53])
  tube([0, 0.78, -0.17], [0, 0.35, -0.53], 0.02)
  tube([0, 0.98, 0.32], [0, 0.35, 0.53])
  tube([-0.25, 1.0, 0.38], [0.25, 1.0, 0.38], 0.02, DARK)
  tube([0, 0.9, -0.32], [0, 0.9, -0.1], 0.045, DARK)
  return limbs
}

function twoWheeler(
  limbs: readonly Limb[],
  height: number,
  width: number,
  length: number,
  lamp: boolean,
  lampY: number,
): Model {
  return {
    width,
    length,
    height,
    paint(painter: Painter, id, x, z, heading) {
      painter.place(id, x, z, heading)
      painter.shadow(width * 0.9, length, painter.light.shadow)
      painter.limbs(limbs)
      if (!lamp || !painter.light.lamps) return
      const facing = painter.depth([0, 0, 1]) < painter.depth([0, 0, -1])
      if (facing) painter.halo([0, lampY, length * 0.36], 0.4, [255, 246, 214], 0.22)
      else painter.halo([0, lampY, -length * 0.36], 0.2, [214, 24, 20], 0.2)
    },
  }
}

/** A tyre around an axle at height `radius`, z metres ahead. */
function ring(z: number, radius: number, tube: number): Limb[] {
  const y = radius + tube
  return RING.map(([a, b], i): Limb => {
    const [c, d] = RING[(i + 1) % RING.length]!
    return {
      a: [0, y + b * radius, z + a * radius],
      b: [0, y + d * radius, z + c * radius],
      ra: tube,
      rb: tube,
      colour: DARK,
    }
  })
}
