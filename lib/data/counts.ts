import type { Dataset, SplitName } from './types'

/** What a split holds. */
export interface SplitCounts {
  readonly split: SplitName
  readonly images: number
  /** Boxes by class, in the order of the data set's classes; undefined where nothing is labelled. */
  readonly boxes: readonly number[] | undefined
}

/** Images and boxes by class of every split. */
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
