import { z } from 'zod'
import { escapeHtml, parseDocument } from '../base'
import { encodePng } from '../data/images'
import type { Box, RgbImage } from '../data/types'
import type { Mistake, MistakeKind } from './mistake-outcome'
import type { MistakesResult } from './mistakes'
import type { Detections, Truths } from './types'

export interface DrawnBox {
  readonly box: Pick<Box, 'x1' | 'y1' | 'x2' | 'y2'>
  readonly label: number
  /** Absent for truths. */
  readonly score?: number
  /** Any SVG colour; by default chosen by label. */
  readonly colour?: string
  readonly dashed?: boolean
  /** Written after class and score. */
  readonly note?: string
}

export interface DrawOptions {
  /** Width of the drawing in pixels; the image's own where absent. */
  readonly width?: number
}

/** Colours that are distinct on photographs; labels cycle through them. */
const PALETTE = ['#ffd92f', '#4cc9f0', '#f72585', '#80ed99', '#ff9f1c', '#b388ff', '#f8f9fa', '#ff5964']

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
  const png = (await encodePng(image)).toString('base64')
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">`,
    `<image width="${width}" height="${height}" preserveAspectRatio="none" href="data:image/png;base64,${png}"/>`,
    ...boxes.map((drawn) => outline(drawn, scale)),
    ...labels(boxes, classes, { scale, width, height }),
    '</svg>',
  ].join('\n')
}

const colourOf = ({ label, colour }: DrawnBox) => colour ?? PALETTE[label % PALETTE.length]!

function placed({ box }: DrawnBox, scale: number): { x: number; y: number; right: number; bottom: number } {
  const [x, y, right, bottom] = [box.x1, box.y1, box.x2, box.y2].map((value) => round(value * scale))
  return { x: x!, y: y!, right: right!, bottom: bottom! }
}

function outline(drawn: DrawnBox, scale: number): string {
  const { x, y, right, bottom } = placed(drawn, scale)
  return (
    `<rect x="${x}" y="${y}" width="${round(right - x)}" height="${round(bottom - y)}" fill="none" ` +
    `stroke="${colourOf(drawn)}" stroke-width="2"${drawn.dashed ? ' stroke-dasharray="4 3"' : ''}/>`
  )
}

/** Type size of the labels, in pixels: height of a line, approximate width of a character. */
const [LINE, CHARACTER] = [11, 5.6]

/** The boxes' labels, each at the first place by its box where it covers no other: above, below, or inside at an edge. */
function labels(
  boxes: readonly DrawnBox[],
  classes: readonly string[],
  { scale, width, height }: { scale: number; width: number; height: number },
): string[] {
  const taken: { x: number; y: number; wide: number }[] = []
  const isFree = (x: number, y: number, wide: number) =>
    taken.every((other) => Math.abs(other.y - y) >= LINE || x >= other.x + other.wide || other.x >= x + wide)
  return boxes.map((drawn) => {
    const { label, score, note } = drawn
    const { x: left, y: top, bottom } = placed(drawn, scale)
    const words = [classes[label] ?? `class ${label}`, score?.toFixed(2), note].filter(Boolean).join(' ')
    const wide = CHARACTER * words.length
    const x = round(Math.max(0, Math.min(left, width - wide)))
    const candidates = [top - 2, bottom + LINE - 1, top + LINE, bottom - 3, top - 2 - LINE, bottom + 2 * LINE]
    const inside = candidates.filter((y) => y >= LINE && y <= height - 1)
    const y = round(inside.find((candidate) => isFree(x, candidate, wide)) ?? Math.max(LINE, top - 2))
    taken.push({ x, y, wide })
    return (
      `<text x="${x}" y="${y}" font-family="sans-serif" font-size="10" fill="${colourOf(drawn)}" ` +
      `stroke="#000" stroke-width="2.5" paint-order="stroke">${escapeHtml(words)}</text>`
    )
  })
}

function round(value: number): number {
  return Math.round(value * 10) / 10
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
