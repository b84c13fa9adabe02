/** The columns of a line of detections: as given, or the only reading that fits all lines. */

import { pixelsOf } from '../../data/intake/parsed'
import { fieldsOf, type Line, shortened } from '../../data/intake/text'
import { refuse } from '../../data/problem'
import type { TruthSet } from '../truth-files'

/** Forms of a box in a line: corners, or corner and size, in pixels; centre and size as fractions of the image. */
const FORMS: readonly (readonly [string, string, string, string])[] = [
  ['x1', 'y1', 'x2', 'y2'],
  ['x', 'y', 'w', 'h'],
  ['cx', 'cy', 'w', 'h'],
]

export interface Layout {
  readonly columns: readonly string[]
  readonly form: 'corners' | 'size' | 'shares'
}

/** @throws Error where the columns do not include all that a detection needs */
export function layoutOf(columns: string): Layout {
  const names = columns.trim().split(/[\s,]+/)
  const form = FORMS.find((wanted) => wanted.every((name) => names.includes(name)))
  if (form === undefined || !names.includes('class') || !names.includes('score')) {
    const forms = FORMS.map((wanted) => wanted.join(' ')).join(', or ')
    throw new Error(`columns: expected class, score and one of ${forms}, found ${names.join(' ')}`)
  }
  return { columns: names, form: form[0] === 'x1' ? 'corners' : form[0] === 'x' ? 'size' : 'shares' }
}

/** Common layouts, known programs' first: Ultralytics (save_txt, save_conf), YOLOv5's rows, lists by class and score. */
const KNOWN = [
  'class cx cy w h score',
  'class score x1 y1 x2 y2',
  'class score cx cy w h',
  'class score x y w h',
  'class x1 y1 x2 y2 score',
  'class x y w h score',
  'x1 y1 x2 y2 score class',
  'cx cy w h score class',
].map(layoutOf)

/** The lines of a file, and its image. */
export interface LinesOfImage {
  readonly file: string
  readonly image: number
  readonly lines: readonly Line[]
}

/**
 * Finds the layout of files whose columns were not given: the default if it fits most lines (reading refuses the others),
 * else the only known one that fits every line. Fractions all lie within 0 .. 1; pixels never all do.
 * @throws DatasetError naming the first line that does not fit the default, and what to do
 */
export function findLayout(
  files: readonly LinesOfImage[],
  set: TruthSet,
  fallback: string,
): { layout: Layout; note?: string } {
  const usual = layoutOf(fallback)
  const { first, odd, lines } = oddLines(files, set, usual)
  if (first === undefined || 2 * odd <= lines) return { layout: usual }
  const others = KNOWN.filter((layout) => oddLines(files, set, layout).odd === 0)
  const [only] = others
  if (only !== undefined && others.length === 1)
    return {
      layout: only,
      note: `columns read as "${only.columns.join(' ')}", the only usual order that fits`,
    }
  const found = others.map(({ columns }) => `"${columns.join(' ')}"`)
  const rest = found.length > 0 ? `they may be ${found.join(' or ')}` : 'no other usual order fits either'
  const { file, line, reason } = first
  const message =
    `expected the fields ${usual.columns.join(' ')}, found "${shortened(line.text, 80)}", ${reason}; ` +
    `${rest}; say what they are with --columns`
  return refuse({ kind: 'syntax', file, line: line.line, message })
}

/** Lines that a layout does not fit, with the reason for the first of them. */
function oddLines(files: readonly LinesOfImage[], set: TruthSet, layout: Layout) {
  let [lines, odd, hasLarge] = [0, 0, false]
  let first: { file: string; line: Line; reason: string } | undefined
  let start: { file: string; line: Line } | undefined
  for (const { file, image, lines: all } of files) {
    for (const line of all) {
      const fields = fieldsOf(line.text)
      const reason = oddity(fields, set, image, layout)
      lines++
      start ??= { file, line }
      if (reason !== undefined) {
        odd++
        first ??= { file, line, reason }
      } else
        hasLarge ||= layout.form !== 'shares' && boxOf(fields, layout).some((value) => Math.abs(value) > 1)
    }
  }
  // All boxes are smaller than a pixel, so these are fractions.
  if (layout.form !== 'shares' && !hasLarge && start !== undefined)
    return { lines, odd: lines, first: first ?? { ...start, reason: 'all of whose numbers are fractions' } }
  return { lines, odd, first }
}

function oddity(fields: readonly string[], set: TruthSet, image: number, layout: Layout): string | undefined {
  if (fields.length !== layout.columns.length) {
    return fields.length === layout.columns.length - 1
      ? 'which has no score (Ultralytics writes it with save_conf=True)'
      : 'another number of fields'
  }
  const label = fields[layout.columns.indexOf('class')]!
  const score = Number(fields[layout.columns.indexOf('score')])
  if (/^[-+]?\d*\.\d+$/.test(label) && !Number.isInteger(Number(label)))
    return `whose class would be ${label}`
  if (!(score >= 0 && score <= 1)) return `whose score would be ${score}`
  const box = boxOf(fields, layout)
  if (!box.every(Number.isFinite)) return 'which contains something other than numbers'
  const [a, b, c, d] = box as [number, number, number, number]
  const { width = Infinity, height = Infinity } = set.images[image]!
  if (layout.form === 'shares') {
    const slack = 0.02
    const isInside =
      a - c / 2 >= -slack && b - d / 2 >= -slack && a + c / 2 <= 1 + slack && b + d / 2 <= 1 + slack
    return isInside && c >= 0 && d >= 0 ? undefined : 'whose box would not lie within fractions of 0 .. 1'
  }
  const [x2, y2] = layout.form === 'corners' ? [c, d] : [a + c, b + d]
  if (x2 < a || y2 < b) return backwards(layout)
  const isInside = x2 <= 1.1 * width + 2 && y2 <= 1.1 * height + 2
  return isInside ? undefined : `whose box would not lie within ${width}x${height}`
}

const backwards = ({ form }: Layout) =>
  form === 'corners' ? 'whose corners would run backwards' : 'whose size would be negative'

const FORM_COLUMNS = { corners: FORMS[0]!, size: FORMS[1]!, shares: FORMS[2]! }

function boxOf(fields: readonly string[], { columns, form }: Layout): number[] {
  return FORM_COLUMNS[form].map((name) => Number(fields[columns.indexOf(name)]))
}

/** The column names of a layout's box, in the order in which `cornersOf` takes the numbers. */
export const boxColumns = ({ form }: Layout): readonly string[] => FORM_COLUMNS[form]

/** Corners in pixels, and the size where the line gives it. */
export function cornersOf(
  { form }: Layout,
  [a, b, c, d]: readonly [number, number, number, number],
  image: { readonly width?: number; readonly height?: number },
): { box: readonly [number, number, number, number]; size?: readonly [number, number] } | undefined {
  if (form === 'corners') return { box: [a, b, c, d] }
  if (form === 'size') return { box: [a, b, a + c, b + d], size: [c, d] }
  const { width, height } = image
  if (width === undefined || height === undefined) return undefined
  return {
    box: [
      pixelsOf(a - c / 2, width),
      pixelsOf(b - d / 2, height),
      pixelsOf(a + c / 2, width),
      pixelsOf(b + d / 2, height),
    ],
  }
}
