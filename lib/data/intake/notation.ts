import type { Report } from '../problem'
import type { SplitName } from '../types'
import type { Tally } from './account'
import { type JsonOutline, outlineJson } from './json'
import type { ListedFile, Listing } from './listing'
import type { ParsedImage } from './parsed'
import type { Places } from './paths'
import { filledLines, type Line } from './text'

/**
 * What VOC's xmin .. ymax mean.
 * 'corners': continuous corners, taken as they are. This is what converters between formats do, what other
 * tools that write VOC XML mean, and what makes one photo's boxes agree over VOC, COCO, YOLO and OpenImages.
 * 'inclusive': the devkit's own numbers, first and last pixel counted from 1, so that the box covers
 * xmin - 1 .. xmax and ymin - 1 .. ymax.
 */
export type VocPixels = 'corners' | 'inclusive'

/**
 * A way to write labels. A new one is a file in notations/ and a line in its index: all that others need to know of it
 * stands here.
 */
export interface Notation {
  /** What the option `--format` calls it. */
  readonly name: string
  /** What people call it. */
  readonly title: string
  /** A usual layout, for the message that none fits. */
  readonly layout: string
  /** Whether a file holds the labels of one image, which has its name, or of many. */
  readonly holds: 'one image' | 'many images'
  /** How labels name their class: by its place in a list that must be found, or by its name. */
  readonly classesAre: 'numbers' | 'names'
  /** Names of files that may hold labels. */
  readonly files: RegExp
  /** What a file is to this notation; undefined: nothing. */
  recognise(file: TextFile): Recognition | undefined
  /** Label files that are left out beside others of the same notation. */
  sift?(files: readonly TextFile[]): readonly { readonly file: TextFile; readonly rule: string }[]
  /** What the set's other files say: classes, lists of splits, names. */
  prepare?(set: Surroundings): Prepared
  /** The images that a file describes; undefined after a report that the file cannot be read. */
  parse(file: TextFile, context: ParseContext): ParsedFile | undefined
}

/**
 * 'labels': by what it holds. 'unsure': it may be if it belongs to an image, or stands among others of the notation: it is
 * empty, or says nothing that is like labels. A companion is left out by its rule.
 */
export type Recognition =
  | { readonly as: 'labels' | 'unsure' }
  | { readonly as: 'companion'; readonly rule: string }

export const LABELS: Recognition = { as: 'labels' }
export const UNSURE: Recognition = { as: 'unsure' }
export const companion = (rule: string): Recognition => ({ as: 'companion', rule })

/** A file of text with what several look for in it, found out once. */
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

  /** The lines that hold something. */
  get lines(): readonly Line[] {
    this.foundLines ??= filledLines(this.text, this.path)
    return this.foundLines
  }

  /** The lines that hold something and are no comments. */
  get content(): readonly Line[] {
    return this.lines.filter(({ text }) => !text.startsWith('#'))
  }

  get outline(): JsonOutline {
    this.foundOutline ??= outlineJson(this.text)
    return this.foundOutline
  }
}

/** All that lies about a notation's labels. */
export interface Surroundings {
  readonly listing: Listing
  readonly places: Places
  /** Small files of text that no notation takes for labels, by place. */
  readonly others: ReadonlyMap<string, TextFile>
  /** Whether the lists of splits are to be read. */
  readonly splitsWanted: boolean
  /** The file that the option --annotations names, if it is one. */
  readonly chosen: string | undefined
  readonly report: Report
  /** Files that say something about the labels, and are so read. */
  readonly used: (file: string, as: string) => void
  readonly leaveOut: (file: string, rule: string) => void
  readonly note: Tally
}

export interface Prepared {
  /** Class names in the order of their labels. */
  readonly classes?: readonly string[]
  /** Where the classes stand. */
  readonly classesFrom?: string
  readonly splits?: SplitLists
  /** Columns behind the box in YOLO's lines of key points. */
  readonly keypointColumns?: number
  /** What classes are called in files, and their names. */
  readonly names?: ReadonlyMap<string, string>
}

/** Splits as lists of images. */
export interface SplitLists {
  /** Split of an image by its path. */
  readonly of: ReadonlyMap<string, SplitName>
  /** Splits that have a list, also where it is empty. */
  readonly named: ReadonlySet<SplitName>
  /** What the lists are, for the rule by which other images are left out. */
  readonly what: string
}

export interface ParseContext {
  /** Class names behind numbers. @throws DatasetError or Error where the set has no list of them */
  readonly classes: () => readonly string[]
  readonly prepared: Prepared
  readonly vocPixels: VocPixels
  readonly report: Report
  /** Boxes that the notation itself says are none, and what was read in another way than written. */
  readonly leaveOut: (rule: string, count?: number) => void
  readonly note: (rule: string, count?: number) => void
}

export interface ParsedFile {
  readonly images: readonly ParsedImage[]
  /** Classes that the file itself lists. */
  readonly classes?: readonly string[]
  /** Their names by the file's ids (COCO). */
  readonly categories?: ReadonlyMap<number | string, string>
}
