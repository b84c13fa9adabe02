/** The detector as a picture: strides from top to bottom, backbone, neck and heads from left to right. */
import { complexity } from './complexity'
import type { Layer } from './layers'
import { outlineOf } from './outline'
import { inGiga } from './summary'
import type { DetectorConfig } from './types'
import { STRIDES } from './types'

interface Box {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

const FONT = 'Helvetica, Arial, sans-serif'
const COLOURS = {
  backbone: { fill: '#e3edf7', stroke: '#4a78a8' },
  neck: { fill: '#e8f3e4', stroke: '#5c9150' },
  up: { fill: '#f6faf4', stroke: '#8db583' },
  head: { fill: '#fbeadb', stroke: '#c07b3a' },
} as const

const SIZE = { width: 1000, top: 96, box: 66, up: 40 } as const
const COLUMNS = {
  backbone: { x: 40, width: 230 },
  neck: { x: 400, width: 270 },
  head: { x: 750, width: 210 },
} as const
/** Distances from one row to the next: those of strides 8 to 32 leave room for the upsampling between them. */
const PITCH = [90, 90, 90, 134, 134] as const

const right = ({ x, y, width, height }: Box): [number, number] => [x + width, y + height / 2]
const left = ({ x, y, height }: Box): [number, number] => [x, y + height / 2]
const top = ({ x, y, width }: Box): [number, number] => [x + width / 2, y]
const bottom = ({ x, y, width, height }: Box): [number, number] => [x + width / 2, y + height]

const text = (x: number, y: number, content: string, size: number, more = '') =>
  `<text x="${x}" y="${y}" font-size="${size}" ${more}>${content}</text>`

/** A rounded box; the first of several lines is its title. */
function draw(box: Box, colour: keyof typeof COLOURS, lines: readonly string[]): string {
  const { fill, stroke } = COLOURS[colour]
  const { x, y, width, height } = box
  const lead = 18
  const start = y + height / 2 - ((lines.length - 1) * lead) / 2 + 5
  const rows = lines.map((line, i) => {
    const title = i === 0 && lines.length > 1
    return text(
      x + width / 2,
      start + i * lead,
      line,
      title ? 15 : 13,
      `text-anchor="middle"${title ? ' font-weight="bold"' : ''}`,
    )
  })
  const frame = `<rect x="${x}" y="${y}" width="${width}" height="${height}" rx="6" fill="${fill}" stroke="${stroke}"/>`
  return [frame, ...rows].join('\n')
}

const arrow = ([x1, y1]: [number, number], [x2, y2]: [number, number]) =>
  `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" stroke="#555" stroke-width="1.5" marker-end="url(#arrow)"/>`

const times = (...sizes: number[]) => sizes.join(' × ')

/**
 * The network as an SVG picture: stages, SPP, neck and the three heads with their shapes (height x width x channels).
 */
export function drawNetwork(config: DetectorConfig): string {
  const { stages, scales } = outlineOf(config)
  const shape = (layer: Layer) => times(...layer.outputSize, layer.out)
  const rows: number[] = [SIZE.top]
  for (const pitch of PITCH) rows.push(rows.at(-1)! + pitch)
  const place = (column: keyof typeof COLUMNS, row: number): Box => ({
    ...COLUMNS[column],
    y: rows[row]!,
    height: SIZE.box,
  })
  const parts: string[] = []

  const backbone = rows.map((_, row) => place('backbone', row))
  backbone.forEach((box, row) => {
    const { title, layer, detail } = stages[row]!
    parts.push(draw(box, 'backbone', [title, shape(layer), detail]))
    if (row > 0) parts.push(arrow(bottom(backbone[row - 1]!), top(box)))
  })

  scales.forEach(({ detect, output, route }, scale) => {
    const row = rows.length - 1 - scale
    const box = place('neck', row)
    const kernels =
      scale === 0
        ? config.spp
          ? '1×1 3×3 1×1 SPP 1×1 3×3 1×1'
          : '1×1 3×3 1×1 1×1 3×3 1×1'
        : '1×1 3×3 1×1 3×3 1×1'
    parts.push(draw(box, 'neck', [`detect${scale + 1}`, shape(detect), kernels]))
    parts.push(arrow(right(backbone[row]!), left(box)))
    if (scale === 0 && config.spp) {
      const [x, y] = bottom(box)
      parts.push(
        text(x, y + 20, 'SPP: max pools 13, 9, 5 and the map itself', 12, 'text-anchor="middle" fill="#555"'),
      )
    }
    if (route) {
      const [x, y] = left(box)
      const middle = (right(backbone[row]!)[0] + x) / 2
      parts.push(text(middle, y - 8, 'concat', 12, 'text-anchor="middle" fill="#555"'))
      // The upsampling stands between this map and the coarser one below it.
      const below = place('neck', row + 1)
      const gap = below.y - (box.y + box.height)
      const up: Box = {
        x: box.x + 30,
        y: below.y - (gap + SIZE.up) / 2,
        width: box.width - 60,
        height: SIZE.up,
      }
      const method = config.upsample === 'deconv' ? 'deconv 2×2 /2' : 'nearest ×2'
      parts.push(draw(up, 'up', [`1×1 to ${route.out}, ${method}`]))
      parts.push(arrow(top(below), bottom(up)), arrow(top(up), bottom(box)))
    }
    const head = place('head', row)
    const anchors = config.anchors[scale]!.length
    const meaning = `${anchors} anchors × (5 + ${config.classes}), 3×3 1×1`
    parts.push(draw(head, 'head', [`head, stride ${STRIDES[scale]}`, shape(output), meaning]))
    parts.push(arrow(right(box), left(head)))
  })

  const { macs, mmdet, parameters } = complexity(config)
  const height = rows.at(-1)! + SIZE.box + 76
  const [inputHeight, inputWidth] = config.input
  const counts =
    `${inGiga(macs)} MACs (${inGiga(mmdet)} by mmdetection’s rules), ` +
    `${(parameters / 1e6).toFixed(2)} M parameters; shapes are height × width × channels`
  const caption = `image ${times(inputHeight, inputWidth, 3)}, ${config.classes} ${config.classes === 1 ? 'class' : 'classes'}`
  const heading = (column: keyof typeof COLUMNS, row: number, content: string) => {
    const { x, width } = COLUMNS[column]
    return text(x + width / 2, rows[row]! - 16, content, 14, 'text-anchor="middle" fill="#555"')
  }
  const finest = rows.length - STRIDES.length
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${SIZE.width}" height="${height}" ` +
      `viewBox="0 0 ${SIZE.width} ${height}" font-family="${FONT}" fill="#222">`,
    '<defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">' +
      '<path d="M0 0 8 4 0 8z" fill="#555"/></marker></defs>',
    `<rect width="${SIZE.width}" height="${height}" fill="#fff"/>`,
    text(40, 40, `darknet21-YOLOv3: ${caption}`, 20, 'font-weight="bold"'),
    heading('backbone', 0, 'backbone'),
    heading('neck', finest, 'neck'),
    heading('head', finest, 'heads'),
    ...parts,
    text(40, height - 20, counts, 13, 'fill="#555"'),
    '</svg>',
    '',
  ].join('\n')
}
