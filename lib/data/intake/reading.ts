/** What reading a folder of images is asked, finds and gives. */
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
  /** Notation; recognised from the files by default. */
  readonly format?: string
  /** Folder or file of the annotations, from the data set's folder; everything below it by default. */
  readonly annotations?: string
  /** Folder of the images, from the data set's folder; looked for by default. */
  readonly images?: string
  /** Class names in the order of their labels; the data set's own list, or else the sorted names, by default. */
  readonly classes?: readonly string[]
  /** What VOC's numbers mean; 'corners' by default. */
  readonly vocPixels?: VocPixels
  /** Follow links and paths that lead out of the data set's folder. */
  readonly outside?: boolean
  /** Whether an annotation without an image file is a problem. Default true; shares always need one. */
  readonly imagesNeeded?: boolean
  /** Whether splits are told apart by lists. Default true; without, all images are read. */
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

/** Everything that one notation says of a folder. */
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
  /** Folder that the images lie in. */
  readonly imagesRoot: string
  readonly notations: readonly Notation[]
  /** Classes that the data set itself lists; undefined where only its boxes name them. */
  readonly classes: readonly string[] | undefined
  /** Names of the classes by the ids of the label files (COCO). */
  readonly categories: ReadonlyMap<number | string, string>
  readonly images: readonly LocatedImage[]
  /** Splits that a file, a list or a folder is named after, also where nothing is in it. */
  readonly named: ReadonlySet<SplitName>
  /** To be closed when the images have been looked at. */
  readonly ledger: Ledger
}

/** What a folder is read with. */
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
