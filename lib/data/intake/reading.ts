/** Options, intermediate results and result of reading a folder of images. */
import type { Report } from '../problem'
import type { SplitName } from '../types'
import type { Ledger } from './account'
import type { ListedFile } from './listing'
import type { Locator } from './locate'
import type { Notation, ParsedFile, Prepared, TextFile, VocPixels } from './notation'
import type { ParsedImage } from './parsed'
import type { Places } from './paths'
import type { Recognised } from './recognise'

export interface ReadOptions {
  /** Notation; detected from the files by default. */
  readonly format?: string
  /** Folder or file of the annotations, relative to the data set's folder; default: everything below it. */
  readonly annotations?: string
  /** Folder of the images, relative to the data set's folder; detected by default. */
  readonly images?: string
  /** Class names in the order of their labels; default: the data set's own list, else the sorted names. */
  readonly classes?: readonly string[]
  /** Meaning of VOC's numbers; default: 'corners'. */
  readonly vocPixels?: VocPixels
  /** Follows links and paths that lead out of the data set's folder. */
  readonly outside?: boolean
  /** Whether an annotation without an image file is a problem. Default true; fractions always need one. */
  readonly imagesNeeded?: boolean
  /** Whether lists determine the splits. Default true; otherwise all images are read. */
  readonly lists?: boolean
}

/** An annotated image with its file and split. */
export interface LocatedImage {
  /** undefined only where images are not needed. */
  readonly image: ListedFile | undefined
  readonly split: SplitName
  readonly parsed: ParsedImage
  readonly notation: Notation
}

/** Everything that one notation says about a folder. */
export interface Reading {
  readonly notation: Notation
  readonly prepared: Prepared
  readonly files: readonly {
    readonly file: TextFile
    readonly parsed: ParsedFile
    readonly locator: Locator
  }[]
  /** Files that cannot be read. */
  readonly broken: readonly TextFile[]
  readonly images: readonly {
    readonly located: LocatedImage
    readonly file: TextFile
    readonly listed: boolean
  }[]
}

export interface ReadSet {
  /** The data set's folder. */
  readonly root: string
  /** Folder of the images. */
  readonly imagesRoot: string
  readonly notations: readonly Notation[]
  /** Classes listed by the data set itself; undefined if only its boxes name them. */
  readonly classes: readonly string[] | undefined
  /** Names of the classes by the ids of the label files (COCO). */
  readonly categories: ReadonlyMap<number | string, string>
  readonly images: readonly LocatedImage[]
  /** Splits that a file, a list or a folder is named after, even if empty. */
  readonly named: ReadonlySet<SplitName>
  /** Must be closed once the images have been examined. */
  readonly ledger: Ledger
}

/** Context for reading a folder. */
export interface Around {
  readonly places: Places
  readonly ledger: Ledger
  readonly report: Report
  readonly chosen: string | undefined
  readonly labelsRoot: string
  readonly options: ReadOptions
  readonly recognised: Recognised
  readonly mayHoldLabels: (file: ListedFile) => boolean
}
