import type { Detections, Truths } from '../../lib/evaluate'

/** The generator that oracle/cases.py describes; both must draw in the same order. */
class Lcg {
  private state: number

  constructor(seed: number) {
    this.state = (Math.imul(seed, 2654435761) + 12345) >>> 0
  }

  next(): number {
    this.state = (Math.imul(1664525, this.state) + 1013904223) >>> 0
    return this.state / 4294967296
  }

  integer(count: number): number {
    return Math.floor(this.next() * count)
  }

  chance(probability: number): boolean {
    return this.next() < probability
  }
}

export const CASES = 240
/** One more case, with more pairs of detections and truths than are measured at once. */
export const LARGE = 240

type Quad = [number, number, number, number]

export interface TruthRow {
  image: number
  label: number
  box: Quad
  area?: number
  difficult?: 0 | 1
  crowd?: 0 | 1
}

export interface DetectionRow {
  image: number
  label: number
  box: Quad
  score: number
}

export interface Case {
  truths: Truths
  detections: Detections
}

/** Columns from rows. */
export function columns(
  images: number,
  classes: number,
  truths: readonly TruthRow[],
  detections: readonly DetectionRow[],
): Case {
  return {
    truths: {
      images,
      classes,
      image: Int32Array.from(truths, (row) => row.image),
      label: Int32Array.from(truths, (row) => row.label),
      box: Float64Array.from(truths.flatMap((row) => row.box)),
      difficult: Uint8Array.from(truths, (row) => row.difficult ?? 0),
      crowd: Uint8Array.from(truths, (row) => row.crowd ?? 0),
      area: Float64Array.from(
        truths,
        (row) => row.area ?? (row.box[2] - row.box[0]) * (row.box[3] - row.box[1]),
      ),
    },
    detections: {
      image: Int32Array.from(detections, (row) => row.image),
      label: Int32Array.from(detections, (row) => row.label),
      score: Float64Array.from(detections, (row) => row.score),
      box: Float64Array.from(detections.flatMap((row) => row.box)),
    },
  }
}

/** One random case; its number determines its special features (see oracle/cases.py). */
export function makeCase(number: number): Case {
  const random = new Lcg(number)
  const grid = number % 2 === 0
  const coarse = number % 3 === 0
  const crowded = number % 5 === 0
  const many = number % 20 === 7
  const large = number === LARGE
  const images = large ? 40 : 1 + random.integer(6)
  const classes = many || large ? 1 : 1 + random.integer(4)
  const side = grid ? 16 : number % 4 === 1 ? 400 : 60

  const coordinate = () => (grid ? random.integer(side) : random.next() * side)
  const extent = () => {
    if (random.chance(0.04)) return 0
    return grid ? 1 + random.integer(8) : (random.next() * side) / 2 + 1
  }
  const anyBox = (): Quad => {
    const x = coordinate()
    const y = coordinate()
    let w = extent()
    let h = extent()
    if (number % 7 === 3 && random.chance(0.3)) {
      w = random.chance(0.5) ? 32 : 96
      h = w
    }
    return [x, y, x + w, y + h]
  }

  const truths: TruthRow[] = []
  if (number % 11 !== 4) {
    for (let image = 0; image < images; image++) {
      for (let left = large ? 40 : random.integer(9); left > 0; left--) {
        const box = anyBox()
        let area = (box[2] - box[0]) * (box[3] - box[1])
        if (crowded && random.chance(0.3)) area = random.chance(0.3) ? 1024 : area * random.next()
        const label = random.integer(classes)
        const difficult = random.chance(0.2) ? 1 : 0
        const crowd = crowded && random.chance(0.25) ? 1 : 0
        truths.push({ image, label, box, area, difficult, crowd })
      }
    }
  }
  const detections: DetectionRow[] = []
  if (number % 13 !== 5) {
    for (let image = 0; image < images; image++) {
      const here = truths.filter((row) => row.image === image)
      const found = () => (many ? 130 + random.integer(40) : random.integer(24))
      for (let left = large ? 100 : found(); left > 0; left--) {
        let box: Quad
        let label: number
        if (here.length > 0 && random.chance(0.7)) {
          const truth = here[random.integer(here.length)]!
          const shift = grid ? 3 : side / 10
          let dx = random.next()
          let dy = random.next()
          dx = grid ? random.integer(shift) - 1 : (dx - 0.5) * shift
          dy = grid ? random.integer(shift) - 1 : (dy - 0.5) * shift
          if (random.chance(0.2)) {
            dx = 0
            dy = 0
          }
          const [x1, y1, x2, y2] = truth.box
          box = [x1 + dx, y1 + dy, x2 + dx, y2 + dy]
          label = random.chance(0.2) ? random.integer(classes) : truth.label
        } else {
          box = anyBox()
          label = random.integer(classes)
        }
        const score = coarse ? random.integer(11) / 10 : random.next()
        detections.push({ image, label, box, score })
        if (random.chance(0.05)) detections.push({ image, label, box, score })
      }
    }
  }
  return columns(images, classes, truths, detections)
}
