import { Random } from '../base'
import type { Crop } from './frames'
import { seenBox } from './limits'
import type { Sample } from './types'

/** Maximum rounds of Lloyd's algorithm; it stops when no box changes its anchor. */
const MAX_ROUNDS = 300

/** How anchors are fitted to boxes as the network sees them. */
export interface AnchorOptions {
  /** [height, width] of the network's input. */
  readonly input: readonly [number, number]
  readonly crop?: Crop
  readonly fit?: 'stretch' | 'pad'
  /** Number of scales (strides). Default 3. */
  readonly scales?: number
  /** Anchors on each scale. Default 3. */
  readonly perScale?: number
  readonly seed?: number
  /** Runs from different seeds; the best is kept. Default 10. */
  readonly restarts?: number
}

/** Anchors fitted to boxes, and how well they fit. */
export interface Anchors {
  /** [scale][anchor] = [width, height] in pixels of the input; stride 32 first, the largest first. */
  readonly anchors: readonly (readonly (readonly [number, number])[])[]
  /** Mean IoU of a box with its best anchor, both centred at the same point. */
  readonly meanIou: number
}

/**
 * Anchors as YOLOv2 and YOLOv3 choose them: k-means over box sizes at the network's input, with the distance
 * 1 - IoU of centred boxes (Redmon & Farhadi, "YOLO9000", section 2), started by k-means++ and updated by the
 * mean size of each cluster. Deterministic for one seed.
 * If there are fewer distinct sizes than anchors, each size is an anchor, and the others surround them: alternately larger
 * and smaller by a factor of sqrt(2).
 * @throws Error when no box is left at the network's input
 */
export function fitAnchors(samples: readonly Sample[], options: AnchorOptions): Anchors {
  const { scales = 3, perScale = 3, seed = 0, restarts = 10 } = options
  const sizes = boxSizes(samples, options)
  if (sizes.length === 0)
    throw new Error(
      `fitAnchors: expected boxes at the network's input, found none in ${samples.length} images; look at crop, or give detector.anchors`,
    )
  const count = scales * perScale
  const different = [...new Map(sizes.map((size) => [size.join(' '), size])).values()]
  const { centres, meanIou } =
    different.length < count
      ? { centres: spread(different, count), meanIou: 1 }
      : bestClusters(sizes, count, seed, restarts)
  centres.sort((a, b) => b[0] * b[1] - a[0] * a[1])
  const anchors = Array.from({ length: scales }, (_, scale) =>
    centres.slice(scale * perScale, (scale + 1) * perScale),
  )
  return { anchors, meanIou }
}

function bestClusters(sizes: readonly Size[], count: number, seed: number, restarts: number) {
  let best: { centres: Size[]; meanIou: number } | undefined
  for (let start = 0; start < restarts; start++) {
    const found = cluster(sizes, count, new Random(seed, 'anchors', start))
    if (best === undefined || found.meanIou > best.meanIou) best = found
  }
  return best!
}

/** All sizes and, up to `count`, sizes around them. */
function spread(sizes: readonly Size[], count: number): Size[] {
  const byArea = [...sizes].sort((a, b) => b[0] * b[1] - a[0] * a[1])
  const [largest, smallest] = [byArea[0]!, byArea.at(-1)!]
  const all = [...byArea]
  for (let i = 0; all.length < count; i++) {
    const factor = Math.SQRT2 ** (1 + Math.floor(i / 2))
    const [[w, h], by] = i % 2 === 0 ? [largest, factor] : [smallest, 1 / factor]
    all.push([w * by, h * by])
  }
  return all
}

type Size = readonly [number, number]

/** Widths and heights of all boxes at the network's input. */
function boxSizes(samples: readonly Sample[], seen: AnchorOptions): Size[] {
  return samples.flatMap((sample) =>
    (sample.boxes ?? []).flatMap((box): Size[] => {
      const found = box.difficult || box.crowd ? undefined : seenBox(box, sample, seen)
      return found ? [[found.x2 - found.x1, found.y2 - found.y1]] : []
    }),
  )
}

function cluster(
  sizes: readonly Size[],
  count: number,
  random: Random,
): { centres: Size[]; meanIou: number } {
  const centres: Size[] = [random.pick(sizes)]
  while (centres.length < count) {
    // k-means++: the next centre is drawn with probability proportional to the squared distance.
    const squared = sizes.map((size) => (1 - nearest(size, centres).iou) ** 2)
    let rest = random.next() * squared.reduce((sum, value) => sum + value, 0)
    let chosen = squared.findIndex((value) => value > 0)
    for (let i = 0; i < sizes.length; i++) {
      if (squared[i]! <= 0) continue
      chosen = i
      rest -= squared[i]!
      if (rest <= 0) break
    }
    centres.push(sizes[chosen]!)
  }
  const member = new Int32Array(sizes.length).fill(-1)
  for (let round = 0; round < MAX_ROUNDS; round++) {
    let moved = 0
    sizes.forEach((size, i) => {
      const { index } = nearest(size, centres)
      if (member[i] !== index) moved++
      member[i] = index
    })
    if (moved === 0) break
    const sums = centres.map(() => [0, 0, 0] as [number, number, number])
    sizes.forEach(([w, h], i) => {
      const sum = sums[member[i]!]!
      sum[0] += w
      sum[1] += h
      sum[2]++
    })
    // An empty cluster keeps its centre: it may fill again.
    sums.forEach(([w, h, n], i) => {
      if (n > 0) centres[i] = [w / n, h / n]
    })
  }
  const meanIou = sizes.reduce((sum, size) => sum + nearest(size, centres).iou, 0) / sizes.length
  return { centres, meanIou }
}

function nearest([w, h]: Size, centres: readonly Size[]): { index: number; iou: number } {
  let [index, iou] = [0, -1]
  centres.forEach(([cw, ch], i) => {
    const shared = Math.min(w, cw) * Math.min(h, ch)
    const value = shared / (w * h + cw * ch - shared)
    if (value > iou) [index, iou] = [i, value]
  })
  return { index, iou }
}
