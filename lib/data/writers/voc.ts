import { escapeHtml, visible } from '../../base'
import { baseName } from '../intake/paths'
import type { NamedSample, Writer } from './writer'

/** The devkit's folders: Annotations, JPEGImages and ImageSets/Main. Numbers are corners, the default when reading. */
export const voc: Writer = {
  name: 'voc',
  validation: 'val',
  keeps: ['difficult'],
  images: () => 'JPEGImages',
  *write(splits, classes) {
    for (const { folder, samples } of splits) {
      yield [`ImageSets/Main/${folder}.txt`, samples.map(({ name }) => `${name}\n`).join('')]
      for (const named of samples)
        if (named.sample.boxes !== undefined)
          yield [`Annotations/${named.name}.xml`, annotation(named, classes)]
    }
    // VOC's files do not list the classes; this keeps the order of their numbers.
    yield ['classes.txt', classes.map((name) => `${name}\n`).join('')]
  },
}

function annotation({ sample, image }: NamedSample, classes: readonly string[]): string {
  const objects = (sample.boxes ?? []).map(
    ({ x1, y1, x2, y2, label, difficult }) => `  <object>
    <name>${escaped(classes[label]!)}</name>
    <difficult>${difficult ? 1 : 0}</difficult>
    <bndbox><xmin>${x1}</xmin><ymin>${y1}</ymin><xmax>${x2}</xmax><ymax>${y2}</ymax></bndbox>
  </object>
`,
  )
  return `<annotation>
  <filename>${escaped(baseName(image))}</filename>
  <size><width>${sample.width}</width><height>${sample.height}</height><depth>3</depth></size>
${objects.join('')}</annotation>
`
}

/** @throws Error where a name holds what XML cannot */
function escaped(name: string): string {
  if (visible(name) !== name)
    throw new Error(
      `${JSON.stringify(name)}: expected a name without control characters, which XML cannot hold; write COCO`,
    )
  return escapeHtml(name)
}
