import type { Box, Dataset, Sample, SplitName } from './types'

/** Content of a split. */
export interface SplitCounts {
  readonly split: SplitName
  readonly images: number
  /** Boxes by class, in the order of the data set's classes; undefined if nothing is labelled. */
  readonly boxes: readonly number[] | undefined
}

/** Images, and boxes by class, of every split. */
export function countBoxes({ classes, splits }: Dataset): SplitCounts[] {
  return (Object.keys(splits) as SplitName[]).flatMap((split): SplitCounts[] => {
    const samples = splits[split]
    if (!samples) return []
    const boxes = new Array<number>(classes.length).fill(0)
    for (const sample of samples) for (const { label } of sample.boxes ?? []) boxes[label]!++
    return [
      { split, images: samples.length, boxes: samples.some((sample) => sample.boxes) ? boxes : undefined },
    ]
  })
}

/** COCO's sizes: limits of the area in square pixels. */
const SIZES = [
  ['small', 32 ** 2],
  ['medium', 96 ** 2],
  ['large', Infinity],
] as const
export type SizeName = (typeof SIZES)[number][0]

/** Content of a split, for one class. */
export interface ClassCounts {
  readonly class: string
  readonly split: SplitName
  readonly objects: number
  /** Images with at least one object of the class. */
  readonly images: number
  /** Objects by COCO's sizes: below 32 x 32, below 96 x 96 pixels of the image, and larger. */
  readonly sizes: { readonly [size in SizeName]: number }
}

const sizeOf = ({ x1, y1, x2, y2 }: Box): SizeName =>
  SIZES.find(([, limit]) => (x2 - x1) * (y2 - y1) < limit)![0]

/** Objects, images and sizes of every class in every labelled split, class by class. */
export function tabulateClasses(set: {
  readonly classes: readonly string[]
  readonly splits: { readonly [split in SplitName]?: readonly Sample[] }
}): ClassCounts[] {
  const splits = (Object.entries(set.splits) as [SplitName, readonly Sample[]][]).filter(([, samples]) =>
    samples.some(({ boxes }) => boxes !== undefined),
  )
  const counts = splits.map(([split, samples]) => {
    const rows = set.classes.map((name) => ({
      ...{ class: name, split, objects: 0, images: 0 },
      sizes: { small: 0, medium: 0, large: 0 },
    }))
    for (const { boxes = [] } of samples) {
      for (const label of new Set(boxes.map((box) => box.label))) rows[label]!.images++
      for (const box of boxes) {
        rows[box.label]!.objects++
        rows[box.label]!.sizes[sizeOf(box)]++
      }
    }
    return rows
  })
  return set.classes.flatMap((_, label) => counts.map((rows) => rows[label]!))
}
