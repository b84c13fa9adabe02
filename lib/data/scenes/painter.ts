import { sinCos } from './angles'
import { type Light, shade } from './light'
import { fillPolygon, IDS, KEEP, pack, type Raster, type Rgb } from './raster'
import { rectangle, type Shape } from './shapes'
import type { Camera, Extent, Limb, Point } from './solid'

/** Metres; anything nearer to the camera is clipped. */
const NEAR = 0.7
const CIRCLE = Array.from({ length: 16 }, (_, i) => sinCos(i / 16))

/** Paints the rectangle between two opposite corners of a plane. */
export type PaintPane = (a0: number, b0: number, a1: number, b1: number, colour: Rgb, glow?: number) => void

/** Projects, lights and paints solid shapes at one place in the street. */
export class Painter {
  readonly extents: (Extent | undefined)[] = Array.from({ length: IDS }, () => undefined)
  private id = 0
  private x = 0
  private z = 0
  private sin = 0
  private cos = 1
  private readonly world = new Float64Array(3 * 64)
  private readonly xy = new Float64Array(2 * 64)

  constructor(
    readonly raster: Raster,
    readonly camera: Camera,
    readonly light: Light,
  ) {}

  /** Later shapes belong to `id` and stand at (x, z), turned so that their z axis points `heading` turns to the right. */
  place(id: number, x: number, z: number, heading: number): void {
    this.id = id
    this.x = x
    this.z = z
    const { sin, cos } = sinCos(heading)
    this.sin = sin
    this.cos = cos
  }

  /** Distance of a point from the camera along its axis, in metres. */
  depth(point: Point): number {
    return this.z - point[0] * this.sin + point[2] * this.cos
  }

  /** A flat face with an outward normal (unit length); not painted if it faces away from the camera. */
  face(points: readonly Point[], normal: Point, colour: Rgb, glow = 0, alpha = 256): void {
    const { sin, cos } = this
    const world = this.world
    const nx = normal[0] * cos + normal[2] * sin
    const nz = -normal[0] * sin + normal[2] * cos
    for (let i = 0; i < points.length; i++) {
      const point = points[i]!
      world[3 * i] = this.x + point[0] * cos + point[2] * sin
      world[3 * i + 1] = point[1]
      world[3 * i + 2] = this.z - point[0] * sin + point[2] * cos
    }
    const facing = -nx * world[0]! + normal[1] * (this.camera.height - world[1]!) - nz * world[2]!
    if (facing <= 0) return
    const corners = this.project(points.length)
    if (corners < 3) return
    const light = this.light
    const lit = nx * light.sunX + normal[1] * light.sunY + nz * light.sunZ
    // A face that looks up gets more skylight than one that looks down.
    const packed = shade(light, colour, 0.86 + 0.14 * normal[1], lit > 0 ? lit : 0, glow, this.z)
    this.paint(corners, packed, alpha)
  }

  /** The box from `low` to `high` in one colour, without its bottom. */
  box(low: Point, high: Point, colour: Rgb, glow = 0): void {
    const [x0, y0, z0] = low
    const [x1, y1, z1] = high
    this.onEnd(1, z1, rectangle(x0, y0, x1, y1), colour, glow)
    this.onEnd(-1, z0, rectangle(x0, y0, x1, y1), colour, glow)
    this.onSide(-1, -x0, rectangle(z0, y0, z1, y1), colour, glow)
    this.onSide(1, x1, rectangle(z0, y0, z1, y1), colour, glow)
    this.face(
      [
        [x0, y1, z0],
        [x0, y1, z1],
        [x1, y1, z1],
        [x1, y1, z0],
      ],
      [0, 1, 0],
      colour,
      glow,
    )
  }

  /** A side view, given as (z, y) corners clockwise seen from the right, extruded from -halfWidth to halfWidth. */
  prism(profile: Shape, halfWidth: number, colour: Rgb): void {
    const strips = profile.map((from, i) => {
      const to = profile[(i + 1) % profile.length]!
      return { from, to, depth: this.depth([0, 0, (from[0] + to[0]) / 2]) }
    })
    strips.sort((p, q) => q.depth - p.depth)
    for (const { from, to } of strips) {
      const dz = to[0] - from[0]
      const dy = to[1] - from[1]
      const length = Math.sqrt(dz * dz + dy * dy)
      if (length === 0) continue
      this.face(
        [
          [-halfWidth, from[1], from[0]],
          [-halfWidth, to[1], to[0]],
          [halfWidth, to[1], to[0]],
          [halfWidth, from[1], from[0]],
        ],
        [0, dz / length, -dy / length],
        colour,
      )
    }
    for (const side of [-1, 1]) this.onSide(side, halfWidth, profile, colour)
  }

  /** A flat shape of (z, y) corners on the plane x = side * halfWidth. */
  onSide(side: number, halfWidth: number, shape: Shape, colour: Rgb, glow = 0): void {
    this.face(
      shape.map(([z, y]) => [side * halfWidth, y, z] as const),
      [side, 0, 0],
      colour,
      glow,
    )
  }

  /** A flat shape of (x, y) corners on the plane z, looking forward (direction 1) or back (-1). */
  onEnd(direction: number, z: number, shape: Shape, colour: Rgb, glow = 0): void {
    this.face(
      shape.map(([x, y]) => [x, y, z] as const),
      [0, 0, direction],
      colour,
      glow,
    )
  }

  /** Paints rectangles on a plane as in `onSide`. */
  panesOnSide(side: number, halfWidth: number): PaintPane {
    return (z0, y0, z1, y1, colour, glow) =>
      this.onSide(side, halfWidth, rectangle(z0, y0, z1, y1), colour, glow)
  }

  /** Paints rectangles on a plane as in `onEnd`. */
  panesOnEnd(direction: number, z: number): PaintPane {
    return (x0, y0, x1, y1, colour, glow) => this.onEnd(direction, z, rectangle(x0, y0, x1, y1), colour, glow)
  }

  /** Limbs, painted from the farthest to the nearest. */
  limbs(limbs: readonly Limb[]): void {
    const order = limbs.map((limb, i) => ({ limb, i, depth: this.depth(limb.a) + this.depth(limb.b) }))
    order.sort((p, q) => q.depth - p.depth || p.i - q.i)
    for (const { limb } of order) this.limb(limb)
  }

  private limb({ a, b, ra, rb, colour, glow = 0 }: Limb): void {
    const za = this.depth(a)
    const zb = this.depth(b)
    if (za < NEAR || zb < NEAR) return
    const { focal, scale } = this.camera
    const ax = this.column(a, za)
    const ay = this.row(a, za)
    const bx = this.column(b, zb)
    const by = this.row(b, zb)
    const wa = Math.max(0.45, (ra * focal * scale) / za)
    const wb = Math.max(0.45, (rb * focal * scale) / zb)
    const dx = bx - ax
    const dy = by - ay
    const length = Math.sqrt(dx * dx + dy * dy)
    const packed = shade(this.light, colour, 0.9, 0.45, glow, this.z)
    if (length > 0.01) {
      const ux = -dy / length
      const uy = dx / length
      const xy = this.xy
      xy[0] = ax + ux * wa
      xy[1] = ay + uy * wa
      xy[2] = bx + ux * wb
      xy[3] = by + uy * wb
      xy[4] = bx - ux * wb
      xy[5] = by - uy * wb
      xy[6] = ax - ux * wa
      xy[7] = ay - uy * wa
      this.paint(4, packed, 256)
    }
    if (wa > 0.8) this.disc(ax, ay, wa, packed, 256)
    if (wb > 0.8 && length > 0.01) this.disc(bx, by, wb, packed, 256)
  }

  /** A polygon of (x, y) corners in pixels of the 1920x1080 frame, before or behind everything; it hides nothing. */
  overlay(shape: Shape, colour: Rgb, alpha: number): void {
    const { scale, rowOffset } = this.camera
    shape.forEach(([x, y], i) => {
      this.xy[2 * i] = x * scale
      this.xy[2 * i + 1] = (y - rowOffset) * scale
    })
    fillPolygon(this.raster, this.xy, shape.length, pack(...colour), alpha, KEEP)
  }

  /** A soft patch of light around a point; it hides nothing. */
  halo(point: Point, radius: number, colour: Rgb, strength: number): void {
    const z = this.depth(point)
    if (z < NEAR) return
    const id = this.id
    this.id = KEEP
    const size = (radius * this.camera.focal * this.camera.scale) / z
    const packed = pack(colour[0], colour[1], colour[2])
    for (const share of [1, 0.82, 0.64, 0.48, 0.34]) {
      this.disc(this.column(point, z), this.row(point, z), size * share, packed, Math.floor(150 * strength))
    }
    this.id = id
  }

  /** A dark patch on the ground around the place, w by l metres. */
  shadow(width: number, length: number, strength: number): void {
    const id = this.id
    this.id = KEEP
    for (const grow of [1.08, 0.9]) {
      const w = (width * grow) / 2
      const l = (length * grow) / 2
      this.face(
        [
          [-w, 0, -l * 0.8],
          [-w * 0.8, 0, -l],
          [w * 0.8, 0, -l],
          [w, 0, -l * 0.8],
          [w, 0, l * 0.8],
          [w * 0.8, 0, l],
          [-w * 0.8, 0, l],
          [-w, 0, l * 0.8],
        ],
        [0, 1, 0],
        [0, 0, 0],
        1,
        Math.floor(256 * strength),
      )
    }
    this.id = id
  }

  private column(point: Point, z: number): number {
    const { focal, centreX, scale } = this.camera
    return (centreX + (focal * (this.x + point[0] * this.cos + point[2] * this.sin)) / z) * scale
  }

  private row(point: Point, z: number): number {
    const { focal, horizon, height, scale, rowOffset } = this.camera
    return (horizon - rowOffset + (focal * (height - point[1])) / z) * scale
  }

  /** Clips the polygon in `world` at the near plane and projects it into `xy`; returns its number of corners. */
  private project(count: number): number {
    const xy = this.xy
    const world = this.world
    const { focal, centreX, horizon, height, scale, rowOffset } = this.camera
    let corners = 0
    const put = (x: number, y: number, z: number) => {
      xy[2 * corners] = (centreX + (focal * x) / z) * scale
      xy[2 * corners + 1] = (horizon - rowOffset + (focal * (height - y)) / z) * scale
      corners++
    }
    let xa = world[3 * count - 3]!
    let ya = world[3 * count - 2]!
    let za = world[3 * count - 1]!
    for (let i = 0; i < count; i++) {
      const xb = world[3 * i]!
      const yb = world[3 * i + 1]!
      const zb = world[3 * i + 2]!
      if (za < NEAR !== zb < NEAR) {
        const t = (NEAR - za) / (zb - za)
        put(xa + (xb - xa) * t, ya + (yb - ya) * t, NEAR)
      }
      if (zb >= NEAR) put(xb, yb, zb)
      xa = xb
      ya = yb
      za = zb
    }
    return corners
  }

  private disc(x: number, y: number, radius: number, colour: number, alpha: number): void {
    const xy = this.xy
    for (let i = 0; i < CIRCLE.length; i++) {
      xy[2 * i] = x + radius * CIRCLE[i]!.sin
      xy[2 * i + 1] = y + radius * CIRCLE[i]!.cos
    }
    this.paint(CIRCLE.length, colour, alpha)
  }

  private paint(corners: number, colour: number, alpha: number): void {
    const { xy, id } = this
    if (id > 0) {
      let extent = this.extents[id]
      if (extent === undefined) {
        extent = { x1: xy[0]!, y1: xy[1]!, x2: xy[0]!, y2: xy[1]! }
        this.extents[id] = extent
      }
      for (let i = 0; i < corners; i++) {
        const x = xy[2 * i]!
        const y = xy[2 * i + 1]!
        if (x < extent.x1) extent.x1 = x
        if (x > extent.x2) extent.x2 = x
        if (y < extent.y1) extent.y1 = y
        if (y > extent.y2) extent.y2 = y
      }
    }
    fillPolygon(this.raster, xy, corners, colour, alpha, id)
  }
}
