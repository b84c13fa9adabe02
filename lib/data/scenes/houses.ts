import type { Random } from '../../base'
import { mix } from './light'
import type { Painter } from './painter'
import { KEEP, type Rgb } from './raster'
import type { Town } from './style'

const BLACK: Rgb = [20, 20, 22]

export interface House {
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

/** A row of houses along one side of the street, from behind the camera to 130 m. */
export function sampleHouses(random: Random, town: Town, front: number, side: number): House[] {
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
      colour: mix(
        random.pick(town.facades),
        [random.uniform(90, 220), random.uniform(90, 200), random.uniform(80, 180)],
        0.18,
      ),
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

/** Walls, roof, shop and windows; lit windows when the lamps are on. */
export function paintHouse(painter: Painter, house: House, town: Town): void {
  const { side, front, near, far, storeys, columns, colour } = house
  const length = far - near
  const centre = Math.max(3, (near + far) / 2)
  const height = storeys * town.storey + 0.6
  const { camera, light } = painter
  painter.place(KEEP, 0, centre, 0)
  const z0 = near - centre
  const z1 = far - centre
  const back = front + side * 10
  const wall = (x: number, y0: number, y1: number, a: number, b: number, fill: Rgb, glow = 0) =>
    painter.panesOnSide(-side, -side * x)(a, y0, b, y1, fill, glow)

  const low = Math.min(front, back)
  const high = Math.max(front, back)
  const gableTop = height + (house.gable ? 2.4 : 0)
  if (near > 1) {
    painter.onEnd(
      -1,
      z0,
      [
        [low, 0],
        [low, height],
        [(low + high) / 2, gableTop],
        [high, height],
        [high, 0],
      ],
      mix(colour, BLACK, 0.12),
    )
  }
  wall(front, 0, height, z0, z1, colour)
  if (house.gable) {
    const slope: readonly [number, number, number] = [-side * 0.43, 0.9, 0]
    painter.face(
      [
        [front, height, z0],
        [(low + high) / 2, gableTop, z0],
        [(low + high) / 2, gableTop, z1],
        [front, height, z1],
      ],
      slope,
      [120, 66, 52],
    )
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
    // Leave out windows that no frame can show; which ones does not depend on the frame.
    if (camera.horizon - (camera.focal * (y0 - camera.height)) / Math.max(1, far) < 0) break
    for (let i = 0; i < columns; i++) {
      const middle = z0 + (length * (i + 0.5)) / columns
      if (middle + centre < 2) continue
      const half = ((length / columns) * house.windowWidth) / 2
      const lit = light.lamps && house.lit[(storey * 7 + i) % 48]!
      if (centre < 40) wall(x, y0 - 0.1, y1 + 0.1, middle - half - 0.1, middle + half + 0.1, house.frame)
      const glass: Rgb = lit ? [250, 214, 140] : [56, 64, 76]
      wall(x - side * 0.02, y0, y1, middle - half, middle + half, glass, lit ? 0.8 : 0)
    }
  }
}
