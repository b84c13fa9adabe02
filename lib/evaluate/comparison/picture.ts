/** Panels as one picture: images with their boxes side by side, or one above the other. */
import sharp from 'sharp'
import { z } from 'zod'
import { html, parseDocument, trusted } from '../../base'
import { encodePng, type RgbImage } from '../../data'
import { drawOverlay } from '../overlay'
import type { Meaning, Panel } from './panels'

/** An image, shown once for each of its panels. */
export interface PanelRow {
  readonly image: RgbImage
  readonly panels: readonly Panel[]
}

/** Size and arrangement of a picture of panels. */
export interface PictureOptions {
  /** Width of a panel in pixels; where absent the image's own, but at least 640, and no side above 4096. */
  readonly width?: number
  /** Panels side by side. Default 1. */
  readonly columns?: number
  /** Pixels of the picture for each of its units, for screens with fine pixels. Default 1. */
  readonly zoom?: number
  /** What is said below of the outlines; see `meaningsOf`. */
  readonly meanings?: readonly Meaning[]
}

const optionsSchema = z
  .object({
    width: z.number().int().positive().optional(),
    columns: z.number().int().positive().default(1),
    zoom: z.number().int().positive().default(1),
  })
  .strict()

/** Pixels between panels, and of the line above each that names it. */
const [GAP, TITLE] = [8, 24]
/** Height of a line at the bottom that says what the outlines mean. */
const LEGEND = 24
/** Lines and letters have the size that suits a panel as wide as this, and grow with those of wider images. */
const DRAWN_WIDTH = 900
const LEAST_WIDTH = 640
/** No renderer of SVG draws more than 32767 pixels, of which three panels side by side take their share. */
const LARGEST_SIDE = 4096
/** Room for a title, however narrow the image is. */
const LEAST_COLUMN = 240

interface Placed {
  readonly image: RgbImage
  readonly panel: Panel
  readonly left: number
  readonly top: number
  readonly width: number
  readonly height: number
}

/** Draws rows of panels below each other. @returns an image that is still to be encoded: `.png()`, `.jpeg()` */
export async function drawPanels(
  rows: readonly PanelRow[],
  classes: readonly string[],
  { meanings = [], ...options }: PictureOptions = {},
): Promise<sharp.Sharp> {
  const { columns, width, zoom } = parseDocument(options, optionsSchema, 'drawPanels options')
  // What is written grows with panels that are wider than it suits.
  const grown = width === undefined ? Math.max(1, ...rows.map((row) => widthOf(row.image) / DRAWN_WIDTH)) : 1
  const scale = zoom * grown
  const sized = rows.map((row) => ({ ...row, width: width ?? Math.round(widthOf(row.image) / grown) }))
  const { placed, right, bottom } = placePanels(sized, columns)
  const below = legend(meanings, { right, bottom })
  const overlay = [...placed.map((place) => panelSvg(place, classes)), below.svg].join('\n')
  const height = bottom + below.height
  const size = { width: Math.round(right * scale), height: Math.round(height * scale) }
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${size.width}" height="${size.height}" viewBox="0 0 ${right} ${height}" preserveAspectRatio="none">\n${overlay}\n</svg>`
  const images = placed.map(async ({ image, left, top, width, height }) => ({
    input: await sharp(await encodePng(image))
      .resize(Math.round(width * scale), Math.round(height * scale), { fit: 'fill' })
      .toBuffer(),
    ...{ left: Math.round(left * scale), top: Math.round((top + TITLE) * scale) },
  }))
  return sharp({ create: { ...size, channels: 3, background: '#16191d' } })
    .composite([...(await Promise.all(images)), { input: Buffer.from(svg), left: 0, top: 0 }])
    .removeAlpha()
}

function placePanels(rows: readonly (PanelRow & { readonly width: number })[], columns: number) {
  let [right, bottom] = [0, 0]
  const placed: Placed[] = []
  for (const { image, panels, width } of rows) {
    const column = Math.max(width, LEAST_COLUMN)
    const height = Math.max(1, Math.round((image.height * width) / image.width))
    panels.forEach((panel, i) => {
      const left = GAP + (i % columns) * (column + GAP)
      const top = bottom + Math.floor(i / columns) * (height + TITLE + GAP)
      placed.push({ image, panel, left, top, width, height })
      right = Math.max(right, left + column + GAP)
    })
    bottom += Math.ceil(panels.length / columns) * (height + TITLE + GAP)
  }
  return { placed, right, bottom }
}

function widthOf({ width, height }: RgbImage): number {
  const larger = Math.max(1, LEAST_WIDTH / width)
  return Math.max(1, Math.round(width * Math.min(larger, LARGEST_SIDE / Math.max(width, height))))
}

function panelSvg({ image, panel, left, top, width, height }: Placed, classes: readonly string[]): string {
  const drawn = Math.min(width, DRAWN_WIDTH)
  const scale = drawn / image.width
  const size = { scale, width: drawn, height: image.height * scale }
  return [
    html`<text x="${left}" y="${top + TITLE - 7}" font-family="sans-serif" font-size="14" font-weight="600" fill="#f0f3f6">${panel.title}</text>`
      .html,
    `<svg x="${left}" y="${top + TITLE}" width="${width}" height="${height}" viewBox="0 0 ${size.width} ${size.height}" preserveAspectRatio="none">`,
    ...drawOverlay(panel.boxes, classes, size),
    '</svg>',
  ].join('\n')
}

/** What the outlines mean, side by side in as many lines as that takes. */
function legend(
  meanings: readonly Meaning[],
  { right, bottom }: { readonly right: number; readonly bottom: number },
): { readonly svg: string; readonly height: number } {
  let [x, y] = [GAP, bottom]
  const entries = meanings.map(({ colour, dashed, words }) => {
    const width = 30 + 7.2 * words.length
    if (x > GAP && x + width > right) [x, y] = [GAP, y + LEGEND]
    const left = x
    x += width + 18
    return html`<rect x="${left + 1}" y="${y + 5}" width="22" height="12" fill="none" stroke="${colour}" stroke-width="2"${dashed && trusted(' stroke-dasharray="4 3"')}/>
<text x="${left + 30}" y="${y + 16}" font-family="sans-serif" font-size="12" fill="#f0f3f6">${words}</text>`
      .html
  })
  return { svg: entries.join('\n'), height: entries.length > 0 ? y + LEGEND - bottom : 0 }
}
