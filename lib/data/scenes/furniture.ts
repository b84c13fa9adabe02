import type { Random } from '../../base'
import { mix } from './light'
import type { Model } from './model'
import type { Painter } from './painter'
import type { Rgb } from './raster'
import { rectangle } from './shapes'
import { bar, type Limb } from './solid'
import type { Town } from './style'

const POLE: Rgb = [104, 108, 112]
const WHITE: Rgb = [236, 236, 232]
const BLACK: Rgb = [24, 24, 26]
const RED: Rgb = [200, 30, 34]
const GREEN: Rgb = [34, 120, 76]

/** Unlabelled things that stand on pavements and at kerbs. */
export function distractor(random: Random, town: Town, onRoad: boolean): Model {
  const kind = onRoad
    ? 'cone'
    : random.pick([
        'cone',
        'cone',
        'bollard',
        'bollard',
        'bin',
        'bin',
        'bench',
        'box',
        'stack',
        'post',
      ] as const)
  const tint = random.pick(town.cargoColours)
  const size = random.uniform(0.85, 1.2)
  if (kind === 'cone') {
    return limbModel(0.4 * size, 0.75 * size, [
      bar([0, 0.03, 0], [0, 0.03, 0], 0.2 * size, [190, 84, 30]),
      { a: [0, 0.05, 0], b: [0, 0.72 * size, 0], ra: 0.15 * size, rb: 0.03, colour: [232, 100, 30] },
      { a: [0, 0.3 * size, 0], b: [0, 0.45 * size, 0], ra: 0.112 * size, rb: 0.085 * size, colour: WHITE },
    ])
  }
  if (kind === 'bollard') {
    const colour: Rgb = random.chance(0.5) ? BLACK : [150, 150, 146]
    return limbModel(0.25, 1.0 * size, [
      bar([0, 0, 0], [0, 0.95 * size, 0], 0.09, colour),
      bar([0, 0.75 * size, 0], [0, 0.82 * size, 0], 0.1, random.chance(0.5) ? WHITE : RED),
    ])
  }
  if (kind === 'stack') {
    return boxModel(0.9 * size, 0.6, 0.95 * size, (painter) => {
      painter.box([-0.45 * size, 0, -0.3], [0.45 * size, 0.5 * size, 0.3], mix(tint, [150, 110, 70], 0.6))
      painter.box([-0.3 * size, 0.5 * size, -0.25], [0.35 * size, 0.95 * size, 0.25], [166, 128, 84])
    })
  }
  if (kind === 'post') {
    return limbModel(0.3, 1.9 * size, [
      bar([0, 0, 0], [0, 1.5 * size, 0], 0.06, POLE),
      bar([0, 1.55 * size, 0], [0, 1.7 * size, 0], 0.2, mix(tint, POLE, 0.5)),
    ])
  }
  if (kind === 'bench') {
    return boxModel(1.7, 0.6, 0.85, (painter) => {
      painter.box([-0.8, 0.38, -0.25], [0.8, 0.46, 0.25], [126, 88, 54])
      painter.box([-0.8, 0.5, 0.2], [0.8, 0.85, 0.26], [116, 80, 50])
      for (const x of [-0.7, 0.62]) painter.box([x, 0, -0.2], [x + 0.08, 0.38, 0.2], BLACK)
    })
  }
  if (kind === 'box') {
    const colour: Rgb = random.pick([
      [178, 40, 36],
      [90, 104, 92],
      [220, 180, 40],
    ] as const)
    return boxModel(0.55, 0.5, 1.35 * size, (painter) => {
      painter.box([-0.27, 0, -0.24], [0.27, 1.35 * size, 0.24], colour)
      painter.onEnd(-1, -0.25, rectangle(-0.18, 0.95 * size, 0.18, 1.1 * size), BLACK)
    })
  }
  const colour: Rgb = random.pick([GREEN, [70, 74, 78], [40, 70, 120], [150, 120, 40]] as const)
  return boxModel(0.65, 0.65, 1.1 * size, (painter) => {
    painter.box([-0.3, 0.08, -0.3], [0.3, 0.95 * size, 0.3], colour)
    painter.box([-0.33, 0.95 * size, -0.33], [0.33, 1.08 * size, 0.33], mix(colour, BLACK, 0.4))
  })
}

/** A lamp post whose arm reaches over the road; `side` says on which side. */
export function lampPost(random: Random, side: number): Model {
  const height = random.uniform(5.5, 7.5)
  return {
    width: 0.3,
    length: 0.3,
    height,
    paint(painter, _id, x, z, heading) {
      painter.place(0, x, z, heading)
      painter.limbs([
        { a: [0, 0, 0], b: [0, height, 0], ra: 0.1, rb: 0.06, colour: POLE },
        bar([0, height, 0], [-side * 1.6, height + 0.25, 0], 0.05, POLE),
      ])
      const lit = painter.light.lamps
      painter.limbs([
        bar(
          [-side * 1.3, height + 0.15, 0],
          [-side * 1.9, height + 0.2, 0],
          0.09,
          lit ? [255, 226, 160] : POLE,
          lit ? 1 : 0,
        ),
      ])
      if (lit) painter.halo([-side * 1.6, height + 0.1, 0], 0.9, [255, 214, 140], 0.14)
    },
  }
}

/** A street tree: a trunk and a crown of balls. */
export function tree(random: Random, town: Town): Model {
  const height = random.uniform(4, 7.5)
  const colour = random.pick(town.foliage)
  const trunk = height * random.uniform(0.35, 0.45)
  const limbs: Limb[] = []
  const crown: Limb[] = []
  limbs.push({ a: [0, 0, 0], b: [0, trunk * 1.2, 0], ra: 0.16, rb: 0.1, colour: [86, 66, 50] })
  const spread = random.uniform(0.9, 1.5)
  for (let i = 0; i < 9; i++) {
    const y = random.uniform(trunk, height - 0.5)
    const shade = random.uniform(-0.25, 0.3)
    const at = [random.uniform(-spread, spread), y, random.uniform(-0.3, 0.3)] as const
    const radius = random.uniform(0.55, 1.05)
    crown.push({
      a: at,
      b: at,
      ra: radius,
      rb: radius,
      colour: mix(colour, shade > 0 ? [190, 200, 120] : BLACK, Math.abs(shade)),
    })
  }
  return {
    width: 0.5,
    length: 0.5,
    height,
    paint(painter, _id, x, z, heading) {
      painter.place(0, x, z, heading)
      painter.shadow(1.4, 1.4, painter.light.shadow * 0.7)
      painter.limbs(limbs)
      painter.limbs(crown)
    },
  }
}

/** An advertisement on two legs, of a sign's or a vehicle's colours but neither. */
export function billboard(random: Random, town: Town): Model {
  const w = random.uniform(1.2, 3)
  const base = random.uniform(0.7, 2.2)
  const h = random.uniform(1, 1.8)
  const colour = random.pick(town.busColours)
  const lines = 2 + random.integer(3)
  const ink = random.chance(0.5) ? WHITE : random.pick(town.cargoColours)
  const widths = Array.from({ length: lines }, () => random.uniform(0.3, 0.85))
  return boxModel(w, 0.2, base + h, (painter) => {
    painter.limbs([-0.4, 0.4].map((x) => bar([x * w, 0, 0.05], [x * w, base + 0.1, 0.05], 0.05, POLE)))
    painter.box([-w / 2, base, -0.06], [w / 2, base + h, 0.04], POLE)
    painter.onEnd(-1, -0.07, rectangle(-w * 0.47, base + 0.06, w * 0.47, base + h - 0.06), colour)
    widths.forEach((width, i) => {
      const y = base + (h * (i + 0.6)) / (lines + 0.4)
      painter.onEnd(-1, -0.08, rectangle(-w * 0.42, y, w * (width - 0.42), y + h * 0.1), ink)
    })
  })
}

function limbModel(width: number, height: number, limbs: readonly Limb[]): Model {
  return boxModel(width, width, height, (painter) => painter.limbs(limbs))
}

function boxModel(width: number, length: number, height: number, draw: (painter: Painter) => void): Model {
  return {
    width,
    length,
    height,
    paint(painter, id, x, z, heading) {
      painter.place(id, x, z, heading)
      painter.shadow(width * 1.2, length * 1.2, painter.light.shadow)
      draw(painter)
    },
  }
}
