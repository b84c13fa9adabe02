/** Small pictures of a data set's images with their boxes. */
import sharp from 'sharp'
import { type CheckReport, type Problem, readSampleImage, type Sample, type SplitName } from '../../data'
import { drawDetections } from '../../evaluate'

export interface Picture {
  /** Absent if the image cannot be drawn. */
  readonly svg: string | undefined
  readonly caption: string
  readonly note?: string
}

/** Maximum number of pictures of each kind, and their width. */
const MOST = { samples: 12, faulty: 24, duplicates: 12 }
const WIDTH = 420
/** Colour of boxes that lie outside the image or have no area. */
const WRONG = '#ff5964'

/** Images spread over the splits, those with problems, and pairs of the same bytes. */
export async function pictures(report: CheckReport): Promise<{
  samples: Picture[]
  faulty: Picture[]
  duplicates: (readonly [Picture, Picture])[]
}> {
  const { found, problems, duplicates } = report
  const all = (Object.entries(found.splits) as [SplitName, readonly Sample[]][]).flatMap(([split, samples]) =>
    samples.map((sample) => ({ sample, split })),
  )
  const draw = (sample: Sample, caption: string, note?: string) => drawn(sample, found.classes, caption, note)
  const inTurn = async <T>(items: readonly T[], make: (item: T) => Promise<Picture>) => {
    const made: Picture[] = []
    for (const item of items) made.push(await make(item))
    return made
  }
  const splitOf = new Map(all.map(({ sample, split }) => [sample.id, split]))
  const captionOf = ({ id, width, height }: Sample) =>
    `${splitOf.get(id) ?? ''} · ${id} · ${width} × ${height}`
  const pairs: (readonly [Picture, Picture])[] = []
  for (const { copy, first } of duplicates.slice(0, MOST.duplicates))
    pairs.push([await draw(copy, captionOf(copy)), await draw(first, captionOf(first))])
  return {
    samples: await inTurn(spread(all, MOST.samples), ({ sample }) => draw(sample, captionOf(sample))),
    faulty: await inTurn(
      withProblems(
        all.map(({ sample }) => sample),
        report,
        problems,
      ),
      ({ sample, note }) => draw(sample, captionOf(sample), note),
    ),
    duplicates: pairs,
  }
}

/** Samples with problems, each with the first of them. */
function withProblems(samples: readonly Sample[], { sourceOf }: CheckReport, problems: readonly Problem[]) {
  const first = new Map<Sample, string>()
  const byFile = new Map(samples.map((sample) => [sample.file, sample]))
  for (const problem of problems) {
    if (problem.kind === 'duplicate image') continue
    const sample = byFile.get(problem.file) ?? sourceOf(problem)
    if (sample !== undefined && !first.has(sample)) first.set(sample, `${problem.kind}: ${problem.message}`)
    if (first.size === MOST.faulty) break
  }
  return [...first].map(([sample, note]) => ({
    sample,
    note: note.length > 160 ? `${note.slice(0, 157)}...` : note,
  }))
}

/** `count` of the items, evenly spread: those with objects, then others if these are too few. */
function spread<T extends { readonly sample: Sample }>(items: readonly T[], count: number): T[] {
  const hasObjects = ({ sample }: T) => (sample.boxes?.length ?? 0) > 0
  const filled = items.filter(hasObjects)
  if (filled.length < count) return [...filled, ...items.filter((item) => !hasObjects(item))].slice(0, count)
  return Array.from({ length: count }, (_, i) => filled[Math.floor((i * filled.length) / count)]!)
}

async function drawn(
  sample: Sample,
  classes: readonly string[],
  caption: string,
  note?: string,
): Promise<Picture> {
  const base = { caption, ...(note === undefined ? {} : { note }) }
  try {
    const { width, height, pixels } = await readSampleImage(sample)
    const scale = Math.min(1, WIDTH / width)
    const small = await sharp(pixels, { raw: { width, height, channels: 3 } })
      .resize(Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale)), {
        fit: 'fill',
      })
      .raw()
      .toBuffer({ resolveWithObject: true })
    const image = { width: small.info.width, height: small.info.height, pixels: small.data }
    const [x, y] = [image.width / width, image.height / height]
    const boxes = (sample.boxes ?? []).map((box) => {
      const isWrong = box.x1 <= -1 || box.y1 <= -1 || box.x2 >= width + 1 || box.y2 >= height + 1
      return {
        box: { x1: box.x1 * x, y1: box.y1 * y, x2: box.x2 * x, y2: box.y2 * y },
        label: box.label,
        ...(isWrong ? { colour: WRONG, dashed: true } : {}),
      }
    })
    return { ...base, svg: await drawDetections(image, boxes.filter(hasArea), classes, { width: WIDTH }) }
  } catch {
    // The list of problems already names images that cannot be decoded.
    return { ...base, svg: undefined }
  }
}

const hasArea = ({ box }: { box: { x1: number; y1: number; x2: number; y2: number } }) =>
  box.x2 > box.x1 && box.y2 > box.y1
