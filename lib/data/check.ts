import { mapLimited } from '../base'
import { SPLIT_NAMES } from './hash'
import { readImage } from './images'
import type { Account } from './intake/account'
import { type OpenOptions, type ScannedSample, type ScannedSet, scanDataset } from './open'
import { withLines } from './place'
import { describeProblem, type Problem } from './problem'
import { sharedImages } from './shared'
import type { Box, Sample, SplitName } from './types'
import type { WritableSet } from './writers'

/** How far outside its image an edge must lie, in pixels, to be a problem: less is rounding, and clipped. */
const ROUNDING = 1
/** A check ends with more problems than these: nobody reads them, and they take memory. */
const MOST_PROBLEMS = 100_000

/** What `checkDataset` found: problems, and what there is. */
export interface CheckReport {
  readonly problems: readonly Problem[]
  /** The notations, joined by '+'. */
  readonly format: string
  readonly classes: readonly string[]
  /** Images and boxes of each split that the data set names. */
  readonly counts: { readonly [split in SplitName]?: { readonly images: number; readonly boxes: number } }
  readonly account: Account
  /** Everything that could be read, problems included. */
  readonly found: WritableSet
  /** Images whose bytes are in two splits: the copy, and the one to keep. */
  readonly duplicates: readonly { readonly copy: Sample; readonly first: Sample }[]
  /** The image that a problem in a label file is about, if that image could be read. */
  readonly sourceOf: (problem: Problem) => Sample | undefined
  /** What remains after everything with a problem is clipped or left out. */
  readonly clean: WritableSet
  /** Images without a sound box; they are not in `clean`, where they would pass for images without objects. */
  readonly emptied: readonly Sample[]
}

/**
 * Reads a data set to the end, decodes every image, and lists every problem with its file and line (or key):
 * what does not parse; images that are missing, corrupt or not of the stated size; boxes outside their image, without
 * area or written twice; unknown classes; the same image (by its bytes) in two splits; splits without boxes.
 * It only reads the originals. In `clean`, boxes are clipped to their image; empty boxes, corrupt images, images that
 * lost every box and training copies of held-out images are left out.
 */
export async function checkDataset(directory: string, options: OpenOptions = {}): Promise<CheckReport> {
  const found: Problem[] = []
  const report = (problem: Problem) => {
    if (found.push(problem) > MOST_PROBLEMS)
      throw new Error(
        `${directory}: expected at most ${MOST_PROBLEMS} problems, found more; mend the first ones`,
      )
  }
  const set = await scanDataset(directory, options, report).catch((error) => {
    // Earlier problems may be the cause, so report them instead.
    if (found.length === 0 || !(error instanceof Error)) throw error
    const before = found.slice(0, 10).map(describeProblem)
    throw new Error([...before, error.message].join('\n'), { cause: error })
  })
  const dropped = new Set<ScannedSample>()
  for (const scanned of await undecodable(set.samples)) {
    dropped.add(scanned)
    found.push(await decodingProblem(scanned.sample))
  }
  for (const scanned of set.samples)
    for (const problem of boxProblems(scanned, set.ledger.notes)) report(problem)
  const shared = sharedImages(set.samples)
  for (const { copy, problem } of shared) {
    dropped.add(copy)
    found.push(problem)
  }
  const counts = countSplits(set)
  found.push(...emptySplits(set, counts))
  const problems = await withLines(found)
  const order = (problem: Problem) => `${problem.file}\0${String(problem.line ?? 0).padStart(9, '0')}`
  problems.sort((a, b) => (order(a) < order(b) ? -1 : order(a) > order(b) ? 1 : 0))
  const { classes, notations, samples } = set
  return {
    ...{ problems, classes, counts },
    format: notations.map(({ name }) => name).join('+'),
    account: set.ledger.close(),
    found: { classes, splits: bySplit(samples.map(({ sample, split }) => ({ sample, split }))) },
    sourceOf: sourcesOf(samples),
    duplicates: shared.map(({ copy, first }) => ({ copy: copy.sample, first: first.sample })),
    ...cleaned(set, dropped),
  }
}

/** Finds samples by the place of their label: the file, and the line or key if a file holds many. */
function sourcesOf(samples: readonly ScannedSample[]): CheckReport['sourceOf'] {
  const bySource = new Map<string, ScannedSample[]>()
  const byPlace = new Map<string, Sample>()
  for (const scanned of samples) {
    const { sample, parsed, written } = scanned
    const all = bySource.get(parsed.source) ?? []
    bySource.set(parsed.source, all)
    all.push(scanned)
    for (const { line, key } of [parsed, ...written]) byPlace.set(`${parsed.source}\0${key ?? line}`, sample)
  }
  return ({ file, line, key }) => {
    const all = bySource.get(file) ?? []
    return all.length === 1 ? all[0]!.sample : byPlace.get(`${file}\0${key ?? line}`)
  }
}

/** Samples whose images cannot be decoded completely. */
async function undecodable(samples: readonly ScannedSample[]): Promise<ScannedSample[]> {
  const decodes = await mapLimited(samples, 4, ({ sample }) =>
    readImage(sample.file).then(
      () => true,
      () => false,
    ),
  )
  return samples.filter((_, i) => !decodes[i])
}

/** Why an image cannot be decoded: tried alone, since the decoder mixes up the reasons of parallel decodings. */
async function decodingProblem({ file }: Sample): Promise<Problem> {
  const error = await readImage(file).then(
    () => new Error('expected a readable image, found one that decodes only sometimes'),
    (reason: unknown) => reason,
  )
  const message = (error instanceof Error ? error.message : String(error)).replace(`${file}: `, '')
  return { kind: 'corrupt image', file, message }
}

function emptySplits({ root: file, samples }: ScannedSet, counts: CheckReport['counts']): Problem[] {
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

function boxProblems(
  { sample, parsed, written }: ScannedSample,
  notes: ScannedSet['ledger']['notes'],
): Problem[] {
  const problems: Problem[] = []
  const { width, height } = sample
  const seen = new Map<string, number>()
  sample.boxes?.forEach((box, i) => {
    const { line, key } = written[i]!
    const place = { file: parsed.source, line, key }
    const corners = [box.x1, box.y1, box.x2, box.y2]
    const found = `found (${corners.map((v) => +v.toFixed(2)).join(', ')})`
    const out = Math.max(-box.x1, -box.y1, box.x2 - width, box.y2 - height)
    const twin = [...corners, box.label].join()
    const earlier = seen.get(twin)
    seen.set(twin, earlier ?? i)
    if (!(box.x2 > box.x1 && box.y2 > box.y1)) {
      problems.push({ kind: 'empty box', ...place, message: `expected x1 < x2 and y1 < y2, ${found}` })
    } else if (out >= ROUNDING) {
      const hint =
        parsed.relative && out > Math.max(width, height)
          ? '; are these pixels? fractions are within 0 .. 1'
          : ''
      const message = `expected a box within 0 .. ${width}, 0 .. ${height} of ${sample.file}, ${found}${hint}`
      problems.push({ kind: 'outside image', ...place, message })
    } else if (earlier !== undefined && !box.crowd) {
      const first = written[earlier]!
      const at = first.line === undefined ? (first.key ?? '') : `line ${first.line}`
      problems.push({
        kind: 'duplicate box',
        ...place,
        message: `expected every box once, ${found} again (first at ${at})`,
      })
    } else if (out > 0) notes.add('box', 'out of its image by less than a pixel: clipped', sample.id)
  })
  return problems
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

function cleaned(
  set: ScannedSet,
  dropped: ReadonlySet<ScannedSample>,
): Pick<CheckReport, 'clean' | 'emptied'> {
  const kept: { sample: Sample; split: SplitName }[] = []
  const emptied: Sample[] = []
  for (const scanned of set.samples) {
    if (dropped.has(scanned)) continue
    const { sample, split, parsed } = scanned
    const boxes = sample.boxes && once(sample.boxes.flatMap((box) => clipped(box, sample)))
    const spoken = (parsed.boxes?.length ?? 0) + (parsed.refused ?? 0)
    if (boxes?.length === 0 && spoken > 0) emptied.push(sample)
    else kept.push({ sample: { ...sample, boxes }, split })
  }
  return { clean: { classes: set.classes, splits: bySplit(kept) }, emptied }
}

function bySplit(samples: readonly { sample: Sample; split: SplitName }[]): WritableSet['splits'] {
  const splits: { [split in SplitName]?: Sample[] } = {}
  for (const { sample, split } of samples) {
    const members = splits[split] ?? []
    splits[split] = members
    members.push(sample)
  }
  return splits
}

function once(boxes: readonly Box[]): Box[] {
  const seen = new Set<string>()
  return boxes.filter((box) => {
    const twin = [box.x1, box.y1, box.x2, box.y2, box.label, box.crowd].join()
    if (seen.has(twin) && !box.crowd) return false
    seen.add(twin)
    return true
  })
}

/** The part of a box within its image; nothing if there is none. */
function clipped(box: Box, { width, height }: Sample): Box[] {
  const [x1, y1] = [Math.max(0, box.x1), Math.max(0, box.y1)]
  const [x2, y2] = [Math.min(width, box.x2), Math.min(height, box.y2)]
  return x2 > x1 && y2 > y1 ? [{ ...box, x1, y1, x2, y2 }] : []
}
