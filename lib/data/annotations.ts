import type { Box } from './types'

/** One line of an annotation list: an image, its path as written (usually relative to the list), its boxes. */
export interface Annotation {
  readonly path: string
  readonly boxes: readonly Box[]
}

/**
 * The text of an annotation list, the published format: one line per image,
 *
 *     path x1,y1,x2,y2,class x1,y1,x2,y2,class ...
 *
 * with corners in pixels of the image (continuous coordinates, fractions allowed) and the class's index in the
 * list of classes, counted from 0. A path alone is an image without objects. Empty lines and lines that
 * begin with `#` are comments. White space, `#` and `%` within a path are percent-encoded (`%20`).
 */
export function formatAnnotations(annotations: readonly Annotation[]): string {
  return annotations
    .map(({ path, boxes }) => {
      const fields = boxes.map(({ x1, y1, x2, y2, label }) => `${x1},${y1},${x2},${y2},${label}`)
      return `${[encodePath(path), ...fields].join(' ')}\n`
    })
    .join('')
}

/**
 * Reads the text of an annotation list (format: formatAnnotations).
 *
 * @param file its name, for error messages
 * @param classes how many classes there are; labels run from 0 to classes - 1
 * @throws Error naming file and line of the first error
 */
export function parseAnnotations(text: string, file: string, classes: number): Annotation[] {
  const annotations: Annotation[] = []
  const seen = new Map<string, number>()
  text.split(/\r?\n/).forEach((line, i) => {
    const [name, ...fields] = line.trim().split(/\s+/)
    if (name === undefined || name === '' || name.startsWith('#')) return
    const place = `${file}:${i + 1}`
    const path = decodePath(name, place)
    const earlier = seen.get(path)
    if (earlier !== undefined) {
      throw new Error(`${place}: expected every image once, found ${path} again (first in line ${earlier})`)
    }
    seen.set(path, i + 1)
    annotations.push({ path, boxes: fields.map((field) => parseBox(field, place, classes)) })
  })
  return annotations
}

/** The five numbers of one field, unchecked; undefined if it has another form. */
export function boxOfField(field: string): Box | undefined {
  const parts = field.split(',')
  const numbers = parts.map((part) => (part.trim() === '' ? Number.NaN : Number(part)))
  if (parts.length !== 5 || !numbers.every((value) => Number.isFinite(value))) return undefined
  const [x1, y1, x2, y2, label] = numbers as [number, number, number, number, number]
  return { x1, y1, x2, y2, label }
}

/** One field of a line; `place` is file:line, for error messages. */
function parseBox(field: string, place: string, classes: number): Box {
  const box = boxOfField(field)
  if (box === undefined) throw new Error(`${place}: expected a box as x1,y1,x2,y2,class, found '${field}'`)
  if (!(box.x2 > box.x1 && box.y2 > box.y1)) {
    throw new Error(`${place}: expected a box with x1 < x2 and y1 < y2, found '${field}'`)
  }
  if (!Number.isInteger(box.label) || box.label < 0 || box.label >= classes) {
    throw new Error(`${place}: expected a class from 0 to ${classes - 1}, found ${box.label} in '${field}'`)
  }
  return box
}

function encodePath(path: string): string {
  return path.replace(/[\s#%]/g, (character) => encodeURIComponent(character))
}

/** The path encoded in a line's first field. */
export function decodePath(name: string, place: string): string {
  try {
    return decodeURIComponent(name)
  } catch {
    throw new Error(`${place}: expected '%' in a path to be written as %25, found '${name}'`)
  }
}
