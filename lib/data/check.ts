import { mapLimited } from '../base'
import { SPLIT_NAMES } from './hash'
import { readImage } from './images'
import { type OpenOptions, type ScannedSample, type ScannedSet, scanDataset } from './open'
import { withLines } from './place'
import type { Problem } from './problem'
import { sharedImages } from './shared'
import type { Box, Sample, SplitName } from './types'

/** How far, in pixels, an edge may lie outside before it is a problem: written decimals are rounded. */
const TOLERANCE = 0.5

export interface CheckReport {
  readonly problems: readonly Problem[]
  readonly format: string
  readonly classes: readonly string[]
  /** Images and boxes of each split that the data set names. */
  readonly counts: { readonly [split in SplitName]?: { readonly images: number; readonly boxes: number } }
  /** What is left when everything that has a problem is clipped or left out. */
  readonly clean: CleanSet
}

export interface CleanSet {
  readonly classes: readonly string[]
  readonly splits: { readonly [split in SplitName]?: readonly Sample[] }
}

/**
 * Reads a data set to the end, decodes every image, and lists every problem with its file and line (or key):
 * what does not parse, images that are missing or corrupt or of another size than stated, boxes outside their
 * image or without area, unknown classes, the same image (by its bytes) in two splits, splits without boxes.
 * The originals are only read. Boxes of `clean` are clipped to their image; empty ones, corrupt images and the
 * training copies of images that are also held out are left out.
 */
export async function checkDataset(directory: string, options: OpenOptions = {}): Promise<CheckReport> {
  const found: Problem[] = []
  const set = await scanDataset(directory, options, (problem) => found.push(problem))
  const dropped = new Set<ScannedSample>()
  for (const scanned of await undecodable(set.samples)) {
    dropped.add(scanned)
    found.push(await decodingProblem(scanned.sample))
  }
  for (const scanned of set.samples) found.push(...boxProblems(scanned))
  found.push(...duplicates(set, dropped))
  const counts = countSplits(set)
  found.push(...emptySplits(set, counts))
  const problems = await withLines(found)
  const order = (problem: Problem) => `${problem.file}\0${String(problem.line ?? 0).padStart(9, '0')}`
  problems.sort((a, b) => (order(a) < order(b) ? -1 : order(a) > order(b) ? 1 : 0))
  return { problems, format: set.layout.format, classes: set.classes, counts, clean: cleaned(set, dropped) }
}

/** Samples whose images cannot be decoded to the end. */
async function undecodable(samples: readonly ScannedSample[]): Promise<ScannedSample[]> {
  const decodes = await mapLimited(samples, 4, ({ sample }) =>
    readImage(sample.file).then(
      () => true,
      () => false,
    ),
  )
  return samples.filter((_, i) => !decodes[i])
}

/** Why an image cannot be decoded: tried by itself, since the decoder mixes up the reasons of several at once. */
async function decodingProblem({ file }: Sample): Promise<Problem> {
  const error = await readImage(file).then(
    () => new Error('expected a readable image, found one that decodes only sometimes'),
    (reason: unknown) => reason,
  )
  const message = (error instanceof Error ? error.message : String(error)).replace(`${file}: `, '')
  return { kind: 'corrupt image', file, message }
}

function emptySplits({ layout, samples }: ScannedSet, counts: CheckReport['counts']): Problem[] {
  const file = layout.directory
  const problems = SPLIT_NAMES.flatMap((split): Problem[] => {
    const { images, boxes } = counts[split] ?? { images: 1, boxes: 1 }
    if (images === 0) {
      const message = `expected images in ${split}, found none that can be read`
      return [{ kind: 'empty split', file, key: split, message }]
    }
    if (split === 'unlabelled' || boxes > 0) return []
    const message = `expected boxes in ${split}, found none in ${images} images`
    return [{ kind: 'empty split', file, key: split, message }]
  })
  if (samples.length > 0 || problems.length > 0) return problems
  return [{ kind: 'empty split', file, message: 'expected images, found none that can be read' }]
}

function boxProblems({ sample, parsed, written }: ScannedSample): Problem[] {
  const problems: Problem[] = []
  const { width, height } = sample
  sample.boxes?.forEach((box, i) => {
    const place = { file: parsed.source, line: written[i]!.line, key: written[i]!.key }
    const found = `found (${[box.x1, box.y1, box.x2, box.y2].map((v) => +v.toFixed(2)).join(', ')})`
    if (!(box.x2 > box.x1 && box.y2 > box.y1)) {
      problems.push({ kind: 'empty box', ...place, message: `expected x1 < x2 and y1 < y2, ${found}` })
    } else if (
      Math.min(box.x1, box.y1) < -TOLERANCE ||
      box.x2 > width + TOLERANCE ||
      box.y2 > height + TOLERANCE
    ) {
      const message = `expected a box within 0 .. ${width}, 0 .. ${height} of ${sample.file}, ${found}`
      problems.push({ kind: 'outside image', ...place, message })
    }
  })
  return problems
}

function duplicates(set: ScannedSet, dropped: Set<ScannedSample>): Problem[] {
  return sharedImages(set.samples).map(({ copy, problem }) => {
    dropped.add(copy)
    return problem
  })
}

function countSplits(set: ScannedSet): CheckReport['counts'] {
  const counts: { [split in SplitName]?: { images: number; boxes: number } } = {}
  for (const split of set.named) counts[split] = { images: 0, boxes: 0 }
  for (const { split, sample } of set.samples) {
    const count = counts[split] ?? { images: 0, boxes: 0 }
    counts[split] = count
    count.images++
    count.boxes += sample.boxes?.length ?? 0
  }
  return counts
}

function cleaned(set: ScannedSet, dropped: ReadonlySet<ScannedSample>): CleanSet {
  const splits: { [split in SplitName]?: Sample[] } = {}
  for (const scanned of set.samples) {
    if (dropped.has(scanned)) continue
    const { sample, split } = scanned
    const members = splits[split] ?? []
    splits[split] = members
    members.push({ ...sample, boxes: sample.boxes?.flatMap((box) => clipped(box, sample)) })
  }
  return { classes: set.classes, splits }
}

function clipped(box: Box, { width, height }: Sample): Box[] {
  const [x1, y1] = [Math.max(0, box.x1), Math.max(0, box.y1)]
  const [x2, y2] = [Math.min(width, box.x2), Math.min(height, box.y2)]
  return x2 > x1 && y2 > y1 ? [{ ...box, x1, y1, x2, y2 }] : []
}
