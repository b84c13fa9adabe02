import type { Report } from '../problem'
import type { SplitName } from '../types'
import type { Tally } from './account'
import { type JsonOutline, outlineJson } from './json'
import type { ListedFile, Listing } from './listing'
import type { ParsedImage } from './parsed'
import type { Places } from './paths'
import { filledLines, type Line } from './text'

/**
 * Meaning of VOC's xmin .. ymax.
 * 'corners': continuous corners, taken literally. Converters between formats and other tools that write VOC XML
 * mean this, and it makes one photo's boxes agree across VOC, COCO, YOLO and OpenImages.
 * 'inclusive': the devkit's own numbers, first and last pixel counted from 1, so that the box covers
 * xmin - 1 .. xmax and ymin - 1 .. ymax.
 */
export type VocPixels = 'corners' | 'inclusive'

/**
 * A notation for labels. To add one, write a file in notations/ and a line in its index: this interface is all that the
 * rest needs to know.
 */
export interface Notation {
  /** Its name in the option `--format`. */
  readonly name: string
  /** Its common name. */
  readonly title: string
  /** A typical layout, for the error message when none fits. */
  readonly layout: string
  /** Whether a file holds the labels of the one image with its name, or of many. */
  readonly holds: 'one image' | 'many images'
  /** How labels refer to classes: by position in a list that must be found, or by name. */
  readonly classesAre: 'numbers' | 'names'
  /** Names of files that may contain labels. */
  readonly files: RegExp
  /** The role of a file in this notation; undefined if it has none. */
  recognise(file: TextFile): Recognition | undefined
  /** Label files to leave out in favour of others of the same notation. */
  sift?(files: readonly TextFile[]): readonly { readonly file: TextFile; readonly rule: string }[]
  /** Reads the set's other files: classes, lists of splits, names. */
  prepare?(set: Surroundings): Prepared
  /** The images described in a file; undefined after reporting that the file cannot be read. */
  parse(file: TextFile, context: ParseContext): ParsedFile | undefined
}

/**
 * 'labels': judged by the content. 'unsure': if it belongs to an image, or is among others of the notation; the file is
 * empty, or has no label-like content. A companion is left out by its rule.
 */
export type Recognition =
  | { readonly as: 'labels' | 'unsure' }
  | { readonly as: 'companion'; readonly rule: string }

export const LABELS: Recognition = { as: 'labels' }
export const UNSURE: Recognition = { as: 'unsure' }
export const companion = (rule: string): Recognition => ({ as: 'companion', rule })

/** A text file, with lazily computed views that several readers share. */
export class TextFile {
  private foundLines: readonly Line[] | undefined
  private foundOutline: JsonOutline | undefined

  constructor(
    readonly file: ListedFile,
    readonly text: string,
  ) {}

  get path(): string {
    return this.file.path
  }

  /** The non-empty lines. */
  get lines(): readonly Line[] {
    this.foundLines ??= filledLines(this.text, this.path)
    return this.foundLines
  }

  /** The non-empty lines that are not comments. */
  get content(): readonly Line[] {
    return this.lines.filter(({ text }) => !text.startsWith('#'))
  }

  get outline(): JsonOutline {
    this.foundOutline ??= outlineJson(this.text)
    return this.foundOutline
  }
}

/** Everything around a notation's labels. */
export interface Surroundings {
  readonly listing: Listing
  readonly places: Places
  /** Small text files that no notation takes for labels, by place. */
  readonly others: ReadonlyMap<string, TextFile>
  /** Whether to read the lists of splits. */
  readonly splitsWanted: boolean
  /** The file named by the option --annotations, if it is a file. */
  readonly chosen: string | undefined
  readonly report: Report
  /** Records that a file with information about the labels was read. */
  readonly used: (file: string, as: string) => void
  readonly leaveOut: (file: string, rule: string) => void
  readonly note: Tally
}

export interface Prepared {
  /** Class names in the order of their labels. */
  readonly classes?: readonly string[]
  /** Where the classes are listed. */
  readonly classesFrom?: string
  readonly splits?: SplitLists
  /** Columns after the box in YOLO's lines with key points. */
  readonly keypointColumns?: number
  /** Class names by their codes in the files. */
  readonly names?: ReadonlyMap<string, string>
}

/** Splits as lists of images. */
export interface SplitLists {
  /** Split of an image by its path. */
  readonly of: ReadonlyMap<string, SplitName>
  /** Splits that have a list, even an empty one. */
  readonly named: ReadonlySet<SplitName>
  /** Name of the lists, for the rule that leaves other images out. */
  readonly what: string
}

export interface ParseContext {
  /** Names of the class numbers. @throws DatasetError or Error if the set has no list of them */
  readonly classes: () => readonly string[]
  readonly prepared: Prepared
  readonly vocPixels: VocPixels
  readonly report: Report
  /** Records boxes that the notation itself excludes, and things not read literally. */
  readonly leaveOut: (rule: string, count?: number) => void
  readonly note: (rule: string, count?: number) => void
}

export interface ParsedFile {
  readonly images: readonly ParsedImage[]
  /** Classes listed in the file itself. */
  readonly classes?: readonly string[]
  /** Their names by the file's ids (COCO). */
  readonly categories?: ReadonlyMap<number | string, string>
}
