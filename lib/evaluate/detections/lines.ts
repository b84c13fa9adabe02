/** Detections as lines of text: one file per image, or VOC's one per class. */

import type { VocPixels } from '../../data/intake/notation'
import { fieldsOf, filledLines, parseNumber, shortened } from '../../data/intake/text'
import { refuse } from '../../data/problem'
import { expectForwards, type TruthSet } from '../truth-files'
import { type FileDetection, knownClass, type TruthImages } from './detection'
import { boxColumns, cornersOf, type Layout, type LinesOfImage } from './layouts'

/** Files with the detections of one class each, as written by VOC's devkit and Darknet's `detector valid`. */
export const VOC_RESULTS = /^comp\d+_det_[^_]+_(.+)\.txt$/

/** Lines "image score x1 y1 x2 y2" of one class. */
export function readVocResults(
  text: string,
  file: string,
  name: string,
  images: TruthImages,
  pixels: VocPixels,
): FileDetection[] {
  const first = pixels === 'inclusive' ? 1 : 0
  const columns = ['image', 'score', 'x1', 'y1', 'x2', 'y2']
  return filledLines(text, file).map(({ text: content, line }) => {
    const fields = fieldsOf(content)
    // An image's name may contain blanks; numbers do not.
    const numbers = fields.splice(-5)
    if (fields.length === 0)
      return refuse({ kind: 'syntax', file, line, message: wrongFields(columns, numbers) })
    const [score, x1, y1, x2, y2] = numbers.map(
      (field, i) => parseNumber(field, columns[i + 1]!, { file, line }, refuse)!,
    )
    const box = [x1! - first, y1! - first, x2!, y2!] as const
    expectForwards(box, { file, line })
    const image = images.ofName(fields.join(' '), { file, line })
    return { image, name, score: score!, box }
  })
}

/** The detections of one image. @param classes names of the class numbers */
export function readLines(
  { file, image, lines }: LinesOfImage,
  layout: Layout,
  set: TruthSet,
  classes: readonly string[] | undefined,
): FileDetection[] {
  const { columns } = layout
  const wanted = ['score', ...boxColumns(layout)]
  return lines.map(({ text, line }) => {
    const fields = fieldsOf(text)
    if (fields.length !== columns.length)
      return refuse({ kind: 'syntax', file, line, message: wrongFields(columns, fields) })
    const field = (name: string) => fields[columns.indexOf(name)]
    const numbers = wanted.map((name) => parseNumber(field(name), name, { file, line }, refuse)!)
    const [score, a, b, c, d] = numbers as [number, number, number, number, number]
    const name = knownClass(className(field('class')!, classes, file, line), set, { file, line })
    const placed = cornersOf(layout, [a, b, c, d], set.images[image]!)
    if (placed === undefined) {
      const message = `expected the size of ${set.images[image]!.name}, since its boxes are fractions of it, found none with the truths; name the folder of the images (--images)`
      return refuse({ kind: 'wrong size', file, message })
    }
    expectForwards(placed.box, { file, line })
    return { image, name, score, ...placed }
  })
}

function wrongFields(columns: readonly string[], fields: readonly string[]): string {
  return `expected ${columns.length} fields (${columns.join(' ')}), found ${fields.length}: "${shortened(fields.join(' '))}"`
}

/** A class number is looked up in the list; anything else is a name. */
export function className(
  field: string,
  classes: readonly string[] | undefined,
  file: string,
  line: number,
): string {
  if (!/^\d+(\.0*)?$/.test(field)) return field
  const name = classes?.[Number(field)]
  if (name !== undefined) return name
  const message = classes
    ? `expected a class of 0 .. ${classes.length - 1}, found ${field}`
    : `found the class number ${field} and no list of names; name a file of them, one a line (--detection-classes)`
  return refuse({ kind: 'unknown class', file, line, message })
}
