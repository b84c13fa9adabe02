import { z } from 'zod'
import { parseDocument } from '../base'
import { encodePng } from '../data/images'
import type { RgbImage } from '../data/types'
import type { Mistake, MistakeKind } from './mistake-outcome'
import type { MistakesResult } from './mistakes'
import { type DrawnBox, drawOverlay } from './overlay'
import type { Detections, Truths } from './types'

/** Size of a drawing. */
export interface DrawOptions {
  /** Width of the drawing in pixels; the image's own where absent. */
  readonly width?: number
}

/** Right, wrong by kind, and missed. */
const HIT_COLOUR = '#80ed99'
const MISTAKE_COLOURS: { readonly [kind in MistakeKind]: string } = {
  class: '#b388ff',
  localisation: '#ff9f1c',
  both: '#f72585',
  duplicate: '#4cc9f0',
  background: '#ff5964',
  missed: '#ffd92f',
}

const drawSchema = z.object({ width: z.number().positive().optional() }).strict()

/** The image as an SVG picture with its boxes, class names and scores drawn on top. */
export async function drawDetections(
  image: RgbImage,
  boxes: readonly DrawnBox[],
  classes: readonly string[],
  options: DrawOptions = {},
): Promise<string> {
  const { width = image.width } = parseDocument(options, drawSchema, 'drawDetections options')
  const scale = width / image.width
  const height = Math.round(image.height * scale)
  const png = (await encodePng(image, { small: true })).toString('base64')
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">`,
    `<image width="${width}" height="${height}" preserveAspectRatio="none" href="data:image/png;base64,${png}"/>`,
    ...drawOverlay(boxes, classes, { scale, width, height }),
    '</svg>',
  ].join('\n')
}

const boxesSchema = z.object({ minScore: z.number().default(0.3) }).strict()

/**
 * The outcome of one image, ready to draw: hits green, mistakes in the colour of their kind and with its name,
 * missed truths dashed. Detections scored below `minScore` are left out.
 */
export function boxesOfImage(
  truths: Truths,
  detections: Detections,
  result: MistakesResult,
  image: number,
  options: { readonly minScore?: number } = {},
): DrawnBox[] {
  const { minScore } = parseDocument(options, boxesSchema, 'boxesOfImage options')
  if (!(Number.isInteger(image) && image >= 0 && image < truths.images)) {
    throw new RangeError(`boxesOfImage: expected an image in 0..${truths.images - 1}, found ${image}`)
  }
  const mistakeOf = new Map<number, Mistake>()
  const drawn: DrawnBox[] = []
  for (const mistake of result.list) {
    if (mistake.image !== image) continue
    if (mistake.detection !== undefined) mistakeOf.set(mistake.detection, mistake)
    else {
      const box = boxOf(truths.box, mistake.truth!)
      const label = truths.label[mistake.truth!]!
      drawn.push({ box, label, colour: MISTAKE_COLOURS.missed, dashed: true, note: 'missed' })
    }
  }
  detections.image.forEach((of, row) => {
    const score = detections.score[row]!
    if (of !== image || score < minScore) return
    const kind = mistakeOf.get(row)?.kind
    drawn.push({
      box: boxOf(detections.box, row),
      label: detections.label[row]!,
      score,
      colour: kind === undefined ? HIT_COLOUR : MISTAKE_COLOURS[kind],
      ...(kind !== undefined && { note: kind }),
    })
  })
  return drawn
}

function boxOf(box: Float64Array, row: number): DrawnBox['box'] {
  const [x1, y1, x2, y2] = box.subarray(4 * row, 4 * row + 4)
  return { x1: x1!, y1: y1!, x2: x2!, y2: y2! }
}
