import { XMLParser, XMLValidator } from 'fast-xml-parser'
import { z } from 'zod'
import { lineAt } from '../../base'
import type { Report } from '../problem'
import { type ParsedBox, type ParsedImage, parseNumber } from './parsed'

/**
 * What xmin .. ymax mean.
 * 'corners': continuous corners, taken as they are. This is what converters between formats do, what other
 * tools that write VOC XML mean, and what makes one photo's boxes agree over VOC, COCO, YOLO and OpenImages.
 * 'inclusive': the devkit's own numbers, first and last pixel counted from 1, so that the box covers
 * xmin - 1 .. xmax and ymin - 1 .. ymax.
 */
export type VocPixels = 'corners' | 'inclusive'

const text = z.string().or(z.undefined())
const objectSchema = z.object({
  name: text,
  difficult: text,
  bndbox: z.object({ xmin: text, ymin: text, xmax: text, ymax: text }).optional().catch(undefined),
})
const annotationSchema = z.object({
  annotation: z.object({
    filename: text,
    size: z.object({ width: text, height: text }).optional().catch(undefined),
    object: z.array(z.unknown()).default([]),
  }),
})

const parser = new XMLParser({ parseTagValue: false, isArray: (_, path) => path === 'annotation.object' })

/** One Pascal VOC annotation file. */
export function parseVoc(
  content: string,
  file: string,
  { pixels = 'corners' }: { pixels?: VocPixels },
  report: Report,
): ParsedImage | undefined {
  const valid = XMLValidator.validate(content)
  if (valid !== true) {
    const { line, msg } = valid.err
    report({ kind: 'syntax', file, line, message: `expected well-formed XML, found: ${msg}` })
    return undefined
  }
  const document = annotationSchema.safeParse(parser.parse(content))
  if (!document.success) {
    const root = /<([a-zA-Z_][\w.-]*)/.exec(content)?.[1] ?? 'nothing'
    report({ kind: 'syntax', file, line: 1, message: `expected an <annotation> element, found <${root}>` })
    return undefined
  }
  const { filename, size, object } = document.data.annotation
  const starts = objectStarts(content)
  const boxes: ParsedBox[] = []
  object.forEach((value, i) => {
    const start = starts[i] ?? 0
    const line = lineAt(content, start)
    const { name, bndbox, difficult } = objectSchema.catch({}).parse(value)
    if (name === undefined || name === '' || bndbox === undefined) {
      const missing = name === undefined || name === '' ? '<name>' : '<bndbox>'
      report({ kind: 'syntax', file, line, message: `expected one ${missing} in <object>, found none` })
      return
    }
    const edge = (tag: 'xmin' | 'ymin' | 'xmax' | 'ymax') => {
      const at = content.indexOf(`<${tag}`, start)
      return parseNumber(bndbox[tag], tag, { file, line: at === -1 ? line : lineAt(content, at) }, report)
    }
    const [x1, y1, x2, y2] = [edge('xmin'), edge('ymin'), edge('xmax'), edge('ymax')]
    if (x1 === undefined || y1 === undefined || x2 === undefined || y2 === undefined) return
    const first = pixels === 'inclusive' ? 1 : 0
    const box = { x1: x1 - first, y1: y1 - first, x2, y2, name, line }
    boxes.push(difficult === '1' ? { ...box, difficult: true } : box)
  })
  const side = (value: string | undefined) =>
    value !== undefined && Number(value) > 0 ? Number(value) : undefined
  return {
    image: filename ?? file,
    width: side(size?.width),
    height: side(size?.height),
    boxes,
    source: file,
    line: lineAt(content, Math.max(0, content.indexOf('<filename'))),
  }
}

/** Where each <object> begins; comments are blanked first, so that places stay. */
function objectStarts(content: string): number[] {
  const bare = content.replace(/<!--[\s\S]*?-->/g, (comment) => ' '.repeat(comment.length))
  return [...bare.matchAll(/<object[\s>]/g)].map((match) => match.index ?? 0)
}
