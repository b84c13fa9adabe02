/** Class names found beside labels. */

import { z } from 'zod'
import { DatasetError, type Report } from '../problem'
import { parseJson, parseWith } from './json'
import type { Surroundings, TextFile } from './notation'
import { baseName, folderOf } from './paths'
import { filledLines, givenPath, readText } from './text'

/** Files whose name alone says that they list classes; where classes are numbers, any *.names does. */
const PLAIN_LIST = /^(classes|labels)\.txt$|^(obj|classes)\.names$/i
const CLASS_LIST =
  /^(classes|labels|names|class_names|predefined_classes|obj|_darknet)\.(txt|names|labels)$|\.names$/i

/** Names, one a line. */
export function classNames({ lines }: Pick<TextFile, 'lines'>): string[] {
  return lines.map(({ text: name }) => name)
}

export function isClassList({ file }: TextFile): boolean {
  return CLASS_LIST.test(baseName(file.place))
}

/**
 * The list of classes that comes with a data set: one name per line in classes.txt, labels.txt, *.names or _darknet.labels,
 * or `classes` of manifest.json; undefined if there is none. The list nearest to the data set's own folder counts;
 * identical lists may exist in several places.
 * @param numbered whether labels name classes only by number, so that a list is needed
 */
export function findClasses(
  set: Surroundings,
  numbered: boolean,
): { classes: readonly string[]; from: string } | undefined {
  const lists = [...set.others.values()]
    .filter((file) =>
      numbered
        ? isClassList(file)
        : PLAIN_LIST.test(baseName(file.file.place)) && depthOf(file.file.place) <= 1,
    )
    .sort((a, b) => depthOf(a.file.place) - depthOf(b.file.place) || (a.file.place < b.file.place ? -1 : 1))
  const [first] = lists
  if (first === undefined) return manifestClasses(set)
  const classes = classNames(first)
  const all = classes.join('\n')
  for (const list of lists) {
    const names = classNames(list)
    if (names.join('\n') === all) set.used(list.file.place, 'list of classes')
    else if (depthOf(list.file.place) > depthOf(first.file.place))
      set.leaveOut(list.file.place, `another list of classes than ${first.file.place}`)
    else {
      const message = `expected one list of classes, found ${first.file.place} with ${classes.length} names and ${list.file.place} with ${names.length}; choose with --classes`
      set.report({ kind: 'unknown class', file: list.path, message })
    }
  }
  return { classes, from: first.path }
}

const depthOf = (place: string) => (folderOf(place) === '' ? 0 : place.split('/').length - 1)

const manifestSchema = z.object({ classes: z.array(z.string()).optional() })

function manifestClasses(set: Surroundings): { classes: readonly string[]; from: string } | undefined {
  const manifest = set.others.get('manifest.json')
  if (manifest === undefined) return undefined
  const report: Report = set.report
  const value = parseJson(manifest.text, manifest.path, report)
  if (value === undefined) return undefined
  const classes = parseWith(manifestSchema, value, { file: manifest.path }, report)?.classes
  if (classes === undefined) return undefined
  set.used(manifest.file.place, 'list of classes')
  return { classes, from: manifest.path }
}

/**
 * A file of class names, one a line.
 * @param root folder that the path may start from, besides the current one
 * @throws DatasetError or Error naming file and line of what cannot be read, or of a repeated name
 */
export async function readClassNames(path: string, root = '.'): Promise<string[]> {
  const file = await givenPath(root, path, 'the file of class names')
  const names = new Map<string, number>()
  for (const { text, line } of filledLines(await readText(file), file)) {
    const earlier = names.get(text)
    if (earlier !== undefined) {
      const message = `expected every class once, found "${text}" again (first in line ${earlier})`
      throw new DatasetError({ kind: 'duplicate id', file, line, message })
    }
    names.set(text, line)
  }
  if (names.size === 0)
    throw new DatasetError({ kind: 'syntax', file, message: 'expected class names, one a line, found none' })
  return [...names.keys()]
}
