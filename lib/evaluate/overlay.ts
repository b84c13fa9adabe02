/** Boxes with their words as SVG, over an image that is drawn elsewhere. Plain text in and out: a browser has it too. */
import { escapeHtml } from '../base/escape'
import type { Box } from '../data/types'

/** A box to draw, and what is written beside it. */
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
  /** What is drawn in the note's place, where the colour says the rest. */
  readonly brief?: string
  /** Only the outline is drawn, without words. */
  readonly mute?: boolean
}

/** Colours that are distinct on photographs; labels cycle through them. */
const PALETTE = ['#ffd92f', '#4cc9f0', '#f72585', '#80ed99', '#ff9f1c', '#b388ff', '#f8f9fa', '#ff5964']

/**
 * Boxes, class names and scores as elements of an SVG picture that is `width` x `height` and shows the image `scale` times as
 * large.
 */
export function drawOverlay(
  boxes: readonly DrawnBox[],
  classes: readonly string[],
  size: { readonly scale: number; readonly width: number; readonly height: number },
): string[] {
  return [...boxes.map((drawn) => outline(drawn, size.scale)), ...labels(boxes, classes, size)]
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
  return boxes.flatMap((drawn) => {
    const { label, score, note, brief = note, mute } = drawn
    if (mute) return []
    const { x: left, y: top, bottom } = placed(drawn, scale)
    const words = [classes[label] ?? `class ${label}`, score?.toFixed(2), brief].filter(Boolean).join(' ')
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
