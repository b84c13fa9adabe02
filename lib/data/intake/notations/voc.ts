import {
  companion,
  LABELS,
  type Notation,
  type ParseContext,
  type ParsedFile,
  type TextFile,
  UNSURE,
} from '../notation'
import type { ParsedBox } from '../parsed'
import { imageSets, namedLists } from '../splits'
import { parseNumber } from '../text'
import { child, parseXml, type XmlElement } from '../xml'

/** Pascal VOC: one XML file per image. */
export const voc: Notation = {
  name: 'voc',
  title: 'Pascal VOC',
  layout: 'Annotations/a.xml beside JPEGImages/a.jpg, ImageSets/Main/train.txt',
  holds: 'one image',
  classesAre: 'names',
  files: /\.xml$/i,
  recognise({ text }) {
    if (/<annotation[\s/>]/.test(text)) return LABELS
    const root = /<([a-zA-Z_][\w.-]*)/.exec(text)?.[1]
    return root === undefined ? UNSURE : companion(`XML of another kind, <${root}>`)
  },
  prepare: (set) => ({ splits: imageSets(set) ?? namedLists(set) }),
  parse: parseVoc,
}

/** One annotation file. */
export function parseVoc(
  { text, path }: Pick<TextFile, 'text' | 'path'>,
  { vocPixels, report }: Pick<ParseContext, 'vocPixels' | 'report'>,
): ParsedFile | undefined {
  if (text.trim() === '') {
    report({ kind: 'syntax', file: path, message: 'expected an <annotation> element, found an empty file' })
    return undefined
  }
  const root = parseXml(text, path)
  if ('kind' in root) {
    report(root)
    return undefined
  }
  if (root.name !== 'annotation' || root.children.length === 0) {
    const found = root.name === 'annotation' ? 'one with nothing in it' : `<${root.name}>`
    const message = `expected an <annotation> element, found ${found}`
    report({ kind: 'syntax', file: path, line: root.line, message })
    return undefined
  }
  const boxes: ParsedBox[] = []
  let refused = 0
  for (const object of root.children.filter(({ name }) => name === 'object')) {
    const box = parseObject(object, path, { vocPixels, report })
    if (box === undefined) refused++
    else boxes.push(box)
  }
  const filename = child(root, 'filename')
  const size = child(root, 'size')
  const side = (name: string) => {
    const value = Number(child(size, name)?.text)
    return value > 0 ? value : undefined
  }
  const image = {
    image: filename?.text || undefined,
    width: side('width'),
    height: side('height'),
    boxes,
    refused,
    source: path,
    line: filename?.line ?? 1,
  }
  return { images: [image] }
}

function parseObject(
  object: XmlElement,
  file: string,
  { vocPixels, report }: Pick<ParseContext, 'vocPixels' | 'report'>,
): ParsedBox | undefined {
  const { line } = object
  const name = child(object, 'name')?.text
  const box = child(object, 'bndbox')
  if (!name || box === undefined) {
    const missing = name ? '<bndbox>' : '<name>'
    report({ kind: 'syntax', file, line, message: `expected one ${missing} in <object>, found none` })
    return undefined
  }
  const edge = (tag: string) => {
    const found = child(box, tag)
    return parseNumber(found?.text, tag, { file, line: found?.line ?? line }, report)
  }
  const [x1, y1, x2, y2] = [edge('xmin'), edge('ymin'), edge('xmax'), edge('ymax')]
  if (x1 === undefined || y1 === undefined || x2 === undefined || y2 === undefined) return undefined
  const first = vocPixels === 'inclusive' ? 1 : 0
  const isDifficult = /^(1|true)$/i.test(child(object, 'difficult')?.text ?? '')
  const parsed = { x1: x1 - first, y1: y1 - first, x2, y2, name, line }
  return isDifficult ? { ...parsed, difficult: true } : parsed
}
