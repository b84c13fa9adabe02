/** Objects that both models find, that one finds alone, and that are missed, by class. */
import type { TableRow } from '../../base'
import { matchBoxes } from '../disagreement'
import type { ComparedImage } from './panels'

/** What is counted of an image. */
export type FoundBoxes = Pick<ComparedImage, 'truths' | 'found'>

/**
 * A row for each class that occurs, and one for all. With the truth its objects are counted by who finds them, and wrong boxes
 * by who draws them; without it the boxes that models have together or alone. Crowds are no objects.
 */
export function agreementTable(
  images: readonly FoundBoxes[],
  models: readonly string[],
  classes: readonly string[],
): TableRow[] {
  const hasTruth = images.some(({ truths }) => truths !== undefined)
  const counted = new Map<string, Map<string, number>>()
  const columns = hasTruth ? truthColumns(models) : boxColumns(models)
  const count = (label: number, column: string) => {
    for (const name of [classes[label] ?? `class ${label}`, 'all']) {
      const row = counted.get(name) ?? new Map(columns.map((key) => [key, 0]))
      row.set(column, row.get(column)! + 1)
      counted.set(name, row)
    }
  }
  for (const image of images) (hasTruth ? countTruths : countBoxes)(image, models, count)
  const order = [...classes, 'all'].filter((name) => counted.has(name))
  return order.map((name) => ({ class: name, ...Object.fromEntries(counted.get(name)!) }))
}

type Count = (label: number, column: string) => void

const truthColumns = (models: readonly string[]) => [
  'objects',
  ...(models.length === 1
    ? ['found', 'missed']
    : ['both find', ...models.map((name) => `only ${name}`), 'neither']),
  ...models.map((name) => `wrong boxes, ${name}`),
]

const boxColumns = (models: readonly string[]) =>
  models.length === 1 ? ['boxes'] : ['both', ...models.map((name) => `only ${name}`)]

function countTruths({ truths = [], found }: FoundBoxes, models: readonly string[], count: Count): void {
  const sound = truths.filter(({ crowd }) => !crowd)
  const matches = found.map((boxes) => matchBoxes(sound, boxes))
  const missed = matches.map(({ onlyFirst }) => new Set(onlyFirst))
  sound.forEach(({ label }, i) => {
    count(label, 'objects')
    const finders = models.filter((_, model) => !missed[model]!.has(i))
    if (models.length === 1) count(label, finders.length === 1 ? 'found' : 'missed')
    else if (finders.length === 2) count(label, 'both find')
    else count(label, finders.length === 1 ? `only ${finders[0]}` : 'neither')
  })
  matches.forEach(({ onlySecond }, model) => {
    for (const index of onlySecond) count(found[model]![index]!.label, `wrong boxes, ${models[model]}`)
  })
}

function countBoxes({ found }: FoundBoxes, models: readonly string[], count: Count): void {
  const [first, second] = found
  if (!first) return
  if (!second) {
    for (const { label } of first) count(label, 'boxes')
    return
  }
  const { both, onlyFirst, onlySecond } = matchBoxes(first, second)
  for (const [index] of both) count(first[index]!.label, 'both')
  for (const index of onlyFirst) count(first[index]!.label, `only ${models[0]}`)
  for (const index of onlySecond) count(second[index]!.label, `only ${models[1]}`)
}
