/** What became of every file and box of a data set: read, left out by a named rule, or a problem. */
import type { ListedFile, Listing } from './listing'

export type Counted = 'image' | 'label file' | 'file' | 'box'

/** Something that happened to several items, with the first few as examples. */
export interface AccountLine {
  readonly what: Counted
  readonly rule: string
  readonly count: number
  /** At most `EXAMPLES`. */
  readonly examples: readonly string[]
}

/** What became of every file and box of a user's folder. */
export interface Account {
  /** Label files, images and boxes, by the notation they were read in. */
  readonly read: readonly {
    readonly notation: string
    readonly files: number
    readonly images: number
    readonly boxes: number
  }[]
  /** Unlabelled images, by the rule that makes them so; they can be used without labels. */
  readonly unlabelled: readonly AccountLine[]
  readonly leftOut: readonly AccountLine[]
  /** Things not read literally: guesses about paths, polygons converted to boxes. */
  readonly noted: readonly AccountLine[]
  /** Images and label files excluded by a problem. */
  readonly faulty: { readonly images: number; readonly files: number }
  /** Everything that was listed. */
  readonly listed: { readonly images: number; readonly files: number }
}

const EXAMPLES = 3

/** Account lines under construction: counts things by rule. */
export class Tally {
  private readonly lines = new Map<
    string,
    { what: Counted; rule: string; count: number; examples: string[] }
  >()

  add(what: Counted, rule: string, example: string, count = 1): void {
    const key = `${what}\0${rule}`
    const line = this.lines.get(key) ?? { what, rule, count: 0, examples: [] }
    this.lines.set(key, line)
    line.count += count
    if (line.examples.length < EXAMPLES && !line.examples.includes(example)) line.examples.push(example)
  }

  addAll(other: Tally): void {
    for (const { what, rule, count, examples } of other.lines.values()) {
      for (const example of examples) this.add(what, rule, example, 0)
      this.add(what, rule, examples[0] ?? '', count)
    }
  }

  /** In order of first occurrence. */
  all(): AccountLine[] {
    return [...this.lines.values()]
  }
}

/** The account as lines of text. */
export function describeAccount(account: Account): string[] {
  const { read, unlabelled, leftOut, noted, faulty, listed } = account
  const lines = [`${counted(listed.images, 'image')} and ${counted(listed.files, 'other file')} are there`]
  for (const { notation, files, images, boxes } of read)
    lines.push(
      `read as ${notation}: ${counted(images, 'image')} with ${counted(boxes, 'box')} from ${counted(files, 'file')}`,
    )
  for (const line of unlabelled) lines.push(`without labels: ${describeLine(line)}`)
  for (const line of leftOut) lines.push(`left out: ${describeLine(line)}`)
  for (const line of noted) lines.push(`noted: ${describeLine(line)}`)
  const problems = [
    ...(faulty.images > 0 ? [counted(faulty.images, 'image')] : []),
    ...(faulty.files > 0 ? [counted(faulty.files, 'file')] : []),
  ]
  if (problems.length > 0) lines.push(`kept out by problems: ${problems.join(', ')}`)
  return lines
}

function describeLine({ what, rule, count, examples }: AccountLine): string {
  const more = count > examples.length ? ', ...' : ''
  return `${counted(count, what)}, ${rule} (${examples.join(', ')}${more})`
}

function counted(count: number, what: string): string {
  const plural = what.endsWith('x') ? `${what}es` : `${what}s`
  return `${count} ${count === 1 ? what : plural}`
}

type Fate = 'read' | 'left out' | 'unlabelled' | 'problem'

/** Records what becomes of every listed file, so that none is lost: files nobody mentions are left out by that rule. */
export class Ledger {
  readonly notes = new Tally()
  private readonly unlabelled = new Tally()
  private readonly leftOut = new Tally()
  private readonly fates = new Map<string, Fate>()
  private readonly readBy = new Map<string, { files: number; images: number; boxes: number }>()

  constructor(private readonly listing: Listing) {
    for (const { place, rule } of listing.skipped) this.leftOut.add('file', rule, place)
  }

  fateOf(file: ListedFile): Fate | undefined {
    return this.fates.get(file.path)
  }

  /** Records a file of labels, classes or splits that was read. */
  useFile(file: ListedFile, notation?: string): void {
    this.fates.set(file.path, 'read')
    if (notation !== undefined) this.reading(notation).files++
  }

  useImage(file: ListedFile | undefined, notation: string, boxes: number): void {
    if (file !== undefined) this.fates.set(file.path, 'read')
    const reading = this.reading(notation)
    reading.images++
    reading.boxes += boxes
  }

  leave(file: ListedFile, rule: string): void {
    if (this.fates.has(file.path)) return
    this.fates.set(file.path, 'left out')
    this.leftOut.add(file.kind === 'other' ? 'file' : 'image', rule, file.place)
  }

  leaveBoxes(rule: string, example: string, count = 1): void {
    this.leftOut.add('box', rule, example, count)
  }

  unlabel(file: ListedFile, rule: string): void {
    this.fates.set(file.path, 'unlabelled')
    this.unlabelled.add('image', rule, file.place)
  }

  /** Records that a reported problem excludes a file. */
  blame(file: ListedFile): void {
    this.fates.set(file.path, 'problem')
  }

  /** Leaves out all remaining files, since nothing mentions them. */
  close(): Account {
    for (const file of this.listing.files) {
      const ending = /\.[^./]+$/.exec(file.place)?.[0]?.toLowerCase() ?? 'no ending'
      const isImage = file.kind !== 'other'
      this.leave(file, isImage ? 'in no annotation' : `neither labels nor anything about them (${ending})`)
    }
    const problems = this.listing.files.filter((file) => this.fates.get(file.path) === 'problem')
    const isImage = ({ kind }: ListedFile) => kind !== 'other'
    const images = this.listing.files.filter(isImage).length
    const faulty = problems.filter(isImage).length
    return {
      read: [...this.readBy].map(([notation, counts]) => ({ notation, ...counts })),
      unlabelled: this.unlabelled.all(),
      leftOut: this.leftOut.all(),
      noted: this.notes.all(),
      faulty: { images: faulty, files: problems.length - faulty },
      listed: { images, files: this.listing.files.length - images },
    }
  }

  private reading(notation: string): { files: number; images: number; boxes: number } {
    const reading = this.readBy.get(notation) ?? { files: 0, images: 0, boxes: 0 }
    this.readBy.set(notation, reading)
    return reading
  }
}
