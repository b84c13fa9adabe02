/** Chooses the notations of a data set: all that label images of their own; for the same images only one may. */
import type { Report } from '../problem'
import type { TextFile } from './notation'
import { folderOf } from './paths'
import type { Reading } from './reading'

/**
 * The readings to use, the one that explains most images first. Images that a reading merely lists do not conflict with
 * labels of another.
 * @throws Error naming both if two label the same images, and the option to choose one
 */
export function chooseReadings(readings: readonly Reading[], root: string, report: Report): Reading[] {
  const labelled = new Map(readings.map((reading) => [reading, labelledImages(reading, root, report)]))
  const ordered = [...readings].sort((a, b) => labelled.get(b)!.size - labelled.get(a)!.size)
  const owner = new Map<string, Reading>()
  for (const reading of ordered) {
    const shared: string[] = []
    let other: Reading | undefined
    for (const path of labelled.get(reading)!.keys()) {
      const first = owner.get(path)
      if (first === undefined) owner.set(path, reading)
      else {
        other ??= first
        shared.push(path)
      }
    }
    if (other !== undefined) throw conflict(root, other, reading, shared, labelled)
  }
  // Images labelled by another reading are not unlabelled.
  return ordered.map((reading) => ({
    ...reading,
    images: reading.images.filter(({ located: { image, parsed } }) => {
      if (parsed.boxes !== undefined || image === undefined) return true
      const first = owner.get(image.path)
      return first === undefined
    }),
  }))
}

/** Labelled images of a reading by path, with their label file. */
function labelledImages(reading: Reading, root: string, report: Report): Map<string, TextFile> {
  const files = new Map<string, TextFile>()
  const twice: { path: string; first: TextFile; second: TextFile }[] = []
  for (const { located, file } of reading.images) {
    const { image, parsed } = located
    if (image === undefined || parsed.boxes === undefined) continue
    const first = files.get(image.path)
    if (first === undefined) files.set(image.path, file)
    else if (first !== file) twice.push({ path: image.path, first, second: file })
  }
  const [example] = twice
  if (example === undefined) return files
  const { first, second } = example
  if (reading.notation.holds === 'one image' || covers(reading, first, second)) {
    const [a, b] =
      reading.notation.holds === 'one image'
        ? withoutCommonEnd(folderOf(first.file.place), folderOf(second.file.place))
        : [first.file.place, second.file.place]
    const choice =
      a === b ? 'keep one of them' : `choose with --annotations ${a || '.'} or --annotations ${b || '.'}`
    throw new Error(
      `${root}: expected one set of labels for an image, found ${first.file.place} and ${second.file.place} ` +
        `for ${example.path}${twice.length > 1 ? ` (and ${twice.length - 1} images more)` : ''}; ${choice}`,
    )
  }
  for (const { path, first, second } of twice) {
    const message = `expected every image once, found ${path} in ${first.file.place} too`
    report({ kind: 'duplicate id', file: second.path, message })
  }
  return files
}

/** "Annotations" and "labels" for "Annotations/test" and "labels/test". */
function withoutCommonEnd(first: string, second: string): [string, string] {
  const [a, b] = [first.split('/'), second.split('/')]
  while (a.length > 1 && b.length > 1 && a.at(-1) === b.at(-1)) {
    a.pop()
    b.pop()
  }
  return [a.join('/'), b.join('/')]
}

/** Whether one of two files contains every image of the other. */
function covers({ images }: Reading, first: TextFile, second: TextFile): boolean {
  const pathsOf = (wanted: TextFile) =>
    new Set(images.filter(({ file }) => file === wanted).map(({ located }) => located.image?.path))
  const [a, b] = [pathsOf(first), pathsOf(second)]
  return [...a].every((path) => b.has(path)) || [...b].every((path) => a.has(path))
}

function conflict(
  root: string,
  first: Reading,
  second: Reading,
  shared: readonly string[],
  labelled: ReadonlyMap<Reading, ReadonlyMap<string, TextFile>>,
): Error {
  const counted = (count: number) => `${count} ${count === 1 ? 'image' : 'images'}`
  const describe = (reading: Reading) => {
    const { name, title } = reading.notation
    const images = labelled.get(reading)!
    const file = images.get(shared[0]!)!.file.place
    return `${title} (${file}; ${counted(images.size)}; --format ${name})`
  }
  const count = shared.length === 1 ? 'the same image' : `the same ${shared.length} images`
  return new Error(
    `${root}: expected one notation for an image, found ${describe(first)} and ${describe(second)} for ${count} ` +
      `(${shared[0]}${shared.length > 1 ? ', ...' : ''}); choose with --format, or with --annotations and the place of the labels`,
  )
}
