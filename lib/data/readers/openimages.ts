import type { Report } from '../problem'
import { filledLines, type ParsedBox, type ParsedImage, parseNumber } from './parsed'

const COLUMNS = ['ImageID', 'LabelName', 'XMin', 'XMax', 'YMin', 'YMax'] as const

/**
 * An OpenImages csv: a row a box, corners as shares of the image's size; a decimal comma inside quotes is read
 * too. IsGroupOf = 1 becomes `crowd`. Images without boxes do not appear in such a file.
 */
export function parseOpenImages(content: string, file: string, report: Report): ParsedImage[] | undefined {
  const [header, ...rows] = filledLines(content)
  const titles = header === undefined ? [] : fields(header.text)
  const absent = COLUMNS.filter((column) => !titles.includes(column))
  if (absent.length > 0) {
    const message = `expected the columns ${COLUMNS.join(', ')}, found no ${absent.join(', ')}`
    report({ kind: 'syntax', file, line: 1, message })
    return undefined
  }
  const images = new Map<string, { line: number; boxes: ParsedBox[] }>()
  for (const { text, line } of rows) {
    const row = fields(text)
    const cell = (column: string) => row[titles.indexOf(column)]
    const share = (column: string) =>
      parseNumber(cell(column)?.replace(',', '.'), column, { file, line }, report)
    const [x1, x2, y1, y2] = [share('XMin'), share('XMax'), share('YMin'), share('YMax')]
    if (x1 === undefined || x2 === undefined || y1 === undefined || y2 === undefined) continue
    const image = cell('ImageID') ?? ''
    const entry = images.get(image) ?? { line, boxes: [] }
    images.set(image, entry)
    const box = { x1, y1, x2, y2, name: cell('LabelName') ?? '', line }
    entry.boxes.push(cell('IsGroupOf') === '1' ? { ...box, crowd: true } : box)
  }
  return [...images].map(([image, { line, boxes }]) => ({ image, boxes, relative: true, source: file, line }))
}

/** The cells of one row; a quoted cell may hold commas and doubled quotes. */
function fields(row: string): string[] {
  return [...row.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(
    ([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? '',
  )
}
