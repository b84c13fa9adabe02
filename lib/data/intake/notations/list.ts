import { boxOfField, decodePath } from '../../annotations'
import type { Report } from '../../problem'
import { LABELS, type Notation, type ParseContext, type ParsedFile, type TextFile, UNSURE } from '../notation'
import type { ParsedBox, ParsedImage } from '../parsed'
import { stemOf } from '../paths'
import { splitNamed } from '../splits'
import { fieldsOf, shortened } from '../text'

/** Where the boxes of a line begin: at a blank before a number followed by a comma. */
const BOXES = /\s(?=[-+]?[\d.]+(?:[eE][-+]?\d+)?,)/

/** First line that identifies a list without boxes. */
export const LIST_TITLE = '# path x1,y1,x2,y2,class ...'

/** An annotation list (../../annotations.ts): one line per image. */
export const list: Notation = {
  name: 'list',
  title: 'annotation list',
  layout: 'train.txt with lines "images/a.jpg x1,y1,x2,y2,class ...", classes.txt',
  holds: 'many images',
  classesAre: 'numbers',
  files: /\.txt$/i,
  recognise({ file, text, content }) {
    if (text.startsWith(LIST_TITLE)) return LABELS
    if (content.some(({ text }) => fieldsOf(text).slice(1).some(boxOfField))) return LABELS
    return splitNamed(stemOf(file.place)) === undefined ? undefined : UNSURE
  },
  parse: parseList,
}

/**
 * Reads a list to the end; errors are reported by line and left out. Boxes without area stay, as in every reader, for
 * the check to find.
 */
export function parseList(
  { content, path: file }: Pick<TextFile, 'content' | 'path'>,
  { classes, report }: Pick<ParseContext, 'classes' | 'report'>,
): ParsedFile {
  const names = classes()
  const images = new Map<string, ParsedImage>()
  for (const { text, line } of content) {
    const at = text.search(BOXES)
    const image = decoded(at < 0 ? text : text.slice(0, at).trim(), file, line, report)
    if (image === undefined) continue
    const earlier = images.get(image)
    if (earlier !== undefined) {
      const message = `expected every image once, found ${image} again (first in line ${earlier.line})`
      report({ kind: 'duplicate id', file, line, message })
      continue
    }
    const boxes: ParsedBox[] = []
    let refused = 0
    for (const field of at < 0 ? [] : fieldsOf(text.slice(at).trim())) {
      const box = boxOfField(field)
      const name = box && names[box.label]
      if (name === undefined) refused++
      if (box === undefined) {
        const message = `expected a box as x1,y1,x2,y2,class, found '${shortened(field)}'`
        report({ kind: 'syntax', file, line, message })
      } else if (name === undefined) {
        const message = `expected a class of 0 .. ${names.length - 1}, found ${box.label} in '${shortened(field)}'`
        report({ kind: 'unknown class', file, line, message })
      } else {
        const { x1, y1, x2, y2 } = box
        boxes.push({ x1, y1, x2, y2, name, line })
      }
    }
    images.set(image, { image, boxes, refused, source: file, line })
  }
  return { images: [...images.values()] }
}

function decoded(name: string, file: string, line: number, report: Report): string | undefined {
  const place = `${file}:${line}`
  try {
    return decodePath(name, place)
  } catch (error) {
    const message = (error instanceof Error ? error.message : String(error)).replace(`${place}: `, '')
    report({ kind: 'syntax', file, line, message })
    return undefined
  }
}
