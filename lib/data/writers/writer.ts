import type { Sample, SplitName } from '../types'

/** A sample with its name in the output folder. */
export interface NamedSample {
  readonly sample: Sample
  /** Name without folder and extension, unique within the set. */
  readonly name: string
  /** Path of its image from the output folder, with '/'. */
  readonly image: string
}

export interface WrittenSplit {
  readonly split: SplitName
  /** Name of the split in files and folders. */
  readonly folder: string
  readonly samples: readonly NamedSample[]
}

/** A notation for writing data sets; its reader reads back what it writes. */
export interface Writer {
  readonly name: string
  /** Name of the validation split. */
  readonly validation: 'val' | 'validation'
  /** Flags of boxes that it keeps: 'difficult', 'crowd', 'area'. */
  readonly keeps: readonly ('difficult' | 'crowd' | 'area')[]
  /** Folder of a split's images, from the output folder. */
  readonly images: (folder: string) => string
  /** Paths from the output folder, and their texts. */
  readonly write: (
    splits: readonly WrittenSplit[],
    classes: readonly string[],
  ) => Iterable<readonly [string, string]>
}
