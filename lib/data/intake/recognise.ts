/** Recognises each text file: labels of a notation, a companion, or something else beside them. */
import { mapLimited } from '../../base'
import { DatasetError, type Report } from '../problem'
import type { Ledger } from './account'
import { isClassList } from './classes'
import type { ListedFile } from './listing'
import { type Notation, TextFile } from './notation'
import { NOTATIONS } from './notations'
import { folderOf, ONLY_OF_NAME, type Places, stemOf } from './paths'
import { isImageList } from './splits'
import { readText } from './text'

/** Files other than labels that may say something about them. */
const BESIDE = /\.(ya?ml|data|names|labels|txt|json|csv)$/i
/** Larger files that are not labels are not kept. */
const MOST_KEPT = 2 ** 20
const FILES_AT_ONCE = 32

/** Files by their role. */
export interface Recognised {
  /** Label files by notation. */
  readonly labels: ReadonlyMap<Notation, TextFile[]>
  /** Files that are not labels, by place. */
  readonly others: ReadonlyMap<string, TextFile>
}

export interface RecogniseOptions {
  /** Only this notation's labels. */
  readonly format: string | undefined
  /** Path of a file declared to contain labels; errors in it are then problems. */
  readonly named: string | undefined
  /** Whether a file may contain labels: it is where the option --annotations says. */
  readonly mayHoldLabels: (file: ListedFile) => boolean
  /** Place of the folder of the labels, '' for the data set's own. */
  readonly labelsRoot: string
}

/** Reads every text file once and recognises it. */
export async function recogniseFiles(
  places: Places,
  options: RecogniseOptions,
  ledger: Ledger,
  report: Report,
): Promise<Recognised> {
  const texts = await readTexts(places, ledger, report)
  const labels = new Map<Notation, TextFile[]>()
  const others = new Map<string, TextFile>()
  const unsure: { file: TextFile; notations: Notation[] }[] = []
  for (const file of texts) {
    const may = options.mayHoldLabels(file.file)
    const found = may ? recogniseFile(file, options.format) : { unsure: [] }
    if ('labels' in found) append(labels, found.labels, file)
    else if (file.path === options.named) append(labels, saidToBe(file, found, options.format), file)
    else if ('rule' in found) ledger.leave(file.file, found.rule)
    else if (found.unsure.length > 0) unsure.push({ file, notations: found.unsure })
    else keep(others, file)
  }
  const homes = new Map([...labels].map(([notation, files]) => [notation, foldersOf(files)]))
  for (const { file, notations } of unsure) {
    const notation = settle(file, notations, places, options, homes)
    if (notation !== undefined) append(labels, notation, file)
    else keep(others, file)
  }
  for (const [notation, files] of labels) {
    const sifted = notation.sift?.(files) ?? []
    for (const { file, rule } of sifted) {
      ledger.leave(file.file, rule)
      files.splice(files.indexOf(file), 1)
    }
    files.sort((a, b) => (a.file.place < b.file.place ? -1 : 1))
  }
  return { labels, others }
}

async function readTexts(places: Places, ledger: Ledger, report: Report): Promise<TextFile[]> {
  const wanted = places.listing.files.filter(
    ({ place, kind }) =>
      kind === 'other' && (BESIDE.test(place) || NOTATIONS.some(({ files }) => files.test(place))),
  )
  const texts = await mapLimited(wanted, FILES_AT_ONCE, async (file) => {
    try {
      return new TextFile(file, await readText(file.path))
    } catch (error) {
      if (!(error instanceof DatasetError)) throw error
      ledger.blame(file)
      return error
    }
  })
  return texts.flatMap((text) => {
    if (text instanceof TextFile) return [text]
    report(text.problem)
    return []
  })
}

type Guess = { labels: Notation } | { rule: string } | { unsure: Notation[] }

function recogniseFile(file: TextFile, format: string | undefined): Guess {
  const unsure: Notation[] = []
  let rule: string | undefined
  let other: Notation | undefined
  let mayBeOther = false
  for (const notation of NOTATIONS) {
    if (!notation.files.test(file.path)) continue
    const found = notation.recognise(file)
    const isWanted = format === undefined || notation.name === format
    if (found?.as === 'labels' && isWanted) return { labels: notation }
    if (found?.as === 'labels') other ??= notation
    else if (found?.as === 'unsure' && isWanted) unsure.push(notation)
    else if (found?.as === 'unsure') mayBeOther = true
    else if (found?.as === 'companion') rule ??= found.rule
  }
  if (other !== undefined && unsure.length === 0)
    return { rule: `labels in ${other.title}, not asked for with --format` }
  if (rule !== undefined && unsure.length === 0) return { rule }
  if (format !== undefined && unsure.length === 0 && mayBeOther && file.content.length === 0)
    return { rule: 'empty, and in no notation asked for with --format' }
  return { unsure }
}

/** The notation of a file named by the user. @throws Error if it is known to be something else */
function saidToBe(file: TextFile, found: Guess, format: string | undefined): Notation {
  const reason = 'rule' in found ? `: ${found.rule}` : ''
  const unsure = 'unsure' in found ? found.unsure : []
  const notation =
    unsure[0] ??
    NOTATIONS.find(({ name, files }) => files.test(file.path) && (format === undefined || name === format))
  if (notation === undefined || reason !== '')
    throw new Error(
      `${file.path}: expected labels in one of the notations that are read, found none${reason}`,
    )
  return notation
}

/**
 * The notation of a file without telling content: a file that belongs to an image is its label, whatever its name; a file
 * among others of a notation is one of them.
 */
function settle(
  file: TextFile,
  notations: readonly Notation[],
  places: Places,
  { format, labelsRoot }: RecogniseOptions,
  homes: ReadonlyMap<Notation, ReadonlyMap<string, number>>,
): Notation | undefined {
  const countOf = (notation: Notation) =>
    [...(homes.get(notation)?.values() ?? [])].reduce((sum, n) => sum + n, 0)
  const likeliest = (candidates: readonly Notation[]) =>
    [...candidates].sort((a, b) => countOf(b) - countOf(a))[0]
  const single = notations.filter(({ holds }) => holds === 'one image')
  const many = notations.filter(
    (notation) => notation.holds === 'many images' && (countOf(notation) > 0 || format),
  )
  const isList = isClassList(file) || isImageList(file)
  if (single.length > 0 && !isList) {
    const beside = places.beside(file.file, labelsRoot)
    const belongs = 'found' in beside && beside.guess !== ONLY_OF_NAME
    // A file with content, but nothing label-like, is a label only where labels are to be expected.
    const isExpected = homes.size === 0 || single.some((notation) => countOf(notation) > 0)
    if (belongs && (file.content.length === 0 || isExpected)) return likeliest(single)
    const among = single.filter((notation) => homes.get(notation)?.has(folderOf(file.file.place)))
    if (among.length > 0 && file.content.length === 0 && many.length === 0) return likeliest(among)
  }
  return isClassList(file) || stemOf(file.file.place) === 'classes' ? undefined : likeliest(many)
}

function foldersOf(files: readonly TextFile[]): Map<string, number> {
  const folders = new Map<string, number>()
  for (const { file } of files) {
    const folder = folderOf(file.place)
    folders.set(folder, (folders.get(folder) ?? 0) + 1)
  }
  return folders
}

function append<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const values = map.get(key)
  if (values === undefined) map.set(key, [value])
  else values.push(value)
}

function keep(others: Map<string, TextFile>, file: TextFile): void {
  if (file.text.length <= MOST_KEPT) others.set(file.file.place, file)
}
