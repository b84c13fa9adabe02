import type { Report } from '../problem'
import { filledLines, type ParsedBox, type ParsedImage, parseNumber } from './parsed'

/**
 * One KITTI label file: lines "type truncated occluded alpha x1 y1 x2 y2 ..." with pixels counted from 0, taken
 * as corners. DontCare regions are left out: they are not objects.
 */
export function parseKitti(content: string, file: string, report: Report): ParsedImage {
  const boxes: ParsedBox[] = []
  for (const { text, line } of filledLines(content)) {
    const fields = text.split(/\s+/)
    const name = fields[0]
    if (name === undefined || fields.length < 15) {
      const message = `expected 15 fields (type truncated occluded alpha x1 y1 x2 y2 ...), found ${fields.length}`
      report({ kind: 'syntax', file, line, message })
      continue
    }
    if (name === 'DontCare') continue
    const number = (i: number, what: string) => parseNumber(fields[i], what, { file, line }, report)
    const [x1, y1, x2, y2] = [number(4, 'x1'), number(5, 'y1'), number(6, 'x2'), number(7, 'y2')]
    if (x1 === undefined || y1 === undefined || x2 === undefined || y2 === undefined) continue
    boxes.push({ x1, y1, x2, y2, name, line })
  }
  return { image: file, boxes, source: file }
}
