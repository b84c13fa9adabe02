/** The detector as a picture: strides from top to bottom, backbone, neck and heads from left to right. */
import { complexity } from './complexity'
import { outlineOf, type Scale } from './outline'
import type { Shape } from './shapes'
import type { NetworkSpec } from './spec'
import { inGiga } from './summary'

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
/** Distances from one row to the next; between two scales there is room for the upsampling. */
const PITCH = { stages: 90, scales: 134 } as const

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

const shape = ({ height, width, channels }: Shape) => times(height, width, channels)

interface Rows {
  /** Strides from fine to coarse, one a row. */
  readonly strides: readonly number[]
  place(column: keyof typeof COLUMNS, stride: number): Box
  readonly bottom: number
}

function layRows(strides: readonly number[], scales: readonly Scale[]): Rows {
  const isScale = (stride: number) => scales.some(({ logits }) => logits.stride === stride)
  const tops: number[] = [SIZE.top]
  strides.slice(1).forEach((stride, i) => {
    tops.push(tops.at(-1)! + (isScale(strides[i]!) && isScale(stride) ? PITCH.scales : PITCH.stages))
  })
  return {
    strides,
    place: (column, stride) => ({ ...COLUMNS[column], y: tops[strides.indexOf(stride)]!, height: SIZE.box }),
    bottom: tops.at(-1)! + SIZE.box,
  }
}

/** A scale's neck, its way from the scale below, and its head. */
function drawScale(scale: Scale, backbone: Box | undefined, { strides, place }: Rows): string[] {
  const { title, head, feature, logits, layers, headLayers, pools, isJoined, link } = scale
  const { stride } = logits
  const note = (x: number, y: number, content: string) =>
    text(x, y, content, 12, 'text-anchor="middle" fill="#555"')
  const box = place('neck', stride)
  const parts = [draw(box, 'neck', [title, shape(feature), layers.join(' ')].filter(Boolean))]
  if (backbone) parts.push(arrow(right(backbone), left(box)))
  if (pools.length > 0) {
    const [x, y] = bottom(box)
    parts.push(note(x, y + 20, `SPP: max pools ${pools.join(', ')} and the map itself`))
  }
  if (isJoined && backbone) {
    const [x, y] = left(box)
    parts.push(note((right(backbone)[0] + x) / 2, y - 8, 'concat'))
  }
  const coarser = strides[strides.indexOf(stride) + 1]
  if (link && coarser !== undefined) {
    // The upsampling stands between this map and the coarser one below it.
    const below = place('neck', coarser)
    const gap = below.y - (box.y + box.height)
    const y = below.y - (gap + SIZE.up) / 2
    const up: Box = { x: box.x + 30, y, width: box.width - 60, height: SIZE.up }
    parts.push(draw(up, 'up', [link.text]), arrow(top(below), bottom(up)), arrow(top(up), bottom(box)))
  }
  const end = place('head', stride)
  const meaning = `${head.anchors.length} anchors × (5 + ${head.classes}), ${headLayers.join(' ')}`
  parts.push(draw(end, 'head', [`head, stride ${stride}`, shape(logits), meaning]))
  parts.push(arrow(right(box), left(end)))
  return parts
}

/**
 * The network as an SVG picture: stages, SPP, neck and heads with their shapes (height x width x channels).
 *
 * @param name what its heading calls it
 */
export function drawNetwork(network: NetworkSpec, name = 'YOLOv3'): string {
  const { stages, scales } = outlineOf(network)
  const all = [...stages.map((stage) => stage.shape.stride), ...scales.map(({ logits }) => logits.stride)]
  const rows = layRows(
    [...new Set(all)].sort((a, b) => a - b),
    scales,
  )
  const backbone = new Map(
    stages.map((stage) => [stage.shape.stride, rows.place('backbone', stage.shape.stride)]),
  )
  const parts = stages.flatMap(({ title, shape: map, detail }, i) => {
    const box = backbone.get(map.stride)!
    const before = stages[i - 1]
    const drawn = draw(box, 'backbone', [title, shape(map), detail])
    return before ? [drawn, arrow(bottom(backbone.get(before.shape.stride)!), top(box))] : [drawn]
  })
  for (const scale of scales) parts.push(...drawScale(scale, backbone.get(scale.logits.stride), rows))

  const { macs, mmdet, parameters } = complexity(network)
  const height = rows.bottom + 76
  const classes = scales[0]?.head.classes ?? 0
  const counts =
    `${inGiga(macs)} MACs (${inGiga(mmdet)} by mmdetection’s rules), ` +
    `${(parameters / 1e6).toFixed(2)} M parameters; shapes are height × width × channels`
  const caption = `image ${times(...network.input, network.channels)}, ${classes} ${classes === 1 ? 'class' : 'classes'}`
  const heading = (column: keyof typeof COLUMNS, stride: number, content: string) => {
    const { x, y, width } = rows.place(column, stride)
    return text(x + width / 2, y - 16, content, 14, 'text-anchor="middle" fill="#555"')
  }
  const finest = Math.min(...scales.map(({ logits }) => logits.stride))
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${SIZE.width}" height="${height}" ` +
      `viewBox="0 0 ${SIZE.width} ${height}" font-family="${FONT}" fill="#222">`,
    '<defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">' +
      '<path d="M0 0 8 4 0 8z" fill="#555"/></marker></defs>',
    `<rect width="${SIZE.width}" height="${height}" fill="#fff"/>`,
    text(40, 40, `${name}: ${caption}`, 20, 'font-weight="bold"'),
    heading('backbone', rows.strides[0]!, 'backbone'),
    heading('neck', finest, 'neck'),
    heading('head', finest, 'heads'),
    ...parts,
    text(40, height - 20, counts, 13, 'fill="#555"'),
    '</svg>',
    '',
  ].join('\n')
}
