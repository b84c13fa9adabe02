import { Random } from '../../base'
import type { Box, RgbImage } from '../types'
import { paintBackdrop } from './backdrop'
import { develop, paintRain, sampleExposure } from './develop'
import { CROP_BOTTOM, CROP_TOP, sampleLayout } from './layout'
import { sampleLight } from './light'
import { Painter } from './painter'
import { createRaster, IDS, type Raster } from './raster'
import type { Camera } from './solid'
import { sampleStreet } from './street'
import { type SceneStyle, townOf } from './style'

/** Which image of which stream is rendered, and how. */
export interface SceneOptions {
  readonly seed: number
  /** Number of the image within its stream. */
  readonly index: number
  /** Separates the streams of a seed, so that splits share no images. Default: ''. */
  readonly stream?: string
  readonly style?: SceneStyle
  readonly width?: number
  readonly height?: number
  /** 0 (large, few, bright) to 1 (small, many, dark, noisy, hidden). Default: 0.25. */
  readonly difficulty?: number
  /** Rows 140 to 860 of the 1920x1080 frame, or all of it. Default: by the size's aspect, else 'crop'. */
  readonly frame?: 'crop' | 'full'
}

/** A rendered image with the boxes of what can be seen in it. */
export interface Scene {
  readonly image: RgbImage
  readonly boxes: readonly Box[]
}

/** Objects of which less than this fraction is visible are not labelled. */
const VISIBLE = 0.35
/** Smallest sqrt(area) of a labelled box: 3 pixels of a 256 pixels wide image. */
const SMALLEST = 3 / 256

/**
 * Paints the street scene (seed, stream, index): a pure function of its arguments, to the bit, on every
 * machine. The scene is laid out in the 1920x1080 frame; width and height only determine the sampling, and the
 * crop shows rows 140 to 860 of the full frame. A box is the visible extent of an object; objects
 * that are hidden or cut by more than 65 % and specks below 3 pixels (at width 256) have none.
 *
 * @throws RangeError when the size does not have the frame's aspect, or an option is out of range
 */
export function renderScene(options: SceneOptions): Scene {
  const { seed, index, stream = '', style = 'default', difficulty = 0.25, width = 256 } = options
  const { frame = options.height === (width * 9) / 16 ? 'full' : 'crop' } = options
  const { height = frame === 'crop' ? (width * 3) / 8 : (width * 9) / 16 } = options
  checkOptions(seed, index, difficulty, frame, width, height)
  const town = townOf(style)
  const random = new Random('scene', style, seed, stream, index)
  const scale = width / 1920
  const rowOffset = frame === 'crop' ? CROP_TOP : 0

  const camera: Camera = {
    focal: random.uniform(1600, 2150),
    centreX: 960 + random.uniform(-260, 260),
    horizon: random.uniform(430, 520),
    height: random.uniform(1.25, 1.9),
    scale: 2 * scale,
    rowOffset,
  }
  const light = sampleLight(random, town, difficulty)
  const exposure = sampleExposure(random, light, difficulty)
  const street = sampleStreet(random, town)
  const items = sampleLayout(random, town, street, camera, light, difficulty)

  const raster = createRaster(2 * width, 2 * height)
  const painter = new Painter(raster, camera, light)
  paintBackdrop(painter, random, town, street)
  items.forEach(({ model, label, x, z, heading }, i) => {
    model.paint(painter, label < 0 ? 0 : i + 1, x, z, heading)
  })
  if (light.weather === 'rain') paintRain(painter, random)

  const image = develop(raster, exposure, scale, Math.round(rowOffset * scale))
  const boxes = visibleBoxes(
    raster,
    painter,
    items.map((item) => item.label),
  )
  return { image, boxes }
}

function checkOptions(
  seed: number,
  index: number,
  difficulty: number,
  frame: string,
  width: number,
  height: number,
): void {
  if (!Number.isSafeInteger(seed)) throw new RangeError(`seed: expected an integer, found ${seed}`)
  if (!Number.isSafeInteger(index) || index < 0) {
    throw new RangeError(`index: expected an integer of at least 0, found ${index}`)
  }
  if (!(difficulty >= 0 && difficulty <= 1)) {
    throw new RangeError(`difficulty: expected a number from 0 to 1, found ${difficulty}`)
  }
  if (frame !== 'crop' && frame !== 'full') {
    throw new RangeError(`frame: expected 'crop' or 'full', found '${frame}'`)
  }
  const rows = frame === 'crop' ? CROP_BOTTOM - CROP_TOP : 1080
  const whole = Number.isInteger(width) && Number.isInteger(height) && width > 0
  if (!whole || width * rows !== height * 1920) {
    const aspect = frame === 'crop' ? '8:3, as 256x96' : '16:9, as 1920x1080'
    throw new RangeError(
      `width, height: expected whole numbers in the ratio ${aspect}, found ${width}x${height}`,
    )
  }
}

/** Tight boxes around the visible part of each object, in pixels of the image (half of the raster's). */
function visibleBoxes(raster: Raster, painter: Painter, labels: readonly number[]): Box[] {
  const { width, height, ids } = raster
  const seen = new Int32Array(IDS)
  const x1 = new Int32Array(IDS).fill(width)
  const y1 = new Int32Array(IDS).fill(height)
  const x2 = new Int32Array(IDS)
  const y2 = new Int32Array(IDS)
  for (let y = 0, p = 0; y < height; y++) {
    for (let x = 0; x < width; x++, p++) {
      const id = ids[p]!
      if (id === 0) continue
      seen[id]!++
      if (x < x1[id]!) x1[id] = x
      if (x >= x2[id]!) x2[id] = x + 1
      if (y < y1[id]!) y1[id] = y
      if (y >= y2[id]!) y2[id] = y + 1
    }
  }
  const boxes: Box[] = []
  labels.forEach((label, i) => {
    const id = i + 1
    const extent = painter.extents[id]
    if (label < 0 || extent === undefined || seen[id] === 0) return
    const inside =
      (Math.min(width, extent.x2) - Math.max(0, extent.x1)) *
      (Math.min(height, extent.y2) - Math.max(0, extent.y1))
    const whole = (extent.x2 - extent.x1) * (extent.y2 - extent.y1)
    if (seen[id]! < VISIBLE * raster.painted[id]! || inside < VISIBLE * whole) return
    const box = { x1: x1[id]! / 2, y1: y1[id]! / 2, x2: x2[id]! / 2, y2: y2[id]! / 2, label }
    const smallest = (SMALLEST * width) / 2
    if ((box.x2 - box.x1) * (box.y2 - box.y1) >= smallest * smallest) boxes.push(box)
  })
  return boxes
}
