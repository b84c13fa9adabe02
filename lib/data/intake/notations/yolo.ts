import {
  LABELS,
  type Notation,
  type ParseContext,
  type ParsedFile,
  type Surroundings,
  type TextFile,
  UNSURE,
} from '../notation'
import type { ParsedBox } from '../parsed'
import { isImageList, namedLists } from '../splits'
import { fieldsOf, parseNumber, shortened } from '../text'
import { findConfig, prepareConfig } from './yolo-config'

/** YOLO: one text file per image, lines "class cx cy width height" as fractions of the image. */
export const yolo: Notation = {
  name: 'yolo',
  title: 'YOLO',
  layout: 'labels/train/a.txt beside images/train/a.jpg, data.yaml or classes.txt',
  holds: 'one image',
  classesAre: 'numbers',
  files: /\.txt$/i,
  recognise(file) {
    if (file.content.some(({ text }) => isLabel(text))) return LABELS
    return isImageList(file) ? undefined : UNSURE
  },
  prepare(set: Surroundings) {
    const found = findConfig(set)
    return found ? prepareConfig(set, found.file, found.config) : { splits: namedLists(set) }
  },
  parse: parseYolo,
}

/** Whether a line is a class number followed by four or more numbers. */
function isLabel(text: string): boolean {
  const fields = fieldsOf(text)
  return (
    fields.length >= 5 && fields.every((field) => /^[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?$/.test(field))
  )
}

/**
 * One label file; an empty one is an image without objects. A sixth column is a confidence, as detectors write; longer
 * lines are polygons, replaced by their boxes, or key points if data.yaml says so (`kpt_shape`).
 */
export function parseYolo(
  { content, path: file }: Pick<TextFile, 'content' | 'path'>,
  { classes, prepared, report, note }: Pick<ParseContext, 'classes' | 'prepared' | 'report' | 'note'>,
): ParsedFile {
  const boxes: ParsedBox[] = []
  const image = { image: undefined, boxes, refused: 0, relative: true, source: file }
  if (content.length === 0) return { images: [image] }
  const names = classes()
  for (const { text, line } of content) {
    const box = parseLine(text, { file, line }, prepared.keypointColumns, report, note)
    const name = box && Number.isInteger(box.label) ? names[box.label] : undefined
    if (box === undefined) image.refused++
    else if (name === undefined) {
      image.refused++
      const message = `expected a class of 0 .. ${names.length - 1}, found ${fieldsOf(text)[0]}`
      report({ kind: 'unknown class', file, line, message })
    } else {
      const { x1, y1, x2, y2 } = box
      boxes.push({ x1, y1, x2, y2, name, line })
    }
  }
  return { images: [image] }
}

interface Labelled {
  readonly label: number
  readonly x1: number
  readonly y1: number
  readonly x2: number
  readonly y2: number
}

function parseLine(
  text: string,
  place: { file: string; line: number },
  keypointColumns: number | undefined,
  report: ParseContext['report'],
  note: ParseContext['note'],
): Labelled | undefined {
  const fields = fieldsOf(text)
  const columns = fields.length
  const hasPoints = keypointColumns !== undefined && columns === 5 + keypointColumns
  const isPolygon = !hasPoints && columns >= 7 && columns % 2 === 1
  if (!hasPoints && !isPolygon && columns !== 5 && columns !== 6) {
    const forms = 'class cx cy width height; with a confidence 6; of a polygon 7, 9, ...'
    const message = `expected 5 fields (${forms}), found ${columns}: "${shortened(text)}"`
    report({ kind: 'syntax', ...place, message })
    return undefined
  }
  const what = ['class', 'cx', 'cy', 'width', 'height', 'confidence']
  const values: number[] = []
  for (let i = 0; i < columns; i++) {
    const name =
      isPolygon && i > 0 ? `${i % 2 === 1 ? 'x' : 'y'}${Math.ceil(i / 2)}` : (what[i] ?? `column ${i + 1}`)
    const value = parseNumber(fields[i], name, place, report)
    if (value === undefined) return undefined
    values.push(value)
  }
  const [label = 0, cx = 0, cy = 0, w = 0, h = 0] = values
  if (isPolygon) {
    note('a polygon: its box is taken')
    let [x1, y1, x2, y2] = [Infinity, Infinity, -Infinity, -Infinity]
    for (let i = 1; i < columns; i += 2) {
      ;[x1, x2] = [Math.min(x1, values[i]!), Math.max(x2, values[i]!)]
      ;[y1, y2] = [Math.min(y1, values[i + 1]!), Math.max(y2, values[i + 1]!)]
    }
    return { label, x1, y1, x2, y2 }
  }
  if (columns === 6) {
    const confidence = values[5]!
    if (!(confidence >= 0 && confidence <= 1)) {
      const message = `expected a confidence of 0 .. 1 in the sixth column, found ${confidence}`
      report({ kind: 'syntax', ...place, message })
      return undefined
    }
    note('a confidence in the sixth column: not used')
  }
  if (hasPoints) note('key points: the box before them is taken')
  return { label, x1: cx - w / 2, y1: cy - h / 2, x2: cx + w / 2, y2: cy + h / 2 }
}
