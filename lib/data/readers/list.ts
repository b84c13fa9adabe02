import { boxOfField, decodePath } from '../annotations'
import type { Report } from '../problem'
import { filledLines, type ParsedBox, type ParsedImage } from './parsed'

/**
 * An annotation list (annotations.ts) read to the end: what is wrong is reported by line and left out. Boxes without
 * area stay, as in every reader: they are for the check to find.
 */
export function parseList(
  content: string,
  file: string,
  classes: readonly string[],
  report: Report,
): ParsedImage[] {
  const images = new Map<string, ParsedImage>()
  for (const { text, line } of filledLines(content)) {
    if (text.startsWith('#')) continue
    const [name = '', ...fields] = text.split(/\s+/)
    const image = decoded(name, file, line, report)
    if (image === undefined) continue
    const earlier = images.get(image)
    if (earlier !== undefined) {
      const message = `expected every image once, found ${image} again (first in line ${earlier.line})`
      report({ kind: 'duplicate id', file, line, message })
      continue
    }
    const boxes: ParsedBox[] = []
    for (const field of fields) {
      const box = boxOfField(field)
      const className = box && classes[box.label]
      if (box === undefined) {
        report({
          kind: 'syntax',
          file,
          line,
          message: `expected a box as x1,y1,x2,y2,class, found '${field}'`,
        })
      } else if (className === undefined) {
        const message = `expected a class of 0 .. ${classes.length - 1}, found ${box.label} in '${field}'`
        report({ kind: 'unknown class', file, line, message })
      } else {
        const { x1, y1, x2, y2 } = box
        boxes.push({ x1, y1, x2, y2, name: className, line })
      }
    }
    images.set(image, { image, boxes, source: file, line })
  }
  return [...images.values()]
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
