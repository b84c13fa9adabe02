import { decodePath, parseBox } from '../annotations'
import type { Report } from '../problem'
import { filledLines, type ParsedBox, type ParsedImage } from './parsed'

/** An annotation list (annotations.ts) read to the end: what is wrong is reported by line and left out. */
export function parseList(
  content: string,
  file: string,
  classes: readonly string[],
  report: Report,
): ParsedImage[] {
  const images = new Map<string, ParsedImage>()
  for (const { text, line } of filledLines(content)) {
    if (text.startsWith('#')) continue
    const place = `${file}:${line}`
    const attempt = <T>(parse: () => T): T | undefined => {
      try {
        return parse()
      } catch (error) {
        const message = (error instanceof Error ? error.message : String(error)).replace(`${place}: `, '')
        report({ kind: 'syntax', file, line, message })
        return undefined
      }
    }
    const [name = '', ...fields] = text.split(/\s+/)
    const image = attempt(() => decodePath(name, place))
    if (image === undefined) continue
    const earlier = images.get(image)
    if (earlier !== undefined) {
      const message = `expected every image once, found ${image} again (first in line ${earlier.line})`
      report({ kind: 'duplicate id', file, line, message })
      continue
    }
    const boxes: ParsedBox[] = []
    for (const field of fields) {
      const box = attempt(() => parseBox(field, place, classes.length))
      if (box !== undefined) boxes.push({ ...box, name: classes[box.label]!, line })
    }
    images.set(image, { image, boxes, source: file, line })
  }
  return [...images.values()]
}
