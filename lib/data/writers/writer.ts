import type { Sample, SplitName } from '../types'

/** A sample with the name that it has in the folder that is written. */
export interface NamedSample {
  readonly sample: Sample
  /** Name without folder and ending; no two samples of a set have the same. */
  readonly name: string
  /** Path of its image from the folder that is written, with '/'. */
  readonly image: string
}

export interface WrittenSplit {
  readonly split: SplitName
  /** What the split is called in files and folders. */
  readonly folder: string
  readonly samples: readonly NamedSample[]
}

/** A notation that data sets are written in; what it writes its reader reads back. */
export interface Writer {
  readonly name: string
  /** What validation is called. */
  readonly validation: 'val' | 'validation'
  /** Flags of boxes that it keeps: 'difficult', 'crowd', 'area'. */
  readonly keeps: readonly ('difficult' | 'crowd' | 'area')[]
  /** Folder of a split's images, from the folder that is written. */
  readonly images: (folder: string) => string
  /** Paths from the folder that is written, and their texts. */
  readonly write: (
    splits: readonly WrittenSplit[],
    classes: readonly string[],
  ) => Iterable<readonly [string, string]>
}
