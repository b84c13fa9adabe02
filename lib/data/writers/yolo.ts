import { stringify } from 'yaml'
import type { Sample } from '../types'
import type { Writer } from './writer'

/** labels/(split)/a.txt beside images/(split)/a.jpg, and data.yaml. */
export const yolo: Writer = {
  name: 'yolo',
  validation: 'val',
  keeps: [],
  images: (folder) => `images/${folder}`,
  *write(splits, classes) {
    const places = Object.fromEntries(splits.map(({ folder }) => [folder, `images/${folder}`]))
    yield ['data.yaml', stringify({ path: '.', ...places, nc: classes.length, names: [...classes] })]
    for (const { folder, samples } of splits)
      for (const { name, sample } of samples)
        if (sample.boxes !== undefined) yield [`labels/${folder}/${name}.txt`, labelText(sample)]
  },
}

/** Fractions in full precision, so that they give back the same pixels. */
function labelText({ width, height, boxes = [] }: Sample): string {
  return boxes
    .map(({ x1, y1, x2, y2, label }) => {
      const shares = [(x1 + x2) / 2 / width, (y1 + y2) / 2 / height, (x2 - x1) / width, (y2 - y1) / height]
      return `${[label, ...shares].join(' ')}\n`
    })
    .join('')
}
