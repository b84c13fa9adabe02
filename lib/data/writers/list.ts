import { formatAnnotations } from '../annotations'
import { LIST_TITLE } from '../intake/notations/list'
import type { Writer } from './writer'

/** One annotation list per split (train.txt, ...) and classes.txt. */
export const list: Writer = {
  name: 'list',
  validation: 'validation',
  keeps: [],
  images: (folder) => `images/${folder}`,
  *write(splits, classes) {
    for (const { folder, samples } of splits) {
      const lines = samples.map(({ sample, image }) => ({ path: image, boxes: sample.boxes ?? [] }))
      yield [`${folder}.txt`, `${LIST_TITLE}\n${formatAnnotations(lines)}`]
    }
    yield ['classes.txt', classLines(classes)]
  },
}

/** Whether a name can stand in a list of names, a line each. */
export function fillsLine(name: string): boolean {
  return name === name.trim() && name !== '' && !/[\r\n\0]/.test(name)
}

/** Class names, one per line. @throws Error for a name that is empty or has several lines */
export function classLines(classes: readonly string[]): string {
  for (const name of classes)
    if (!fillsLine(name))
      throw new Error(
        `class ${JSON.stringify(name)}: expected a name that fits on one line of a list of classes; write COCO, or rename it`,
      )
  return classes.map((name) => `${name}\n`).join('')
}
