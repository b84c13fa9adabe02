import type { Random } from '../random'
import { regularPolygon } from './angles'
import { mix } from './light'
import type { Painter } from './painter'
import { fillSpan, KEEP, pack, type Rgb } from './raster'
import type { Street } from './street'
import type { Town } from './style'

/** Depths at which the ground is cut into strips, so that each has its own share of haze. */
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
      painter.overlay(ROUND.map(([a, b]) => [x + dx + a * r * 1.6, y + dy + b * r * 0.4] as const), white, alpha) // biome-ignore format: a call
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
    painter.onEnd(-1, 0, [[x, 0], [x, height], [x + width, height], [x + width, 0]], colour) // biome-ignore format: a call
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
    for (const x of [xs[0]! - 1.65, xs[xs.length - 1]! + 1.65]) flat(painter, x - 0.05, x + 0.05, 1, 120, paint) // biome-ignore format: a loop
  }
  const z = street.crossing
  if (z !== undefined) {
    for (let x = left + 0.3; x + 0.5 < right; x += 1) flat(painter, x, x + 0.5, z, z + 3.2, paint)
    flat(painter, left + 0.2, right - 0.2, z - 2, z - 1.6, paint)
  }
}

/** A rectangle on the ground, cut where the strips begin. */
function flat(painter: Painter, x0: number, x1: number, z0: number, z1: number, colour: Rgb): void {
  for (let i = 0; i + 1 < STRIPS.length; i++) {
    const from = Math.max(z0, STRIPS[i]!)
    const to = Math.min(z1, STRIPS[i + 1]!)
    if (from >= to) continue
    const z = (STRIPS[i]! + STRIPS[i + 1]!) / 2
    painter.place(KEEP, 0, z, 0)
    painter.face([[x0, 0, from - z], [x0, 0, to - z], [x1, 0, to - z], [x1, 0, from - z]], [0, 1, 0], colour) // biome-ignore format: a face
  }
}

interface House {
  readonly side: number
  readonly front: number
  readonly near: number
  readonly far: number
  readonly storeys: number
  readonly columns: number
  readonly colour: Rgb
  readonly frame: Rgb
  readonly shop: Rgb | undefined
  readonly gable: boolean
  readonly lit: readonly boolean[]
  readonly windowWidth: number
  readonly windowHeight: number
}

function sampleHouses(random: Random, town: Town, front: number, side: number): House[] {
  const houses: House[] = []
  let z = random.uniform(-6, 3)
  while (z < 130) {
    const width = random.uniform(...town.houseWidth)
    const far = z + width
    const storeys = town.storeys[0] + random.integer(town.storeys[1] - town.storeys[0] + 1)
    const columns = Math.max(2, Math.round(width / random.uniform(2.2, 3.2)))
    houses.push({
      side,
      front: front + side * random.uniform(0, 0.6),
      near: z,
      far,
      storeys,
      columns,
      colour: mix(random.pick(town.facades), [random.uniform(90, 220), random.uniform(90, 200), random.uniform(80, 180)], 0.18), // biome-ignore format: a call
      frame: random.chance(0.5) ? [226, 224, 218] : [70, 62, 56],
      shop: random.chance(0.45) ? random.pick(town.busColours) : undefined,
      gable: random.chance(town.gable),
      lit: Array.from({ length: 48 }, () => random.chance(0.35)),
      windowWidth: random.uniform(0.4, 0.6),
      windowHeight: random.uniform(0.45, 0.62),
    })
    z = far + (random.chance(town.gap) ? random.uniform(2.5, 9) : 0)
  }
  return houses
}

function paintHouse(painter: Painter, house: House, town: Town): void {
  const { side, front, near, far, storeys, columns, colour } = house
  const length = far - near
  const centre = Math.max(3, (near + far) / 2)
  const height = storeys * town.storey + 0.6
  const { camera, light } = painter
  painter.place(KEEP, 0, centre, 0)
  const z0 = near - centre
  const z1 = far - centre
  const back = front + side * 10
  const inward: readonly [number, number, number] = [-side, 0, 0]
  const wall = (x: number, y0: number, y1: number, a: number, b: number, fill: Rgb, glow = 0) =>
    painter.face([[x, y0, a], [x, y1, a], [x, y1, b], [x, y0, b]], inward, fill, glow) // biome-ignore format: a face

  const low = Math.min(front, back)
  const high = Math.max(front, back)
  const gableTop = height + (house.gable ? 2.4 : 0)
  if (near > 1) {
    painter.onEnd(-1, z0, [[low, 0], [low, height], [(low + high) / 2, gableTop], [high, height], [high, 0]], mix(colour, BLACK, 0.12)) // biome-ignore format: a call
  }
  wall(front, 0, height, z0, z1, colour)
  if (house.gable) {
    const slope: readonly [number, number, number] = [-side * 0.43, 0.9, 0]
    painter.face([[front, height, z0], [(low + high) / 2, gableTop, z0], [(low + high) / 2, gableTop, z1], [front, height, z1]], slope, [120, 66, 52]) // biome-ignore format: a face
  } else wall(front - side * 0.05, height - 0.35, height, z0, z1, mix(colour, BLACK, 0.3))

  const x = front - side * 0.02
  const first = house.shop === undefined ? 0 : 1
  if (house.shop !== undefined) {
    const glass: Rgb = light.lamps ? [224, 196, 130] : [58, 66, 76]
    for (let i = 0; i < Math.max(1, columns - 1); i++) {
      const a = z0 + (length * (i + 0.08)) / Math.max(1, columns - 1)
      const b = z0 + (length * (i + 0.92)) / Math.max(1, columns - 1)
      wall(x, 0.4, town.storey * 0.74, a, b, glass, light.lamps ? 0.6 : 0)
    }
    wall(x - side * 0.02, town.storey * 0.76, town.storey * 0.98, z0 + 0.2, z1 - 0.2, house.shop)
  }
  for (let storey = first; storey < storeys; storey++) {
    const y0 = storey * town.storey + town.storey * (1 - house.windowHeight) * 0.6
    const y1 = y0 + town.storey * house.windowHeight
    // Windows that no frame can show are left out; which they are does not depend on the frame.
    if (camera.horizon - (camera.focal * (y0 - camera.height)) / Math.max(1, far) < 0) break
    for (let i = 0; i < columns; i++) {
      const middle = z0 + (length * (i + 0.5)) / columns
      if (middle + centre < 2) continue
      const half = ((length / columns) * house.windowWidth) / 2
      const lit = light.lamps && house.lit[(storey * 7 + i) % 48]!
      if (centre < 40) wall(x, y0 - 0.1, y1 + 0.1, middle - half - 0.1, middle + half + 0.1, house.frame)
      wall(x - side * 0.02, y0, y1, middle - half, middle + half, lit ? [250, 214, 140] : [56, 64, 76], lit ? 0.8 : 0) // biome-ignore format: a call
    }
  }
}
