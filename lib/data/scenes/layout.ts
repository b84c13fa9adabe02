import type { Random } from '../../base'
import { sinCos } from './angles'
import { bus } from './bus'
import { car } from './car'
import { billboard, distractor, lampPost, tree } from './furniture'
import type { Light } from './light'
import type { Model } from './model'
import { pedestrian } from './pedestrian'
import { LIGHT_STATES, type LightState, trafficLight, trafficSign } from './signals'
import type { Camera } from './solid'
import type { Street } from './street'
import { SCENE_CLASSES, type SceneClass, type Town } from './style'
import { truck } from './truck'
import { cyclist, motorbike, parkedBicycle } from './two-wheelers'
import { weighted } from './weighted'

/** A model in its place. `label` is -1 for things that nobody labels. */
export interface Item {
  readonly model: Model
  readonly label: number
  readonly x: number
  readonly z: number
  readonly heading: number
  /** Half of the footprint along x and along z. */
  readonly hx: number
  readonly hz: number
}

/** Rectangle of an item in pixels of the 1920x1080 frame, before occlusion and clipping. */
interface Area {
  readonly x1: number
  readonly y1: number
  readonly x2: number
  readonly y2: number
}

/** The published crop of the frame. Scenes are laid out for it, whichever frame is rendered. */
export const CROP_TOP = 140
export const CROP_BOTTOM = 860

/** Quantiles of the desired sqrt(area) in pixels of a 256x96 image, and the sizes at difficulty 0.25. */
const QUANTILES = [0, 0.05, 0.25, 0.5, 0.75, 0.95, 1]
const SIZES = [8.5, 12, 22, 34, 53, 84, 120]

const WEIGHTS: Readonly<Record<SceneClass, number>> = {
  car: 0.23,
  bus: 0.1,
  truck: 0.1,
  pedestrian: 0.16,
  cyclist: 0.09,
  motorbike: 0.09,
  light: 0.13,
  sign: 0.1,
}

/** Places objects and distractors in the street. Nothing here depends on the size of the image. */
export function sampleLayout(
  random: Random,
  town: Town,
  street: Street,
  camera: Camera,
  light: Light,
  difficulty: number,
): Item[] {
  const items: Item[] = []
  const areas: Area[] = []
  const objects = Math.round(random.uniform(3.6, 9.8) + (difficulty - 0.25) * 5.5)
  const weights = SCENE_CLASSES.map((name) => WEIGHTS[name])
  const phase = random.pick(LIGHT_STATES)
  const shrink = 1.08 - 0.32 * difficulty

  const put = (item: Item): boolean => {
    const area = project(camera, item)
    if (area === undefined || !fits(items, street, item)) return false
    const limit = random.chance(0.12 + 0.5 * difficulty) ? 0.8 : 0.3
    for (let i = 0; i < items.length; i++) {
      if (items[i]!.label < 0 && item.label < 0) continue
      const hidden = items[i]!.z > item.z ? areas[i]! : area
      if (covered(hidden, items[i]!.z > item.z ? area : areas[i]!) > limit) return false
    }
    items.push(item)
    areas.push(area)
    return true
  }

  for (let n = 0; n < objects; n++) {
    const kind = SCENE_CLASSES[weighted(random, weights)]!
    for (let attempt = 0; attempt < 14; attempt++) {
      const size = sampleSize(random) * shrink * 7.5
      if (put(sampleObject(random, kind, size, town, street, camera, light, phase))) break
    }
  }
  const others = Math.round(random.uniform(1, 4) + 8 * difficulty)
  for (let n = 0; n < others; n++) {
    for (let attempt = 0; attempt < 6; attempt++) {
      if (put(sampleDistractor(random, town, street, camera))) break
    }
  }
  return paintingOrder(items)
}

function sampleSize(random: Random): number {
  const u = random.next()
  let i = 1
  while (u > QUANTILES[i]!) i++
  const t = (u - QUANTILES[i - 1]!) / (QUANTILES[i]! - QUANTILES[i - 1]!)
  return SIZES[i - 1]! + t * (SIZES[i]! - SIZES[i - 1]!)
}

const MODELS = { car, bus, truck, cyclist, motorbike } as const

function sampleObject(
  random: Random,
  kind: SceneClass,
  size: number,
  town: Town,
  street: Street,
  camera: Camera,
  light: Light,
  phase: LightState,
): Item {
  const label = SCENE_CLASSES.indexOf(kind)
  const { left, right, leftFront, rightFront } = street
  if (kind === 'light' || kind === 'sign') {
    const side = random.chance(0.62) ? town.traffic : -town.traffic
    const kerb = (side > 0 ? right : left) + side * random.uniform(0.35, 0.9)
    const arm = kind === 'light' && random.chance(0.3) ? side * random.uniform(1.5, 3.5) : 0
    const model = kind === 'light' ? trafficLight(random, town, -arm, phase) : trafficSign(random, town)
    const z = distance(camera, size, model.width, model.height - (model.base ?? 0), 8, 60)
    return at(model, label, kerb - arm, z, random.uniform(-0.05, 0.05))
  }
  if (kind === 'pedestrian') {
    const model = pedestrian(random, town, light.weather === 'rain')
    const z = distance(camera, size, model.width, model.height, 3.5, 60)
    if (random.chance(0.3)) {
      const x = within(random, camera, z, left, right)
      return at(model, label, x, z, (random.chance(0.5) ? 0.25 : 0.75) + random.uniform(-0.06, 0.06))
    }
    const onLeft = random.chance(0.5)
    const x = onLeft
      ? random.uniform(leftFront + 0.3, left - 0.2)
      : random.uniform(right + 0.2, rightFront - 0.3)
    return at(model, label, x, z, random.chance(0.6) ? (random.chance(0.5) ? 0 : 0.5) : random.next())
  }
  const model = MODELS[kind](random, town)
  const way = random.next()
  const small = kind === 'cyclist' || kind === 'motorbike'
  if (way < (small ? 0.42 : 0.26)) {
    const heading = (random.chance(0.5) ? 0.25 : 0.75) + random.uniform(-0.07, 0.07)
    const z = distance(camera, size, apparent(model, heading), model.height, 5, 90)
    return at(
      model,
      label,
      within(random, camera, z, leftFront + model.length / 2, rightFront - model.length / 2),
      z,
      heading,
    )
  }
  if (!small && way < 0.5 && street.parking.length > 0 && (kind === 'car' || random.chance(0.25))) {
    const place = random.pick(street.parking)
    const heading = (place.away ? 0 : 0.5) + random.uniform(-0.012, 0.012)
    const z = distance(camera, size, apparent(model, heading) * 1.3, model.height, 6, 80)
    return at(model, label, place.x, z, heading)
  }
  const lane = random.pick(street.lanes)
  const turn = random.chance(0.25) ? random.uniform(-0.1, 0.1) : random.uniform(-0.015, 0.015)
  const heading = (lane.away ? 0 : 0.5) + turn
  const z = distance(camera, size, apparent(model, heading) * 1.15, model.height, small ? 4 : 6.5, 90)
  const x = lane.x + (small ? random.uniform(-1.3, 1.3) : random.uniform(-0.35, 0.35))
  return at(model, label, x, z, heading)
}

function sampleDistractor(random: Random, town: Town, street: Street, camera: Camera): Item {
  const onLeft = random.chance(0.5)
  const { left, right, leftFront, rightFront } = street
  const side = onLeft ? -1 : 1
  const kerb = onLeft ? left - 0.5 : right + 0.5
  const pavement = onLeft
    ? random.uniform(leftFront + 0.4, left - 0.4)
    : random.uniform(right + 0.4, rightFront - 0.4)
  const z = random.uniform(6, 38)
  const kind = random.next()
  if (kind < 0.16) return at(tree(random, town), -1, kerb + side * 0.4, z, 0)
  if (kind < 0.3) return at(lampPost(random, side), -1, kerb, z, 0)
  if (kind < 0.45) {
    return at(
      parkedBicycle(random, town),
      -1,
      pavement,
      z,
      random.chance(0.6) ? random.uniform(0.2, 0.3) : random.next(),
    )
  }
  if (kind < 0.57) return at(billboard(random, town), -1, pavement, z, random.uniform(-0.06, 0.06))
  const onRoad = random.chance(0.2)
  const model = distractor(random, town, onRoad)
  if (onRoad) return at(model, -1, within(random, camera, z, left, right), z, random.next())
  return at(model, -1, pavement, z, random.uniform(-0.1, 0.1))
}

function at(model: Model, label: number, x: number, z: number, heading: number): Item {
  const { sin, cos } = sinCos(heading)
  const hx = (Math.abs(cos) * model.width + Math.abs(sin) * model.length) / 2
  const hz = (Math.abs(sin) * model.width + Math.abs(cos) * model.length) / 2
  return { model, label, x, z, heading, hx, hz }
}

/** Apparent width of a model at a heading. */
function apparent(model: Model, heading: number): number {
  const { sin, cos } = sinCos(heading)
  return Math.abs(cos) * model.width + Math.abs(sin) * model.length
}

/** The distance at which width times height covers size^2 pixels of the 1920x1080 frame. */
function distance(
  camera: Camera,
  size: number,
  width: number,
  height: number,
  nearest: number,
  farthest: number,
): number {
  const z = (camera.focal * Math.sqrt(width * height)) / size
  return Math.min(farthest, Math.max(nearest, z))
}

/** An x between two others that the camera sees at distance z. */
function within(random: Random, camera: Camera, z: number, low: number, high: number): number {
  const first = Math.max(low, ((0 - camera.centreX) / camera.focal) * z)
  const last = Math.min(high, ((1920 - camera.centreX) / camera.focal) * z)
  return first < last ? random.uniform(first, last) : (low + high) / 2
}

/** Where the item will appear; undefined if too little of it would be in the frame. */
function project(camera: Camera, { model, x, z, hx, hz }: Item): Area | undefined {
  const near = z - hz
  const far = z + hz
  if (near < 2.2) return undefined
  const { focal, centreX, horizon, height } = camera
  const x1 = centreX + focal * Math.min((x - hx) / near, (x - hx) / far)
  const x2 = centreX + focal * Math.max((x + hx) / near, (x + hx) / far)
  const y1 = horizon - (focal * (model.height - height)) / near
  const base = model.base ?? 0
  const y2 = horizon + (focal * (height - base)) / near
  const shown = Math.max(0, Math.min(1920, x2) - Math.max(0, x1)) / (x2 - x1)
  const rows = Math.max(0, Math.min(CROP_BOTTOM, y2) - Math.max(CROP_TOP, y1)) / (y2 - y1)
  if (shown < 0.55 || rows < 0.6) return undefined
  if (base > 0 && (y1 < CROP_TOP + 4 || shown < 0.95)) return undefined
  return { x1, y1, x2, y2 }
}

/** Whether the item is within the street's walls and its footprint clear of all others. */
function fits(items: readonly Item[], street: Street, item: Item): boolean {
  const elevated = item.model.base !== undefined && item.model.base > 3.5
  if (!elevated && (item.x - item.hx < street.leftFront || item.x + item.hx > street.rightFront)) return false
  return items.every((other) => {
    const dx = Math.abs(item.x - other.x) - item.hx - other.hx
    const dz = Math.abs(item.z - other.z) - item.hz - other.hz
    return dx > 0.1 || dz > 0.3
  })
}

/** The fraction of `hidden` that `by` covers. */
function covered(hidden: Area, by: Area): number {
  const w = Math.min(hidden.x2, by.x2) - Math.max(hidden.x1, by.x1)
  const h = Math.min(hidden.y2, by.y2) - Math.max(hidden.y1, by.y1)
  return w > 0 && h > 0 ? (w * h) / ((hidden.x2 - hidden.x1) * (hidden.y2 - hidden.y1)) : 0
}

/**
 * From the farthest to the nearest. Footprints are disjoint rectangles, so of any two one can be
 * painted first: the one with larger z or, side by side, the one farther from the camera's axis.
 */
function paintingOrder(items: readonly Item[]): Item[] {
  const left = [...items].sort((a, b) => b.z - a.z || a.x - b.x)
  const order: Item[] = []
  while (left.length > 0) {
    const free = left.findIndex((item) => left.every((other) => other === item || !before(other, item)))
    order.push(...left.splice(Math.max(0, free), 1))
  }
  return order
}

/** Whether a must be painted before b. */
function before(a: Item, b: Item): boolean {
  if (a.z - a.hz >= b.z + b.hz) return true
  if (b.z - b.hz >= a.z + a.hz) return false
  // Side by side, with a plane x = d between them: the one on the camera's side of it comes second.
  if (a.x - a.hx >= b.x + b.hx) return a.x - a.hx + b.x + b.hx > 0
  if (b.x - b.hx >= a.x + a.hx) return b.x - b.hx + a.x + a.hx < 0
  return a.z > b.z
}
