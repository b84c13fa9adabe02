/** Darknet's printed output: `detector test ... -ext_output < list.txt > result.txt`. */
import { filledLines } from '../../data/intake/text'
import { refuse } from '../../data/problem'
import { expectForwards, type TruthSet } from '../truth-files'
import { type FileDetection, knownClass, type TruthImages } from './detection'

/** What follows the path of an image, and may come before it. */
const [PREDICTED, PROMPT] = [': Predicted in ', 'Enter Image Path: ']
const BOX = /^(.+): (\d+)%\s*\(left_x:\s*(-?\d+)\s+top_y:\s*(-?\d+)\s+width:\s*(-?\d+)\s+height:\s*(-?\d+)\)/

/** Whether a text is such output. */
export function isDarknetOutput(text: string): boolean {
  return /: Predicted in [\d.]+/.test(text) && /\(left_x:/.test(text)
}

/** Scores are whole percents in it, boxes whole pixels. */
export function readDarknetOutput(
  text: string,
  file: string,
  set: TruthSet,
  images: TruthImages,
): FileDetection[] {
  let image: number | undefined
  return filledLines(text, file).flatMap(({ text: content, line }): FileDetection[] => {
    const path = pathIn(content)
    if (path !== undefined) {
      image = images.ofName(path, { file, line })
      return []
    }
    const found = BOX.exec(content)
    if (found === null) return []
    if (image === undefined)
      return refuse({
        kind: 'syntax',
        file,
        line,
        message: 'expected the path of an image before its boxes, found none',
      })
    const [, name = '', percent, ...numbers] = found
    const [x, y, w, h] = numbers.map(Number) as [number, number, number, number]
    const known = knownClass(name, set, { file, line })
    const box = [x, y, x + w, y + h] as const
    expectForwards(box, { file, line })
    return [{ image, name: known, score: Number(percent) / 100, box, size: [w, h] }]
  })
}

/** The path of the image whose boxes follow, in "Enter Image Path: a.jpg: Predicted in 20.1 milli-seconds." */
function pathIn(line: string): string | undefined {
  const end = line.indexOf(PREDICTED)
  if (end < 0) return undefined
  const start = line.indexOf(PROMPT)
  const path = line.slice(start < 0 || start > end ? 0 : start + PROMPT.length, end).trim()
  return path === '' ? undefined : path
}
