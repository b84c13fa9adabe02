import { LABELS, type Notation, type ParseContext, type ParsedFile, type TextFile, UNSURE } from '../notation'
import type { ParsedBox } from '../parsed'
import { imageSets, namedLists } from '../splits'
import { fieldsOf, parseNumber } from '../text'

const LINE = /^[A-Za-z_][\w-]*(\s+[-+\d.eE]+){14,15}$/

/** KITTI: one text file per image, lines "type truncated occluded alpha x1 y1 x2 y2 ...". */
export const kitti: Notation = {
  name: 'kitti',
  title: 'KITTI',
  layout: 'training/label_2/000000.txt beside training/image_2/000000.png',
  holds: 'one image',
  classesAre: 'names',
  files: /\.txt$/i,
  recognise({ content }) {
    if (content.length === 0) return UNSURE
    return content.some(({ text }) => LINE.test(text)) ? LABELS : undefined
  },
  prepare: (set) => ({ splits: imageSets(set) ?? namedLists(set) }),
  parse: parseKitti,
}

/** One label file; pixels are counted from 0 and taken as corners. DontCare regions are not objects and are left out. */
export function parseKitti(
  { content, path: file }: Pick<TextFile, 'content' | 'path'>,
  { report, leaveOut }: Pick<ParseContext, 'report' | 'leaveOut'>,
): ParsedFile {
  const boxes: ParsedBox[] = []
  let refused = 0
  for (const { text, line } of content) {
    const fields = fieldsOf(text)
    const name = fields[0]
    if (name === undefined || fields.length < 15) {
      const message = `expected 15 fields (type truncated occluded alpha x1 y1 x2 y2 ...), found ${fields.length}`
      report({ kind: 'syntax', file, line, message })
      refused++
      continue
    }
    if (name === 'DontCare') {
      leaveOut('a DontCare region is not an object')
      continue
    }
    const number = (i: number, what: string) => parseNumber(fields[i], what, { file, line }, report)
    const [x1, y1, x2, y2] = [number(4, 'x1'), number(5, 'y1'), number(6, 'x2'), number(7, 'y2')]
    if (x1 === undefined || y1 === undefined || x2 === undefined || y2 === undefined) refused++
    else boxes.push({ x1, y1, x2, y2, name, line })
  }
  return { images: [{ image: undefined, boxes, refused, source: file }] }
}
