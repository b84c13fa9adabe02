import type { Random } from '../../base'
import { paintHouse, sampleHouses } from './houses'
import { mix } from './light'
import type { Painter } from './painter'
import { fillSpan, KEEP, pack, type Rgb } from './raster'
import { regularPolygon } from './shapes'
import type { Street } from './street'
import type { Town } from './style'

/** Depths at which the ground is cut into strips, so that each has its own amount of haze. */
const STRIPS = [1, 4, 7, 11, 16, 23, 33, 48, 70, 105, 170, 400]
const PAINT: Rgb = [214, 212, 204]
const BLACK: Rgb = [20, 20, 22]
const ROUND = regularPolygon(18)

/** Paints everything behind the objects: sky, skyline, ground, road with its marks, houses. */
export function paintBackdrop(painter: Painter, random: Random, town: Town, street: Street): void {
  paintSky(painter, random)
  paintSkyline(painter, random, town)
  paintGround(painter, random, town, street)
  const houses = [
    ...sampleHouses(random, town, street.leftFront, -1),
    ...sampleHouses(random, town, street.rightFront, 1),
  ]
  houses.sort((a, b) => b.near - a.near)
  for (const house of houses) paintHouse(painter, house, town)
}

function paintSky(painter: Painter, random: Random): void {
  const { raster, camera, light } = painter
  for (let row = 0; row < raster.height; row++) {
    const y = (row + 0.5) / camera.scale + camera.rowOffset
    const t = Math.min(1, Math.max(0, y / camera.horizon))
    const colour = mix(light.skyTop, light.skyBottom, t * t)
    fillSpan(raster, row * raster.width, (row + 1) * raster.width, pack(...colour), 256, KEEP)
  }
  const clouds = random.integer(7)
  const white = mix(light.skyBottom, light.hour === 'night' ? [50, 50, 60] : [255, 255, 255], 0.5)
  for (let i = 0; i < clouds; i++) {
    const x = random.uniform(0, 1920)
    const y = random.uniform(40, 420)
    const size = random.uniform(60, 200)
    const alpha = Math.floor(random.uniform(20, 90))
    for (let part = 0; part < 4; part++) {
      const dx = random.uniform(-1.2, 1.2) * size
      const dy = random.uniform(-0.15, 0.15) * size
      const r = size * random.uniform(0.4, 0.8)
      painter.overlay(
        ROUND.map(([a, b]) => [x + dx + a * r * 1.6, y + dy + b * r * 0.4] as const),
        white,
        alpha,
      )
    }
  }
}

function paintSkyline(painter: Painter, random: Random, town: Town): void {
  painter.place(KEEP, 0, 230, 0)
  let x = -190
  while (x < 190) {
    const width = random.uniform(10, 34)
    const height = random.uniform(5, 24)
    const colour = random.chance(0.3) ? random.pick(town.foliage) : random.pick(town.facades)
    painter.panesOnEnd(-1, 0)(x, 0, x + width, height, colour)
    x += width * random.uniform(0.8, 1.1)
  }
}

function paintGround(painter: Painter, random: Random, town: Town, street: Street): void {
  const asphalt = mix(random.pick(town.asphalt), BLACK, painter.light.weather === 'rain' ? 0.25 : 0)
  const pavement = random.pick(town.pavement)
  const ground = random.pick(town.ground)
  const { left, right, leftFront, rightFront } = street
  flat(painter, -400, leftFront, 0, 400, ground)
  flat(painter, rightFront, 400, 0, 400, ground)
  flat(painter, leftFront, left, 0, 400, pavement)
  flat(painter, right, rightFront, 0, 400, pavement)
  flat(painter, left, right, 0, 400, asphalt)
  flat(painter, left - 0.16, left + 0.04, 0, 150, mix(pavement, [230, 230, 226], 0.45))
  flat(painter, right - 0.04, right + 0.16, 0, 150, mix(pavement, [230, 230, 226], 0.45))

  const slab = random.uniform(1.2, 3)
  for (let z = 2; z < 40; z += slab) {
    flat(painter, leftFront, left - 0.16, z, z + 0.06, mix(pavement, BLACK, 0.22))
    flat(painter, right + 0.16, rightFront, z, z + 0.06, mix(pavement, BLACK, 0.22))
  }
  for (let i = 0; i < 9; i++) {
    const z = random.uniform(3, 40)
    const x = random.uniform(left, right - 1.5)
    const patch = mix(asphalt, random.chance(0.7) ? BLACK : [150, 150, 150], random.uniform(0.06, 0.24))
    flat(painter, x, Math.min(right, x + random.uniform(0.4, 2.2)), z, z + random.uniform(0.6, 6), patch)
  }

  const wear = random.uniform(0, 0.55)
  const paint = mix(PAINT, asphalt, wear)
  const xs = street.lanes.map((lane) => lane.x).sort((a, b) => a - b)
  const gap = random.uniform(3, 6)
  for (let i = 0; i + 1 < xs.length; i++) {
    const x = (xs[i]! + xs[i + 1]!) / 2
    const away = (at: number) => street.lanes.find((lane) => lane.x === at)!.away
    const middle = away(xs[i]!) !== away(xs[i + 1]!)
    if (middle && xs.length > 2) {
      for (const at of [-0.13, 0.13]) flat(painter, x + at - 0.06, x + at + 0.06, 1, 130, paint)
    } else {
      for (let z = 1.2; z < 110; z += 3 + gap) flat(painter, x - 0.07, x + 0.07, z, z + 3, paint)
    }
  }
  if (street.parking.length > 0 || random.chance(0.4)) {
    for (const x of [xs[0]! - 1.65, xs[xs.length - 1]! + 1.65])
      flat(painter, x - 0.05, x + 0.05, 1, 120, paint)
  }
  const z = street.crossing
  if (z !== undefined) {
    for (let x = left + 0.3; x + 0.5 < right; x += 1) flat(painter, x, x + 0.5, z, z + 3.2, paint)
    flat(painter, left + 0.2, right - 0.2, z - 2, z - 1.6, paint)
  }
}

/** A rectangle on the ground, cut at the borders of the strips. */
function flat(painter: Painter, x0: number, x1: number, z0: number, z1: number, colour: Rgb): void {
  for (let i = 0; i + 1 < STRIPS.length; i++) {
    const from = Math.max(z0, STRIPS[i]!)
    const to = Math.min(z1, STRIPS[i + 1]!)
    if (from >= to) continue
    const z = (STRIPS[i]! + STRIPS[i + 1]!) / 2
    painter.place(KEEP, 0, z, 0)
    painter.face(
      [
        [x0, 0, from - z],
        [x0, 0, to - z],
        [x1, 0, to - z],
        [x1, 0, from - z],
      ],
      [0, 1, 0],
      colour,
    )
  }
}
