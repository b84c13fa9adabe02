/** Darknet's printed output: `detector test ... -ext_output < list.txt > result.txt`. */
import { filledLines } from '../../data/intake/text'
import { refuse } from '../../data/problem'
import type { TruthSet } from '../truth-files'
import { type FileDetection, knownClass, type TruthImages } from './detection'

const IMAGE = /(?:^|Enter Image Path: )\s*(\S.*?): Predicted in [\d.]+/
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
  return filledLines(text).flatMap(({ text: content, line }): FileDetection[] => {
    const path = IMAGE.exec(content)?.[1]
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
    return [{ image, name: known, score: Number(percent) / 100, box: [x, y, x + w, y + h], size: [w, h] }]
  })
}
