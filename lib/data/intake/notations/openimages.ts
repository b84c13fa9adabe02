import {
  companion,
  LABELS,
  type Notation,
  type ParseContext,
  type ParsedFile,
  type Surroundings,
  type TextFile,
} from '../notation'
import type { ParsedBox } from '../parsed'
import { parseNumber } from '../text'

const COLUMNS = ['ImageID', 'LabelName', 'XMin', 'XMax', 'YMin', 'YMax'] as const

/** OpenImages: a table with one row per box. */
export const openimages: Notation = {
  name: 'openimages',
  title: 'OpenImages',
  layout: 'train-annotations-bbox.csv, class-descriptions-boxable.csv beside train/0001.jpg',
  holds: 'many images',
  classesAre: 'names',
  files: /\.csv$/i,
  recognise({ lines }) {
    const titles = cellsOf(lines[0]?.text ?? '')
    if (titles[0] !== 'ImageID') return undefined
    if (COLUMNS.every((column) => titles.includes(column))) return LABELS
    if (titles.includes('MaskPath')) return companion('masks of OpenImages, no boxes')
    if (titles.includes('LabelName1')) return companion('relations of OpenImages, no boxes')
    if (titles.includes('OriginalURL')) return companion('addresses of OpenImages’ images')
    if (titles.includes('LabelName') && !titles.includes('XMin'))
      return companion('labels of whole images of OpenImages, no boxes')
    return LABELS
  },
  prepare: (set) => ({ names: descriptions(set) }),
  parse: parseOpenImages,
}

/** Class names of codes such as "/m/0k4j": rows of code and name. */
function descriptions({ others, used }: Surroundings): ReadonlyMap<string, string> {
  const names = new Map<string, string>()
  for (const { file, lines } of others.values()) {
    if (!/\.csv$/i.test(file.place) || !/^\/[a-z]+\/|^LabelName,DisplayName$/.test(lines[0]?.text ?? ''))
      continue
    used(file.place, 'names of classes')
    for (const { text } of lines) {
      const [code, name] = cellsOf(text)
      if (code?.startsWith('/') && name) names.set(code, name)
    }
  }
  return names
}

/**
 * One table, corners as fractions of the image's size; decimal commas inside quotes are accepted. IsGroupOf = 1 becomes
 * `crowd`. Images without boxes do not appear in such a file.
 */
export function parseOpenImages(
  { lines, path: file }: Pick<TextFile, 'lines' | 'path'>,
  { report, prepared }: Pick<ParseContext, 'report' | 'prepared'>,
): ParsedFile | undefined {
  const [header, ...rows] = lines
  const titles = header === undefined ? [] : cellsOf(header.text)
  const absent = COLUMNS.filter((column) => !titles.includes(column))
  if (absent.length > 0) {
    const message = `expected the columns ${COLUMNS.join(', ')}, found no ${absent.join(', ')}`
    report({ kind: 'syntax', file, line: 1, message })
    return undefined
  }
  const columnOf = new Map(titles.map((title, i) => [title, i]))
  const images = new Map<string, { line: number; boxes: ParsedBox[]; refused: number }>()
  for (const { text, line } of rows) {
    const row = cellsOf(text)
    const cell = (column: string) => row[columnOf.get(column) ?? -1]
    const share = (column: string) =>
      parseNumber(cell(column)?.replace(',', '.'), column, { file, line }, report)
    const image = cell('ImageID') ?? ''
    const code = cell('LabelName') ?? ''
    if (image === '' || code === '') {
      const missing = image === '' ? 'ImageID' : 'LabelName'
      report({ kind: 'syntax', file, line, message: `${missing}: expected a name, found nothing` })
      continue
    }
    const entry = images.get(image) ?? { line, boxes: [], refused: 0 }
    images.set(image, entry)
    const [x1, x2, y1, y2] = [share('XMin'), share('XMax'), share('YMin'), share('YMax')]
    if (x1 === undefined || x2 === undefined || y1 === undefined || y2 === undefined) {
      entry.refused++
      continue
    }
    const box = { x1, y1, x2, y2, name: prepared.names?.get(code) ?? code, line }
    entry.boxes.push(cell('IsGroupOf') === '1' ? { ...box, crowd: true } : box)
  }
  return {
    images: [...images].map(([image, { line, boxes, refused }]) => ({
      ...{ image, boxes, refused, relative: true, source: file, line },
    })),
  }
}

/** The cells of one row; a quoted cell may contain commas and doubled quotes. */
export function cellsOf(row: string): string[] {
  const cells: string[] = []
  for (let at = 0; at <= row.length; ) {
    if (row[at] === '"') {
      let cell = ''
      for (at++; ; ) {
        const end = row.indexOf('"', at)
        cell += row.slice(at, end < 0 ? row.length : end)
        at = end < 0 ? row.length : end + 1
        if (row[at] !== '"' || end < 0) break
        cell += '"'
        at++
      }
      cells.push(cell)
      const comma = row.indexOf(',', at)
      at = comma < 0 ? row.length + 1 : comma + 1
    } else {
      const comma = row.indexOf(',', at)
      cells.push(row.slice(at, comma < 0 ? row.length : comma).trim())
      at = comma < 0 ? row.length + 1 : comma + 1
    }
  }
  return cells
}
